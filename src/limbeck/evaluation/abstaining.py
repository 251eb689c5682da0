"""Abstaining: saying "unsure" where the highest probability is too low, and what that costs and gains.

In: probabilities (N, C) and labels (N,). Out: the risk-coverage curve, and what a threshold does to rows.
It does not know models, nor how a threshold is chosen (see `thresholds`).

A row is answered when its highest probability is above the threshold of the class that it would be given; else it is
unsure. Threshold 0 answers every row of the class, threshold 1 none. Coverage is the share of rows that are answered,
risk the share of the answered rows that are wrong. The most probable label of an unsure row stays to be seen.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from limbeck.errors import DataError
from limbeck.evaluation import metrics
from limbeck.evaluation.proportions import Share, share_of

NEVER = 1.0
"""Threshold above which no probability lies: a class that is never answered."""
_POINTS_TOLD = 200
"""Points of the curve that go to JSON."""


@dataclass(frozen=True, kw_only=True, eq=False)
class RiskCoverage:
    """The risk-coverage curve: one point for each distinct confidence, the surest rows first.

    Attributes:
        confidence: (K,), rows of at least this confidence are answered.
        coverage: (K,), share of the rows that are answered then; the last is 1.
        risk: (K,), share of the answered rows that are wrong.
        area: under the curve (AURC), a step for each point; 0 to 1, lower is better.
        best_area: what the area would be if every wrong row were less sure than every right one.
    """

    confidence: np.ndarray
    coverage: np.ndarray
    risk: np.ndarray
    area: float
    best_area: float

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON: `area`, `best_area`, and at most 200 points of the three arrays."""
        shown = np.unique(np.linspace(0, len(self.risk) - 1, _POINTS_TOLD).astype(int))
        return {
            "area": self.area,
            "best_area": self.best_area,
            **{name: getattr(self, name)[shown].tolist() for name in ("confidence", "coverage", "risk")},
        }


@dataclass(frozen=True, kw_only=True)
class AnsweredClass:
    """The rows that would be given one class.

    Attributes:
        name: of the class.
        answered: of the rows that would be given it.
        right: of the answered ones; None when none is.
    """

    name: str
    answered: Share | None
    right: Share | None


@dataclass(frozen=True, kw_only=True)
class AnsweredScores:
    """How often a classifier with thresholds answers, and how often it is right then.

    Attributes:
        coverage: share of the rows that are answered.
        accuracy: share of the answered rows that are right; None when no row is answered.
        unsure_accuracy: what the most probable label of the unsure rows would have reached; None when there is none.
        per_class: by the class that a row would be given.
    """

    coverage: Share
    accuracy: Share | None
    unsure_accuracy: Share | None
    per_class: tuple[AnsweredClass, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON; null where there is no row."""
        return {
            "coverage": self.coverage.to_dict(),
            "accuracy": _told(self.accuracy),
            "unsure_accuracy": _told(self.unsure_accuracy),
            "per_class": {
                one.name: {"answered": _told(one.answered), "right": _told(one.right)} for one in self.per_class
            },
        }


def trace_risk(probabilities_NC: np.ndarray, labels_N: np.ndarray) -> RiskCoverage:
    """Return the risk-coverage curve of rows whose labels are known.

    Raises:
        DataError: shapes differ, a label is out of range, or a row is no distribution.

    Source: El-Yaniv & Wiener, On the Foundations of Noise-free Selective Classification (2010); for the area Geifman,
    Uziel & El-Yaniv, Bias-Reduced Uncertainty Estimation (2019). Rows of equal confidence are one point here, since no
    threshold can tell them apart.

    Example:
        >>> found = trace_risk(np.array([[0.9, 0.1], [0.8, 0.2], [0.4, 0.6]]), np.array([0, 1, 1]))
        >>> found.coverage.round(2).tolist(), found.risk.round(2).tolist()
        ([0.33, 0.67, 1.0], [0.0, 0.5, 0.33])
    """
    metrics.row_losses(probabilities_NC, labels_N)  # refuses what is no distribution, and labels that do not fit
    confidence_N = probabilities_NC.max(axis=1)
    wrong_N = metrics.predicted_labels(probabilities_NC) != labels_N
    rows = len(labels_N)
    confidence, first = np.unique(-confidence_N, return_inverse=True)
    answered = np.cumsum(np.bincount(first))
    wrong = np.cumsum(np.bincount(first, weights=wrong_N))
    risk, coverage = wrong / answered, answered / rows
    best_risk = np.maximum(0, np.arange(1, rows + 1) - (rows - wrong_N.sum())) / np.arange(1, rows + 1)
    return RiskCoverage(
        confidence=-confidence.astype(np.float64),
        coverage=coverage,
        risk=risk,
        area=float((np.diff(coverage, prepend=0.0) * risk).sum()),
        best_area=float(best_risk.mean()),
    )


def find_unsure(probabilities_NC: np.ndarray, thresholds_C: Sequence[float]) -> np.ndarray:
    """Return which rows are unsure, bool (N,).

    Raises:
        DataError: not one threshold a class.
    """
    if len(thresholds_C) != probabilities_NC.shape[1]:
        raise DataError(f"{len(thresholds_C)} thresholds for {probabilities_NC.shape[1]} classes: give one a class")
    own_N = np.asarray(thresholds_C, dtype=np.float64)[metrics.predicted_labels(probabilities_NC)]
    highest_N = probabilities_NC.max(axis=1).astype(np.float64)
    unsure_N: np.ndarray = np.logical_not((highest_N > own_N) & (own_N < NEVER))
    return unsure_N


def score_answered(
    unsure_N: np.ndarray, predicted_N: np.ndarray, labels_N: np.ndarray, label_names: Sequence[str]
) -> AnsweredScores:
    """Count what abstaining does to rows whose labels are known. Shapes: all (N,).

    Raises:
        DataError: there is no row, or a label is out of range.
    """
    metrics.confusion_counts(labels_N, predicted_N, len(label_names))  # refuses labels that do not fit
    return answered_of_counts(count_answered(unsure_N, predicted_N, labels_N, len(label_names)), label_names)


def count_answered(unsure_N: np.ndarray, predicted_N: np.ndarray, labels_N: np.ndarray, class_count: int) -> np.ndarray:
    """Count rows by the class that they would be given, whether they are answered, and whether that is right.

    Returns:
        Counts, int64 (C, 2, 2): class, 1 for answered, 1 for right.
    """
    place_N = 4 * predicted_N + 2 * np.logical_not(unsure_N) + (predicted_N == labels_N)
    return np.bincount(place_N, minlength=4 * class_count).reshape(class_count, 2, 2)


def answered_of_counts(counts_C22: np.ndarray, label_names: Sequence[str]) -> AnsweredScores:
    """Return what abstaining does to rows that `count_answered` counted."""
    (unsure_wrong, unsure_right), (answered_wrong, answered_right) = counts_C22.sum(axis=0).tolist()
    answered = answered_wrong + answered_right
    return AnsweredScores(
        coverage=share_of(answered, int(counts_C22.sum())),
        accuracy=_share(answered_right, answered),
        unsure_accuracy=_share(unsure_right, unsure_wrong + unsure_right),
        per_class=tuple(
            AnsweredClass(
                name=name,
                answered=_share(int(counts_22[1].sum()), int(counts_22.sum())),
                right=_share(int(counts_22[1, 1]), int(counts_22[1].sum())),
            )
            for name, counts_22 in zip(label_names, counts_C22, strict=True)
        ),
    )


def _share(yes: int, rows: int) -> Share | None:
    return share_of(yes, rows) if rows else None


def _told(share: Share | None) -> dict[str, float | int] | None:
    return None if share is None else share.to_dict()
