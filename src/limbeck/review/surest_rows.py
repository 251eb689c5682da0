"""Surest rows: which rows are the most certain ones of each class, of more rows than memory holds.

In: batches of shares, which can be had again as often as they are asked for; how many rows of each class are meant.
Out: for each batch, which of its rows are among them; of equals the first rows, as a stable sort has it. It does not
know what labels rows have.

Rows are not sorted but counted: numbers of float32 that are not negative stand in the order of their bits, so three
passes find the bits of the last row that is meant, eleven at a time.
"""

from collections.abc import Callable, Iterable

import numpy as np

_BITS = ((21, 11), (10, 11), (0, 10))
"""Where each pass looks in the 32 bits of a number, and at how many bits."""


class SurestRows:
    """The rows of the highest shares of each class; where they end is searched at once.

    Args:
        batches: gives shares, float32 (B, C), none of them negative; the same ones in each call.
        numbers_C: how many rows are meant, int64.
    """

    def __init__(self, batches: Callable[[], Iterable[np.ndarray]], numbers_C: np.ndarray) -> None:
        self._asked = np.flatnonzero(numbers_C)
        self._last_C = np.zeros(len(numbers_C), np.uint64)
        """The bits of each class's last row that is meant."""
        self._equal_C = numbers_C.copy()
        """How many rows with just these bits are meant, the first ones."""
        for shift, width in _BITS:
            self._narrow(batches, shift, width)

    def among(self, shares_BC: np.ndarray) -> np.ndarray:
        """Tell which rows of the next batch are meant of each class, bool (B, C); batches come once, in their order."""
        bits_CB = _bits_of(shares_BC)
        found_CB = np.zeros(bits_CB.shape, bool)
        for column in self._asked:
            equal = np.flatnonzero(bits_CB[column] == self._last_C[column])[: self._equal_C[column]]
            self._equal_C[column] -= len(equal)
            found_CB[column] = bits_CB[column] > self._last_C[column]
            found_CB[column, equal] = True
        return found_CB.T

    def _narrow(self, batches: Callable[[], Iterable[np.ndarray]], shift: int, width: int) -> None:
        """Find the next bits of each class's last row: among the rows whose upper bits are its, count the next."""
        counts_CX = np.zeros((len(self._last_C), 1 << width), np.int64)
        for shares_BC in batches():
            bits_CB = _bits_of(shares_BC)
            for column in self._asked:
                alike = bits_CB[column][bits_CB[column] >> (shift + width) == self._last_C[column]]
                here = (alike >> shift) & ((1 << width) - 1)
                counts_CX[column] += np.bincount(here.astype(np.int64), minlength=1 << width)
        for column in self._asked:
            from_above = counts_CX[column, ::-1].cumsum()
            steps = int(np.searchsorted(from_above, self._equal_C[column]))
            self._equal_C[column] -= from_above[steps - 1] if steps else 0
            self._last_C[column] = (int(self._last_C[column]) << width) | ((1 << width) - 1 - steps)


def _bits_of(shares_BC: np.ndarray) -> np.ndarray:
    """Return the bits of each number, uint64 (C, B)."""
    return np.ascontiguousarray(np.abs(shares_BC).T, np.float32).view(np.uint32).astype(np.uint64)
