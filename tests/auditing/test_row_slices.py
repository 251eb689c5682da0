"""Slices of rows: scripts, negation by the stated rule, and whether a text stands elsewhere."""

import pandas as pd
import pytest

from limbeck.auditing.row_slices import tell_negation, tell_repeats, tell_scripts
from limbeck.reading.in_memory import from_pandas


def named(tell):
    """Return a function that tells the English names."""
    return lambda *given: [str(term) for term in tell(*given)]


@pytest.mark.parametrize(
    "text",
    ["i am NOT ok", "didn't", "i dont know", "can’t", "cannot", "nothing works", "안 좋아요", "못 갔어", "못했다",
     "좋지 않다", "사실이 아니다", "그건 아닌 듯", "재미 없어요"],
)  # fmt: skip
def test_negation_is_seen(text):
    """English words and contractions, with or without apostrophe; Korean 안, 못, 않-, 아니-, 없-."""
    assert named(tell_negation)([text]) == ["negation"]


@pytest.mark.parametrize("text", ["i am fine", "knotty", "another", "wanted", "안녕하세요", "연못", "잘못", "편안", ""])
def test_other_words_are_no_negation(text):
    """Words that only contain the letters are not negations."""
    assert named(tell_negation)([text]) == ["no negation"]


def test_scripts_are_named():
    """One script, two where the second has a tenth of the letters, or none at all."""
    assert named(tell_scripts)(
        ["it is fine", "정말 좋아요", "좋아요 very good", "정말정말정말정말 좋아요 x", "123 !!"]
    ) == [
        "Latin",
        "Hangul",
        "Latin and Hangul",
        "Hangul",
        "no letters",
    ]


def test_texts_that_stand_elsewhere():
    """Equal and similar training texts, repeats among the rows themselves, and the rest; order as in the split."""
    long = "the quick brown fox jumps over the lazy dog near the river bank today"
    frame = pd.DataFrame(
        {
            "text": [long, "i am fine", "i am fine", f"{long}!", "so sad it is", "so sad it is", "a new text here"],
            "label": ["a", "b", "b", "a", "a", "b", "b"],
            "split": ["train", "train", "test", "test", "test", "test", "test"],
        }
    )
    dataset = from_pandas(frame)
    assert named(tell_repeats)(dataset, "test") == [
        "equal text in train",
        "similar text in train",
        "repeated in this split",
        "repeated in this split",
        "nowhere else",
    ]
    assert named(tell_repeats)(dataset, "train") == ["nowhere else", "nowhere else"]
