"""Texts and labels that were given to `fit` become a `Dataset`.

In: X and y as scikit-learn has them, and validation rows of the same kind. Out: a `Dataset` whose label names are the
classes in their order. It does not know models.
"""

from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa
from sklearn.utils import check_consistent_length

from limbeck.classifier.labels import Classes, as_labels, find_classes
from limbeck.data.dataset import Dataset
from limbeck.data.texts import as_texts
from limbeck.errors import DataError, FaultLog, SettingsError
from limbeck.reading.in_memory import from_arrow


@dataclass(frozen=True, kw_only=True, eq=False)
class FitRows:
    """What is learned from: the rows, and the classes that their labels stand for."""

    dataset: Dataset
    classes: Classes


def fit_rows(texts: Any, labels: Any, validation: Any, *, where: str) -> FitRows:
    """Gather the rows of a fit.

    Args:
        texts: N texts in any container.
        labels: N labels.
        validation: a pair of texts and labels, or None where validation rows are to be taken from the others.
        where: what the rows are called in runs and messages.

    Raises:
        ValueError: texts and labels do not fit together, or a label is missing or unknown.
        SettingsError: `validation` is no pair, or texts are no column of texts.
        DataError: gathers rows that are no texts, or empty.
    """
    # Before texts are looked at, so that a forgotten y is told as such.
    as_labels(labels, where="y")
    rows = _texts(texts, where="fit()")
    check_consistent_length(rows, labels)
    classes = find_classes(labels)
    parts = [_part(rows, labels, classes, split="train", where="y")]
    if validation is not None:
        if not isinstance(validation, tuple | list) or len(validation) != 2:
            raise SettingsError("validation is not a pair: give fit(X, y, validation=(texts, labels))")
        judged = _texts(validation[0], where="validation")
        check_consistent_length(judged, validation[1])
        parts.append(_part(judged, validation[1], classes, split="validation", where="the labels of validation"))
    dataset = from_arrow(pa.concat_tables(parts))
    return FitRows(dataset=replace(dataset, source=where), classes=classes)


def _texts(texts: Any, *, where: str) -> list[str]:
    """Return texts that something can be learned from."""
    rows = as_texts(texts, where=where)
    faults = FaultLog()
    faults.extend(f"text {place} is empty or only white space" for place, text in enumerate(rows) if not text.strip())
    faults.raise_as(DataError, what=f"{where} was given texts without a word", todo="drop these rows and their labels")
    return rows


def _part(texts: list[str], labels: Any, classes: Classes, *, split: str, where: str) -> pa.Table:
    places = pa.array(classes.places(labels, where=where), pa.int32())
    return pa.table(
        {
            "text": pa.array(texts, pa.large_string()),
            # A dictionary carries the order of the classes.
            "label": pa.DictionaryArray.from_arrays(places, pa.array(classes.names, pa.string())),
            "split": pa.array([split] * len(texts), pa.string()),
        }
    )
