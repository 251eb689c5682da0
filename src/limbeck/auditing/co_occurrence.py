"""Co-occurrence: which labels stand together in a row, where a row may have several.

In: columns of a dataset. Out: labels per row, and `LabelPair` values for JSON.
It does not know texts, nor what a label that always comes with another means: a parent, a copy, or a rule.
"""

from dataclasses import dataclass
from math import sqrt

import numpy as np
from scipy.sparse import csr_array

from limbeck.auditing.rows import RowColumns

MOST_PAIRS = 100
"""Pairs that an audit keeps, those that chance explains least."""
MOST_PAIRED_LABELS = 2_000
"""Labels that are compared with each other, those with the most rows: their pairs fit in memory."""
FEWEST_TOGETHER = 3
"""Rows that two labels share at least, or would by chance, to be told of."""


@dataclass(frozen=True, kw_only=True)
class LabelPair:
    """Two labels of one row.

    Attributes:
        one: the label of fewer rows.
        other: the label of more rows.
        rows: rows that have both.
        expected: rows that would have both if neither cared for the other.
        share_of_one: rows with both, of those with `one`; 1 where `one` never comes without `other`.
        phi: correlation of the two, -1 to 1.
    """

    one: str
    other: str
    rows: int
    expected: float
    share_of_one: float
    phi: float

    @property
    def always(self) -> bool:
        """True when `one` never comes without `other`."""
        return self.share_of_one == 1


def labels_of_rows(columns: RowColumns) -> np.ndarray:
    """Return how many labels each labelled row has, int64; nothing where each has one at most."""
    if columns.several is None:
        return np.zeros(0, np.int64)
    return np.asarray(np.bincount(columns.several.row, minlength=len(columns))[columns.label >= 0])


def labels_per_row(columns: RowColumns) -> dict[int, int]:
    """Count the rows by how many labels they have; nothing where each has one at most."""
    sizes = labels_of_rows(columns)
    return {int(size): int(count) for size, count in zip(*np.unique(sizes, return_counts=True), strict=True)}


def labels_together(columns: RowColumns) -> tuple[LabelPair, ...]:
    """Return the pairs of labels that stand together more or less often than by chance, the strongest first.

    Strength is the absolute correlation (phi) of their columns of 0 and 1. Only pairs that share a row are looked at,
    and those of which `FEWEST_TOGETHER` rows and more would be expected by chance. Of more labels than
    `MOST_PAIRED_LABELS` the most frequent are compared.
    """
    if columns.several is None or not len(columns.several.row):
        return ()
    pairs, labelled = columns.several, int((columns.label >= 0).sum())
    ones = np.ones(len(pairs.row), np.int64)
    given = csr_array((ones, (pairs.row, pairs.label)), shape=(len(columns), len(pairs.names)))
    looked_at = np.sort(np.argsort(-given.sum(axis=0), kind="stable")[:MOST_PAIRED_LABELS])
    given = given[:, looked_at]
    names = [pairs.names[label] for label in looked_at.tolist()]
    both_CC = (given.T @ given).toarray()
    rows_C = both_CC.diagonal()
    one, other = np.triu_indices(len(rows_C), 1)
    swapped = rows_C[one] > rows_C[other]
    one, other = np.where(swapped, other, one), np.where(swapped, one, other)
    both, expected = both_CC[one, other], rows_C[one] * rows_C[other] / labelled
    spread = rows_C * (labelled - rows_C)
    scale = np.sqrt(spread[one].astype(np.float64) * spread[other])
    phi = np.divide(labelled * both - rows_C[one] * rows_C[other], scale, out=np.zeros(len(one)), where=scale > 0)
    told = np.flatnonzero((np.maximum(both, expected) >= FEWEST_TOGETHER) & (np.abs(phi) > 2 / sqrt(labelled)))
    order = told[np.lexsort((told, -np.abs(phi[told])))][:MOST_PAIRS]
    return tuple(
        LabelPair(
            one=names[one[place]],
            other=names[other[place]],
            rows=int(both[place]),
            expected=float(expected[place]),
            share_of_one=float(both[place] / rows_C[one[place]]),
            phi=float(phi[place]),
        )
        for place in order.tolist()
    )
