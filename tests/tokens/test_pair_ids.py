"""Pairs become the ids of transformers, whatever their lengths and the limit; what is cut is counted."""

import json
from pathlib import Path

import numpy as np
import pytest
import transformers
from hypothesis import given, settings
from hypothesis import strategies as st

from limbeck.data.text_pairs import TextPair
from limbeck.errors import DataError, SettingsError
from limbeck.model.loaded_encoder import LoadedEncoder
from limbeck.tokens import Tokenizer
from limbeck.tokens.pair_ids import longest_first

WORDS = ("rain", "Fine", "unbelievably", "비가", "온다", "사랑해요", "é", "naïve", "?", "42", "🙂", "[SEP]")


@pytest.fixture(scope="module")
def theirs(minilm: LoadedEncoder, tmp_path_factory: pytest.TempPathFactory) -> transformers.PreTrainedTokenizerFast:
    """The embedded encoder's tokenizer as transformers reads it, BERT's template of pairs and all."""
    path: Path = tmp_path_factory.mktemp("tokenizer") / "tokenizer.json"
    path.write_text(minilm.tokenizer.content, "utf-8")
    return transformers.PreTrainedTokenizerFast(tokenizer_file=str(path))


texts = st.lists(st.sampled_from(WORDS), max_size=14).map(" ".join)


@pytest.mark.encoder
@settings(deadline=None)
@given(pairs=st.lists(st.tuples(texts, texts), min_size=1, max_size=4), limit=st.integers(5, 40))
def test_ids_are_those_of_transformers(minilm, theirs, pairs: list[tuple[str, str]], limit: int) -> None:
    """Random lengths, Hangul, empty texts, limits down to the smallest: the same ids, and what was cut is counted."""
    found = minilm.tokenizer.encode([TextPair(*pair) for pair in pairs], max_tokens=limit)
    for place, (first, second) in enumerate(pairs):
        # In a batch, as transformers takes an empty second text for none where it is called with one pair.
        expected = theirs([first], [second], truncation="longest_first", max_length=limit)["input_ids"][0]
        whole = theirs([first], [second])["input_ids"][0]
        assert found.take([place]).ids.tolist() == expected
        assert found.cut_tokens[place] == len(whole) - len(expected)


@pytest.mark.encoder
@pytest.mark.parametrize("limit", [5, 6, 7, 8, 20])
def test_texts_cut_on_the_left_are_those_of_transformers(minilm, theirs, limit: int) -> None:
    """Where a tokenizer cuts on the left, each text of a pair keeps its last tokens."""
    left = Tokenizer(json.loads(minilm.tokenizer.content), max_tokens=512, where="here", truncation_side="left")
    theirs.truncation_side = "left"
    try:
        for first, second in [
            ("a b c d e f", "g h"),
            ("a", "b c d e f g h"),
            ("a b c d e f", "g h i j k l"),
            ("", "a b c"),
        ]:
            expected = theirs([first], [second], truncation="longest_first", max_length=limit)["input_ids"][0]
            assert left.encode([TextPair(first, second)], max_tokens=limit).ids.tolist() == expected
    finally:
        theirs.truncation_side = "right"


def test_by_hand(tiny_tokenizer: Tokenizer) -> None:
    """[CLS] first [SEP] second [SEP]; an empty text leaves its [SEP]; the longer text loses first."""
    pairs = [TextPair("i feel fine", "rainy"), TextPair("sad", ""), TextPair("so so so so", "sad")]
    found = tiny_tokenizer.encode(pairs, max_tokens=7)
    assert [found.take([place]).ids.tolist() for place in range(3)] == [
        [2, 5, 6, 3, 14, 15, 3],
        [2, 8, 3, 3],
        [2, 9, 9, 9, 3, 8, 3],
    ]
    assert found.cut_tokens.tolist() == [1, 0, 1]


def test_both_texts_keep_all_when_they_fit() -> None:
    """Nothing is cut within the room; beyond it the kept tokens fill the room and no text grows."""
    one_N, two_N = (lengths.ravel() for lengths in np.mgrid[:12, :12])
    for room in range(2, 12):
        kept_one_N, kept_two_N = longest_first(one_N, two_N, room)
        fits_N = one_N + two_N <= room
        assert (kept_one_N[fits_N] == one_N[fits_N]).all()
        assert (kept_two_N[fits_N] == two_N[fits_N]).all()
        assert (kept_one_N + kept_two_N == np.minimum(one_N + two_N, room)).all()
        assert (kept_one_N <= one_N).all()
        assert (kept_two_N <= two_N).all()


def test_a_limit_that_leaves_a_text_without_a_token_is_refused(tiny_tokenizer: Tokenizer) -> None:
    """Below five tokens a pair cannot stand."""
    with pytest.raises(SettingsError, match="two texts per row: they take 5 at least"):
        tiny_tokenizer.encode([TextPair("i", "feel")], max_tokens=4)


def test_pairs_and_single_texts_do_not_mix(tiny_tokenizer: Tokenizer) -> None:
    """A list of both is a fault, not a guess."""
    with pytest.raises(DataError, match="1 of 2 rows have two texts"):
        tiny_tokenizer.encode([TextPair("i", "feel"), "fine"])


def test_a_pair_that_became_a_plain_string_keeps_its_ids(tiny_tokenizer: Tokenizer) -> None:
    """The string of a pair gives the same ids while it fits: BERT's tokenizers know the mark."""
    pair = TextPair("i feel fine", "rainy")
    assert tiny_tokenizer.encode([pair]).ids.tolist() == tiny_tokenizer.encode([str(pair)[:]]).ids.tolist()
