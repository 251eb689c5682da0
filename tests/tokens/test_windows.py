"""Windows: what is read of a text that is too long, for any text, limit and window."""

import json
import tracemalloc
from itertools import pairwise

import numpy as np
import pytest
import transformers
from hypothesis import given
from hypothesis import strategies as st

from limbeck.data.text_pairs import TextPair
from limbeck.errors import SettingsError
from limbeck.settings import FeatureSettings
from limbeck.tokens import Tokenizer, Window
from limbeck.tokens.windows import count_rows, cut_texts, fixed_window, joined_texts, overlaps_of, said_window

CLS, SEP, UNK = 2, 3, 1
LENGTHS = st.integers(0, 60)
LIMITS = st.integers(3, 24)


def whole(tokens):
    """A text whose tokens tell their places: [CLS] 100 101 102 … [SEP]."""
    return [CLS, *range(100, 100 + tokens), SEP]


def read_rows(ids, limit, name):
    """What a window sees of one text."""
    rows = cut_texts(np.array(ids, np.int32), np.array([len(ids)]), limit, name).rows
    return [rows.ids[start:stop].tolist() for start, stop in pairwise(rows.offsets)]


@pytest.mark.parametrize(
    ("name", "limit", "expected"),
    [
        ("head", 7, [[CLS, 100, 101, 102, 103, 104, SEP]]),
        ("tail", 7, [[CLS, 105, 106, 107, 108, 109, SEP]]),
        ("both", 7, [[CLS, 100, 101, 102, 108, 109, SEP]]),
        ("both", 6, [[CLS, 100, 101, 108, 109, SEP]]),
        ("both", 3, [[CLS, 100, SEP]]),
        ("all", 6, [[CLS, 100, 101, 102, 103, SEP], [CLS, *range(103, 107), SEP], [CLS, *range(106, 110), SEP]]),
        ("all", 3, [[CLS, token, SEP] for token in range(100, 110)]),
        ("all", 12, [whole(10)]),
    ],
)
def test_rows_are_those_that_were_counted_by_hand(name, limit, expected):
    """Ten tokens: the first, the last, half of each (the head has one more of an odd number), or all in even rows."""
    assert read_rows(whole(10), limit, name) == expected


@given(LENGTHS, LIMITS, st.sampled_from(["head", "tail", "both", "all"]))
def test_every_row_fits_and_stands_between_its_ends(tokens, limit, name):
    """Rows are never longer than the limit, begin with [CLS] and end with [SEP]; a short text stays as it is."""
    ids = whole(tokens)
    rows = read_rows(ids, limit, name)
    assert all(len(row) <= limit and row[0] == CLS and row[-1] == SEP for row in rows)
    assert all(len(row) == min(limit, len(ids)) for row in rows)
    if len(ids) <= limit:
        assert rows == [ids]
    if name != "all":
        assert len(rows) == 1


@given(LENGTHS, LIMITS)
def test_half_of_each_end_is_read(tokens, limit):
    """With "both" it is a beginning and an end of the text, in order; the beginning is as long, or one longer."""
    ids = whole(tokens)
    (row,) = read_rows(ids, limit, "both")
    inner, text = row[1:-1], ids[1:-1]
    if len(ids) > limit:
        front = -(-(limit - 2) // 2)
        assert inner == text[:front] + text[len(text) - (limit - 2 - front) :]


@given(LENGTHS, LIMITS)
def test_all_of_a_text_is_read(tokens, limit):
    """Rows of "all" follow each other over the whole text, none in vain, and overlap by a quarter at least."""
    ids, room = whole(tokens), limit - 2
    rows = [row[1:-1] for row in read_rows(ids, limit, "all")]
    assert sorted({token for row in rows for token in row}) == ids[1:-1]
    assert len(rows) == count_rows(np.array([len(ids)]), limit)[0]
    if len(ids) > limit:
        starts = [row[0] - 100 for row in rows]
        shared = [before + room - start for before, start in pairwise(starts)]
        assert all(room // 4 <= one < room for one in shared)
        assert overlaps_of(len(ids), limit) == [0, *shared]
        fewer = len(rows) - 1
        assert fewer * room - (fewer - 1) * (room // 4) < tokens


@given(st.lists(LENGTHS, max_size=8), st.integers(0, 8), LIMITS, st.sampled_from(["head", "tail", "both", "all"]))
def test_a_text_is_read_as_if_it_were_alone(lengths, middle, limit, name):
    """Rows of many texts are those of each, whether they are cut at once or in two parts that are joined."""
    texts = [whole(tokens) for tokens in lengths]

    def cut(some):
        ids = np.array([token for text in some for token in text], np.int32)
        return cut_texts(ids, np.array([len(text) for text in some], np.int64), limit, name)

    alone = [row for text in texts for row in read_rows(text, limit, name)]
    for found in (cut(texts), joined_texts([cut(texts[:middle]), cut(texts[middle:])])):
        rows = found.rows
        assert [rows.ids[start:stop].tolist() for start, stop in pairwise(rows.offsets)] == alone
        assert (found.lengths + found.cut_tokens).tolist() == [len(text) for text in texts]
        assert found.rows_per_text.tolist() == [len(read_rows(text, limit, name)) for text in texts]
        kinds = (
            rows.ids.dtype,
            rows.offsets.dtype,
            rows.cut_tokens.dtype,
            found.cut_tokens.dtype,
            found.overlap_R.dtype,
        )
        assert kinds == (np.int32, np.int64, np.int32, np.int32, np.int64)


@given(st.data(), LIMITS)
def test_ids_are_those_of_transformers(tiny_fast, data, limit):
    """Heads are what transformers makes with truncation_side right, tails with left, for any text and limit."""
    ours, theirs = tiny_fast
    words = data.draw(st.lists(st.sampled_from(["i", "feel", "rainy", "Sunn", "!", "zzz", "슬픔"]), max_size=40))
    for name, side in (("head", "right"), ("tail", "left")):
        theirs.truncation_side = side
        found = ours.read([" ".join(words)], Window(name=name, max_tokens=limit))
        assert found.rows.ids.tolist() == theirs(" ".join(words), truncation=True, max_length=limit)["input_ids"]


@pytest.fixture(scope="module")
def tiny_fast(tiny_tokenizer):
    """Our tokenizer, and the same one as transformers has it."""
    from tokenizers import Tokenizer as RawTokenizer

    names = {f"{name}_token": f"[{name.upper()}]" for name in ("unk", "cls", "sep", "pad", "mask")}
    raw = RawTokenizer.from_str(tiny_tokenizer.content)
    return tiny_tokenizer, transformers.PreTrainedTokenizerFast(tokenizer_object=raw, **names)


@pytest.mark.parametrize(("side", "name"), [("right", "head"), ("left", "tail")])
def test_the_tokenizer_says_what_is_read_where_nobody_does(tiny_tokenizer, side, name):
    """A tokenizer that cuts on the left reads tails, unless something else is asked for; `encode` reads the same."""
    own = Tokenizer(json.loads(tiny_tokenizer.content), max_tokens=24, where="x", truncation_side=side)
    texts = ["i feel so very fine", "sad"]
    assert own.window(None, 5) == Window(name=name, max_tokens=5)
    assert own.window("both").name == "both"
    assert own.encode(texts, max_tokens=5).ids.tolist() == own.read(texts, own.window(None, 5)).rows.ids.tolist()


@pytest.mark.parametrize("name", ["head", "tail", "both", "all"])
def test_what_is_not_read_is_counted(tiny_tokenizer, name):
    """Tokens read and tokens cut are the whole text's; nothing is cut of a text that is read whole."""
    texts = ["i feel so very fine today", "sad", ""]
    read = tiny_tokenizer.read(texts, Window(name=name, max_tokens=5))
    assert (read.lengths + read.cut_tokens).tolist() == [8, 3, 2]
    assert read.cut_tokens.tolist() == ([0, 0, 0] if name == "all" else [3, 0, 0])
    assert read.truncated.tolist() == [name != "all", False, False]
    assert read.rows.cut_tokens[read.first_N1[:-1]].tolist() == read.cut_tokens.tolist()
    assert len(read) == 3
    assert read.is_plain == (name != "all")


@given(st.lists(st.integers(0, 40), max_size=6), LIMITS)
def test_a_token_in_two_rows_is_counted_once(tiny_tokenizer, sizes, limit):
    """[UNK] of overlapping rows counts as often as it stands in the text, and not in a neighbour's."""
    texts = [" ".join("zzz" if place % 3 == 0 else "sad" for place in range(size)) for size in sizes]
    read = tiny_tokenizer.read(texts, Window(name="all", max_tokens=limit))
    assert read.count(UNK).tolist() == [text.count("zzz") for text in texts]


@given(st.lists(st.integers(0, 50), min_size=1, max_size=8), LIMITS, st.integers(1, 9))
def test_texts_stay_together_and_alone(tiny_tokenizer, sizes, limit, most_rows):
    """Taken in groups of bounded rows, every text has the rows and the mean that it has alone."""
    texts = ["so sad ! " * size for size in sizes]
    read = tiny_tokenizer.read(texts, Window(name="all", max_tokens=limit))
    groups = list(read.groups(most_rows))
    assert [place for group in groups for place in range(group.start, group.stop)] == list(range(len(texts)))
    values = np.random.default_rng(0).normal(size=(len(read.rows), 2)).astype(np.float32)
    means = read.mean(values)
    for group in groups:
        part = read.take(np.arange(group.start, group.stop))
        assert len(part.rows) <= most_rows or len(part) == 1
        first, stop = read.first_N1[group.start], read.first_N1[group.stop]
        assert part.mean(values[first:stop]).tobytes() == means[group].tobytes()
        alone = tiny_tokenizer.read(texts[group], Window(name="all", max_tokens=limit))
        assert alone.rows.ids.tolist() == part.rows.ids.tolist()
        assert alone.overlap_R.tolist() == part.overlap_R.tolist()
    for text in range(len(texts)):
        own = values[read.first_N1[text] : read.first_N1[text + 1]]
        np.testing.assert_allclose(means[text], own.mean(axis=0), rtol=1e-5, atol=1e-6)
        spread = read.spread_rows(text, 3)
        assert len(spread) == min(3, len(own)) == len(set(spread.tolist()))
        assert spread[0] == read.first_N1[text]
    assert read.tokens_of(None).tolist() == [int(read.rows.lengths[a:b].sum()) for a, b in pairs(read.first_N1)]


def pairs(values):
    return list(zip(values[:-1].tolist(), values[1:].tolist(), strict=True))


@pytest.mark.slow
def test_a_very_long_text_is_read_in_bounded_memory(tiny_tokenizer):
    """All of 200,000 tokens: every row is there, and no more memory is held than a few numbers a token."""
    text = "so very sad today " * 50_000
    tracemalloc.start()
    read = tiny_tokenizer.read([text], Window(name="all", max_tokens=24))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert read.lengths.tolist() == [200_002]
    assert len(read.rows) == count_rows(np.array([200_002]), 24)[0]
    assert peak < 100 * 200_000


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("head", "the first 257 tokens"),
        ("tail", "the last 257 tokens"),
        ("both", "the first 129 and the last 128 tokens"),
        ("all", "all tokens, in windows of 257 that overlap by a quarter"),
    ],
)
def test_a_window_says_what_it_reads(name, said):
    """In words, with its numbers."""
    assert said_window(Window(name=name, max_tokens=257)) == said


def test_nothing_is_chosen_where_there_are_no_labels():
    """The choice "auto" needs training rows; other names, and none, are taken as they are."""
    with pytest.raises(SettingsError, match=r"'auto' is chosen while a model is trained.*give head, tail, both or all"):
        fixed_window(FeatureSettings(window="auto"), doing="limbeck features")
    assert fixed_window(FeatureSettings(window="both"), doing="x") == "both"
    assert fixed_window(FeatureSettings(), doing="x") is None


def test_pairs_are_read_by_head_or_tail(tiny_tokenizer):
    """Of a pair the longer text loses its end, or its beginning as where the tokenizer cuts on the left; no more."""
    pairs = [TextPair("i feel so very fine today", "so sad"), TextPair("rain", "")]
    left = Tokenizer(json.loads(tiny_tokenizer.content), max_tokens=24, where="x", truncation_side="left")
    for name, own in (("head", tiny_tokenizer), ("tail", left)):
        read = tiny_tokenizer.read(pairs, Window(name=name, max_tokens=7))
        assert read.is_plain
        assert read.rows.ids.tolist() == own.encode(pairs, max_tokens=7).ids.tolist()
        assert read.cut_tokens.tolist() == [4, 0]
    for name in ("both", "all"):
        with pytest.raises(SettingsError, match=f"window = '{name}' is not possible for two texts per row"):
            tiny_tokenizer.read(pairs, Window(name=name, max_tokens=7))
