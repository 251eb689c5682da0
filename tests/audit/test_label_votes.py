"""Label votes: which labels equal and nearly equal texts carry, counted by hand."""

import numpy as np
import pyarrow as pa
import pytest

from limbeck.audit.label_votes import count_votes

LONG = "i went to the market in the morning and came back with a basket of apples and pears"
TEXTS = pa.array([LONG, LONG, LONG + "!", "something else altogether, about the sea", LONG])
LABELS = np.array([0, 1, 1, 0, 0])


def test_equal_and_near_votes_by_hand():
    """Rows 0, 1 and 4 are equal and row 2 nearly so; a row does not vote for itself, and row 3 has nobody."""
    found = count_votes(TEXTS, LABELS, 2)
    assert found.equal_NC.tolist() == [[1, 1], [2, 0], [0, 0], [0, 0], [1, 1]]
    assert found.near_rows_NC.tolist() == [[0, 1], [0, 1], [2, 1], [0, 0], [0, 1]]
    similarity = found.near_NC[0, 1]
    assert 0.9 < similarity <= 1
    assert found.near_NC[2].tolist() == pytest.approx([2 * similarity, similarity])
    # three near pairs (2 with 0, 1 and 4), of which one agrees, and one in two of nothing
    assert found.agreement == pytest.approx((similarity + 1) / (3 * similarity + 2))
    assert found.group_N.tolist() == [0, 0, 0, 3, 0]


def test_chunked_texts_do_as_well():
    """A dataset's column is chunked."""
    chunked = pa.chunked_array([TEXTS.slice(0, 2), TEXTS.slice(2)])
    assert count_votes(chunked, LABELS, 2).equal_NC.tolist() == count_votes(TEXTS, LABELS, 2).equal_NC.tolist()


def test_texts_that_never_repeat_have_no_votes():
    """Agreement is then that of nothing."""
    found = count_votes(pa.array(["one thing", "quite another"]), np.array([0, 1]), 2)
    assert not found.equal_NC.any()
    assert not found.near_NC.any()
    assert found.agreement == 0.5
