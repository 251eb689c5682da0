"""Balance: how unequal class sizes are met when a model is fitted.

In: the labels of the rows that a fit may see, and for SMOTE a way to find neighbours among them. Out: a weight for
each of those rows and, for SMOTE, new rows written as mixtures of two of them; the nearest others of each row.
It does not know folds, solvers or features: a row that was not handed in cannot be weighted, copied or mixed.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from limbeck.errors import SettingsError, TrainingError
from limbeck.settings import Balance

Int64 = NDArray[np.int64]
Float32 = NDArray[np.float32]

SMOTE_NEIGHBOURS = 5
"""Neighbours that a row may be mixed with, as in the paper and in imbalanced-learn."""

FindNeighbours = Callable[[Int64, int], Int64]
"""Given positions of M rows of one class and a number, return for each the positions *within those M* of that many
nearest others, nearest first: (M, number)."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Mixtures:
    """New rows, each on the straight line between two given ones.

    Shapes: S new rows. Row s is `(1 - step_S[s]) * rows[base_S[s]] + step_S[s] * rows[neighbour_S[s]]`; it is never
    written out, since what a linear model makes of it is the same mixture of what it makes of the two.

    Attributes:
        base_S: position of the row that is mixed.
        neighbour_S: position of the row it is mixed with.
        step_S: share of the neighbour, 0 to 1.
        labels_S: class of the new row.
    """

    base_S: Int64
    neighbour_S: Int64
    step_S: Float32
    labels_S: Int64


@dataclass(frozen=True, kw_only=True, eq=False)
class Balanced:
    """What a fit sees of the M rows it was given.

    Attributes:
        weight_M: weight of each row.
        mixtures: the rows that SMOTE adds; none for the other ways.
        notes: what had to be done otherwise than asked, in words.
    """

    weight_M: Float32
    mixtures: Mixtures | None = None
    notes: tuple[str, ...] = ()


def balance_rows(
    labels_M: NDArray[np.integer],
    *,
    balance: Balance,
    seed: int,
    find_neighbours: FindNeighbours | None = None,
    label_names: Sequence[str] | None = None,
) -> Balanced:
    """Weight, repeat or mix the rows of the smaller classes.

    "weights" gives each row M / (classes · rows of its class), scikit-learn's `class_weight="balanced"`.
    "oversample" repeats rows until each class has as many as the largest: every row equally often, the remainder
    drawn without replacement. "smote" adds mixtures of neighbours instead. Notes and errors use the label names.

    Raises:
        TrainingError: SMOTE was asked for and a class has a single row.

    Source: Chawla et al. 2002, "SMOTE: Synthetic Minority Over-sampling Technique", section 4.2.

    Example:
        >>> balance_rows(np.array([0, 0, 0, 1]), balance="oversample", seed=0).weight_M.tolist()
        [1.0, 1.0, 1.0, 3.0]
    """
    labels: Int64 = np.asarray(labels_M, dtype=np.int64)
    if balance == "weights":
        return Balanced(weight_M=_class_weights(labels))
    if balance == "oversample":
        return Balanced(weight_M=_repeats(labels, seed=seed))
    if balance == "smote":
        if find_neighbours is None:
            raise SettingsError("balance = 'smote' needs a way to find neighbours: give find_neighbours")
        names = label_names or [f"class {label}" for label in range(int(labels.max()) + 1)]
        return _mix(labels, names, seed=seed, find_neighbours=find_neighbours)
    return Balanced(weight_M=np.ones(len(labels), dtype=np.float32))


def _class_weights(labels_M: Int64) -> Float32:
    counts_C = np.bincount(labels_M)
    weight_C = len(labels_M) / (np.count_nonzero(counts_C) * np.maximum(counts_C, 1))
    return np.asarray(weight_C[labels_M], dtype=np.float32)


def _repeats(labels_M: Int64, *, seed: int) -> Float32:
    random = np.random.default_rng(seed)
    counts_C = np.bincount(labels_M)
    repeat_M = np.zeros(len(labels_M), dtype=np.float32)
    for label in np.flatnonzero(counts_C):
        rows = np.flatnonzero(labels_M == label)
        times, remainder = divmod(int(counts_C.max()), len(rows))
        repeat_M[rows] = times
        repeat_M[random.choice(rows, size=remainder, replace=False)] += 1
    return repeat_M


def _mix(labels_M: Int64, label_names: Sequence[str], *, seed: int, find_neighbours: FindNeighbours) -> Balanced:
    counts_C = np.bincount(labels_M)
    notes: list[str] = []
    bases: list[Int64] = []
    neighbours: list[Int64] = []
    steps: list[Float32] = []
    labels: list[Int64] = []
    for label in np.flatnonzero(counts_C).tolist():
        rows = np.flatnonzero(labels_M == label)
        missing = int(counts_C.max()) - len(rows)
        if not missing:
            continue
        if len(rows) == 1:
            raise TrainingError(
                f"SMOTE cannot be used: {label_names[label]} has one row to train on, and SMOTE mixes rows with "
                "neighbours of their own class; add rows to that class, or use --balance weights or oversample"
            )
        number = min(SMOTE_NEIGHBOURS, len(rows) - 1)
        if number < SMOTE_NEIGHBOURS:
            notes.append(f"SMOTE mixed {label_names[label]} with {number} instead of {SMOTE_NEIGHBOURS} neighbours: "
                         f"it has {len(rows)} rows to train on")  # fmt: skip
        near = find_neighbours(rows, number)
        # The same draws from the same generator as imbalanced-learn's SMOTE(random_state=seed), which starts it anew
        # for each class: the tests hold one against the other.
        random = np.random.RandomState(seed)
        drawn = random.randint(low=0, high=near.size, size=missing)
        base, column = drawn // number, drawn % number
        bases.append(rows[base])
        neighbours.append(rows[near[base, column]])
        steps.append(random.uniform(size=missing).astype(np.float32))
        labels.append(np.full(missing, label, dtype=np.int64))
    weight_M = np.ones(len(labels_M), dtype=np.float32)
    if not bases:
        return Balanced(weight_M=weight_M)
    mixtures = Mixtures(
        base_S=np.concatenate(bases),
        neighbour_S=np.concatenate(neighbours),
        step_S=np.concatenate(steps),
        labels_S=np.concatenate(labels),
    )
    return Balanced(weight_M=weight_M, mixtures=mixtures, notes=tuple(notes))


DISTANCE_ROWS = 1024
"""Rows whose distances to all others are held at a time."""


def nearest_rows(rows_MF: torch.Tensor, *, number: int) -> NDArray[np.int64]:
    """Return for each row the positions of the `number` nearest others by Euclidean distance, nearest first.

    Example:
        >>> nearest_rows(torch.tensor([[0.0], [1.0], [3.0]]), number=1).tolist()
        [[1], [0], [1]]
    """
    square_M = rows_MF.square().sum(1)
    near = []
    for start in range(0, len(rows_MF), DISTANCE_ROWS):
        block_BF = rows_MF[start : start + DISTANCE_ROWS]
        # ‖a - b‖² less ‖a‖², which is the same for every b.
        distance_BM = torch.addmm(square_M, block_BF, rows_MF.T, alpha=-2)
        distance_BM[torch.arange(len(block_BF)), torch.arange(start, start + len(block_BF))] = torch.inf
        near.append(distance_BM.topk(number, dim=1, largest=False, sorted=True).indices)
    return torch.cat(near).numpy()
