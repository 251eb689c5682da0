"""Folds: which rows are held out together in cross-validation.

In: labels. Out: the fold of every row, each class spread evenly over the folds; fewer folds than asked where a class is
too small for them.
It does not know features, models or texts.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from limbeck.settings import ProbeSettings

Int64 = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, eq=False)
class FoldPlan:
    """The folds of cross-validation.

    Attributes:
        fold_N: of each row the fold in which it is held out.
        notes: what was done otherwise than asked, in words.
    """

    fold_N: Int64
    notes: tuple[str, ...]


def plan_folds(labels_N: Int64, settings: ProbeSettings, label_names: Sequence[str]) -> FoldPlan:
    """Assign as many folds as were asked for, or as the smallest class has rows; every class has two at least."""
    counts_C = np.bincount(labels_N, minlength=len(label_names))
    smallest = int(counts_C.argmin())
    folds = min(settings.folds, int(counts_C[smallest]))
    notes = []
    if folds < settings.folds:
        notes.append(f"{folds} folds instead of {settings.folds}: {label_names[smallest]} has {folds} training rows")
    return FoldPlan(fold_N=assign_folds(labels_N, folds=folds, seed=settings.seed), notes=tuple(notes))


def assign_folds(labels_N: NDArray[np.integer], *, folds: int, seed: int) -> Int64:
    """Deal the rows of each class out to the folds, in random order.

    The deal goes on from class to class where the last one ended, so that two folds differ by at most one row,
    in each class and in all.

    Returns:
        fold_N: of each row the fold, 0 to `folds` - 1, in which it is held out.

    Example:
        >>> fold_N = assign_folds(np.array([0, 0, 0, 0, 1, 1]), folds=2, seed=0)
        >>> np.bincount(fold_N).tolist()
        [3, 3]
    """
    random = np.random.default_rng(seed)
    order_N = random.permutation(len(labels_N))
    # A stable sort by class keeps the random order inside each class.
    order_N = order_N[np.argsort(np.asarray(labels_N)[order_N], kind="stable")]
    fold_N = np.empty(len(labels_N), dtype=np.int64)
    fold_N[order_N] = np.arange(len(labels_N)) % folds
    return fold_N
