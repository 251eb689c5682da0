"""A pair is one string for whatever reads texts, and two texts for a tokenizer."""

import copy
import json
import pickle

import pyarrow as pa
import pytest

from limbeck.data.text_pairs import TextPair, are_pairs, as_pairs, in_two_columns, is_blank, parse_pair, without_marks
from limbeck.errors import DataError

PAIR = TextPair("is it open?", "we close at six")


def test_a_pair_is_a_string() -> None:
    """Equality, sets, JSON, Arrow and slices are those of its string."""
    said = "is it open? [SEP] we close at six"
    assert said == PAIR
    assert {PAIR, said} == {said}
    assert json.loads(json.dumps([PAIR])) == [said]
    assert pa.array([PAIR], pa.large_string()).to_pylist() == [said]
    assert (PAIR.first, PAIR.second) == ("is it open?", "we close at six")


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda pair: pickle.loads(pickle.dumps(pair))])  # noqa: S301  # our own bytes
def test_copies_keep_both_texts(again) -> None:
    """Copies and pickles are pairs."""
    found = again(PAIR)
    assert type(found) is TextPair
    assert (found, found.first, found.second) == (PAIR, PAIR.first, PAIR.second)


@pytest.mark.parametrize(("first", "second"), [("a", "b"), ("", "b"), ("a", ""), ("a", "b [SEP] c"), ("[SEP]", "b")])
def test_a_string_is_divided_at_the_first_mark(first: str, second: str) -> None:
    """What stands for a pair gives the pair."""
    found = parse_pair(str(TextPair(first, second)))
    assert found is not None
    assert (found.first, found.second) == (first, second)


def test_strings_that_are_no_pair_are_gathered() -> None:
    """The message names the two texts, each row, and what to do."""
    with pytest.raises(DataError, match=r"(?s)premise and hypothesis.*text 1: 'alone'.*\(first, second\)"):
        as_pairs([PAIR, "alone"], names=("premise", "hypothesis"), where="the model")


def test_pairs_are_all_or_none() -> None:
    """A list of both kinds is refused."""
    assert are_pairs([PAIR, PAIR])
    assert not are_pairs([])
    assert not are_pairs(["a"])
    with pytest.raises(DataError, match="1 of 2 rows"):
        are_pairs([PAIR, "a"])


def test_letters_are_looked_at_without_the_mark() -> None:
    """Marks go where every text has one; elsewhere [SEP] is somebody's text."""
    assert without_marks([PAIR]) == ["is it open? we close at six"]
    assert without_marks(["a [SEP] b", "c"]) == ["a [SEP] b", "c"]


def test_a_pair_is_blank_when_both_texts_are() -> None:
    """One word is enough."""
    assert is_blank(TextPair(" ", ""))
    assert not is_blank(TextPair("", "b"))
    assert is_blank(" \n")


def test_two_columns_take_the_place_of_one() -> None:
    """Their names are those of the pair, and other columns stay where they are."""
    table = pa.table({"row_id": ["1"], "text": [PAIR], "label": [0]})
    found = in_two_columns(table, ("question", "answer"), where="here")
    assert found.column_names == ["row_id", "question", "answer", "label"]
    assert found.to_pylist()[0]["answer"] == "we close at six"
