"""Token ids, packed: every text's ids end to end, and batches of them bounded by a token budget.

In: arrays of ids. Out: `Tokenized`, `TokenBatch`, `PaddedView`. No padding is stored; the padded view is made where
somebody needs it.
It does not know texts or tokenizers.

Shapes: N texts, B texts of a batch, T real tokens of all of them together, L the longest text.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from limbeck.errors import SettingsError


@dataclass(frozen=True, kw_only=True, eq=False)
class PaddedView:
    """Texts side by side, filled up to the longest of them.

    Shapes: B texts, L the length of the longest.

    Attributes:
        input_ids: (B, L) int64.
        attention_mask: (B, L) int64, 1 for a real token and 0 for padding.
    """

    input_ids: np.ndarray
    attention_mask: np.ndarray


@dataclass(frozen=True, kw_only=True, eq=False)
class TokenBatch:
    """Some texts' tokens, packed end to end.

    Shapes: B texts, T real tokens of all of them together.

    Attributes:
        ids: (T,) int32.
        offsets: (B+1,) int32; text b is `ids[offsets[b]:offsets[b + 1]]`.
        rows: (B,) int64, where each text stood in what was tokenized.
    """

    ids: np.ndarray
    offsets: np.ndarray
    rows: np.ndarray

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def lengths(self) -> np.ndarray:
        """Tokens of each text, (B,) int32."""
        return np.diff(self.offsets)

    @property
    def positions(self) -> np.ndarray:
        """Position of each token in its text, from 0, (T,) int32."""
        positions_T: np.ndarray = np.arange(len(self.ids), dtype=np.int32) - np.repeat(self.offsets[:-1], self.lengths)
        return positions_T

    def padded(self, pad_id: int = 0) -> PaddedView:
        """Return the padded view, for a peer that needs one; `pad_id` fills the gaps."""
        lengths = self.lengths
        mask = np.arange(lengths.max(initial=0)) < lengths[:, None]
        input_ids = np.full(mask.shape, pad_id, dtype=np.int64)
        input_ids[mask] = self.ids
        return PaddedView(input_ids=input_ids, attention_mask=mask.astype(np.int64))


@dataclass(frozen=True, kw_only=True, eq=False)
class Tokenized:
    """Every text's tokens, packed end to end in the order of the texts.

    Shapes: N texts, T real tokens of all of them together.

    Attributes:
        ids: (T,) int32.
        offsets: (N+1,) int64; text n is `ids[offsets[n]:offsets[n + 1]]`.
        cut_tokens: (N,) int32, tokens that truncation took from each text; 0 where nothing was cut.
    """

    ids: np.ndarray
    offsets: np.ndarray
    cut_tokens: np.ndarray

    def __len__(self) -> int:
        return len(self.cut_tokens)

    @property
    def lengths(self) -> np.ndarray:
        """Tokens of each text, (N,) int64."""
        return np.diff(self.offsets)

    @property
    def truncated(self) -> np.ndarray:
        """Whether each text was cut, (N,) bool."""
        return self.cut_tokens > 0

    def count(self, token_id: int) -> np.ndarray:
        """Count a token in each text, (N,) int64."""
        before = np.concatenate([[0], np.cumsum(self.ids == token_id)])
        counts: np.ndarray = before[self.offsets[1:]] - before[self.offsets[:-1]]
        return counts

    def take(self, rows: Sequence[int] | np.ndarray) -> TokenBatch:
        """Pack the texts at these positions, in this order, into one batch."""
        rows = np.asarray(rows, dtype=np.int64)
        lengths = self.offsets[rows + 1] - self.offsets[rows]
        offsets = np.zeros(len(rows) + 1, dtype=np.int64)
        np.cumsum(lengths, out=offsets[1:])
        sources = np.repeat(self.offsets[rows] - offsets[:-1], lengths) + np.arange(offsets[-1])
        return TokenBatch(ids=self.ids[sources], offsets=offsets.astype(np.int32), rows=rows)


def batches(tokenized: Tokenized, token_budget: int, *, most_texts: int | None = None) -> Iterator[TokenBatch]:
    """Pack all texts into batches of similar lengths, the shortest first.

    Every text is in exactly one batch. A batch holds at most `token_budget` real tokens; a text longer than that is
    alone in its batch.

    Args:
        tokenized: the texts.
        token_budget: real tokens a batch.
        most_texts: of a batch; any number when not given.

    Raises:
        SettingsError: the budget is below 1.
    """
    if token_budget < 1:
        raise SettingsError(f"token_budget = {token_budget} is not possible: give at least 1 token a batch")
    return _packed(tokenized, token_budget, most_texts or len(tokenized))


def _packed(tokenized: Tokenized, token_budget: int, most_texts: int) -> Iterator[TokenBatch]:
    order = np.argsort(tokenized.lengths, kind="stable")
    ends = np.cumsum(tokenized.lengths[order])
    start = 0
    used = 0
    while start < len(order):
        stop = max(start + 1, int(np.searchsorted(ends, used + token_budget, side="right")))
        stop = min(stop, start + most_texts)
        yield tokenized.take(order[start:stop])
        start, used = stop, int(ends[stop - 1])
