"""Label folds: which rows are held out together where a row has any number of labels.

In: which rows have which labels, and which rows say the same. Out: the fold of every row, each label spread as evenly
over the folds as can be. It does not know features, models or texts.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from limbeck.linear.folds import FoldPlan
from limbeck.settings import ProbeSettings

Int64 = NDArray[np.int64]
Bool = NDArray[np.bool_]


def plan_label_folds(
    targets_NL: Bool, settings: ProbeSettings, label_names: Sequence[str], group_N: Int64 | None = None
) -> FoldPlan:
    """Assign the folds; a label whose rows would all be held out at once is dealt out row by row, and noted."""
    fold_N, parted = assign_label_folds(targets_NL, folds=settings.folds, seed=settings.seed, group_N=group_N)
    if not parted:
        return FoldPlan(fold_N=fold_N, notes=())
    names = ", ".join(label_names[label] for label in parted[:5]) + (", …" if len(parted) > 5 else "")
    note = f"all rows of {names} say the same, so that its copies are in several folds: out-of-fold figures flatter it"
    return FoldPlan(fold_N=fold_N, notes=(note,))


def assign_label_folds(
    targets_NL: Bool, *, folds: int, seed: int, group_N: Int64 | None = None
) -> tuple[Int64, list[int]]:
    """Deal the rows out to the folds so that each has its share of the rows of every label.

    The label with the fewest rows that are not yet dealt out comes first: each of its rows goes to the fold that lacks
    most rows of it, of these to the one that lacks most rows at all. Rows of one group are dealt as one. A label that
    most rows have is spread by the rows that do not have it, as they are the ones that could run out.

    Args:
        targets_NL: whether each row has each label.
        folds: number of folds.
        seed: of the order.
        group_N: rows with equal numbers stay together; every row is a group of its own when not given.

    Returns:
        Of each row the fold, 0 to `folds` - 1, in which it is held out; and the labels whose rows are one group, which
        was parted, since nothing could be learned of them.

    Source: Sechidis, Tsoumakas, Vlahavas, "On the Stratification of Multi-label Data" (2011), algorithm 1.

    Example:
        >>> fold_N, _ = assign_label_folds(np.array([[1, 0], [1, 0], [0, 1], [0, 1]], bool), folds=2, seed=0)
        >>> sorted(fold_N[:2].tolist()), sorted(fold_N[2:].tolist())
        ([0, 1], [0, 1])
    """
    rare_NL = np.where(targets_NL.mean(axis=0) > 0.5, ~targets_NL, targets_NL)
    random = np.random.default_rng(seed)
    rows = len(rare_NL)
    member_N = np.arange(rows) if group_N is None else np.unique(group_N, return_inverse=True)[1]
    count_GL = np.zeros((int(member_N.max(initial=-1)) + 1, rare_NL.shape[1]), dtype=np.int64)
    np.add.at(count_GL, member_N, rare_NL)
    fold_N = _deal(count_GL, np.bincount(member_N), folds, random)[member_N]
    parted = []
    for label in range(rare_NL.shape[1]):
        own = np.flatnonzero(rare_NL[:, label])
        if len(own) > 1 and len(np.unique(fold_N[own])) == 1:
            parted.append(label)
            fold_N[random.permutation(own)] = np.arange(len(own)) % folds
    return fold_N, parted


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
