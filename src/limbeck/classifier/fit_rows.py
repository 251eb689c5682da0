"""Texts and what they should say, as they were given to `fit`, become a `Dataset`.

In: X and y as scikit-learn has them, and validation rows of the same kind. Out: a `Dataset` of one label per row, whose
label names are the classes in their order, of any number of labels per row, or of a number. It does not know models.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
from sklearn.utils import check_consistent_length

from limbeck.classifier.labels import Classes, as_labels, find_classes
from limbeck.classifier.targets import Indicators, finite_numbers, indicators_of
from limbeck.classifier.value_errors import DataValueError
from limbeck.data.dataset import Dataset
from limbeck.data.text_pairs import TextPair, are_pairs, is_blank
from limbeck.data.texts import FIRST_SECOND, as_texts, pair_names
from limbeck.errors import DataError, FaultLog, SettingsError
from limbeck.reading.in_memory import from_arrow
from limbeck.setting_tables import said_names
from limbeck.settings import ReadSettings

_OWN_NAMES = frozenset(("row_id", "split", "label", "label_name"))
"""Columns that the texts of a pair cannot have."""
_SOURCE = "the rows given to fit()"
FEWEST_OF_EITHER = 2
"""A label of several is learned where so many rows have it, and so many have it not."""
Target = Callable[[Any, str], pa.Array]
"""Returns the label column of a y, which messages call by the second argument."""


@dataclass(frozen=True, kw_only=True, eq=False)
class FitRows:
    """What is learned from: the rows, and the classes that their labels stand for."""

    dataset: Dataset
    classes: Classes


@dataclass(frozen=True, kw_only=True, eq=False)
class SeveralRows:
    """What is learned from where a row may have any number of labels.

    Attributes:
        dataset: the rows, with the labels that can be learned.
        labels: all of them, as y has them.
        learned: int64, the places of the dataset's labels among them.
        usual: bool (C,), what most rows are, which is all that can be said of the others.
    """

    dataset: Dataset
    labels: Indicators
    learned: np.ndarray
    usual: np.ndarray


def fit_rows(texts: Any, labels: Any, validation: Any) -> FitRows:
    """Gather the rows of a fit with one label per row.

    Args:
        texts: N texts in any container.
        labels: N labels.
        validation: a pair of texts and labels, or None where validation rows are to be taken from the others.

    Raises:
        ValueError: texts and labels do not fit together, or a label is missing or unknown.
        SettingsError: `validation` is no pair, or texts are no column of texts.
        DataError: gathers rows that are no texts, or empty.
    """
    # Before texts are looked at, so that a forgotten y is told as such.
    as_labels(labels, where="y")
    found: list[Classes] = []

    def column(y: Any, where: str) -> pa.Array:
        # Classes come after texts were looked at, and before those of the validation rows.
        classes = found[0] if found else find_classes(y)
        found.append(classes)
        places = pa.array(classes.places(y, where=where), pa.int32())
        # A dictionary carries the order of the classes.
        return pa.DictionaryArray.from_arrays(places, pa.array(classes.names, pa.string()))

    return FitRows(dataset=_dataset(texts, labels, validation, column, ReadSettings()), classes=found[0])


def several_rows(texts: Any, labels: Any, validation: Any) -> SeveralRows:
    """Gather the rows of a fit with any number of labels per row, y being (rows, labels) of 0 and 1.

    Raises:
        ValueError: texts and labels do not fit together, y is no indicator, or no label can be learned.
        SettingsError: as `fit_rows`.
        DataError: as `fit_rows`.
    """
    known = indicators_of(labels, where="y")
    having_C, rows = known.sets_NC.sum(axis=0), len(known.sets_NC)
    learned = np.flatnonzero(np.minimum(having_C, rows - having_C) >= FEWEST_OF_EITHER)
    if not len(learned):
        raise DataValueError(
            f"y has no column in which {FEWEST_OF_EITHER} rows are 1 and {FEWEST_OF_EITHER} are 0: there is nothing to "
            "learn"
        )
    names = np.array(known.names, dtype=object)

    def column(y: Any, where: str) -> pa.Array:
        sets_NC = indicators_of(y, where=where, like=known).sets_NC
        cells = [names[learned[row_C[learned]]].tolist() for row_C in sets_NC]
        return pa.array(cells, pa.large_list(pa.large_string()))

    settings = ReadSettings(task="multi", label_names=tuple(names[learned]))
    dataset = _dataset(texts, labels, validation, column, settings)
    return SeveralRows(dataset=dataset, labels=known, learned=learned, usual=2 * having_C > rows)


def number_rows(texts: Any, numbers: Any, validation: Any) -> Dataset:
    """Gather the rows of a fit with a number per row.

    Raises:
        ValueError: texts and numbers do not fit together, or a number is missing or not finite.
        SettingsError: as `fit_rows`.
        DataError: as `fit_rows`.
    """
    finite_numbers(numbers, where="y")

    def column(y: Any, where: str) -> pa.Array:
        return pa.array(finite_numbers(y, where=where))

    return _dataset(texts, numbers, validation, column, ReadSettings(task="regression"))


def _dataset(texts: Any, targets: Any, validation: Any, column: Target, settings: ReadSettings) -> Dataset:
    """Return the rows to learn from, and those to judge by where they are given."""
    rows = _texts(texts, where="fit()")
    check_consistent_length(rows, targets)
    names = _names(texts, rows)
    parts = [pa.table({**_columns(rows, names), **_target(targets, column, split="train", where="y")})]
    if validation is not None:
        if not isinstance(validation, tuple | list) or len(validation) != 2:
            raise SettingsError("validation is not a pair: give fit(X, y, validation=(texts, y of them))")
        judged = _texts(validation[0], where="validation")
        check_consistent_length(judged, validation[1])
        target = _target(validation[1], column, split="validation", where="the y of validation")
        parts.append(pa.table({**_columns(judged, names), **target}))
    dataset = from_arrow(pa.concat_tables(parts), replace(settings, text_column=said_names(names)))
    return replace(dataset, source=_SOURCE)


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


def _target(y: Any, column: Target, *, split: str, where: str) -> dict[str, pa.Array]:
    label = column(y, where)
    return {"label": label, "split": pa.array([split] * len(label), pa.string())}
