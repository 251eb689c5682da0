"""An audit sees both texts of a pair, and never takes the mark between them for somebody's text."""

import numpy as np
import pyarrow.compute as pc
import pytest

from limbeck.auditing.audit import audit, audit_rows
from limbeck.auditing.clean import clean
from limbeck.auditing.resplit import resplit
from limbeck.auditing.row_slices import tell_scripts
from limbeck.auditing.rows import plain_text, row_columns_of
from limbeck.data.dataset import Dataset
from limbeck.reading.in_memory import from_lists
from limbeck.settings import CleanSettings, SplitSettings

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


def matched(questions: int) -> Dataset:
    """Three answers to each question, in splits that part them, and an answer that stands everywhere."""
    pairs = [(f"question number {place}", f"answer {place} {kind}") for place in range(questions) for kind in "abc"]
    labels = ["right", "wrong", "wrong"] * questions
    return from_lists(pairs, labels).with_splits(["train", "train", "test"] * questions)


def test_half_a_pair_in_two_splits_is_a_finding() -> None:
    """By texts and rows, on the side where it is, with what memory of that side gets; whole pairs are other leaks."""
    found = audit(matched(10))
    half = found.leaks.halves
    assert half is not None
    assert (half.texts, half.rows, half.first, half.second) == (10, 30, 30, 0)
    assert half.pairs == {"train/test": 10}
    # Of the two training rows of a question one is right, so that the first label is said of it: never the wrong one.
    assert half.free_first["test"].seen == 10
    assert half.free_second["test"].seen == 0
    assert found.leaks.exact.texts == 0
    finding = next(one for one in found.findings if one.kind == "leaks.half")
    assert (finding.count, finding.unit, finding.share) == (10, "texts", 1.0)
    assert "question number 0" in finding.example
    _, rows = audit_rows(matched(10))
    assert rows.filter(pc.equal(rows["finding"], "leaks.half")).num_rows == 30


def test_a_whole_pair_in_two_splits_is_no_half_leak() -> None:
    """It is a leak already; single texts have no halves."""
    twice = from_lists([("a b c d", "e f g h")] * 2, ["x", "x"]).with_splits(["train", "test"])
    found = audit(twice)
    assert (found.leaks.exact.texts, found.leaks.halves.texts if found.leaks.halves else None) == (1, 0)
    assert audit(from_lists(["a", "b"], ["x", "y"])).leaks.halves is None


def test_new_splits_keep_pairs_that_share_a_text_together() -> None:
    """No question stands in two splits, and the notes say how many rows that concerns."""
    made = resplit(matched(40), SplitSettings(validation_share=0.2, test_share=0.2))
    assert audit(made.dataset).leaks.halves.texts == 0  # type: ignore[union-attr]  # rows are pairs
    assert [note.rows for note in made.dataset.notes if "all such rows in one split" in note.what] == [120]


def test_a_text_that_chains_all_rows_does_not_hinder_a_split() -> None:
    """A second text that every row has is no reason to keep all rows together; what could not be is noted."""
    pairs = [(f"a wholly different text {place} {place * 7919}", "yes or no?") for place in range(60)]
    made = resplit(from_lists(pairs, ["x", "y"] * 30), SplitSettings())
    assert made.dataset.split_sizes()["test"] >= 3
    assert any("too many hang together" in note.what for note in made.dataset.notes)
