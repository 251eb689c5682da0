"""Label sets: lists, pairs and matrices say the same."""

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from limbeck.data.label_sets import (
    LABEL_SETS,
    indicators,
    label_pairs,
    set_codes,
    sets_of_indicators,
    sets_of_pairs,
)

CELLS = st.lists(st.none() | st.sets(st.integers(0, 5)).map(sorted), min_size=1, max_size=20)


def test_pairs_become_sorted_sets_without_doubles() -> None:
    """Labels of a row may come in any order and twice; a row without pairs is empty, a missing one null."""
    sets = sets_of_pairs(np.array([2, 0, 2, 2]), np.array([1, 3, 0, 1]), np.array([False, False, False, True]))
    assert sets.type == LABEL_SETS
    assert sets.to_pylist() == [[3], [], [0, 1], None]


@given(CELLS, st.integers(0, 3))
def test_lists_pairs_and_matrices_are_the_same_sets(cells: list[list[int] | None], cut: int) -> None:
    """Whatever the sets, and from slices of a longer column too: from lists to pairs or a matrix and back."""
    column = pa.chunked_array([pa.array([[0]] * cut + cells, LABEL_SETS).slice(cut)])
    missing = np.array([cell is None for cell in cells])
    assert sets_of_pairs(*label_pairs(column), missing).to_pylist() == cells
    assert sets_of_indicators(indicators(column, 6)).to_pylist() == [cell or [] for cell in cells]


@given(CELLS)
def test_equal_sets_have_equal_codes(cells: list[list[int] | None]) -> None:
    """Two rows have one code exactly if they have the same labels; a row that is not labelled has -1."""
    codes, different = set_codes(pa.array(cells, LABEL_SETS))
    assert [list(different[code]) if code >= 0 else None for code in codes] == cells
    assert len(set(different)) == len(different)
