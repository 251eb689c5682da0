"""Votes: counted by hand, the formula by hand, and that it leaves rows without votes alone."""

import numpy as np
import pyarrow as pa
import pytest

from limbeck.review.noise import LabelNoise
from limbeck.review.votes import MOST_VOTES, LabelVotes, count_votes, weigh_votes

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


NOISE = LabelNoise(rate=0.1, given_CC=np.array([[0.9, 0.1], [0.1, 0.9]]))


def votes(equal, near, agreement=0.8):
    equal, near = np.array(equal), np.array(near, dtype=np.float64)
    return LabelVotes(
        equal_NC=equal,
        near_NC=near,
        near_rows_NC=np.ceil(near).astype(np.int64),
        group_N=np.arange(len(equal)),
        agreement=agreement,
    )


def test_an_equal_text_witnesses_as_much_as_the_row_itself():
    """0.8 : 0.2, and one equal text labelled 1: 0.8 · 0.1 : 0.2 · 0.9 = 0.08 : 0.18."""
    found = weigh_votes(np.array([[0.8, 0.2]]), votes([[0, 1]], [[0, 0]]), NOISE)
    assert found == pytest.approx(np.array([[0.08, 0.18]]) / 0.26)


def test_a_near_text_witnesses_as_much_as_such_pairs_agree():
    """Similarity 0.5, agreement 0.8: 0.8 · √0.2 : 0.2 · √0.8 = 0.8 : 0.4."""
    found = weigh_votes(np.array([[0.8, 0.2]]), votes([[0, 0]], [[0, 0.5]]), NOISE)
    assert found == pytest.approx(np.array([[2 / 3, 1 / 3]]))


def test_rows_without_votes_stay_as_they_are():
    """The formula adds nothing to them."""
    posterior = np.array([[0.8, 0.2], [0.3, 0.7]])
    assert weigh_votes(posterior, votes([[0, 0], [0, 0]], [[0, 0], [0, 0]]), NOISE) == pytest.approx(posterior)


def test_pairs_that_agree_less_than_chance_say_nothing():
    """They are no witnesses, neither for nor against."""
    posterior = np.array([[0.8, 0.2]])
    assert weigh_votes(posterior, votes([[0, 0]], [[0, 1]], agreement=0.2), NOISE) == pytest.approx(posterior)


def test_copies_are_no_independent_witnesses():
    """A hundred copies weigh as much as MOST_VOTES of them."""
    many = weigh_votes(np.array([[0.8, 0.2]]), votes([[0, 100]], [[0, 0]]), NOISE)
    some = weigh_votes(np.array([[0.8, 0.2]]), votes([[0, int(MOST_VOTES)]], [[0, 0]]), NOISE)
    assert many == pytest.approx(some)


def test_votes_against_are_said_in_words():
    """Votes for the label are not told; several are counted."""
    found = votes([[2, 1], [0, 3]], [[0, 0.9], [0, 0]])
    assert found.say(0, 0, ("joy", "슬픔")) == (
        "an equal text is labelled 슬픔",
        "a nearly equal text is labelled 슬픔",
    )
    assert found.say(1, 0, ("joy", "슬픔")) == ("3 equal texts are labelled 슬픔",)
    assert found.disagree(np.array([0, 1])).tolist() == [True, False]
