import numpy as np
import pytest

from limbeck.audit.tokenizer_fit import judge_vocabulary


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
