"""Which texts of a packed batch go through one attention call together.

In: the lengths of the texts. Out: runs of neighbours. Texts of one length need neither padding nor mask; short texts
of nearly one length are cheaper padded and masked together than one call each.
It does not know tensors.
"""

from dataclasses import dataclass

import numpy as np

SMALL_GROUP_TOKENS = 256
"""A run below this many tokens costs more in the call than in arithmetic, so it may join its neighbours."""
MOST_WASTE = 1.25
"""A joined group computes at most this many times its real tokens."""
SMALL_GPU_GROUP_TOKENS, MOST_GPU_WASTE = 16_384, 2.0
"""The same on a GPU, where a call costs what thousands of tokens do."""


@dataclass(frozen=True, kw_only=True, eq=False)
class TextGroup:
    """Neighbouring texts that are attended together.

    Attributes:
        tokens: where their tokens stand in the packed batch.
        lengths: tokens of each text, (B,).
    """

    tokens: slice
    lengths: np.ndarray

    @property
    def size(self) -> int:
        """Number of texts."""
        return len(self.lengths)

    @property
    def longest(self) -> int:
        """Tokens of the longest text."""
        return int(self.lengths.max())

    @property
    def is_ragged(self) -> bool:
        """True when lengths differ, so that the group needs padding and a mask."""
        return bool((self.lengths != self.lengths[0]).any())

    def mask(self) -> np.ndarray:
        """Return (B, L) bool: True for a real token."""
        real_BL: np.ndarray = np.arange(self.longest) < self.lengths[:, None]
        return real_BL


def group_texts(
    lengths_B: np.ndarray, *, small_tokens: int = SMALL_GROUP_TOKENS, most_waste: float = MOST_WASTE
) -> list[TextGroup]:
    """Split a batch into groups of neighbours, in order.

    Runs of one length stay as they are; small runs are joined while padding adds little, at most a quarter on a CPU.

    Args:
        lengths_B: tokens of each text.
        small_tokens: a run of fewer is small.
        most_waste: a joined group computes at most so many times its real tokens.

    Example:
        >>> [group.lengths.tolist() for group in group_texts(np.array([9, 10, 10, 400, 400, 512]))]
        [[9, 10, 10], [400, 400], [512]]
    """
    if not len(lengths_B):
        return []
    firsts = np.flatnonzero(np.diff(lengths_B, prepend=-1))
    stops = [*firsts[1:].tolist(), len(lengths_B)]
    spans: list[list[int]] = []
    for first, stop in zip(firsts.tolist(), stops, strict=True):
        if spans and _may_join(lengths_B, spans[-1], stop, small_tokens, most_waste):
            spans[-1][1] = stop
        else:
            spans.append([first, stop])
    offsets = np.concatenate([[0], np.cumsum(lengths_B)])
    return [
        TextGroup(tokens=slice(int(offsets[first]), int(offsets[stop])), lengths=lengths_B[first:stop])
        for first, stop in spans
    ]


def _may_join(lengths_B: np.ndarray, span: list[int], stop: int, small_tokens: int, most_waste: float) -> bool:
    """Tell whether the run that ends at `stop` may join the span before it."""
    first, middle = span
    before, run, joined = lengths_B[first:middle], lengths_B[middle:stop], lengths_B[first:stop]
    is_small = before.sum() < small_tokens or run.sum() < small_tokens
    return bool(is_small and len(joined) * joined.max() <= most_waste * joined.sum())
