"""Iterative stratification: units of rows that may have several labels go to splits, the rarest label first.

In: for each unit its rows and how many of them have each label, and shares. Out: a split for each unit. After each
choice the label that fewest of the remaining units have comes next; a unit with it goes where that label is most
wanted, then where rows are. It does not know rows, texts or names.

Source: Sechidis, Tsoumakas, Vlahavas, "On the Stratification of Multi-Label Data", ECML PKDD 2011, Algorithm 1; here a
unit may be several rows that must stay together.

Shapes: G units, C labels, P splits.
"""

import numpy as np
from scipy.sparse import csr_array


def deal_out(counts: csr_array, sizes: np.ndarray, shares: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the split of each unit, int64 (G,).

    Args:
        counts: (G, C), rows of each unit that have each label.
        sizes: int64 (G,), rows of each unit.
        shares: float64 (P,), which add to 1.
        rng: decides the order of units that are alike, and of splits that want the same.
    """
    units = counts.shape[0]
    # Large units first, as small ones can still make up for them; by chance among those of one size.
    order = np.lexsort((rng.permutation(units), -sizes))
    by_label = counts.tocsc()
    rows_C = np.asarray(counts.sum(axis=0)).ravel()
    wanted_PC = np.outer(shares, rows_C).astype(np.float64)
    # A label with enough texts stands in every split, however rare it is.
    often = np.diff(by_label.indptr) >= len(shares)
    wanted_PC[1:, often] = np.maximum(1, wanted_PC[1:, often])
    wanted_PC[0] = rows_C - wanted_PC[1:].sum(axis=0)
    wanted_P = shares * sizes.sum()
    rank = np.empty(units, np.int64)
    rank[order] = np.arange(units)
    place = np.full(units, -1, np.int64)
    remaining = np.diff(by_label.indptr).astype(np.int64)
    tie_P = rng.permutation(len(shares))

    def put(unit: int, wanted: np.ndarray) -> None:
        best = np.flatnonzero(wanted >= wanted.max() - 1e-9)
        if len(best) > 1:
            best = best[wanted_P[best] >= wanted_P[best].max() - 1e-9]
        part = int(best[np.argmin(tie_P[best])])
        place[unit] = part
        start, end = counts.indptr[unit], counts.indptr[unit + 1]
        wanted_PC[part, counts.indices[start:end]] -= counts.data[start:end]
        remaining[counts.indices[start:end]] -= 1
        wanted_P[part] -= sizes[unit]

    while (remaining > 0).any():
        label = int(np.argmin(np.where(remaining > 0, remaining, np.iinfo(np.int64).max)))
        having = by_label.indices[by_label.indptr[label] : by_label.indptr[label + 1]]
        having = having[place[having] < 0]
        for unit in having[np.argsort(rank[having])].tolist():
            put(unit, wanted_PC[:, label])
    for unit in order[place[order] < 0].tolist():
        put(unit, wanted_P.copy())
    return place
