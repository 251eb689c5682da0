"""Pruned vocabularies: the same tokens on the corpus, and smaller pieces elsewhere."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from limbeck.errors import TokenizerError
from limbeck.tokens import SPECIAL_TOKENS, Tokenizer
from limbeck.tokens.pruning import prune_vocabulary

LETTERS = "abc"
PIECES = st.text(LETTERS, min_size=1, max_size=4)


def wordpiece(words):
    """A WordPiece tokenizer of these tokens."""
    from tokenizers import Tokenizer as RawTokenizer
    from tokenizers import models, pre_tokenizers, processors

    vocabulary = {token: number for number, token in enumerate((*SPECIAL_TOKENS, *dict.fromkeys(words)))}
    raw = RawTokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))  # noqa: S106
    raw.pre_tokenizer = pre_tokenizers.Whitespace()
    raw.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    raw.add_special_tokens(list(SPECIAL_TOKENS))
    return Tokenizer(json.loads(raw.to_str()), max_tokens=512, where="a test")


def tokens_of(tokenizer, text):
    return [piece.token for piece in tokenizer.pieces(text)]


@pytest.mark.slow
@settings(max_examples=75, deadline=None)
@given(
    st.lists(st.one_of(PIECES, PIECES.map(lambda piece: f"##{piece}")), max_size=14),
    st.lists(st.lists(st.text(LETTERS + "x", min_size=1, max_size=7), max_size=4).map(" ".join), max_size=4),
)
def test_the_corpus_is_tokenized_as_before(words, corpus):
    """Any vocabulary, any corpus, words that cannot be spelt among them: not one token changes."""
    before = wordpiece(words)
    pruned = prune_vocabulary(before, corpus)
    for text in corpus:
        assert tokens_of(pruned.tokenizer, text) == tokens_of(before, text)
    found, expected = pruned.tokenizer.encode(corpus), before.encode(corpus)
    assert pruned.kept_ids[found.ids].tolist() == expected.ids.tolist()


def test_a_word_that_was_unknown_stays_unknown():
    """What was taken before a word was given up is kept: else "ab" "##cd" would spell what "abc" could not begin."""
    before = wordpiece(["a", "ab", "abc", "##cd", "##d", "xcd"[:1], "zcd", "z"])
    corpus = ["abcq", "zcd"]
    pruned = prune_vocabulary(before, corpus)
    assert tokens_of(before, "abcq") == ["[CLS]", "[UNK]", "[SEP]"]
    assert tokens_of(pruned.tokenizer, "abcq") == ["[CLS]", "[UNK]", "[SEP]"]
    assert "abc" in pruned.tokenizer.vocabulary()


def test_unused_tokens_go_and_ids_close_up():
    """Special tokens keep their meaning, single characters stay, order is kept."""
    before = wordpiece(["a", "##b", "ab", "##bc", "abc", "c"])
    pruned = prune_vocabulary(before, ["ab ab"])
    assert pruned.tokenizer.vocabulary() == {
        token: number for number, token in enumerate((*SPECIAL_TOKENS, "a", "##b", "ab", "c"))
    }
    assert pruned.kept_ids.tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 10]
    assert len(pruned) == pruned.tokenizer.vocabulary_size == pruned.tokenizer.highest_id + 1


def test_other_texts_fall_back_to_smaller_pieces():
    """A word whose token went is spelt by its letters; what cannot be spelt is [UNK]."""
    pruned = prune_vocabulary(wordpiece(["a", "##b", "##c", "abc"]), ["a"])
    assert tokens_of(pruned.tokenizer, "abc") == ["[CLS]", "a", "##b", "##c", "[SEP]"]
    assert tokens_of(pruned.tokenizer, "abq") == ["[CLS]", "[UNK]", "[SEP]"]


def test_rare_tokens_go_when_that_is_asked_for():
    """A token used fewer times than asked is spelt by what is left, and the share of such tokens is stated."""
    before = wordpiece(["a", "##b", "##c", "ab", "abc"])
    corpus = ["abc abc ab", "ab ab a"]
    pruned = prune_vocabulary(before, corpus, min_uses=3)
    assert "abc" not in pruned.tokenizer.vocabulary()
    assert tokens_of(pruned.tokenizer, corpus[0]) == ["[CLS]", "ab", "##c", "ab", "##c", "ab", "[SEP]"]
    assert pruned.respelt == pytest.approx(2 / 6)
    assert prune_vocabulary(before, corpus).respelt == 0
    assert prune_vocabulary(before, corpus, min_uses=2).tokenizer.vocabulary().keys() >= {"abc", "ab", "a"}


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.one_of(PIECES, PIECES.map(lambda piece: f"##{piece}")), max_size=14),
    st.lists(st.lists(st.text(LETTERS, min_size=1, max_size=7), max_size=4).map(" ".join), max_size=4),
    st.integers(1, 6),
)
def test_no_word_becomes_unknown_where_characters_are_tokens(words, corpus, min_uses):
    """Whatever is left out as rare, what is left spells the very same words."""
    before = wordpiece([*words, *LETTERS, *(f"##{letter}" for letter in LETTERS)])
    pruned = prune_vocabulary(before, corpus, min_uses=min_uses)
    for text in corpus:
        found = tokens_of(pruned.tokenizer, text)[1:-1]
        assert "".join(piece.removeprefix("##") for piece in found) == text.replace(" ", "")


def test_special_tokens_that_moved_are_renumbered_everywhere():
    """[CLS] and [SEP] behind a gap: the template follows."""
    from tokenizers import Tokenizer as RawTokenizer
    from tokenizers import models, pre_tokenizers, processors

    for processor in (
        processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 102), ("[SEP]", 103)]),
        processors.BertProcessing(("[SEP]", 103), ("[CLS]", 102)),
    ):
        words = {"[PAD]": 0, **{f"unused{n}": n for n in range(1, 100)}}
        words |= {"[UNK]": 101, "[CLS]": 102, "[SEP]": 103, "[MASK]": 104, "yes": 105}
        raw = RawTokenizer(models.WordPiece(words, unk_token="[UNK]"))  # noqa: S106
        raw.pre_tokenizer = pre_tokenizers.Whitespace()
        raw.post_processor = processor
        raw.add_special_tokens(list(SPECIAL_TOKENS))
        pruned = prune_vocabulary(Tokenizer(json.loads(raw.to_str()), max_tokens=8, where="a test"), ["yes no"])
        assert pruned.tokenizer.encode(["yes no"]).ids.tolist() == [2, 5, 1, 3]


def test_only_wordpiece_is_pruned(tiny_tokenizer):
    """Another algorithm may give other tokens with fewer of them: it says so."""
    definition = json.loads(tiny_tokenizer.content)
    words = definition["model"]["vocab"]
    definition["model"] = {"type": "WordLevel", "vocab": words, "unk_token": "[UNK]"}
    with pytest.raises(TokenizerError, match="WordLevel"):
        prune_vocabulary(Tokenizer(definition, max_tokens=8, where="a test"), ["i feel"])


@pytest.mark.slow
@pytest.mark.encoder
def test_berts_vocabulary_on_tweets(minilm):
    """The embedded encoder's tokenizer on the embedded sample: the same tokens, a third of the vocabulary."""
    from limbeck import read

    texts = read("sample").texts[:4000]
    pruned = prune_vocabulary(minilm.tokenizer, texts)
    found, expected = pruned.tokenizer.encode(texts), minilm.tokenizer.encode(texts)
    assert pruned.kept_ids[found.ids].tolist() == expected.ids.tolist()
    assert len(pruned) < 15_000
