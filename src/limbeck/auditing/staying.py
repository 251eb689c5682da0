"""Who stays: of rows that are alike, those that are kept, and for each other one the kept row that it is alike.

In: the text, split and class of rows, and which texts are alike. Out: for each row the row because of which it goes.
A row only ever goes because of a row that stays, never through a chain of others.
It does not know texts themselves, nor how alike is alike.
"""

from collections import defaultdict

import numpy as np


def leaking(text_N: np.ndarray, split_N: np.ndarray, order_N: np.ndarray, pairs_P2: np.ndarray) -> np.ndarray:
    """Find the rows that go so that no text, nor one like it, stands in two splits.

    Args:
        text_N: int64 (N,), a number for each row's text.
        split_N: int64 (N,), its split.
        order_N: int64 (N,), lower stays before higher; rows of one order are of one split.
        pairs_P2: int64 (P, 2), numbers of texts that are alike.

    Returns:
        int64 (N,): the row that stays instead; below zero where the row itself stays.
    """
    because_N = np.full(len(text_N), -1, dtype=np.int64)
    texts = 1 + max(int(text_N.max(initial=-1)), int(pairs_P2.max(initial=-1)))
    one_P, other_P = np.concatenate([pairs_P2, pairs_P2[:, ::-1]]).T
    for order in np.unique(order_N):
        mine = np.flatnonzero(order_N == order)
        kept = np.flatnonzero((order_N < order) & (because_N < 0) & (split_N != split_N[mine[0]]))[::-1]
        holder_T = np.full(texts, -1, dtype=np.int64)
        holder_T[text_N[kept]] = kept
        reached_T = holder_T.copy()
        reaching = (holder_T[one_P] < 0) & (holder_T[other_P] >= 0)
        reached_T[one_P[reaching]] = holder_T[other_P[reaching]]
        because_N[mine] = reached_T[text_N[mine]]
    return because_N


def repeating(text_N: np.ndarray, kind_N: np.ndarray, pairs_P2: np.ndarray) -> np.ndarray:
    """Find the rows that repeat an earlier row of their kind that stays, or are like it.

    Args:
        text_N: int64 (N,), a number for each row's text.
        kind_N: int64 (N,); rows of different kinds never repeat each other.
        pairs_P2: int64 (P, 2), numbers of texts that are alike.

    Returns:
        as `leaking`.
    """
    like: defaultdict[int, list[int]] = defaultdict(list)
    for one, other in pairs_P2.tolist():
        like[one].append(other)
        like[other].append(one)
    because_N = np.full(len(text_N), -1, dtype=np.int64)
    kept: dict[tuple[int, int], int] = {}
    for row, (text, kind) in enumerate(zip(text_N.tolist(), kind_N.tolist(), strict=True)):
        found = next((kept[kind, alike] for alike in (text, *like.get(text, ())) if (kind, alike) in kept), None)
        if found is None:
            kept[kind, text] = row
        else:
            because_N[row] = found
    return because_N
