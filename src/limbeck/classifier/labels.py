"""Labels as scikit-learn has them: any values that can be sorted; limbeck's are names in an order.

In: y of any container. Out: `Classes`, and the place of every row's label among them.
It does not know texts.
"""

from dataclasses import dataclass
from math import isnan
from typing import Any

import numpy as np
from sklearn.utils import column_or_1d
from sklearn.utils.multiclass import check_classification_targets

from limbeck.classifier.value_errors import DataValueError
from limbeck.errors import FaultLog
from limbeck.model.facts import FEWEST_LABELS


@dataclass(frozen=True, kw_only=True, eq=False)
class Classes:
    """The C classes.

    Attributes:
        values: (C,) as they were given, sorted: scikit-learn's `classes_`.
        names: the same as text, in the same order: limbeck's label names.
    """

    values: np.ndarray
    names: tuple[str, ...]

    def places(self, labels: Any, *, where: str) -> np.ndarray:
        """Return the place of each label among the classes, int64 (N,).

        Raises:
            DataValueError: gathers labels that are no class.
        """
        given = as_labels(labels, where=where)
        index = {value: place for place, value in enumerate(self.values.tolist())}
        values = given.tolist()
        faults = FaultLog()
        faults.extend(f"row {row}: {value!r}" for row, value in enumerate(values) if value not in index)
        faults.raise_as(
            DataValueError,
            what=f"{where} has labels that are not in y",
            todo=f"give labels that are trained on: {', '.join(map(repr, index))}",
        )
        return np.array([index[value] for value in values], dtype=np.int64)


def find_classes(labels: Any) -> Classes:
    """Return the classes that occur in y.

    Raises:
        ValueError: y is no column of class labels, has a missing value, or classes that read alike or are empty.
    """
    given = as_labels(labels, where="y")
    try:
        values = np.unique(given)
    except TypeError as error:
        raise DataValueError(
            f"y mixes labels of types that cannot be sorted ({error}): give labels of one type"
        ) from error
    check_classification_targets(given)
    if len(values) < FEWEST_LABELS:
        raise DataValueError(
            f"y has {len(values)} class ({', '.join(map(repr, values.tolist()))}): a classifier learns to tell "
            f"{FEWEST_LABELS} or more apart; add rows of another class"
        )
    names = tuple(str(value) for value in values.tolist())
    if len(set(names)) < len(names) or not all(name.strip() for name in names):
        raise DataValueError(
            f"y has labels without a name of their own: {names!r}; give each class a label that reads differently"
        )
    return Classes(values=values, names=names)


def as_labels(labels: Any, *, where: str) -> np.ndarray:
    """Return labels of any container as one array (N,).

    Raises:
        ValueError: it is no column, or (gathered) a label is missing.
    """
    if labels is None:
        raise DataValueError(
            f"{where} is None: this estimator requires y to be passed, but the target y is None; give a label a text"
        )
    given = labels.to_pylist() if hasattr(labels, "to_pylist") else labels
    # NumPy would make the text "nan" of a missing value among texts.
    listed = list(given) if isinstance(given, list | tuple) else np.asarray(given).ravel().tolist()
    faults = FaultLog()
    faults.extend(f"row {row} is {value!r}" for row, value in enumerate(listed) if is_missing(value))
    faults.raise_as(DataValueError, what=f"{where} has missing labels (NaN or None)", todo="label or drop these rows")
    shape = np.shape(given) if isinstance(given, np.ndarray) else getattr(given, "shape", ())
    if len(shape) == 2 and shape[1] > 1:
        raise DataValueError(
            f"{where} has {shape[1]} columns: y should be a 1d array of one label per row, got an array of shape "
            f"{tuple(shape)} instead; of columns of 0 and 1 give the name of the one that is 1 (idxmax(axis=1))"
        )
    # NumPy makes objects or floats of pandas' nullable types; their cells are what they should be.
    if hasattr(given, "dtype") and hasattr(given, "tolist") and not isinstance(given.dtype, np.dtype):
        given = _plain_array(given.tolist())
    return np.asarray(column_or_1d(given, warn=True))


def _plain_array(labels: list[Any]) -> np.ndarray:
    """Return labels as one array; strings stay objects, as they are in a Series."""
    return np.array(labels, dtype=object if any(isinstance(label, str) for label in labels) else None)


def is_missing(value: Any) -> bool:
    """Tell whether a cell holds nothing: None, NaN, or pandas.NA."""
    # pandas.NA is not comparable, so it is known by its name.
    return value is None or type(value).__name__ == "NAType" or (isinstance(value, float) and isnan(value))
