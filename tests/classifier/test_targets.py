"""y that is no column of class labels: indicators of several labels per row, and numbers, in every container."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from scipy.sparse import csr_array, csr_matrix

from limbeck.classifier.targets import finite_numbers, has_columns, indicators_of
from limbeck.errors import SettingsError

SETS = [[1, 0, 1], [0, 0, 0], [0, 1, 0]]


@pytest.mark.parametrize(
    "hold",
    [
        np.array,
        lambda rows: rows,
        lambda rows: list(map(tuple, rows)),
        lambda rows: list(map(np.array, rows)),
        csr_matrix,
        csr_array,
        pd.DataFrame,
        lambda rows: pd.DataFrame(rows, dtype="Int64"),
        lambda rows: pd.DataFrame(rows).astype("boolean"),
        lambda rows: pd.DataFrame(rows).astype(float),
        lambda rows: np.array(rows, bool),
        lambda rows: np.array(rows, float),
        lambda rows: np.array(rows, object),
    ],
    ids=[
        *("array", "lists", "tuples", "arrays", "matrix", "sparse"),
        *("frame", "nullable", "boolean", "float-frame", "truths", "floats", "objects"),
    ],
)
def test_columns_of_zeros_and_ones_are_an_indicator(hold) -> None:
    """Any container of scikit-learn's multilabel indicator gives the same label sets."""
    assert has_columns(hold(SETS))
    found = indicators_of(hold(SETS), where="y")
    assert found.sets_NC.tolist() == np.array(SETS, bool).tolist()
    assert found.sets_NC.dtype == np.bool_
    assert found.names == ("0", "1", "2")
    assert found.values.tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    "hold",
    [pd.DataFrame, pl.DataFrame, pa.table, lambda columns: pd.DataFrame(columns, dtype="boolean")],
    ids=["pandas", "polars", "arrow", "nullable"],
)
def test_columns_of_a_table_name_the_labels(hold) -> None:
    """Whatever library holds it."""
    found = indicators_of(hold({"sun": [1, 0], " rain": [1, 1]}), where="y")
    assert found.names == ("sun", "rain")
    assert found.values.tolist() == ["sun", " rain"]
    assert found.sets_NC.tolist() == [[True, True], [False, True]]


@pytest.mark.parametrize(
    "y",
    [[0, 1, 1], np.array([[0], [1]]), ["a", "b"], None, pd.Series([0, 1]), pd.DataFrame({"label": [0, 1]}), [[0], [1]]],
)
def test_one_column_is_no_indicator(y) -> None:
    """One label per row, however it is held."""
    assert not has_columns(y)


def test_validation_rows_have_the_same_labels() -> None:
    """Names in the same order; an array has as many columns."""
    known = indicators_of(pd.DataFrame({"sun": [1, 0], "rain": [1, 1]}), where="y")
    assert indicators_of(np.array([[1, 0]]), where="validation", like=known).sets_NC.tolist() == [[True, False]]
    with pytest.raises(ValueError, match=r"other columns \(rain, sun\) than the y of the fit \(sun, rain\)"):
        indicators_of(pd.DataFrame({"rain": [1, 0], "sun": [1, 1]}), where="validation", like=known)
    with pytest.raises(ValueError, match="other columns"):
        indicators_of(np.zeros((2, 3)), where="validation", like=known)
    with pytest.raises(ValueError, match="has one column"):
        indicators_of([0, 1], where="validation", like=known)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (np.array([[0, 2], [1, 1]]), "row 0, column 1: 2"),
        (np.array([[0, np.nan], [1, 1]]), "row 0, column 1: nan"),
        (pd.DataFrame({"a": pd.array([1, None], "Int64"), "b": [0, 1]}), "row 1, column a: None"),
        (np.array([["a", "b"], ["c", "d"]]), "row 0, column 0: a"),
        (pd.DataFrame([[0, 1]], columns=["a", "a"]), "without a name of their own"),
        (pd.DataFrame([[0, 1]], columns=["a", ""]), "without a name of their own"),
        ([["a", "b"], ["c"]], "MultiLabelBinarizer"),
        ([["a", "b"], ["c", "d"]], "MultiLabelBinarizer"),
        ([{"a", "b"}, {"c"}], "MultiLabelBinarizer"),
        ([[1, 0], [1]], "MultiLabelBinarizer"),
    ],
)
def test_what_is_no_indicator_is_told(y, message: str) -> None:
    """By row and column, with what makes an indicator of lists of labels."""
    assert has_columns(y)
    with pytest.raises(ValueError, match=f"(?s){message}"):
        indicators_of(y, where="y")


@pytest.mark.parametrize(
    "hold",
    [
        list,
        np.array,
        lambda values: np.array(values)[:, None],
        pd.Series,
        pl.Series,
        pa.array,
        lambda values: pd.Series(values, dtype="Float64"),
        lambda values: pd.DataFrame({"rating": values}),
        lambda values: list(np.array(values, np.float32)),
    ],
    ids=["list", "array", "column", "pandas", "polars", "arrow", "nullable", "frame", "float32"],
)
def test_numbers_come_from_any_container(hold) -> None:
    """As float64, in their order."""
    found = finite_numbers(hold([1.5, -2.0, 0.0]), where="y")
    assert found.dtype == np.float64
    assert found.tolist() == [1.5, -2.0, 0.0]


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (None, "y to be passed"),
        (["a", "b"], "row 0 is 'a'"),
        ([1.0, float("nan")], "row 1 is nan"),
        ([1.0, None], "row 1 is None"),
        (pd.Series([1.5, None], dtype="Float64"), "row 1 is <NA>"),
        ([float("inf"), 0.0], "row 0 is inf"),
    ],
)
def test_what_is_no_number_is_told(y, message: str) -> None:
    """By row, as a ValueError."""
    with pytest.raises(ValueError, match=f"(?s){message}"):
        finite_numbers(y, where="y")


def test_several_columns_are_no_numbers() -> None:
    """One number per row is expected."""
    with pytest.raises(SettingsError, match=r"\(2, 2\)"):
        finite_numbers(np.zeros((2, 2)), where="y")
