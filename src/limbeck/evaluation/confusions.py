"""Confusions: the cells of a confusion matrix, the worst of them by name, and the matrix in JSON.

In: rows by true label (row) and predicted label (column). Out: `Confusion` values, plain values.
It does not know texts, nor what was predicted of which row.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from limbeck.evaluation import metrics
from limbeck.evaluation.measured import Measured, measured
from limbeck.evaluation.proportions import share_of

MOST_IN_MATRIX = 50
"""Classes up to which JSON has the confusion matrix whole; of more, only the cells in which rows fell."""
WORST_CONFUSIONS = 10
"""How many confusions are named in words."""


@dataclass(frozen=True, kw_only=True)
class Confusion:
    """Rows of one class that were given another.

    Attributes:
        true_label: the class the rows are of.
        predicted_label: the class they were given.
        count: rows.
        share: of the rows of the true class, with a Wilson interval.
    """

    true_label: str
    predicted_label: str
    count: int
    share: Measured

    def __str__(self) -> str:
        return f"{self.true_label} → {self.predicted_label} {self.share.value:.2f}"

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "true_label": self.true_label,
            "predicted_label": self.predicted_label,
            "count": self.count,
            "share": self.share.value,
            **self.share.ends,
        }


def find_worst(counts_CC: np.ndarray, label_names: tuple[str, ...]) -> tuple[Confusion, ...]:
    """Name the worst confusions, at most `WORST_CONFUSIONS`: those of the most rows first; of equals, by share."""
    support_C = counts_CC.sum(axis=1)
    found = [
        Confusion(
            true_label=label_names[true],
            predicted_label=label_names[said],
            count=count,
            share=_share(count, int(support_C[true])),
        )
        for true, said, count in _filled(counts_CC)
        if true != said
    ]
    found.sort(key=lambda confusion: (-confusion.count, -confusion.share.value))
    return tuple(found[:WORST_CONFUSIONS])


def matrix_facts(counts_CC: np.ndarray, label_names: tuple[str, ...]) -> dict[str, Any]:
    """Return plain values for JSON: counts and shares, or of many classes the cells in which rows fell; the worst."""
    facts: dict[str, Any]
    if len(label_names) <= MOST_IN_MATRIX:
        facts = {"counts": counts_CC.tolist(), "shares": metrics.confusion_shares(counts_CC).tolist()}
    else:
        true, predicted, counts = (list(column) for column in zip(*_filled(counts_CC), strict=True))
        facts = {"cells": {"true": true, "predicted": predicted, "counts": counts}}
    return {**facts, "worst": [one.to_dict() for one in find_worst(counts_CC, label_names)]}


def confusion_counts_of(facts: Mapping[str, Any], classes: int) -> np.ndarray:
    """Make the confusion matrix of what JSON has of it: whole, or the cells in which rows fell."""
    if "cells" not in facts:
        return np.array(facts["counts"], dtype=np.int64)
    cells = facts["cells"]
    counts_CC = np.zeros((classes, classes), dtype=np.int64)
    counts_CC[cells["true"], cells["predicted"]] = cells["counts"]
    return counts_CC


def _filled(counts_CC: np.ndarray) -> list[tuple[int, int, int]]:
    """Return the cells in which rows fell: true label, predicted label, rows; in the order of the matrix."""
    places = np.argwhere(counts_CC)
    counts = counts_CC[places[:, 0], places[:, 1]]
    return [(int(true), int(said), int(count)) for (true, said), count in zip(places, counts, strict=True)]


def _share(count: int, rows: int) -> Measured:
    found = share_of(count, rows)
    return measured(found.value, found.low, found.high)
