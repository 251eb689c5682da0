"""Duplicates: the same text, or nearly the same, more than once.

In: columns of a dataset and the near-duplicate groups. Out: `Duplicates`, plain values for JSON.
`exact` means equal character for character. Texts that become equal only after one normalisation are reported apart,
for each normalisation by itself and for all of them together. A count of `texts` counts distinct texts.
It does not know labels, nor what to do about duplicates.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from limbeck.auditing.characters import normalised
from limbeck.auditing.grouping import Selection, group_equal, largest_first, members, repeated, spanning, variety_first
from limbeck.auditing.near import NearDuplicates
from limbeck.auditing.rows import Row, RowColumns

Change = Callable[[pa.Array], pa.Array]

_OTHER_SPACES = r"\t\n\v\f\r\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}"
"""White space beside the plain space, as a pattern: the White_Space property of Unicode."""

EXAMPLE_GROUPS = 5
"""Groups that are shown for each finding."""
EXAMPLE_ROWS = 6
"""Rows of a group that are shown."""


@dataclass(frozen=True, kw_only=True)
class Group:
    """Rows that belong together.

    Attributes:
        size: how many they are.
        labels: label → how many of them have it, the most frequent first; rows without a label are not counted.
        rows: up to `EXAMPLE_ROWS` of them.
    """

    size: int
    labels: dict[str, int]
    rows: tuple[Row, ...]


@dataclass(frozen=True, kw_only=True)
class Repeats:
    """Texts that stand in more than one row.

    Attributes:
        texts: distinct texts that do.
        rows: rows that hold them.
        surplus: rows that would go if each text were kept once.
    """

    texts: int
    rows: int
    surplus: int


@dataclass(frozen=True, kw_only=True)
class ExactDuplicates(Repeats):
    """Texts equal character for character; `by_split` looks inside each split alone."""

    by_split: dict[str, Repeats]
    examples: tuple[Group, ...]


@dataclass(frozen=True, kw_only=True)
class FoldedDuplicates:
    """Different texts that become equal after a normalisation.

    Attributes:
        groups: groups of different texts that become one.
        texts: distinct texts in them.
        rows: rows in them.
    """

    groups: int
    texts: int
    rows: int
    examples: tuple[Group, ...]


@dataclass(frozen=True, kw_only=True)
class NearGroups:
    """Groups of nearly equal texts, each with at least two different texts.

    Attributes:
        threshold: least Jaccard similarity of five-character shingles.
        groups: number of groups.
        texts: distinct texts in them.
        rows: rows in them.
        pairs: pairs of different texts found alike.
        chained: buckets of texts that MinHash puts together, too large for every pair to be looked at: each text
            was compared with the first and with the next four.
    """

    threshold: float
    groups: int
    texts: int
    rows: int
    pairs: int
    chained: int
    examples: tuple[Group, ...]


@dataclass(frozen=True, kw_only=True)
class Duplicates:
    """Every kind of duplicate; `unicode`, `white_space` and `case` each stand alone, `folded` is all three at once.

    `near` is None where near-duplicates were not looked for.
    """

    exact: ExactDuplicates
    unicode: FoldedDuplicates
    white_space: FoldedDuplicates
    case: FoldedDuplicates
    folded: FoldedDuplicates
    near: NearGroups | None


def find_duplicates(columns: RowColumns, exact: np.ndarray, near: NearDuplicates | None) -> Duplicates:
    """Describe the duplicates.

    Args:
        columns: N rows.
        exact: group of equal texts of each row.
        near: groups of nearly equal texts; None where they were not looked for.
    """
    by_split = {
        name: _repeats(repeated(exact, columns.split == place)) for place, name in enumerate(columns.split_names)
    }
    twice = repeated(exact)
    return Duplicates(
        exact=ExactDuplicates(
            **vars(_repeats(twice)),
            by_split=by_split,
            examples=example_groups(columns, exact, twice.leaders, telling=columns.split),
        ),
        unicode=_folded(columns, exact, lambda texts: normalised(texts, "NFC")),
        white_space=_folded(columns, exact, _one_space),
        case=_folded(columns, exact, pc.utf8_lower),
        folded=_folded(columns, exact, fold),
        near=None if near is None else _near_groups(columns, exact, near),
    )


def _near_groups(columns: RowColumns, exact: np.ndarray, near: NearDuplicates) -> NearGroups:
    variants = different_texts(near.group, exact)
    return NearGroups(
        threshold=near.threshold,
        groups=variants.groups,
        texts=len(np.unique(exact[variants.chosen])),
        rows=variants.rows,
        pairs=len(near.pairs),
        chained=near.chained,
        examples=example_groups(columns, near.group, variants.leaders, telling=exact),
    )


def fold(texts: pa.Array) -> pa.Array:
    """Normalise texts as `duplicates.folded` means it: Unicode NFC, one space for a run of white space, lower case."""
    return pc.utf8_lower(_one_space(normalised(texts, "NFC")))


def _one_space(texts: pa.Array) -> pa.Array:
    """Put one space for each run of white space and none at the ends; texts that need it not are passed by."""
    uneven = pc.match_substring_regex(texts, f"^ | $|  |[{_OTHER_SPACES}]")
    if not pc.any(uneven).as_py():
        return texts
    even = pc.utf8_trim(pc.replace_substring_regex(texts.filter(uneven), f"[ {_OTHER_SPACES}]+", " "), " ")
    return pc.replace_with_mask(texts, uneven, even)


def _repeats(selection: Selection) -> Repeats:
    return Repeats(texts=selection.groups, rows=selection.rows, surplus=selection.rows - selection.groups)


def different_texts(group: np.ndarray, exact: np.ndarray) -> Selection:
    """Select the groups that hold at least two different texts."""
    return spanning(group, exact)


def _folded(columns: RowColumns, exact: np.ndarray, change: Change) -> FoldedDuplicates:
    distinct = np.unique(exact)
    folded = group_equal(change(columns.text.take(pa.array(distinct))))
    place = np.zeros(len(exact), dtype=np.int64)
    place[distinct] = np.arange(len(distinct))
    group = distinct[folded][place[exact]]
    merged = different_texts(group, exact)
    return FoldedDuplicates(
        groups=merged.groups,
        texts=len(np.unique(exact[merged.chosen])),
        rows=merged.rows,
        examples=example_groups(columns, group, merged.leaders, telling=exact),
    )


def example_groups(
    columns: RowColumns, group: np.ndarray, leaders: np.ndarray, *, telling: np.ndarray
) -> tuple[Group, ...]:
    """Return up to `EXAMPLES` groups to be shown, the largest first.

    Args:
        columns: N rows.
        group: of each row.
        leaders: of the groups that may be shown.
        telling: int64 (N,), what makes the group worth showing (texts, labels, splits): rows that differ in it first.
    """
    shown = members(group, largest_first(group, leaders, EXAMPLE_GROUPS))
    return tuple(
        Group(
            size=len(rows),
            labels=_label_counts(columns, rows),
            rows=columns.rows(variety_first(rows, telling)[:EXAMPLE_ROWS]),
        )
        for rows in shown
    )


def _label_counts(columns: RowColumns, rows: np.ndarray) -> dict[str, int]:
    label, count = np.unique(columns.label[rows], return_counts=True)
    order = np.lexsort((label, -count))
    return {columns.label_names[label[place]]: int(count[place]) for place in order if label[place] >= 0}
