"""The tokenizer: ids as published, truncation that is counted, clear words for what is no text."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from limbeck.errors import DataError, SettingsError, TokenizerError
from limbeck.model.loaded_encoder import LoadedEncoder
from limbeck.tokens import Tokenizer, batches, tokenizer


@pytest.mark.encoder
def test_the_embedded_tokenizer_states_the_known_facts(minilm: LoadedEncoder) -> None:
    """Vocabulary, maximum, input names and special ids are those of bert-base-uncased."""
    found = minilm.tokenizer
    assert found.vocabulary_size == 30522
    assert found.max_tokens == 512
    assert found.input_names == ("input_ids", "attention_mask")
    assert found.special_ids == {"[PAD]": 0, "[UNK]": 100, "[CLS]": 101, "[SEP]": 102, "[MASK]": 103}


@pytest.mark.encoder
def test_the_course_example_gives_its_pieces(minilm: LoadedEncoder) -> None:
    """The sentence of the course is cut as the course shows it."""
    pieces = minilm.tokenizer.pieces("Tokenizing text is a core task of NLP.")
    assert " ".join(piece.token for piece in pieces) == ("[CLS] token ##izing text is a core task of nl ##p . [SEP]")


@pytest.mark.encoder
def test_the_emotion_pair_gives_its_ids_and_padded_view(minilm: LoadedEncoder) -> None:
    """Two tweets give the published ids; the padded view fills with 0 and masks with 0."""
    tokenized = minilm.tokenizer.encode(["i didnt feel humiliated", "im grabbing a minute to post i feel greedy wrong"])
    first = [101, 1045, 2134, 2102, 2514, 26608, 102]
    second = [101, 10047, 9775, 1037, 3371, 2000, 2695, 1045, 2514, 20505, 3308, 102]
    assert tokenized.ids.tolist() == first + second
    view = tokenized.take([0, 1]).padded(minilm.tokenizer.pad_id)
    assert view.input_ids.tolist() == [first + [0] * 5, second]
    assert view.attention_mask.tolist() == [[1] * 7 + [0] * 5, [1] * 12]


def test_packing_keeps_the_order_of_the_texts(tiny_tokenizer: Tokenizer) -> None:
    """Text n lies between offsets n and n + 1, with [CLS] and [SEP] around it; an empty text is those two."""
    tokenized = tiny_tokenizer.encode(["I feel fine!", "", "rainy"])
    assert tokenized.ids.tolist() == [2, 5, 6, 7, 19, 3, 2, 3, 2, 14, 15, 3]
    assert tokenized.offsets.tolist() == [0, 6, 8, 12]
    assert tokenized.ids.dtype == np.int32
    assert tokenized.offsets.dtype == np.int64
    assert not tokenized.truncated.any()


def test_truncation_keeps_the_ends_and_counts_what_it_took(tiny_tokenizer: Tokenizer) -> None:
    """A long text keeps [CLS] … [SEP]; each lost token is counted; short texts are untouched."""
    tokenized = tiny_tokenizer.encode(["i feel so very fine", "sad", "i feel fine"], max_tokens=5)
    assert tokenized.ids.tolist() == [2, 5, 6, 9, 3, 2, 8, 3, 2, 5, 6, 7, 3]
    assert tokenized.cut_tokens.tolist() == [2, 0, 0]
    assert tokenized.truncated.tolist() == [True, False, False]


def test_the_model_maximum_is_the_default_limit(tiny_tokenizer: Tokenizer) -> None:
    """Without max_tokens a text is cut at what the model can read, and it is told."""
    tokenized = tiny_tokenizer.encode(["so " * 100])
    assert tokenized.lengths.tolist() == [24]
    assert tokenized.cut_tokens.tolist() == [100 + 2 - 24]


@pytest.mark.parametrize("max_tokens", [-1, 0, 2, 25])
def test_an_impossible_limit_is_refused(tiny_tokenizer: Tokenizer, max_tokens: int) -> None:
    """A limit below [CLS] x [SEP] or above the model is a settings error that names the range."""
    with pytest.raises(SettingsError, match=r"reads 3 to 24 tokens"):
        tiny_tokenizer.encode(["i"], max_tokens=max_tokens)


def test_texts_that_are_no_text_are_gathered(tiny_tokenizer: Tokenizer) -> None:
    """A missing value, a number and half a surrogate pair are named together, by position."""
    with pytest.raises(DataError) as caught:
        tiny_tokenizer.encode(["i", None, "sad", float("nan"), "so\ud800"])  # type: ignore[list-item]
    message = str(caught.value)
    assert "3 faults" in message
    assert "text 1: None is of type NoneType" in message
    assert "text 3: nan is of type float" in message
    assert "text 4, character 2" in message


def test_chunks_do_not_show(tiny_tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Encoding in small chunks gives what one chunk gives."""
    texts = ["i feel fine", "", "so sad today", "rainy", "sunny !", "it is " * 20, "i"] * 3
    whole = tiny_tokenizer.encode(texts, max_tokens=6)
    monkeypatch.setattr(tokenizer, "_CHUNK_TEXTS", 4)
    monkeypatch.setattr(tokenizer, "_CHUNK_CHARACTERS", 15)
    parts = tiny_tokenizer.encode(texts, max_tokens=6)
    assert np.array_equal(whole.ids, parts.ids)
    assert np.array_equal(whole.offsets, parts.offsets)
    assert np.array_equal(whole.cut_tokens, parts.cut_tokens)


def test_no_texts_give_no_tokens(tiny_tokenizer: Tokenizer) -> None:
    """Nothing in, nothing out, and no batch."""
    tokenized = tiny_tokenizer.encode([])
    assert (len(tokenized), tokenized.ids.tolist(), tokenized.offsets.tolist()) == (0, [], [0])
    assert list(batches(tokenized, 8)) == []


def test_the_fingerprint_sees_words_but_not_padding(tiny_tokenizer: Tokenizer, tmp_path: Path) -> None:
    """Truncation and padding sections are not used and do not count; another vocabulary does."""
    definition = json.loads(tiny_tokenizer.content)
    path = tmp_path / "tokenizer.json"
    definition["truncation"] = {"max_length": 4, "strategy": "LongestFirst", "stride": 0, "direction": "Right"}
    path.write_text(json.dumps(definition, indent=1), "utf-8")
    same = Tokenizer.from_file(path)
    assert same.fingerprint == tiny_tokenizer.fingerprint
    assert same.encode(["i feel so very fine"]).lengths.tolist() == [7]
    definition["model"]["vocab"]["snow"] = 20
    path.write_text(json.dumps(definition), "utf-8")
    assert Tokenizer.from_file(path).fingerprint != tiny_tokenizer.fingerprint


@pytest.mark.parametrize(
    ("stated", "positions", "expected"),
    [(16, None, 16), (1e30, 20, 20), (None, 20, 20), (512, 20, 20), (16.0, 20, 16)],
)
def test_the_maximum_is_the_smaller_of_what_is_stated(
    tiny_folder: Path, stated: float | None, positions: int | None, expected: int
) -> None:
    """model_max_length counts unless it says "no limit", and never beyond the encoder's positions."""
    (tiny_folder / "tokenizer_config.json").write_text(json.dumps({"model_max_length": stated}))
    assert Tokenizer.from_folder(tiny_folder, positions=positions).max_tokens == expected


def test_a_maximum_that_nobody_states_is_asked_for(tiny_folder: Path) -> None:
    """Without a stated maximum and without positions there is no guess."""
    (tiny_folder / "tokenizer_config.json").unlink()
    with pytest.raises(TokenizerError, match="states no model_max_length"):
        Tokenizer.from_folder(tiny_folder)


def test_the_tokens_room_loads_no_torch() -> None:
    """Importing the module leaves torch alone."""
    code = "import sys, limbeck.tokens; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
