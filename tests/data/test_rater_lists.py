"""Rater lists: several people's numbers per row are read as they stand; what is no list of numbers is named by row."""

import numpy as np
import pyarrow as pa
import pytest

from limbeck.data.dataset import Dataset
from limbeck.data.rater_lists import ratings_in
from limbeck.errors import DataError
from limbeck.reading.in_memory import from_arrow


def rows(ratings: pa.Array) -> Dataset:
    texts = [f"text {row}" for row in range(len(ratings))]
    table = pa.table({"text": texts, "label": [0.5] * len(texts), "ratings": ratings})
    return from_arrow(table, task="regression")


@pytest.mark.parametrize(
    "ratings",
    [
        pa.array([[1, 2, 3], [4], None, []], pa.list_(pa.int64())),
        pa.array([[1.0, 2.0, 3.0], [4.0, None], None, []], pa.list_(pa.float64())),
        pa.array(["[1, 2, 3]", "[4.0, null]", None, "[]"]),
    ],
)
def test_lists_become_an_array_with_gaps(ratings: pa.Array) -> None:
    """Integers, numbers, JSON in cells; a missing rating, a missing list and an empty one are gaps."""
    gap = np.nan
    expected = [[1, 2, 3], [4, gap, gap], [gap] * 3, [gap] * 3]
    np.testing.assert_array_equal(ratings_in(rows(ratings), "ratings"), expected)


def test_what_is_no_list_of_numbers_is_gathered_by_row() -> None:
    """A word, a number alone and a list with a word or a truth value are three faults, named by their rows."""
    with pytest.raises(DataError, match=r"\(4 faults\)") as caught:
        ratings_in(rows(pa.array(["[1, 2]", "much", "3", '[1, "x"]', "[true]"])), "ratings")
    assert all(f"row train:{row}: column 'ratings' holds" in str(caught.value) for row in (2, 3, 4, 5))
    assert "A list of numbers was expected" in str(caught.value)


def test_a_column_that_is_not_there_is_named_beside_those_that_are() -> None:
    """The label is no column of ratings."""
    for name in ("raters", "label"):
        with pytest.raises(DataError, match=rf"has no column '{name}' of ratings; .* it has ratings"):
            ratings_in(rows(pa.array([[1], [2]])), name)
