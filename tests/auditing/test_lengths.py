import json

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer as RawTokenizer
from tokenizers import models, normalizers, pre_tokenizers, processors

from limbeck.auditing.lengths import count_tokens, split_words
from limbeck.auditing.token_limits import EncoderShape, box_of, limit_table, recommend, window_table
from limbeck.tokens import SPECIAL_TOKENS, Tokenizer

PIECES = ("a", "b", "##a", "##b", "ab", "##ab", "good", "##ly", ".", ",", "'", "-", "[", "]", "한", "##국", "é", "e")


def make_tokenizer(pre_tokenizer: object, *, lowercase: bool = True) -> Tokenizer:
    vocabulary = {token: place for place, token in enumerate((*SPECIAL_TOKENS, *PIECES))}
    raw = RawTokenizer(models.WordPiece(vocabulary, unk_token="[UNK]", max_input_chars_per_word=20))  # noqa: S106
    raw.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    raw.pre_tokenizer = pre_tokenizer
    raw.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    raw.add_special_tokens(list(SPECIAL_TOKENS))
    return Tokenizer(json.loads(raw.to_str()), max_tokens=512, where="test")


WHOLE = make_tokenizer(pre_tokenizers.BertPreTokenizer())
ODD = (
    "good ab.aab, ba", "  two  spaces ", "", " ", "a\u0085b", "a\x0bb a\x1cb", "a\u00a0b", "a\u2028b",
    "[SEP] a[MASK]b [sep]", "한국 한국어", "日本語 ab", "E\u0301a e\u0301", "good!good?", "a" * 25,
    "a\ufffdb", "a\u200bb", "\x00a", "a\tb\nb\rb", "a-b'a [ ] [UNK]",
)  # fmt: skip


def check(tokenizer: Tokenizer, texts: list[str]) -> None:
    array = pa.array(texts, pa.large_string())
    counts = count_tokens(tokenizer, array, split_words(array))
    direct = tokenizer.encode(texts)
    unknown = [
        int((direct.ids[start:stop] == tokenizer.special_ids["[UNK]"]).sum())
        for start, stop in zip(direct.offsets[:-1], direct.offsets[1:], strict=True)
    ]
    assert counts.tokens.tolist() == (direct.lengths + direct.cut_tokens).tolist()
    assert counts.unknown.tolist() == unknown


def test_counts_by_word_equal_counts_by_text() -> None:
    """Odd white space, controls, special tokens in the text, accents, Han, Hangul: the same counts as whole texts."""
    check(WHOLE, list(ODD))


@settings(deadline=None)
@given(
    st.lists(st.text(st.sampled_from("ab.,'- []é한국\u0085\u00a0\t\n\x0b日SEPMK"), max_size=30), min_size=1, max_size=6)
)
def test_counts_by_word_equal_counts_by_text_for_any_text(texts: list[str]) -> None:
    """The shortcut is exact whatever the texts."""
    check(WHOLE, texts)


@settings(deadline=None)
@given(st.lists(st.text(max_size=30), min_size=1, max_size=4))
def test_counts_are_exact_for_any_unicode(texts: list[str]) -> None:
    """The same over all of Unicode."""
    check(WHOLE, texts)


def test_a_tokenizer_of_another_kind_gets_whole_texts() -> None:
    """A tokenizer that does not cut at punctuation is not given pieces."""
    check(make_tokenizer(pre_tokenizers.WhitespaceSplit()), list(ODD))
    check(make_tokenizer(pre_tokenizers.BertPreTokenizer(), lowercase=False), list(ODD))


@pytest.mark.slow
@pytest.mark.encoder
@pytest.mark.shared
def test_real_texts_with_the_real_vocabulary(imdb) -> None:
    """2,000 film reviews with the BERT vocabulary: equal to the token."""
    from limbeck.catalog.presets import load_tokenizer

    tokenizer = load_tokenizer("minilm")
    array = imdb.table["text"].combine_chunks()[:2000]
    counts = count_tokens(tokenizer, array, split_words(array))
    direct = tokenizer.encode(array.to_pylist())
    assert (counts.tokens == direct.lengths + direct.cut_tokens).all()


def test_words_are_runs_of_anything_but_white_space() -> None:
    """Leading, trailing and doubled white space make no word."""
    words = split_words(pa.array([" a  b ", "", "\t", "c", "a\u00a0b"], pa.large_string()))
    assert words.per_text.tolist() == [2, 0, 0, 1, 2]
    assert [words.distinct[place] for place in words.index] == ["a", "b", "c", "a", "b"]


def test_limit_table_by_hand() -> None:
    """Texts of 10, 100 and 600 tokens at limits 64 and 512, worked with the stated formula."""
    tokens = np.array([10, 100, 600])
    classes = {"a": np.array([0]), "b": np.array([1, 2])}
    shape = EncoderShape(width=4, feed_forward=16)

    def cost(lengths: list[int]) -> float:
        return sum(2 * n * (4 * 16 + 2 * 4 * 16) + 4 * n * n * 4 for n in lengths)

    small, large = limit_table(tokens, classes, limits=(64, 512), shape=shape)
    assert small.texts_cut == pytest.approx(2 / 3)
    assert small.tokens_lost == pytest.approx((36 + 536) / 710)
    assert small.tokens_lost_by_class == pytest.approx({"a": 0.0, "b": 572 / 700})
    assert small.texts_cut_by_class == pytest.approx({"a": 0.0, "b": 1.0})
    assert small.compute == pytest.approx(cost([10, 64, 64]) / cost([10, 100, 512]))
    assert (large.compute, large.tokens_lost) == pytest.approx((1.0, 88 / 710))


def test_short_texts_need_no_limit() -> None:
    """A limit that cuts hardly anything and saves nothing is not advised: one sentence, whatever the candidates."""
    shape = EncoderShape()
    classes = {"a": np.arange(100)}
    short = np.full(100, 20)
    short[0] = 139
    found = recommend(limit_table(short, classes, shape=shape), 139, 512)
    assert found.advice == "No limit needed; the longest text has 139 tokens."
    assert (found.limit, found.needed) == (256, False)
    short[0] = 520
    found = recommend(limit_table(short, classes, shape=shape), 520, 512)
    assert found.advice == "No limit below 512 needed; 1 % of the texts are longer."
    long = np.full(100, 700)
    assert recommend(limit_table(long, classes, shape=shape), 700, 512).needed


def test_recommendation_is_the_smallest_that_loses_next_to_nothing() -> None:
    """Short texts: the smallest limit. Long ones: the largest that the model reads, with what it costs."""
    shape = EncoderShape()
    short = limit_table(np.full(100, 50), {}, shape=shape)
    assert recommend(short, 50, 512).limit == 64
    long = limit_table(np.full(100, 900), {}, shape=shape)
    assert recommend(long, 900, 512).limit == 512
    assert recommend(long, 900, 300).limit == 256
    assert "43.1 %" in recommend(long, 900, 512).reason


def test_one_class_that_suffers_raises_the_limit() -> None:
    """1 % overall is not enough when one class loses more than 2 %."""
    tokens = np.concatenate([np.full(990, 60), np.full(10, 80)])
    classes = {"many": np.arange(990), "few": np.arange(990, 1000)}
    table = limit_table(tokens, classes, shape=EncoderShape())
    assert table[0].tokens_lost < 0.01
    assert recommend(table, 80, 512).limit == 128


def test_box_is_tukeys() -> None:
    """Whiskers end at the furthest values within 1.5 interquartile ranges."""
    box = box_of(np.array([1, 2, 2, 3, 3, 3, 4, 4, 50]))
    assert (box.q1, box.median, box.q3) == (2, 3, 4)
    assert (box.low, box.high, box.least, box.most) == (1, 4, 1, 50)


def test_window_table_by_hand() -> None:
    """Texts of 10, 100 and 600 tokens at 64: the same number is lost at either end; all of them cost more rows."""
    tokens = np.array([10, 100, 600])
    shape = EncoderShape(width=4, feed_forward=16)

    def cost(lengths: list[int]) -> float:
        return sum(2 * n * (4 * 16 + 2 * 4 * 16) + 4 * n * n * 4 for n in lengths)

    table = {one.window: one for one in window_table(tokens, 64, shape)}
    assert list(table) == ["head", "tail", "both", "all"]
    for name, part in (("head", "their ends"), ("tail", "their beginnings"), ("both", "their middles")):
        assert (table[name].not_read, table[name].compute) == (part, 1.0)
        assert table[name].tokens_lost == pytest.approx((36 + 536) / 710)
    # 62 tokens a row beside [CLS] and [SEP], at most 47 from row to row: 98 tokens are 2 rows, 598 are 13.
    whole = cost([10] + [64] * 2 + [64] * 13)
    assert table["all"].tokens_lost == 0
    assert table["all"].compute == pytest.approx(whole / cost([10, 64, 64]))
    assert window_table(tokens, 600, shape) == ()
