"""Halves of pairs: which rows share one of their two texts, so that a split can keep them together.

In: N texts, pairs or not. Out: numbers that stand for the two texts of each row, and groups of rows that share one.
It does not know splits, nor how alike nearly equal texts are.

A question that stands in the training rows and, beside another answer, in the test rows lets a model remember what it
said of that question. Rows are kept together by either text as far as that leaves something to divide: two texts of
each row chain rows together, in the worst case all of them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from limbeck.data.dataset import UNLABELLED_SPLIT, Dataset, ReadNote
from limbeck.data.normal_form import group_equal_texts
from limbeck.data.split import link_groups
from limbeck.data.text_pairs import TextPair, are_pairs


@dataclass(frozen=True, kw_only=True, eq=False)
class PairHalves:
    """The two texts of N rows as numbers from 0 on.

    Attributes:
        first, second: int64 (N,); equal where the texts are the same in normal form, on whichever side they stand. A
            text that is blank is like no other.
    """

    first: np.ndarray
    second: np.ndarray

    def shared_groups(self) -> Iterator[np.ndarray]:
        """Yield groups of rows, int64 (N,) each: those that share either text, then the first, then the second."""
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import connected_components

        rows = len(self.first)
        nodes = rows + int(max(self.first.max(initial=-1), self.second.max(initial=-1))) + 1
        for sides in ((self.first, self.second), (self.first,), (self.second,)):
            row, text = np.tile(np.arange(rows), len(sides)), np.concatenate(sides)
            graph = coo_array((np.ones(len(row), np.int8), (row, rows + text)), shape=(nodes, nodes))
            yield np.asarray(connected_components(graph, directed=False)[1][:rows], dtype=np.int64)

    def crossing(self, part: np.ndarray) -> np.ndarray:
        """Tell which rows share a text with a row of another part, bool (N,).

        Args:
            part: int64 (N,), from 0 on.
        """
        text = np.concatenate([self.first, self.second])
        pairs = np.unique(np.stack([text, np.tile(part, 2)], axis=1), axis=0)
        crosses = np.bincount(pairs[:, 0], minlength=int(text.max(initial=-1)) + 1) > 1
        return np.asarray(crosses[self.first] | crosses[self.second])


def halves_of(texts: Sequence[str]) -> PairHalves | None:
    """Return the texts of pairs as numbers; None where texts are no pairs."""
    if not are_pairs(texts):
        return None
    pairs = [text for text in texts if isinstance(text, TextPair)]
    each = [*(pair.first for pair in pairs), *(pair.second for pair in pairs)]
    own = len(each) + np.arange(len(each))
    number = np.where([not text.strip() for text in each], own, group_equal_texts(each))
    first, second = np.split(number, 2)
    return PairHalves(first=first, second=second)


def strictest_first(texts: Sequence[str], group: np.ndarray) -> list[np.ndarray]:
    """Return groupings of rows to try, int64 (N,) each: the last is `group`, those before join rows that share a text.

    Of texts that are no pairs it is `group` alone.
    """
    halves = halves_of(texts)
    shared = () if halves is None else halves.shared_groups()
    return [*(link_groups(group, one) for one in shared), group]


def half_notes(made: Dataset) -> tuple[ReadNote, ...]:
    """Return notes on labelled pairs that share a text: how many are in one split, and how many could not be."""
    split = np.asarray(made.table["split"].to_pylist(), dtype=object)
    rows = np.flatnonzero(split != UNLABELLED_SPLIT)
    halves = halves_of(made.select(rows).texts)
    if halves is None:
        return ()
    crossing = halves.crossing(np.unique(split[rows], return_inverse=True)[1])
    shared = halves.crossing(np.arange(len(rows)))
    said = (
        (shared & ~crossing, "pairs that share a text with another row, all such rows in one split"),
        (crossing, "pairs that share a text with a row of another split, as too many hang together by either text"),
    )
    return tuple(
        ReadNote(what=what, rows=int(which.sum()), example=made.row_ids[rows[int(which.argmax())]])
        for which, what in said
        if which.any()
    )
