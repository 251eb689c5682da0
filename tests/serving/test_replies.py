"""Replies: numbers with the fewest digits that keep their bits, and large answers in pieces."""

import asyncio
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from limbeck.serving.replies import json_rows, rows_response, shortest

FLOATS = st.floats(width=32, allow_nan=False, allow_infinity=False)


@given(st.lists(FLOATS, max_size=150))
def test_numbers_keep_their_bits(values):
    """Written, read and made float32 again, few and many: what `limbeck predict` writes is written so, too."""
    exact = np.array(values, np.float32)
    read = np.array(json.loads(json.dumps(shortest(exact))), np.float32)
    assert np.array_equal(read, exact)
    assert all(len(json.dumps(value)) <= 24 for value in shortest(exact))


@pytest.mark.parametrize("rows", [0, 1, 3, 100])
def test_rows_keep_their_shape(rows):
    """(N, C) becomes N lists of C numbers."""
    values = np.arange(rows * 4, dtype=np.float32).reshape(rows, 4)
    assert shortest(values) == values.tolist()


@given(st.lists(st.dictionaries(st.text(), st.integers()), max_size=5), st.dictionaries(st.text(), st.integers()))
def test_pieces_make_one_value(rows, around):
    """A list, and an object around it, as if they were written at once."""
    assert json.loads(asyncio.run(json_rows(iter(rows)))) == rows
    around.pop("data", None)
    response = asyncio.run(rows_response(iter(rows), {}, around=around))
    assert json.loads(response.body) == {**around, "data": rows}
