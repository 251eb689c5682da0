"""Label folds: which rows are held out together where a row has any number of labels.

In: which rows have which labels, and which rows say the same. Out: the fold of every row, each label spread as evenly
over the folds as can be. It does not know features, models or texts.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from limbeck.errors import TrainingError
from limbeck.linear.folds import FoldPlan
from limbeck.settings import ProbeSettings

Int64 = NDArray[np.int64]
Bool = NDArray[np.bool_]


def plan_label_folds(
    targets_NL: Bool, settings: ProbeSettings, label_names: Sequence[str], group_N: Int64 | None = None
) -> FoldPlan:
    """Assign the folds; a group of equal texts that would leave a label nothing to learn from is parted, and noted.

    Raises:
        TrainingError: the rows with a label, or without it, can only be held out all at once.
    """
    dealt = assign_label_folds(targets_NL, folds=settings.folds, seed=settings.seed, group_N=group_N)
    if dealt.held_at_once:
        raise TrainingError(
            f"{_some(label_names, dealt.held_at_once)}: with {settings.folds} folds, all training rows with the label "
            "(or all without it) are held out at once; ask for more folds, add such rows, or leave the label out"
        )
    if not dealt.parted:
        return FoldPlan(fold_N=dealt.fold_N, notes=())
    note = (
        f"all rows with or without {_some(label_names, dealt.parted)} say the same, so that their copies are in "
        "several folds: out-of-fold figures flatter it"
    )
    return FoldPlan(fold_N=dealt.fold_N, notes=(note,))


def _some(label_names: Sequence[str], labels: Sequence[int]) -> str:
    return ", ".join(label_names[label] for label in labels[:5]) + (", …" if len(labels) > 5 else "")


@dataclass(frozen=True, kw_only=True, eq=False)
class LabelFolds:
    """Which rows are held out together.

    Attributes:
        fold_N: of each row the fold, from 0, in which it is held out.
        parted: labels whose rows (or the rows without them) were one group, which was parted.
        held_at_once: labels whose rows (or the rows without them) are in one fold, as no other place was found.
    """

    fold_N: Int64
    parted: tuple[int, ...]
    held_at_once: tuple[int, ...]


def assign_label_folds(targets_NL: Bool, *, folds: int, seed: int, group_N: Int64 | None = None) -> LabelFolds:
    """Deal the rows out to the folds so that each has its share of the rows of every label.

    The label with the fewest rows that are not yet dealt out comes first: each of its rows goes to the fold that lacks
    most rows of it, of these to the one that lacks most rows at all. Rows of one group are dealt as one. A label that
    most rows have is spread by the rows that do not have it, as they are the ones that could run out.

    Nothing can be learned of a label while all rows with it, or all without it, are held out. So a group that is all
    of them is parted first, and where the deal put several groups of them into one fold, one moves to another.

    Args:
        targets_NL: whether each row has each label.
        folds: number of folds.
        seed: of the order.
        group_N: rows with equal numbers stay together; every row is a group of its own when not given.

    Source: Sechidis, Tsoumakas, Vlahavas, "On the Stratification of Multi-label Data" (2011), algorithm 1.

    Example:
        >>> fold_N = assign_label_folds(np.array([[1, 0], [1, 0], [0, 1], [0, 1]], bool), folds=2, seed=0).fold_N
        >>> sorted(fold_N[:2].tolist()), sorted(fold_N[2:].tolist())
        ([0, 1], [0, 1])
    """
    rows, labels = targets_NL.shape
    random = np.random.default_rng(seed)
    # The sides of all labels: the rows with each, then those without each. One that is a single row can't be spread.
    side_NS = np.concatenate([targets_NL, ~targets_NL], axis=1)
    side_NS = side_NS & (side_NS.sum(axis=0) > 1)
    member_N, parted_S = _part(np.arange(rows) if group_N is None else group_N, side_NS)
    rare_NL = np.where(targets_NL.mean(axis=0) > 0.5, ~targets_NL, targets_NL)
    count_GL = np.zeros((int(member_N.max(initial=-1)) + 1, labels), dtype=np.int64)
    np.add.at(count_GL, member_N, rare_NL)
    fold_G = _deal(count_GL, np.bincount(member_N), folds, random)
    side_GS = np.zeros((len(count_GL), 2 * labels), dtype=np.bool_)
    np.logical_or.at(side_GS, member_N, side_NS)
    held_S = _spread(fold_G, side_GS, folds)
    return LabelFolds(
        fold_N=fold_G[member_N],
        parted=tuple(sorted({side % labels for side in parted_S})),
        held_at_once=tuple(sorted({side % labels for side in held_S})),
    )


def _part(group_N: Int64, side_NS: Bool) -> tuple[Int64, list[int]]:
    """Number the groups from 0, each row of a group that is a whole side by itself; return the sides, too."""
    _, member_N = np.unique(group_N, return_inverse=True)
    alone_N = np.zeros(len(member_N), np.bool_)
    parted = []
    for side, has_N in enumerate(side_NS.T):
        members = member_N[has_N]
        if len(members) and (members == members[0]).all():
            parted.append(side)
            alone_N |= member_N == members[0]
    numbers_N = np.where(alone_N, len(member_N) + np.arange(len(member_N)), member_N)
    return np.unique(numbers_N, return_inverse=True)[1], parted


def _spread(fold_G: Int64, side_GS: Bool, folds: int) -> list[int]:
    """Move groups so that no fold holds out a whole side, where single moves do it; return the sides that stay so."""
    count_KS = np.zeros((folds, side_GS.shape[1]), dtype=np.int64)
    np.add.at(count_KS, fold_G, side_GS)
    # Every move leaves fewer labels held at once, or as many with fewer sides of theirs, so there are few moves.
    while any(_move_one(fold_G, side_GS, count_KS, side) for side in np.flatnonzero(_together(count_KS)).tolist()):
        pass
    return np.flatnonzero(_together(count_KS)).tolist()


def _move_one(fold_G: Int64, side_GS: Bool, count_KS: Int64, side: int) -> bool:
    """Move the first group of a side after which fewer labels are held out at once, or as many with fewer sides."""
    fold, held = int(count_KS[:, side].argmax()), _held(count_KS)
    for group in np.flatnonzero(side_GS[:, side]).tolist():
        for target in range(len(count_KS)):
            moved_KS = count_KS.copy()
            moved_KS[fold] -= side_GS[group]
            moved_KS[target] += side_GS[group]
            if target != fold and _held(moved_KS) < held:
                count_KS[:] = moved_KS
                fold_G[group] = target
                return True
    return False


def _held(count_KS: Int64) -> tuple[int, int]:
    """Count the labels of which one fold has a whole side, and these sides."""
    together_S = _together(count_KS)
    return int(together_S.reshape(2, -1).any(axis=0).sum()), int(together_S.sum())


def _together(count_KS: Int64) -> Bool:
    """Tell of each side whether one fold has all of it."""
    together_S: Bool = (count_KS > 0).sum(axis=0) == 1
    return together_S


def _deal(count_GL: Int64, size_G: Int64, folds: int, random: np.random.Generator) -> Int64:
    """Return the fold of each group."""
    groups, labels = count_GL.shape
    fold_G = np.full(groups, -1, dtype=np.int64)
    lacking_KL = np.tile(count_GL.sum(axis=0) / folds, (folds, 1))
    lacking_K = np.full(folds, size_G.sum() / folds)
    left_L = count_GL.sum(axis=0)
    # Random among groups of one size, larger ones first: a stable sort keeps the order of the permutation.
    order_G = random.permutation(groups)
    order_G = order_G[np.argsort(-size_G[order_G], kind="stable")]
    owners = [order_G[count_GL[order_G, label] > 0] for label in range(labels)]

    def place(group: int, wish_K: NDArray[np.float64]) -> None:
        best = np.flatnonzero(wish_K == wish_K.max())
        if len(best) > 1:
            rows = lacking_K[best]
            best = best[rows == rows.max()]
        fold = int(best[0] if len(best) == 1 else random.choice(best))
        fold_G[group] = fold
        lacking_KL[fold] -= count_GL[group]
        lacking_K[fold] -= size_G[group]
        np.subtract(left_L, count_GL[group], out=left_L)

    while (left_L > 0).any():
        label = int(np.where(left_L > 0, left_L, np.iinfo(np.int64).max).argmin())
        for group in owners[label].tolist():
            if fold_G[group] < 0:
                place(group, lacking_KL[:, label])
    for group in order_G[fold_G[order_G] < 0].tolist():
        place(group, lacking_K)
    return fold_G
