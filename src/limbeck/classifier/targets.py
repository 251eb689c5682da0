"""Targets that are no column of class labels: indicators of several labels per row, and numbers.

In: y as scikit-learn has it, of any container. Out: arrays, and the names of the labels.
It does not know texts.
"""

from dataclasses import dataclass
from math import isfinite
from numbers import Real
from typing import Any

import numpy as np

from limbeck.classifier.labels import is_missing
from limbeck.classifier.value_errors import DataValueError
from limbeck.data.names import spelling_key
from limbeck.data.texts import rows_in
from limbeck.errors import FaultLog
from limbeck.model.facts import FEWEST_LABELS


@dataclass(frozen=True, kw_only=True, eq=False)
class Indicators:
    """Which labels each row has.

    Shapes: N rows, C labels.

    Attributes:
        sets_NC: bool (N, C).
        values: (C,) what the columns are called, or their places: scikit-learn's `classes_`.
        names: the same as text, in the same order.
    """

    sets_NC: np.ndarray
    values: np.ndarray
    names: tuple[str, ...]


def has_columns(y: Any) -> bool:
    """Tell whether y has several columns, as scikit-learn's multilabel indicator does."""
    shape = getattr(y, "shape", None)
    if shape is None and isinstance(y, list | tuple) and len(y):
        is_list = isinstance(y[0], set | frozenset) or len(np.shape(y[0])) == 1
        return is_list and any(len(row) != 1 for row in y)
    return shape is not None and len(shape) == 2 and shape[1] >= FEWEST_LABELS


def indicators_of(y: Any, *, where: str, like: Indicators | None = None) -> Indicators:
    """Return the labels of each row.

    Args:
        y: (N, C) of 0 and 1: an array, a list of lists, a sparse matrix, or a table whose columns are named for the
            labels.
        where: what y is called in messages.
        like: the labels that are known already; y must have the same.

    Raises:
        DataValueError: it is no indicator, has other columns, or names a label twice; gathers cells that are neither
            0 nor 1.
    """
    if not has_columns(y):
        raise DataValueError(f"{where} has one column: give (rows, labels) of 0 and 1, as the y of the fit was")
    named = _column_names(y)
    values = np.arange(_width(y, where)) if named is None else _values(named)
    names = tuple(str(value).strip() for value in values.tolist())
    if len({spelling_key(name) for name in names}) < len(names) or not all(names):
        raise DataValueError(f"{where} has columns without a name of their own: {names!r}; name each label differently")
    if like is not None and (len(names) != len(like.names) or (named is not None and names != like.names)):
        raise DataValueError(
            f"{where} has other columns ({', '.join(names)}) than the y of the fit ({', '.join(like.names)}): give the "
            "same, in the same order"
        )
    cells = _cells(y, named, where)
    has_NC, lacks_NC = np.asarray(cells == 1, np.bool_), np.asarray(cells == 0, np.bool_)
    faults = FaultLog()
    faults.extend(
        f"row {row}, column {names[column]}: {cells[row, column]}" for row, column in np.argwhere(~(has_NC | lacks_NC))
    )
    faults.raise_as(
        DataValueError,
        what=f"{where} has several columns, and cells that are neither 0 nor 1",
        todo="write 1 where a row has the label and 0 where it has not; leave rows out that nobody has labelled",
    )
    return Indicators(sets_NC=has_NC, values=values, names=names)


def finite_numbers(y: Any, *, where: str) -> np.ndarray:
    """Return numbers of any container, float64 (N,).

    Raises:
        DataValueError: y is None; gathers rows that hold no number, or one that is missing or not finite.
        SettingsError: y is no column.
    """
    if y is None:
        raise DataValueError(
            f"{where} is None: this estimator requires y to be passed, but the target y is None; give a number per text"
        )
    rows = rows_in(y, where=where, what="numbers")
    faults = FaultLog()
    faults.extend(
        f"row {row} is {value!r}"
        for row, value in enumerate(rows)
        if not isinstance(value, Real) or not isfinite(value)
    )
    faults.raise_as(
        DataValueError,
        what=f"{where} has rows that are missing (NaN or None), not finite (inf), or no number",
        todo="give one number per text, or drop these rows",
    )
    return np.array([float(value) for value in rows], dtype=np.float64)


def _column_names(y: Any) -> list[Any] | None:
    """Return what the columns of a table are called; None where y is no table."""
    if hasattr(y, "column_names"):
        return list(y.column_names)
    return list(y.columns) if hasattr(y, "columns") else None


def _values(named: list[Any]) -> np.ndarray:
    """Return the names of columns as one array; of mixed types as objects."""
    return np.array(named, dtype=None if len({type(name) for name in named}) == 1 else object)


def _width(y: Any, where: str) -> int:
    """Return the number of columns.

    Raises:
        DataValueError: rows hold names, or are of different lengths, as lists of labels are.
    """
    if hasattr(y, "shape"):
        return int(y.shape[1])
    widths = {np.shape(row) for row in y}
    if len(widths) > 1 or isinstance(y[0], set | frozenset) or any(isinstance(cell, str) for cell in y[0]):
        raise DataValueError(
            f"{where} has a list of labels per row: give (rows, labels) of 0 and 1, which "
            "sklearn.preprocessing.MultiLabelBinarizer().fit_transform makes of them"
        )
    return len(y[0])


def _cells(y: Any, named: list[Any] | None, where: str) -> np.ndarray:
    """Return the cells of y, (N, C), as they are."""
    if named is None:
        return np.asarray(y.toarray() if hasattr(y, "toarray") else y)
    return np.stack([_plain_column(rows_in(y[name], where=where, what="labels")) for name in named], axis=1)


def _plain_column(cells: list[Any]) -> np.ndarray:
    """Return cells as numbers where they are such, else as objects, missing ones as None."""
    if all(isinstance(cell, bool | int | float) for cell in cells):
        return np.array(cells)
    return np.array([None if is_missing(cell) else cell for cell in cells], dtype=object)
