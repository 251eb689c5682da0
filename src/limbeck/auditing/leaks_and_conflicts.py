"""Leaks and conflicts: the same text, or nearly the same, in more than one split or with different labels.

In: columns of a dataset, its groups of equal and of nearly equal texts. Out: `Leaks` and `Conflicts`, plain values for
JSON; and the score that a model gets for free from leaks.
It does not know which label is right, nor models: the free score is that of a memory which looks texts up.
"""

from dataclasses import dataclass

import numpy as np

from limbeck.auditing.duplicates import Group, different_texts, example_groups
from limbeck.auditing.grouping import Selection, distinct_within, in_both, select, shared_by_pair, spanning
from limbeck.auditing.near import NearDuplicates
from limbeck.auditing.rows import ClassPairs, RowColumns
from limbeck.data.pair_halves import PairHalves


@dataclass(frozen=True, kw_only=True)
class ExactLeaks:
    """Texts that stand in more than one split; `pairs` counts the texts that two splits share."""

    texts: int
    rows: int
    pairs: dict[str, int]
    examples: tuple[Group, ...]


@dataclass(frozen=True, kw_only=True)
class NearLeaks:
    """Groups of nearly equal texts across splits; `pairs` counts the groups that two splits share."""

    groups: int
    rows: int
    pairs: dict[str, int]
    examples: tuple[Group, ...]


@dataclass(frozen=True, kw_only=True)
class FreeScore:
    """What memory alone gets right in one split.

    Attributes:
        rows: labelled rows of the split.
        seen: of these, rows whose text (or one of its group) stands in the training split with a label.
        right: of the seen, rows whose label is the most frequent one among those training rows.
        accuracy: `right / rows`, the share of the split's accuracy that needs no understanding.
    """

    rows: int
    seen: int
    right: int
    accuracy: float


@dataclass(frozen=True, kw_only=True)
class HalfLeaks:
    """One of the two texts of a pair in more than one split, beside another text.

    Attributes:
        texts: different texts that do, in normal form, whichever side they stand on.
        rows: rows that hold one; `first` and `second` count those whose first and whose second text it is.
        pairs: the texts that two splits share.
        free_first: by evaluation split, what a memory of the first texts alone gets right.
        free_second: the same of the second texts.
    """

    texts: int
    rows: int
    first: int
    second: int
    pairs: dict[str, int]
    examples: tuple[Group, ...]
    free_first: dict[str, FreeScore]
    free_second: dict[str, FreeScore]


@dataclass(frozen=True, kw_only=True)
class Leaks:
    """The same text in two splits.

    Attributes:
        exact: equal character for character.
        near: nearly equal; None where near-duplicates were not looked for.
        training_split: the split that a model learns from; None where there is one split only.
        free_exact: by evaluation split, what a memory of exact texts gets right.
        free_near: the same with near-duplicates counted as seen; None as `near`.
        halves: one text of a pair; None where rows have one text.
    """

    exact: ExactLeaks
    near: NearLeaks | None
    training_split: str | None
    free_exact: dict[str, FreeScore]
    free_near: dict[str, FreeScore] | None
    halves: HalfLeaks | None


def find_leaks(columns: RowColumns, exact: np.ndarray, near: NearDuplicates | None) -> Leaks:
    """Describe equal and nearly equal texts in more than one split, and the score they give away."""
    equal = spanning(exact, columns.split)
    training = training_split(columns)
    return Leaks(
        exact=ExactLeaks(
            texts=equal.groups,
            rows=equal.rows,
            pairs=shared_by_pair(exact, columns.split, columns.split_names),
            examples=example_groups(columns, exact, equal.leaders, telling=columns.split),
        ),
        near=None if near is None else _near_leaks(columns, exact, near.group),
        training_split=None if training is None else columns.split_names[training],
        free_exact=_free_scores(columns, exact, training),
        free_near=None if near is None else _free_scores(columns, near.group, training),
        halves=None if columns.halves is None else _find_half_leaks(columns, columns.halves, exact),
    )


def _near_leaks(columns: RowColumns, exact: np.ndarray, near: np.ndarray) -> NearLeaks:
    different = different_texts(near, exact)
    alike = in_both(near, spanning(near, columns.split), different)
    return NearLeaks(
        groups=alike.groups,
        rows=alike.rows,
        pairs=shared_by_pair(near[different.chosen], columns.split[different.chosen], columns.split_names),
        examples=example_groups(columns, near, alike.leaders, telling=columns.split),
    )


def half_groups(columns: RowColumns, halves: PairHalves, exact: np.ndarray) -> tuple[Selection, Selection]:
    """Select the rows whose first, and those whose second text stands in several splits, beside different texts.

    A whole pair in two splits is a leak already. Leaders are numbers of texts.
    """
    text = np.concatenate([halves.first, halves.second])
    across, various = (distinct_within(text, np.tile(value, 2)) > 1 for value in (columns.split, exact))
    first, second = np.split(across & various, 2)
    return select(halves.first, first), select(halves.second, second)


def _find_half_leaks(columns: RowColumns, halves: PairHalves, exact: np.ndarray) -> HalfLeaks:
    """Describe texts of pairs that stand in several splits, beside different texts."""
    first, second = half_groups(columns, halves, exact)
    training = training_split(columns)
    text = np.concatenate([halves.first[first.chosen], halves.second[second.chosen]])
    split = np.concatenate([columns.split[first.chosen], columns.split[second.chosen]])
    group, chosen = (halves.first, first) if first.rows >= second.rows else (halves.second, second)
    return HalfLeaks(
        texts=len(np.unique(text)),
        rows=int((first.chosen | second.chosen).sum()),
        first=first.rows,
        second=second.rows,
        pairs=shared_by_pair(text, split, columns.split_names),
        examples=example_groups(columns, group, chosen.leaders, telling=columns.split),
        free_first=_free_scores(columns, halves.first, training),
        free_second=_free_scores(columns, halves.second, training),
    )


def training_split(columns: RowColumns) -> int | None:
    """Return the split that a model learns from: "train", or else the largest; None where there is one split only."""
    if len(columns.split_names) < 2:
        return None
    if "train" in columns.split_names:
        return columns.split_names.index("train")
    return int(np.argmax(np.bincount(columns.split)))


def _free_scores(columns: RowColumns, group: np.ndarray, training: int | None) -> dict[str, FreeScore]:
    """Score a memory of the training split on each other split that has labels."""
    if training is None or not columns.label_names or not columns.task.has_classes:
        return {}
    learnt = (columns.split == training) & (columns.label >= 0)
    known, answer = _most_frequent(group[learnt], columns.label[learnt])
    scores = {}
    for place, name in enumerate(columns.split_names):
        asked = np.flatnonzero((columns.split == place) & (columns.label >= 0))
        if place == training or not len(asked):
            continue
        seen = asked[np.isin(group[asked], known)]
        right = int((answer[np.searchsorted(known, group[seen])] == columns.label[seen]).sum())
        scores[name] = FreeScore(rows=len(asked), seen=len(seen), right=right, accuracy=right / len(asked))
    return scores


def _most_frequent(group: np.ndarray, label: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the groups that occur, rising, and the most frequent label of each; of equally frequent ones the first.

    Only pairs that occur are counted: a table of groups by classes would not fit where both are many.
    """
    pairs, counts = np.unique(np.stack([group, label], axis=1), axis=0, return_counts=True)
    order = np.lexsort((pairs[:, 1], -counts, pairs[:, 0]))
    known, place = np.unique(pairs[order, 0], return_index=True)
    return known, pairs[order, 1][place]


@dataclass(frozen=True, kw_only=True)
class ExactConflicts:
    """Texts that stand there with two or more labels.

    `label_pairs` counts the sets of labels on one text ("joy/love"); where a row may have several, each label that some
    of the text's rows have and others have not.
    """

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
    """The same text, different labels; `near` is None where near-duplicates were not looked for."""

    exact: ExactConflicts
    near: NearConflicts | None


def find_conflicts(columns: RowColumns, exact: np.ndarray, near: NearDuplicates | None) -> Conflicts:
    """Describe equal and nearly equal texts whose labels differ; rows without a label take no part."""
    equal = spanning(exact, columns.label)
    return Conflicts(
        exact=ExactConflicts(
            texts=equal.groups,
            rows=equal.rows,
            label_pairs=_label_pairs(columns, exact, equal),
            examples=example_groups(columns, exact, equal.leaders, telling=columns.label),
        ),
        near=None if near is None else _near_conflicts(columns, exact, near.group),
    )


def _near_conflicts(columns: RowColumns, exact: np.ndarray, near: np.ndarray) -> NearConflicts:
    alike = in_both(near, spanning(near, columns.label), different_texts(near, exact))
    return NearConflicts(
        groups=alike.groups,
        rows=alike.rows,
        examples=example_groups(columns, near, alike.leaders, telling=columns.label),
    )


def _label_pairs(columns: RowColumns, exact: np.ndarray, conflicts: Selection) -> dict[str, int]:
    """Count the sets of labels that stand on one text, the most frequent first; keys are "joy/love"."""
    labelled = conflicts.chosen & (columns.label >= 0)
    if columns.several is not None:
        return _differing_labels(columns.several, exact, labelled)
    if not columns.task.has_classes:
        return {}
    pairs = np.unique(np.stack([exact[labelled], columns.label[labelled]], axis=1), axis=0)
    starts = np.flatnonzero(np.diff(pairs[:, 0], prepend=-1))
    counts: dict[str, int] = {}
    for labels in np.split(pairs[:, 1], starts[1:]):
        name = "/".join(columns.label_names[label] for label in labels)
        counts[name] = counts.get(name, 0) + (1 if name else 0)
    return {name: counts[name] for name in sorted(counts, key=lambda name: (-counts[name], name)) if name}


def _differing_labels(classes: ClassPairs, exact: np.ndarray, conflicting: np.ndarray) -> dict[str, int]:
    """Count the texts on which a label differs: some of their rows have it, and others have not."""
    rows = np.bincount(exact[conflicting], minlength=len(exact))
    among = conflicting[classes.row]
    pairs = np.stack([exact[classes.row[among]], classes.label[among]], axis=1)
    if not len(pairs):
        return {}
    different, having = np.unique(pairs, axis=0, return_counts=True)
    labels, texts = np.unique(different[having < rows[different[:, 0]], 1], return_counts=True)
    order = np.lexsort((labels, -texts))
    return {classes.names[labels[place]]: int(texts[place]) for place in order}
