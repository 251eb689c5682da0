"""Groups of rows that say the same, and the questions asked of them: how many repeat, disagree, or leak.

In: a group for each row (int64 (N,): the first row of the group), labels, splits. Out: counts, and places of rows.
The same functions serve texts that are equal character for character, equal after a normalisation, and nearly equal.
It does not know how the groups were found.
"""

from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pyarrow as pa


def group_equal(texts: pa.Array) -> np.ndarray:
    """Group equal texts: for each row the first row with the same text, int64 (N,).

    Example:
        >>> group_equal(pa.array(["a", "b", "a"])).tolist()
        [0, 1, 0]
    """
    coded = texts.dictionary_encode()
    code = coded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    first = np.full(len(coded.dictionary), len(code), dtype=np.int64)
    np.minimum.at(first, code, np.arange(len(code)))
    group: np.ndarray = first[code]
    return group


def distinct_within(group: np.ndarray, value: np.ndarray) -> np.ndarray:
    """Count the different values in each row's group, int64 (N,); values below zero are not counted.

    Example:
        >>> distinct_within(np.array([0, 0, 2]), np.array([1, 0, 1])).tolist()
        [2, 2, 1]
    """
    counted = value >= 0
    width = int(value.max(initial=0)) + 1
    pairs = np.sort(group[counted] * width + value[counted])
    new = np.concatenate([[True], pairs[1:] != pairs[:-1]]) if len(pairs) else np.zeros(0, dtype=bool)
    different = np.bincount(pairs[new] // width, minlength=len(group))
    kinds: np.ndarray = different[group]
    return kinds


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Some of the groups.

    Shapes: N rows, G groups.

    Attributes:
        chosen: bool (N,), rows that stand in one of them.
        leaders: int64 (G,), first row of each.
    """

    chosen: np.ndarray
    leaders: np.ndarray

    @property
    def groups(self) -> int:
        """Number of groups."""
        return len(self.leaders)

    @property
    def rows(self) -> int:
        """Number of rows in them."""
        return int(self.chosen.sum())


def select(group: np.ndarray, chosen: np.ndarray) -> Selection:
    """Select whole groups by a mask that is the same for all rows of a group."""
    return Selection(chosen=chosen, leaders=np.unique(group[chosen]))


def repeated(group: np.ndarray, among: np.ndarray | None = None) -> Selection:
    """Select the groups of more than one row.

    Args:
        group: of each row.
        among: bool (N,); only these rows are looked at, when given.
    """
    looked_at = np.ones(len(group), dtype=bool) if among is None else among
    sizes = np.bincount(group[looked_at], minlength=len(group))
    return select(group, looked_at & (sizes[group] > 1))


def spanning(group: np.ndarray, value: np.ndarray) -> Selection:
    """Select the groups with more than one different value (of labels: conflicts; of splits: leaks)."""
    return select(group, distinct_within(group, value) > 1)


def in_both(group: np.ndarray, one: Selection, other: Selection) -> Selection:
    """Select the groups that both selections hold."""
    return select(group, one.chosen & other.chosen)


def shared_by_pair(group: np.ndarray, split: np.ndarray, split_names: tuple[str, ...]) -> dict[str, int]:
    """Count the groups that stand in both splits of each pair; keys are "train/test", every pair is named."""
    members = [np.unique(group[split == place]) for place in range(len(split_names))]
    return {
        f"{split_names[one]}/{split_names[other]}": len(
            np.intersect1d(members[one], members[other], assume_unique=True)
        )
        for one, other in combinations(range(len(split_names)), 2)
    }


def members(group: np.ndarray, leaders: np.ndarray) -> list[np.ndarray]:
    """Return the rows of each of these groups."""
    order = np.argsort(group, kind="stable")
    ordered = group[order]
    starts = np.searchsorted(ordered, leaders, side="left")
    stops = np.searchsorted(ordered, leaders, side="right")
    return [order[start:stop] for start, stop in zip(starts, stops, strict=True)]


def variety_first(rows: np.ndarray, value: np.ndarray) -> np.ndarray:
    """Reorder rows so that each different value comes once before any comes again; value (N,) is indexed by row.

    Example:
        >>> variety_first(np.array([0, 1, 2]), np.array([7, 7, 5])).tolist()
        [0, 2, 1]
    """
    _, first = np.unique(value[rows], return_index=True)
    again = np.ones(len(rows), dtype=np.int64)
    again[first] = 0
    return rows[np.lexsort((rows, again))]


def largest_first(group: np.ndarray, leaders: np.ndarray, most: int) -> np.ndarray:
    """Return up to `most` leaders, those of the largest groups first, then in the order of rows."""
    sizes = np.bincount(group, minlength=len(group))[leaders]
    return leaders[np.lexsort((leaders, -sizes))][:most]
