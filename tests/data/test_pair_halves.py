"""Halves of pairs: rows that share a text are found, whichever side it is on, and grouped, the strictest first."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from limbeck.data.pair_halves import half_notes, halves_of, strictest_first
from limbeck.data.text_pairs import TextPair
from limbeck.reading.in_memory import from_lists

ROWS = [TextPair("is it open?", "yes"), TextPair("Is it  open?", "no"), TextPair("no", "who?"), TextPair("", "why")]


def together(group: np.ndarray) -> list[list[int]]:
    """Return the rows of each group, in order."""
    return sorted([np.flatnonzero(group == one).tolist() for one in np.unique(group)])


def test_one_text_is_no_pair() -> None:
    """Single texts have no halves, and one grouping: the one that is given."""
    assert halves_of(["a", "b"]) is None
    group = np.array([0, 0])
    assert [one.tolist() for one in strictest_first(["a", "b"], group)] == [[0, 0]]


def test_rows_that_share_a_text_are_grouped_the_strictest_first() -> None:
    """By either text on whichever side, in normal form; by the first; by the second; then as given."""
    own = np.arange(4)
    found = [together(one) for one in strictest_first(ROWS, own)]
    assert found == [[[0, 1, 2], [3]], [[0, 1], [2], [3]], [[0], [1], [2], [3]], [[0], [1], [2], [3]]]
    linked = strictest_first(ROWS, np.array([0, 1, 2, 2]))
    assert together(linked[0]) == [[0, 1, 2, 3]]


def test_blank_texts_are_like_no_other() -> None:
    """Rows without a second text share nothing by that."""
    found = halves_of([TextPair("a", " "), TextPair("b", "")])
    assert found is not None
    assert len(set(found.first.tolist()) | set(found.second.tolist())) == 4


def test_rows_that_cross_are_those_that_share_a_text_with_another_part() -> None:
    """Whichever side the text stands on."""
    halves = halves_of(ROWS)
    assert halves is not None
    assert halves.crossing(np.array([0, 0, 1, 1])).tolist() == [False, True, True, False]
    assert halves.crossing(np.array([0, 1, 1, 1])).tolist() == [True, True, False, False]
    assert not halves.crossing(np.zeros(4, int)).any()


@given(st.lists(st.tuples(st.sampled_from("abcde"), st.sampled_from("abcde")), min_size=1, max_size=30))
def test_groups_part_no_shared_text(texts: list[tuple[str, str]]) -> None:
    """No row of one group of the strictest shares a text with a row of another."""
    halves = halves_of([TextPair(*one) for one in texts])
    assert halves is not None
    assert not halves.crossing(next(halves.shared_groups())).any()


def test_notes_count_labelled_pairs() -> None:
    """Those kept together, and those that could not be; single texts have none."""
    pairs = from_lists([("a", "1"), ("a", "2"), ("b", "3"), ("c", "3")], list("xyxy"))
    kept = half_notes(pairs.with_splits(["train", "train", "test", "test"]))
    assert [(note.rows, "all such rows in one split" in note.what) for note in kept] == [(4, True)]
    crossing = half_notes(pairs.with_splits(["train", "test", "test", "test"]))
    assert [(note.rows, note.example) for note in crossing] == [(2, "train:3"), (2, "train:1")]
    assert half_notes(from_lists(["a", "b"], ["x", "y"])) == ()


@pytest.mark.parametrize("texts", [[TextPair("a", "b")], []])
def test_few_rows_are_no_matter(texts: list[TextPair]) -> None:
    """One pair, or none."""
    assert [len(one) for one in strictest_first(texts, np.arange(len(texts)))][-1] == len(texts)
