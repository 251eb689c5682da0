"""y in every container that holds one label per row: the same classes, of the type that was meant."""

import numpy as np
import pandas as pd
import pytest

from limbeck.classifier.labels import find_classes

INTEGERS = [0, 1, 0]


@pytest.mark.parametrize("dtype", ["int64", "Int64", "UInt8", "int64[pyarrow]", "category"])
def test_integers_stay_integers(dtype):
    """A nullable type of pandas makes no floats of integers: the class names have no point."""
    classes = find_classes(pd.Series(INTEGERS, dtype=dtype))
    assert classes.names == ("0", "1")
    assert classes.values.dtype.kind in "iu"


@pytest.mark.parametrize("dtype", ["bool", "boolean", "bool[pyarrow]"])
def test_truth_values_stay_truth_values(dtype):
    """A nullable type of pandas makes no numbers of truth values."""
    assert find_classes(pd.Series([True, False, True], dtype=dtype)).names == ("False", "True")


@pytest.mark.parametrize("dtype", ["object", "string", "category"])
def test_names_stay_names(dtype):
    """Strings are the same classes in any type."""
    assert find_classes(pd.Series(["b", "a", "b"], dtype=dtype)).values.tolist() == ["a", "b"]


@pytest.mark.parametrize("y", [np.eye(2)[INTEGERS], pd.get_dummies(pd.Series(["a", "b", "a"]))])
def test_columns_of_dummies_are_told_what_to_give(y):
    """One column per class is refused with the way to one label per row."""
    with pytest.raises(ValueError, match=r"one label per row.*idxmax"):
        find_classes(y)
