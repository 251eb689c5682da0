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
from limbeck.data.text_pairs import TextPair, are_pairs, is_blank
from limbeck.data.texts import FIRST_SECOND, as_texts, pair_names
from limbeck.errors import DataError, FaultLog, SettingsError
from limbeck.reading.in_memory import from_arrow
from limbeck.setting_tables import said_names

_OWN_NAMES = frozenset(("row_id", "split", "label", "label_name"))
"""Columns that the texts of a pair cannot have."""


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
    names = _names(texts, rows)
    parts = [pa.table({**_columns(rows, names), **_labels(labels, classes, split="train", where="y")})]
    if validation is not None:
        if not isinstance(validation, tuple | list) or len(validation) != 2:
            raise SettingsError("validation is not a pair: give fit(X, y, validation=(texts, labels))")
        judged = _texts(validation[0], where="validation")
        check_consistent_length(judged, validation[1])
        judged_labels = _labels(validation[1], classes, split="validation", where="the labels of validation")
        parts.append(pa.table({**_columns(judged, names), **judged_labels}))
    dataset = from_arrow(pa.concat_tables(parts), text_column=said_names(names))
    return FitRows(dataset=replace(dataset, source=where), classes=classes)


def _texts(texts: Any, *, where: str) -> list[str]:
    """Return texts that something can be learned from."""
    rows = as_texts(texts, where=where)
    faults = FaultLog()
    faults.extend(f"text {place} is empty or only white space" for place, text in enumerate(rows) if is_blank(text))
    faults.raise_as(DataError, what=f"{where} was given texts without a word", todo="drop these rows and their labels")
    return rows


def _names(texts: Any, rows: list[str]) -> tuple[str, ...]:
    """Return the names of the columns that the texts become: one, or two of pairs."""
    if not are_pairs(rows):
        return ("text",)
    names = pair_names(texts)
    return names if _OWN_NAMES.isdisjoint(names) else FIRST_SECOND


def _columns(rows: list[str], names: tuple[str, ...]) -> dict[str, pa.Array]:
    pairs = [row for row in rows if isinstance(row, TextPair)]
    if bool(pairs) != (len(names) == len(FIRST_SECOND)):
        raise DataError("some rows have one text, and others two: give validation rows of the same kind as X")
    texts = ([pair.first for pair in pairs], [pair.second for pair in pairs]) if pairs else (rows,)
    return {name: pa.array(column, pa.large_string()) for name, column in zip(names, texts, strict=True)}


def _labels(labels: Any, classes: Classes, *, split: str, where: str) -> dict[str, pa.Array]:
    places = pa.array(classes.places(labels, where=where), pa.int32())
    return {
        # A dictionary carries the order of the classes.
        "label": pa.DictionaryArray.from_arrays(places, pa.array(classes.names, pa.string())),
        "split": pa.array([split] * len(places), pa.string()),
    }
