"""Profile: rows a split, rows a class, and what is odd about the labels themselves.

In: columns of a dataset. Out: `Shape`, plain values for JSON.
It does not know texts.
"""

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from limbeck.audit.leaks import training_split
from limbeck.audit.rows import Columns

TOO_FEW_TO_SPLIT = 3
"""A class needs a row in each of train, validation and test."""
TOO_FEW_TO_LEARN = 10
"""With fewer training rows than this, a class's score is luck."""
SORTED_SHARE = 0.1
"""A split counts as sorted by label when its runs of one label are fewer than this share of those in shuffled rows."""
_SHORTEST_TYPO = 6


@dataclass(frozen=True, kw_only=True)
class ClassCount:
    """Rows of one class: in all, as a share of the labelled rows, and by split."""

    rows: int
    share: float
    by_split: dict[str, int]


@dataclass(frozen=True, kw_only=True)
class SplitCount:
    """Rows of one split, and how many of them have a label."""

    rows: int
    labelled: int


@dataclass(frozen=True, kw_only=True)
class Lookalike:
    """Two label names that may be meant as one, and why."""

    one: str
    other: str
    why: str


@dataclass(frozen=True, kw_only=True)
class Shape:
    """What the rows and labels look like.

    Attributes:
        rows: in all.
        splits: rows of each split.
        classes: rows of each class, in the order of the label map.
        unlabelled_rows: rows without a label.
        imbalance_ratio: rows of the largest class over rows of the smallest that has any; None with no class.
        too_rare_to_split: classes with fewer than `TOO_FEW_TO_SPLIT` rows.
        too_rare_to_learn: classes with fewer than `TOO_FEW_TO_LEARN` rows to learn from.
        missing_in_training: classes that other splits have and the training split has not.
        lookalike_labels: names that may be meant as one.
        sorted_by_label: splits whose rows stand sorted by label.
    """

    rows: int
    splits: dict[str, SplitCount]
    classes: dict[str, ClassCount]
    unlabelled_rows: int
    imbalance_ratio: float | None
    too_rare_to_split: tuple[str, ...]
    too_rare_to_learn: tuple[str, ...]
    missing_in_training: tuple[str, ...]
    lookalike_labels: tuple[Lookalike, ...]
    sorted_by_label: tuple[str, ...]


def describe_shape(columns: Columns) -> Shape:
    """Count rows by split and class and look at the labels."""
    names, splits = columns.label_names, columns.split_names
    labelled = columns.label >= 0
    counts_SC = np.zeros((len(splits), len(names)), dtype=np.int64)
    np.add.at(counts_SC, (columns.split[labelled], columns.label[labelled]), 1)
    counts_C = counts_SC.sum(axis=0)
    training = training_split(columns)
    learnt_C = counts_C if training is None else counts_SC[training]
    present = counts_C[counts_C > 0]
    return Shape(
        rows=len(columns),
        splits={
            name: SplitCount(rows=int((columns.split == place).sum()), labelled=int(counts_SC[place].sum()))
            for place, name in enumerate(splits)
        },
        classes={
            name: ClassCount(
                rows=int(counts_C[place]),
                share=float(counts_C[place] / max(1, counts_C.sum())),
                by_split={split: int(counts_SC[where, place]) for where, split in enumerate(splits)},
            )
            for place, name in enumerate(names)
        },
        unlabelled_rows=int((~labelled).sum()),
        imbalance_ratio=float(present.max() / present.min()) if len(present) else None,
        too_rare_to_split=tuple(names[place] for place in np.flatnonzero(counts_C < TOO_FEW_TO_SPLIT)),
        too_rare_to_learn=tuple(
            names[place] for place in np.flatnonzero((learnt_C < TOO_FEW_TO_LEARN) & (learnt_C > 0))
        ),
        missing_in_training=tuple(names[place] for place in np.flatnonzero((learnt_C == 0) & (counts_C > 0))),
        lookalike_labels=lookalikes(names),
        sorted_by_label=tuple(
            name for place, name in enumerate(splits) if is_sorted(columns.label[(columns.split == place) & labelled])
        ),
    )


def lookalikes(names: tuple[str, ...]) -> tuple[Lookalike, ...]:
    """Return the pairs of label names that may be meant as one.

    Example:
        >>> [pair.why for pair in lookalikes(("Joy", "joy ", "fear"))]
        ['they differ in case, white space or punctuation only']
    """
    pairs = []
    for one, other in combinations(names, 2):
        why = _likeness(one, other)
        if why:
            pairs.append(Lookalike(one=one, other=other, why=why))
    return tuple(pairs)


def is_sorted(label: np.ndarray) -> bool:
    """Tell whether rows stand in runs of one label, as shuffled rows never do.

    Args:
        label: int64 (N,), in the order of the rows.
    """
    shares = np.bincount(label) / max(1, len(label)) if len(label) else np.zeros(0)
    expected_runs = 1 + (len(label) - 1) * (1 - float((shares**2).sum()))
    runs = 1 + int((label[1:] != label[:-1]).sum())
    return len(label) >= 20 and expected_runs >= 10 and runs < SORTED_SHARE * expected_runs


def _likeness(one: str, other: str) -> str:
    plain, plain_other = _plain(one), _plain(other)
    if plain == plain_other:
        return "they differ in case, white space or punctuation only"
    if plain.rstrip("s") == plain_other.rstrip("s") or plain + "es" == plain_other or plain_other + "es" == plain:
        return "singular and plural"
    if min(len(plain), len(plain_other)) >= _SHORTEST_TYPO and _one_edit(plain, plain_other):
        return "they differ by one letter"
    return ""


def _plain(name: str) -> str:
    """Return a name's letters and digits, without case; a name of signs alone stays as it is."""
    return "".join(sign for sign in name.casefold() if sign.isalnum()) or name.strip()


def _one_edit(one: str, other: str) -> bool:
    """Tell whether one letter was changed, added, dropped or swapped with the next.

    A difference in digits ("level 1", "level 2") or in the first letter ("typical", "atypical") is meant.
    """
    if len(one) > len(other):
        one, other = other, one
    if len(other) - len(one) > 1 or one[0] != other[0]:
        return False
    start = next((place for place, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), len(one))
    changed = one[start : start + 1] + other[start : start + 1]
    if any(sign.isdigit() for sign in changed):
        return False
    rest, rest_other = one[start:], other[start:]
    if len(one) < len(other):
        return rest == rest_other[1:]
    return rest[1:] == rest_other[1:] or (rest[:2] == rest_other[1::-1] and rest[2:] == rest_other[2:])
