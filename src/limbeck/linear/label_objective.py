"""Label objective: logistic regressions of yes and no, one a label and fit, over the same features.

In: which rows have which label, their weights in each fit, penalties. Out: an `Objective` for the solver.
It does not know how a minimum is found. The labels of a row have nothing to do with each other here: each is a problem
of its own, and they stand side by side because one pass over the features serves them all.

Shapes: K fits of L labels are P = K · L problems, those of a fit side by side; each has one class, C = 1. N rows, F
features.
"""

from dataclasses import dataclass
from typing import Self

import torch
from torch.nn import functional

from limbeck.linear.curvature import Basis, InverseCurvature, Slopes, invert_curvature
from limbeck.linear.objective import Objective, RowsMeasured
from limbeck.linear.scaling import Products

SPOKEN_SHARE = 0.5
"""A direction's curvature is computed where the rows' part of it is more than this share of the penalty's."""


@dataclass(frozen=True, kw_only=True, eq=False)
class LabelProblems:
    """P problems over the same N rows: minimise Σ weight · binary cross-entropy + ½ Σ ridge · V².

    Attributes:
        targets_LN: whether each row has each label.
        weight_PN: weight of each row in each problem; 0 leaves it out.
        ridge_PF: penalty of each feature; infinite holds its weights at 0. The intercept is not penalised.
    """

    targets_LN: torch.Tensor
    weight_PN: torch.Tensor
    ridge_PF: torch.Tensor

    def objective(self) -> Objective:
        """Return what is brought down."""
        return LabelObjective(self)


class _LabelCurvature(InverseCurvature):
    """The inverse for the labels of every fit, where each is a problem of its own."""

    def apply(self, gradient: Slopes) -> Slopes:
        """Return the gradient times the inverse."""
        problems, _, features = gradient.weight_PCF.shape
        labels = len(self.inner_CSS)
        by_fit = Slopes(
            gradient.weight_PCF.view(-1, labels, features), gradient.intercept_PC.reshape(-1, labels).contiguous()
        )
        found = super().apply(by_fit)
        return Slopes(found.weight_PCF.reshape(problems, 1, features), found.intercept_PC.reshape(problems, 1))


class LabelObjective(Objective):
    """The objective of problems of yes and no."""

    def __init__(self, problems: LabelProblems) -> None:
        super().__init__(problems.weight_PN, problems.ridge_PF, problems.weight_PN.shape[1])
        self._labels = len(problems.targets_LN)
        self._sign_LN = torch.where(problems.targets_LN, -1.0, 1.0)

    @property
    def lanes(self) -> int:
        """Lanes of these problems: the labels."""
        return self._labels

    def part(self, lane_L: torch.Tensor) -> Self:
        """Return the objective of some labels."""
        found = super().part(lane_L)
        found._labels, found._sign_LN = len(lane_L), self._sign_LN[lane_L]
        return found

    def logits(self, point: Slopes, products: Products) -> torch.Tensor:
        """Return the logits of all rows, (P, 1, N): one pass."""
        return products.logits(point.weight_PCF[:, 0])[:, None].add_(point.intercept_PC[:, :, None])

    def loss_slopes(self, row_PCN: torch.Tensor, products: Products) -> torch.Tensor:
        """Return the gradient of the loss by the weights, (P, 1, F), from the rows' pull: one pass."""
        return products.slopes(row_PCN[:, 0])[:, None]

    def restrict(self, slopes: Slopes) -> Slopes:
        """Leave out the features that may not be used."""
        return Slopes(slopes.weight_PCF * self.free_P1F, slopes.intercept_PC)

    def measure(self, logits_PCM: torch.Tensor, along_PCM: torch.Tensor) -> RowsMeasured:
        """Return the binary cross-entropy of logits, and how it changes in a direction of them."""
        weight_PM, along_PM = self.weight_PM, along_PCM[:, 0]
        # log(1 + exp(z)) of the logit of what is wrong; its slope is the probability of what is wrong.
        wrong_PM = self._signed(logits_PCM[:, 0])
        loss_P = (functional.softplus(wrong_PM) * weight_PM).sum(1, dtype=torch.float64)
        far_PM = wrong_PM.sigmoid_()
        bend_PM = far_PM * (1 - far_PM) * weight_PM
        residual_PM = self._signed(far_PM)
        return RowsMeasured(
            loss_P=loss_P,
            slope_P=(residual_PM * along_PM * weight_PM).sum(1, dtype=torch.float64),
            bend_P=(bend_PM * along_PM.square()).sum(1, dtype=torch.float64),
            residual_PCM=residual_PM[:, None],
        )

    def inverse_curvature(self, basis: Basis, residual_PCM: torch.Tensor) -> InverseCurvature:
        """Return the inverse of the curvature of each label, the mean of the fits.

        Where the penalty is stronger than what the rows say of a direction, it decides alone, and the curvature there
        need not be known: most labels are rare, and a few directions do for them.
        """
        spread_LN = self.spread(residual_PCM).view(-1, self._labels, self.given).mean(0)
        features = self.ridge_P1F.shape[2]
        free_L = self.free_P1F.view(-1, self._labels, features).sum((0, 2))
        ridge_L = self.ridge_P1F.view(-1, self._labels, features).sum((0, 2), dtype=torch.float64) / free_L
        spread_L = spread_LN.sum(1)
        rank_L = (basis.variance_R * (spread_L / ridge_L)[:, None] > SPOKEN_SHARE).sum(1).clamp_min(1).tolist()
        known = basis.leading(max(rank_L))
        # The rest of a label is the same in all directions: of those that are not its own, too.
        outer_L = 1 / (spread_L.double() * known.rest + ridge_L)
        size = known.direction_FR.shape[1] + 1
        inner_LSS = torch.zeros(len(rank_L), size, size)
        for inner_SS, spread_1N, ridge, outer, rank in zip(
            inner_LSS, spread_LN[:, None], ridge_L, outer_L, rank_L, strict=True
        ):
            own = invert_curvature(known.leading(rank), spread_CN=spread_1N, shared_CC=torch.zeros(1, 1), ridge=ridge)
            inner_SS.diagonal().fill_(float(outer))
            inner_SS[:rank, :rank] = own.inner_CSS[0, :-1, :-1]
            inner_SS[:rank, -1] = own.inner_CSS[0, :-1, -1]
            inner_SS[-1, :rank] = own.inner_CSS[0, -1, :-1]
            inner_SS[-1, -1] = own.inner_CSS[0, -1, -1]
        return _LabelCurvature(basis=known, inner_CSS=inner_LSS, outer_CC=outer_L.float().diag())

    def _signed(self, values_PN: torch.Tensor) -> torch.Tensor:
        """Return the values, turned round where a row has the label."""
        by_fit = values_PN.view(-1, self._labels, self.given) * self._sign_LN
        return by_fit.view(len(values_PN), self.given)
