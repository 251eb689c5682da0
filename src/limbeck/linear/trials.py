"""Trials: what each fit of cross-validation may see of one set of columns.

In: features, labels, folds and settings. Out: standardised features, and the problems that the solver is given.
It does not know scores, nor which penalty is best. This file and `label_trials.py`, for any number of labels a row, are
the only ones that say which rows a fit learns from.

A fit is named by the fold that it holds out; None is the fit on all rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from limbeck.linear.balance import Balanced, Mixtures, balance_rows, nearest_rows
from limbeck.linear.curvature import Slopes
from limbeck.linear.objective import Problems
from limbeck.linear.scaling import Columns, Scaling, Streamed, standardise
from limbeck.settings import ProbeSettings

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, eq=False)
class FoldedColumns:
    """One set of columns, and the folds in which it is tried.

    Shapes: N rows, K folds, F columns.

    Attributes:
        name: of the set of columns.
        features_NF: raw features, all columns.
        columns: the positions of this set; all when none are given.
        scaling: of these columns.
        label_names: of the labels.
        fold_N: the fold in which each row is held out.
        settings: balance and seed.
    """

    name: str
    features_NF: Float32
    columns: Columns | None
    scaling: Scaling
    label_names: tuple[str, ...]
    fold_N: Int64
    settings: ProbeSettings

    @property
    def fits(self) -> list[int | None]:
        """The fits of cross-validation, and the one on all rows."""
        return [*range(int(self.fold_N.max()) + 1), None]

    def standardised(self, dtype: torch.dtype) -> torch.Tensor:
        """Return these columns, standardised by all rows."""
        return standardise(self.features_NF, self.scaling, columns=self.columns, dtype=dtype)

    def streamed(self) -> Streamed:
        """Return the products of these columns in float32, from the raw features."""
        return Streamed(features_NF=self.features_NF, scaling=self.scaling, columns=self.columns)

    def scale(self, held_out: int | None) -> Float64:
        """Return the scale of the features over the rows that a fit sees, relative to that over all rows."""
        if held_out is None:
            return np.where(self.scaling.constant_F, np.inf, 1.0)
        return np.asarray(self.scaling.fold_scale_KF[held_out])


@dataclass(frozen=True, kw_only=True, eq=False)
class Trials(FoldedColumns):
    """What the fits of one class a row may see.

    Shapes: N rows, C classes.

    Attributes:
        labels_N: class of each row.
    """

    labels_N: Int64

    @property
    def classes(self) -> int:
        """C."""
        return len(self.label_names)

    def balance(self, held_out: int | None) -> Balanced:
        """Weigh the rows that a fit may see; the others have weight 0. Positions are those of all rows."""
        everything = np.arange(len(self.labels_N))
        rows_M = everything if held_out is None else everything[self.fold_N != held_out]

        def find_neighbours(members: Int64, number: int) -> Int64:
            standard_MF = standardise(
                self.features_NF[rows_M[members]], self.scaling, columns=self.columns, dtype=torch.float32
            )
            # As this fit would standardise; a feature that is constant among its rows becomes 0.
            return nearest_rows(standard_MF.div_(torch.from_numpy(self.scale(held_out)).float()), number=number)

        balanced = balance_rows(
            self.labels_N[rows_M],
            balance=self.settings.balance,
            seed=self.settings.seed,
            find_neighbours=find_neighbours,
            label_names=self.label_names,
        )
        weight_N = np.zeros(len(self.labels_N), dtype=np.float32)
        weight_N[rows_M] = balanced.weight_M
        mixtures = balanced.mixtures and Mixtures(
            base_S=rows_M[balanced.mixtures.base_S],
            neighbour_S=rows_M[balanced.mixtures.neighbour_S],
            step_S=balanced.mixtures.step_S,
            labels_S=balanced.mixtures.labels_S,
        )
        return Balanced(weight_M=weight_N, mixtures=mixtures, notes=balanced.notes)

    def problems(self, balanced: Sequence[Balanced], *, penalty: float) -> Problems:
        """State all fits of one penalty for the solver."""
        # scikit-learn gives two classes one weight vector w. As two that are ±w/2, its penalty ½‖w‖² is twice theirs.
        factor = (2.0 if self.classes == 2 else 1.0) / penalty
        scale_PF = np.stack([self.scale(held_out) for held_out in self.fits])
        return Problems(
            labels_N=torch.from_numpy(self.labels_N),
            classes=self.classes,
            weight_PN=torch.from_numpy(np.stack([part.weight_M for part in balanced])),
            ridge_PF=torch.from_numpy(factor * scale_PF**2).float(),
            mixtures_P=tuple(part.mixtures for part in balanced),
        )

    def first_point(self, balanced: Sequence[Balanced]) -> Slopes:
        """Return weights 0 and the logarithm of each class's share: the optimum of an infinite penalty."""
        counts = []
        for part in balanced:
            count_C = np.bincount(self.labels_N, part.weight_M, self.classes)
            if part.mixtures:
                count_C = count_C + np.bincount(part.mixtures.labels_S, minlength=self.classes)
            counts.append(count_C / count_C.sum())
        intercept_PC = torch.from_numpy(np.log(np.stack(counts))).float()
        return Slopes(torch.zeros(len(balanced), self.classes, len(self.scaling.mean_F)), intercept_PC)

    def score_weights(self) -> Float64:
        """Return the weight of each row in a score: 1, or the same sum for each class where classes are balanced."""
        if self.settings.balance == "none":
            return np.ones(len(self.labels_N))
        return balance_rows(self.labels_N, balance="weights", seed=0).weight_M.astype(np.float64)
