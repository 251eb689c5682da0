import numpy as np
import pytest

from limbeck.auditing.tokenizer_fit import LOOKED_AT, judge_vocabulary, look_at_vocabulary, say_misfit


@pytest.mark.parametrize(
    ("tokens", "unknown", "words", "misfit"),
    [
        ([12, 12], [0, 0], None, None),
        ([12, 12], [0, 0], 16, None),
        ([102, 102], [2, 1], None, "medium"),
        ([12, 12], [1, 0], None, "high"),
        ([12, 12], [0, 0], 7, "medium"),
        ([12, 12], [0, 0], 5, "high"),
        ([2, 2], [0, 0], 0, None),
        ([], [], None, None),
    ],
)
def test_a_vocabulary_is_judged_from_counts_alone(
    tokens: list[int], unknown: list[int], words: int | None, misfit: str | None
) -> None:
    """Shares of [UNK] and tokens per word decide, [CLS] and [SEP] aside; no texts and empty texts are no misfit."""
    fit = judge_vocabulary(np.array(tokens, dtype=np.int32), np.array(unknown, dtype=np.int32), words=words)
    assert fit.misfit == misfit
    assert fit.texts == len(tokens)


def test_texts_that_the_model_cannot_read_are_counted() -> None:
    """Half of the tokens or more are [UNK], or there is no token at all: each has its own count."""
    fit = judge_vocabulary(np.array([2, 3, 6, 6, 9]), np.array([0, 1, 2, 1, 0]))
    assert (fit.texts_without_token, fit.texts_mostly_unknown, fit.texts_with_unknown) == (1, 2, 3)


def test_texts_of_another_language_are_said_with_what_to_do(tiny_tokenizer):
    """Texts whose words are [UNK] are told, with the encoder's name and the option that helps; others are not."""
    korean = ["오늘 기분이 좋다", "비가 온다", "i feel fine today"] * 3
    sentence = say_misfit(look_at_vocabulary(tiny_tokenizer, korean), "minilm")
    assert sentence is not None
    assert "vocabulary of minilm does not fit these texts" in sentence
    assert "in 6 of 9 texts looked at" in sentence
    assert "--encoder" in sentence
    assert say_misfit(look_at_vocabulary(tiny_tokenizer, ["i feel fine", "it is rainy"]), "minilm") is None
    assert say_misfit(look_at_vocabulary(tiny_tokenizer, []), "minilm") is None


def test_many_texts_are_looked_at_in_part(tiny_tokenizer):
    """However many texts there are, a few thousand from everywhere among them are enough."""
    texts = ["fine"] * (2 * LOOKED_AT) + ["슬픔"] * (2 * LOOKED_AT)
    fit = look_at_vocabulary(tiny_tokenizer, texts)
    assert fit.texts <= LOOKED_AT
    assert fit.unknown_share == pytest.approx(0.5, abs=0.01)
