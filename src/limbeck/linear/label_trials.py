"""Label trials: what each fit of cross-validation may see where a row has any number of labels.

In: features, which rows have which labels, folds and settings. Out: the problems that the solver is given, for some of
the labels at a time. It does not know scores, nor which penalty is best.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from limbeck.linear.curvature import Slopes
from limbeck.linear.label_objective import LabelProblems
from limbeck.linear.trials import FoldedColumns

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]
Bool = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True, eq=False)
class LabelTrials(FoldedColumns):
    """What the fits of labels may see.

    Shapes: N rows, L labels of a block, K fits: those of cross-validation, and the one on all rows.

    Attributes:
        targets_NL: whether each row has each label, of all labels.
        asked_NL: whether each row has a part in each label's fits; all where None.
    """

    targets_NL: Bool
    asked_NL: Bool | None = None

    def weights(self, block: Int64) -> Float32:
        """Return the weight of each row for each label of a block in each fit, (K, L, N); 0 where it is not seen."""
        weight_KLN = np.empty((len(self.fits), len(block), len(self.fold_N)), dtype=np.float32)
        for weight_LN, held_out in zip(weight_KLN, self.fits, strict=True):
            seen_N = np.ones(len(self.fold_N), bool) if held_out is None else self.fold_N != held_out
            weight_LN[:] = self._balanced(block, seen_N)
        return weight_KLN

    def problems(self, block: Int64, weight_KLN: Float32, *, penalty_L: Float64) -> LabelProblems:
        """State all fits of some labels for the solver, each label with its own penalty C."""
        scale_KF = np.stack([self.scale(held_out) for held_out in self.fits])
        ridge_KLF = scale_KF[:, None] ** 2 / penalty_L[:, None]
        return LabelProblems(
            targets_LN=torch.from_numpy(np.ascontiguousarray(self.targets_NL[:, block].T)),
            weight_PN=torch.from_numpy(weight_KLN).flatten(0, 1),
            ridge_PF=torch.from_numpy(ridge_KLF).float().flatten(0, 1),
        )

    def first_point(self, block: Int64, weight_KLN: Float32) -> Slopes:
        """Return weights 0 and the logit of each label's share: the optimum of an infinite penalty."""
        has_LN = self.targets_NL[:, block].T
        share_KL = (weight_KLN * has_LN).sum(axis=2, dtype=np.float64) / weight_KLN.sum(axis=2, dtype=np.float64)
        intercept_P1 = torch.from_numpy(np.log(share_KL / (1 - share_KL))).float().view(-1, 1)
        return Slopes(torch.zeros(len(intercept_P1), 1, len(self.scaling.mean_F)), intercept_P1)

    def score_weights(self, block: Int64) -> Float32:
        """Return the weight of each row in each label's score, (L, N)."""
        return self._balanced(block, np.ones(len(self.fold_N), bool))

    def _balanced(self, block: Int64, seen_N: Bool) -> Float32:
        """Weigh the rows that are seen: 1, or the same sum for those with and without the label."""
        seen_LN = np.tile(seen_N, (len(block), 1))
        if self.asked_NL is not None:
            seen_LN &= self.asked_NL[:, block].T
        if self.settings.balance == "none":
            return seen_LN.astype(np.float32)
        has_LN = self.targets_NL[:, block].T
        rows_L1 = seen_LN.sum(axis=1, keepdims=True)
        with_L1 = (has_LN & seen_LN).sum(axis=1, keepdims=True)
        weight_LN = np.where(has_LN, rows_L1 / (2 * with_L1), rows_L1 / (2 * (rows_L1 - with_L1)))
        return np.asarray(weight_LN * seen_LN, dtype=np.float32)
