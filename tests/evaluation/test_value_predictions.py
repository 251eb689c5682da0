"""Predictions of numbers: what is known, what the table says, what is refused."""

import numpy as np
import pyarrow as pa
import pytest

from limbeck.errors import DataError
from limbeck.evaluation.conformal import ConformalWidth
from limbeck.evaluation.value_predictions import ValuePredictions


def made(**more):
    """Three rows, one of which has no known number."""
    facts = {
        "row_ids": ("a", "b", "c"),
        "values": np.array([1.5, -0.5, 2.0]),
        "true_values": pa.array([1.0, None, 2.5], pa.float64()),
        "tokens": np.arange(3) + 3,
        "truncated": np.array([False, True, False]),
        "texts": ("good", "bad", "great"),
    }
    return ValuePredictions(**(facts | more))


def test_errors_are_of_the_rows_whose_number_is_known():
    """Predicted minus true; the others are null in the table."""
    found = made(width=ConformalWidth(level=0.9, half_width=0.75, rows=50))
    assert found.known_errors.tolist() == [0.5, -0.5]
    table = found.to_arrow()
    assert table["error"].to_pylist() == [0.5, None, -0.5]
    assert table["value_low_90"].to_pylist() == [0.75, -1.25, 1.25]
    assert table["value_high_90"].to_pylist() == [2.25, 0.25, 2.75]
    assert "2 with a known value, 0.5 off on average; 1 texts cut" in repr(found)
    assert "± 0.75 holds 90% of true values" in repr(found)
    assert "1.5 (0.75 to 2.25)" in found._repr_html_()


def test_columns_of_the_rows_keep_their_names_where_they_can():
    """One that is called as a column of the answers has a prefix."""
    table = made(others=pa.table({"error": [1, 2, 3], "page": [4, 5, 6]})).to_arrow()
    assert table["input.error"].to_pylist() == [1, 2, 3]
    assert table["page"].to_pylist() == [4, 5, 6]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"values": np.array([1.0, np.nan, 2.0])}, r"b: nan among the values"),
        ({"true_values": pa.array([1.0, None, np.inf])}, "c: inf among the true values"),
        ({"values": np.zeros(2)}, "values have shape"),
    ],
)
def test_what_is_no_number_is_refused_with_its_row(wrong, message):
    """Named by the row's id."""
    with pytest.raises(DataError, match=message):
        made(**wrong)
