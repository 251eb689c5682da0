"""Profile: rows a split, rows a class, and what is odd about the labels themselves.

In: columns of a dataset. Out: `Shape`, plain values for JSON.
It does not know texts.
"""

from dataclasses import dataclass, field

import numpy as np

from limbeck.auditing.co_occurrence import LabelPair, labels_per_row, labels_together
from limbeck.auditing.leaks_and_conflicts import training_split
from limbeck.auditing.lookalikes import Lookalike, lookalikes
from limbeck.auditing.rows import RowColumns
from limbeck.data.names import looks_missing
from limbeck.settings import TaskKind

TOO_FEW_TO_SPLIT = 3
"""A class needs a row in each of train, validation and test."""
TOO_FEW_TO_LEARN = 10
"""With fewer training rows than this, a class's score is luck."""
SORTED_SHARE = 0.1
"""A split counts as sorted by label when its runs of one label are fewer than this share of those in shuffled rows."""
FEWEST_ROWS_FOR_IDS = 20
"""With fewer labelled rows than this, nobody can tell labels from ids by their number."""
ROWS_PER_ID = 2.0
"""With fewer labelled rows than this per class, labels are rather ids."""


@dataclass(frozen=True, kw_only=True)
class ClassCount:
    """Rows of one class: in all, as a share of the labelled rows, and by split. A row may have several."""

    rows: int
    share: float
    by_split: dict[str, int]


@dataclass(frozen=True, kw_only=True)
class SplitCount:
    """Rows of one split, and how many of them have a label."""

    rows: int
    labelled: int


@dataclass(frozen=True, kw_only=True)
class Shape:
    """What the rows and labels look like.

    Attributes:
        rows: in all.
        splits: rows of each split.
        classes: rows of each class, in the order of the label map.
        unlabelled_rows: rows without a label.
        imbalance_ratio: rows of the largest class over rows of the smallest that has any; None with no class.
        unused: classes without any row.
        like_missing: classes whose name stands for "no label" elsewhere: nan, None, N/A, an empty name.
        like_ids: whether there are nearly as many classes as labelled rows.
        too_rare_to_split: classes with fewer than `TOO_FEW_TO_SPLIT` rows, but some.
        too_rare_to_learn: classes with fewer than `TOO_FEW_TO_LEARN` rows to learn from.
        missing_in_training: classes that other splits have and the training split has not.
        lookalike_labels: names that may be meant as one.
        sorted_by_label: splits whose rows stand sorted by label.
        labels_per_row: number of labels → rows that have as many; where a row may have several.
        together: labels that stand together in a row more or less often than chance would have it, likewise.
        task: the shape of the labels.
    """

    rows: int
    splits: dict[str, SplitCount]
    classes: dict[str, ClassCount]
    unlabelled_rows: int
    imbalance_ratio: float | None
    unused: tuple[str, ...]
    like_missing: tuple[str, ...]
    like_ids: bool
    too_rare_to_split: tuple[str, ...]
    too_rare_to_learn: tuple[str, ...]
    missing_in_training: tuple[str, ...]
    lookalike_labels: tuple[Lookalike, ...]
    sorted_by_label: tuple[str, ...]
    labels_per_row: dict[int, int] = field(default_factory=dict)
    together: tuple[LabelPair, ...] = ()
    task: TaskKind = "single"


def describe_shape(columns: RowColumns) -> Shape:
    """Count rows by split and class and look at the labels."""
    classes = columns.classes
    names, splits = classes.names, columns.split_names
    labelled = columns.label >= 0
    counts_SC = np.zeros((len(splits), len(names)), dtype=np.int64)
    np.add.at(counts_SC, (columns.split[classes.row], classes.label), 1)
    counts_C = counts_SC.sum(axis=0)
    training = training_split(columns)
    learnt_C = counts_C if training is None else counts_SC[training]
    present = counts_C[counts_C > 0]
    return Shape(
        rows=len(columns),
        splits={
            name: SplitCount(
                rows=int((columns.split == place).sum()), labelled=int((labelled & (columns.split == place)).sum())
            )
            for place, name in enumerate(splits)
        },
        classes={
            name: ClassCount(
                rows=int(counts_C[place]),
                share=float(counts_C[place] / max(1, labelled.sum())),
                by_split={split: int(counts_SC[where, place]) for where, split in enumerate(splits)},
            )
            for place, name in enumerate(names)
        },
        unlabelled_rows=int((~labelled).sum()),
        imbalance_ratio=float(present.max() / present.min()) if len(present) else None,
        unused=tuple(names[place] for place in np.flatnonzero(counts_C == 0)),
        like_missing=looks_missing(names),
        like_ids=bool(FEWEST_ROWS_FOR_IDS <= labelled.sum() < ROWS_PER_ID * len(present)),
        too_rare_to_split=tuple(
            names[place] for place in np.flatnonzero((counts_C < TOO_FEW_TO_SPLIT) & (counts_C > 0))
        ),
        too_rare_to_learn=tuple(
            names[place] for place in np.flatnonzero((learnt_C < TOO_FEW_TO_LEARN) & (learnt_C > 0))
        ),
        missing_in_training=tuple(names[place] for place in np.flatnonzero((learnt_C == 0) & (counts_C > 0))),
        lookalike_labels=lookalikes(names),
        sorted_by_label=tuple(
            name for place, name in enumerate(splits) if is_sorted(columns.label[(columns.split == place) & labelled])
        ),
        labels_per_row=labels_per_row(columns),
        together=labels_together(columns),
        task=columns.task.name,
    )


def is_sorted(label: np.ndarray) -> bool:
    """Tell whether rows stand in runs of one label, as shuffled rows never do.

    Args:
        label: int64 (N,), in the order of the rows.
    """
    shares = np.bincount(label) / max(1, len(label)) if len(label) else np.zeros(0)
    expected_runs = 1 + (len(label) - 1) * (1 - float((shares**2).sum()))
    runs = 1 + int((label[1:] != label[:-1]).sum())
    return len(label) >= 20 and expected_runs >= 10 and runs < SORTED_SHARE * expected_runs
