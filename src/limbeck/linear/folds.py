"""Folds: which rows are held out together in cross-validation.

In: labels, and which rows say the same. Out: the fold of every row, each class spread evenly over the folds; fewer
folds than asked where a class is too small for them.
It does not know features, models or texts.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from limbeck.settings import ProbeSettings

Int64 = NDArray[np.int64]

STRATA = 10
"""Groups of equally many rows, by their numbers, that are spread evenly over the folds."""


@dataclass(frozen=True, kw_only=True, eq=False)
class FoldPlan:
    """The folds of cross-validation.

    Attributes:
        fold_N: of each row the fold in which it is held out.
        notes: what was done otherwise than asked, in words.
    """

    fold_N: Int64
    notes: tuple[str, ...]


def plan_folds(
    labels_N: Int64, settings: ProbeSettings, label_names: Sequence[str], group_N: Int64 | None = None
) -> FoldPlan:
    """Assign as many folds as were asked for, or as the smallest class has rows; every class has two at least."""
    counts_C = np.bincount(labels_N, minlength=len(label_names))
    smallest = int(counts_C.argmin())
    folds = min(settings.folds, int(counts_C[smallest]))
    notes = []
    if folds < settings.folds:
        notes.append(f"{folds} folds instead of {settings.folds}: {label_names[smallest]} has {folds} training rows")
    fold_N = assign_folds(labels_N, folds=folds, seed=settings.seed, group_N=group_N)
    if group_N is not None and (parted := np.unique(labels_N[_parted(group_N, fold_N)])).size:
        names = ", ".join(label_names[int(label)] for label in parted[:5])
        notes.append(
            f"all rows of {names} say the same, so that its copies are in several folds: out-of-fold figures flatter it"
        )
    return FoldPlan(fold_N=fold_N, notes=tuple(notes))


def plan_number_folds(numbers_N: NDArray[np.float64], settings: ProbeSettings, group_N: Int64 | None) -> FoldPlan:
    """Assign folds that see about the same spread of numbers each."""
    folds = min(settings.folds, len(numbers_N) // 2)
    notes = [] if folds == settings.folds else [f"{folds} folds instead of {settings.folds}: {len(numbers_N)} rows"]
    place_N = np.argsort(np.argsort(numbers_N, kind="stable"), kind="stable")
    strata = min(STRATA, len(numbers_N) // folds)
    fold_N = assign_folds(place_N * strata // len(numbers_N), folds=folds, seed=settings.seed, group_N=group_N)
    return FoldPlan(fold_N=fold_N, notes=tuple(notes))


def _parted(group_N: Int64, fold_N: Int64) -> NDArray[np.bool_]:
    """Tell of each row whether its group stands in several folds."""
    _, member_N = np.unique(group_N, return_inverse=True)
    least_G, most_G = np.full(len(member_N), len(member_N)), np.full(len(member_N), -1)
    np.minimum.at(least_G, member_N, fold_N)
    np.maximum.at(most_G, member_N, fold_N)
    parted: NDArray[np.bool_] = (least_G < most_G)[member_N]
    return parted


def assign_folds(labels_N: NDArray[np.integer], *, folds: int, seed: int, group_N: Int64 | None = None) -> Int64:
    """Deal the rows of each class out to the folds, in random order.

    The deal goes on from class to class where the last one ended, so that two folds differ by at most one row,
    in each class and in all. Rows of one group are dealt as one, in the class of the first, larger groups before
    smaller ones. A row would else be judged by a model that has learned its twin. Only a class all of whose rows would
    be held out at once, as they all are of one group, is dealt out row by row: nothing could be learned of it.

    Args:
        labels_N: class of each row.
        folds: number of folds.
        seed: of the order.
        group_N: rows with equal numbers stay together; every row is a group of its own when not given.

    Returns:
        fold_N: of each row the fold, 0 to `folds` - 1, in which it is held out.

    Example:
        >>> fold_N = assign_folds(np.array([0, 0, 0, 0, 1, 1]), folds=2, seed=0)
        >>> np.bincount(fold_N).tolist()
        [3, 3]
    """
    labels = np.asarray(labels_N)
    random = np.random.default_rng(seed)
    if group_N is None:
        return _deal(labels, np.ones(len(labels), dtype=np.int64), folds, random)
    _, first_G, member_N, size_G = np.unique(group_N, return_index=True, return_inverse=True, return_counts=True)
    fold_N = _deal(labels[first_G], size_G, folds, random)[member_N]
    for label in np.unique(labels):
        own = np.flatnonzero(labels == label)
        if len(own) > 1 and len(np.unique(fold_N[own])) == 1:
            fold_N[own] = _deal(labels[own], np.ones(len(own), dtype=np.int64), folds, random)
    return fold_N


def _deal(labels_G: NDArray[np.integer], size_G: Int64, folds: int, random: np.random.Generator) -> Int64:
    order_G = random.permutation(len(labels_G))
    # A stable sort keeps the random order among groups of one class and size.
    order_G = order_G[np.lexsort((-size_G[order_G], labels_G[order_G]))]
    fold_G = np.empty(len(labels_G), dtype=np.int64)
    fold_G[order_G] = np.arange(len(labels_G)) % folds
    return fold_G
