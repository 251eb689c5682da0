"""Conflicts: the same text, or nearly the same, with different labels.

In: columns of a dataset, its groups of equal and of nearly equal texts. Out: `Conflicts`, plain values for JSON.
It does not know which label is right.
"""

from dataclasses import dataclass

import numpy as np

from limbeck.auditing.duplicates import Group, different_texts, example_groups
from limbeck.auditing.grouping import Selection, in_both, spanning
from limbeck.auditing.near import NearDuplicates
from limbeck.auditing.rows import Columns


@dataclass(frozen=True, kw_only=True)
class ExactConflicts:
    """Texts that stand there with two or more labels."""

    texts: int
    rows: int
    label_pairs: dict[str, int]
    examples: tuple[Group, ...]


@dataclass(frozen=True, kw_only=True)
class NearConflicts:
    """Groups of nearly equal texts with two or more labels; each holds at least two different texts."""

    groups: int
    rows: int
    examples: tuple[Group, ...]


@dataclass(frozen=True, kw_only=True)
class Conflicts:
    """The same text, different labels."""

    exact: ExactConflicts
    near: NearConflicts


def find_conflicts(columns: Columns, exact: np.ndarray, near: NearDuplicates) -> Conflicts:
    """Describe equal and nearly equal texts whose labels differ; rows without a label take no part."""
    equal = spanning(exact, columns.label)
    alike = in_both(near.group, spanning(near.group, columns.label), different_texts(near.group, exact))
    return Conflicts(
        exact=ExactConflicts(
            texts=equal.groups,
            rows=equal.rows,
            label_pairs=_label_pairs(columns, exact, equal),
            examples=example_groups(columns, exact, equal.leaders, telling=columns.label),
        ),
        near=NearConflicts(
            groups=alike.groups,
            rows=alike.rows,
            examples=example_groups(columns, near.group, alike.leaders, telling=columns.label),
        ),
    )


def _label_pairs(columns: Columns, exact: np.ndarray, conflicts: Selection) -> dict[str, int]:
    """Count the sets of labels that stand on one text, the most frequent first; keys are "joy/love"."""
    labelled = conflicts.chosen & (columns.label >= 0)
    pairs = np.unique(np.stack([exact[labelled], columns.label[labelled]], axis=1), axis=0)
    starts = np.flatnonzero(np.diff(pairs[:, 0], prepend=-1))
    counts: dict[str, int] = {}
    for labels in np.split(pairs[:, 1], starts[1:]):
        name = "/".join(columns.label_names[label] for label in labels)
        counts[name] = counts.get(name, 0) + (1 if name else 0)
    return {name: counts[name] for name in sorted(counts, key=lambda name: (-counts[name], name)) if name}
