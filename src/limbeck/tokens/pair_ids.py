"""Token ids of pairs: [CLS] first [SEP] second [SEP], the longer text cut first.

In: the ids of both texts, each tokenized alone. Out: `Tokenized`, ids as transformers gives them for
`tokenizer(first, second, truncation="longest_first")`. DistilBERT has no segment ids: the [SEP] between two texts is
all that tells them apart. It does not know tokenizers.

Shapes: N pairs.
"""

from dataclasses import dataclass

import numpy as np

from limbeck.tokens.batch import Tokenized
from limbeck.tokens.stated import TruncationSide

PAIR_WRAPPING_TOKENS = 3
"""[CLS], and [SEP] after each text."""
SMALLEST_PAIR_LIMIT = PAIR_WRAPPING_TOKENS + 2
"""With fewer tokens a text of a pair would have none."""


@dataclass(frozen=True, kw_only=True)
class PairFrame:
    """How two texts become one sequence.

    Attributes:
        limit: longest result in tokens, [CLS] and both [SEP] included.
        cls_id, sep_id: ids of [CLS] and [SEP].
        side: a text that is cut loses its last tokens ("right") or its first ("left").
    """

    limit: int
    cls_id: int
    sep_id: int
    side: TruncationSide


def join_pairs(first: Tokenized, second: Tokenized, frame: PairFrame) -> Tokenized:
    """Lay two texts of each pair side by side.

    Args:
        first: N texts as [CLS] … [SEP], cut at no less than `frame.limit`.
        second: likewise.
        frame: special tokens, and what is cut.
    """
    one_N, two_N = _own_lengths(first), _own_lengths(second)
    kept_one_N, kept_two_N = longest_first(one_N, two_N, frame.limit - PAIR_WRAPPING_TOKENS)
    offsets = np.zeros(len(one_N) + 1, dtype=np.int64)
    np.cumsum(kept_one_N + kept_two_N + PAIR_WRAPPING_TOKENS, out=offsets[1:])
    ids_T = np.full(offsets[-1], frame.sep_id, dtype=np.int32)
    ids_T[offsets[:-1]] = frame.cls_id
    _copy(first, kept_one_N, ids_T, offsets[:-1] + 1, frame.side)
    _copy(second, kept_two_N, ids_T, offsets[:-1] + kept_one_N + 2, frame.side)
    cut_N = (one_N - kept_one_N) + (two_N - kept_two_N)
    return Tokenized(ids=ids_T, offsets=offsets, cut_tokens=cut_N.astype(np.int32))


def longest_first(one_N: np.ndarray, two_N: np.ndarray, room: int) -> tuple[np.ndarray, np.ndarray]:
    """Return how many tokens of both texts stay: the longer one is cut down to the other, then both alike.

    Where both are cut and the room is odd, the longer text keeps the token more; of two equal ones the second.
    Source: huggingface/tokenizers, `truncate_encodings`, `TruncationStrategy::LongestFirst`.

    Args:
        one_N: int64 (N,), tokens of the first texts without special ones.
        two_N: int64 (N,), of the second ones.
        room: tokens that both may have together.

    Example:
        >>> [kept.tolist() for kept in longest_first(np.array([9, 2, 9]), np.array([2, 9, 9]), 7)]
        [[5, 2, 3], [2, 5, 4]]
    """
    short_N, long_N = np.minimum(one_N, two_N), np.maximum(one_N, two_N)
    half = room // 2
    # Cases of the source: nothing is cut; the longer text is; both are.
    kept_short_N = np.minimum(short_N, half)
    kept_long_N = np.minimum(long_N, room - kept_short_N)
    is_first_longer_N = one_N > two_N
    return (
        np.where(is_first_longer_N, kept_long_N, kept_short_N),
        np.where(is_first_longer_N, kept_short_N, kept_long_N),
    )


def _own_lengths(texts: Tokenized) -> np.ndarray:
    """Return the tokens of each text, without [CLS] and [SEP], before anything was cut."""
    lengths: np.ndarray = texts.lengths + texts.cut_tokens - 2
    return lengths


def _copy(texts: Tokenized, kept_N: np.ndarray, into_T: np.ndarray, starts_N: np.ndarray, side: TruncationSide) -> None:
    """Copy the tokens of each text that stay to where they begin."""
    begin_N = texts.offsets[:-1] + 1 if side == "right" else texts.offsets[1:] - 1 - kept_N
    before_N = np.cumsum(kept_N) - kept_N
    within_T = np.arange(int(kept_N.sum())) - np.repeat(before_N, kept_N)
    into_T[np.repeat(starts_N, kept_N) + within_T] = texts.ids[np.repeat(begin_N, kept_N) + within_T]
