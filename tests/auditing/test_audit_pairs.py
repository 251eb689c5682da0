"""An audit sees both texts of a pair, and never takes the mark between them for somebody's text."""

import numpy as np
import pytest

from limbeck.auditing.audit import audit
from limbeck.auditing.clean import clean
from limbeck.auditing.row_slices import tell_scripts
from limbeck.auditing.rows import plain_text, row_columns_of
from limbeck.reading.in_memory import from_lists
from limbeck.settings import CleanSettings

PAIRS = [
    ("오늘은 정말 기분이 좋다", "비가 와서 조금 슬프다"),
    ("오늘은 정말 기분이 좋다", "친구를 만나 즐거웠다"),
    ("오늘은 정말 기분이 좋다", "비가 와서 조금 슬프다"),
    ("시험이 끝나서 홀가분하다", "오늘은 정말 기분이 좋다"),
]
LABELS = ["x", "y", "y", "x"]


def test_rows_are_equal_when_both_texts_are(tiny_tokenizer) -> None:
    """The same first text alone is no repeat; two equal pairs with two labels are a conflict."""
    found = audit(from_lists(PAIRS, LABELS), tokenizers={"tiny": tiny_tokenizer})
    assert (found.duplicates.exact.texts, found.duplicates.exact.rows) == (1, 2)
    assert found.conflicts.exact.texts == 1
    conflict = next(one for one in found.findings if one.kind == "conflicts.exact")
    assert "기분이 좋다 [SEP] 비가 와서" in conflict.example


def test_the_mark_is_nobodys_text(tiny_tokenizer) -> None:
    """Korean pairs are of one script, hold no special token, and have as many words as their texts."""
    found = audit(from_lists(PAIRS, LABELS), tokenizers={"tiny": tiny_tokenizer})
    assert found.scripts.main == {"Hangul": 4}
    assert found.scripts.mixed == 0
    assert found.faults["special_tokens"].rows == 0
    assert found.words.overall.most == 8
    assert [str(one) for one in tell_scripts(from_lists(PAIRS, LABELS).texts)] == ["Hangul"] * 4


def test_tokens_are_those_that_are_read(tiny_tokenizer) -> None:
    """Token counts of the audit are the lengths that the tokenizer gives, both [SEP] included."""
    rows = from_lists([("i feel fine", "so sad"), ("rainy", "it is"), ("", "so")], ["x", "y", "x"])
    found = audit(rows, tokenizers={"tiny": tiny_tokenizer})
    assert found.tokens is not None
    lengths = tiny_tokenizer.encode(rows.texts).lengths
    assert found.tokens.total == int(lengths.sum())
    assert found.tokens.lengths.overall.most == int(lengths.max())


def test_cleaning_takes_whole_pairs_out() -> None:
    """A repeated pair goes, a repeated first text stays; what is left are pairs."""
    rows = from_lists(PAIRS, ["x", "y", "x", "x"])
    found = clean(rows, CleanSettings(drop=("exact-duplicates",)))
    assert found.dataset.pair == ("first", "second")
    assert found.dataset.texts == [" [SEP] ".join(pair) for pair in (PAIRS[0], PAIRS[1], PAIRS[3])]
    assert found.removed["text"].to_pylist() == [" [SEP] ".join(PAIRS[2])]


@pytest.mark.parametrize("place", range(4))
def test_plain_text_is_both_texts(place: int) -> None:
    """Running text is the first text, a space, the second; what is shown has the mark."""
    columns = row_columns_of(from_lists(PAIRS, LABELS))
    assert columns.plain[place].as_py() == " ".join(PAIRS[place])
    assert columns.row(place).text == " [SEP] ".join(PAIRS[place])
    assert plain_text(from_lists(["a [SEP] b"])).to_pylist() == ["a [SEP] b"]
    assert np.unique(columns.label).tolist() == [0, 1]
