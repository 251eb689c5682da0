"""Value solver: the optimum of several models over the same features that give each row one value, found side by side.

In: the features' products, and problems. Out: weights, cuts, the value of every row, and a bound on how far the
objective is from its minimum.
It does not know folds, scores or raw features.

Newton's method, its steps found by conjugate gradients, which start from the curvature in the directions where the
features vary most. One pass over the features serves every problem. Sums over rows are of float32 products; all else is
float64. Squared losses are one quadratic: for them this is ridge regression, solved to the bound that is asked for.
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from limbeck.linear.curvature import Basis
from limbeck.linear.scaling import Products
from limbeck.linear.value_losses import CutTerms, ValueLoss, ValueTerms

NEWTON_STEPS = 60
INNER_STEPS = 60
"""Conjugate directions in a Newton step."""
FORCING = 0.03
"""How far a Newton step is worked out: the residual's share of the gradient, in the metric of the curvature."""
HALVINGS = 40
"""Times that a step is halved before a problem stays where it is."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ValueProblems:
    """P problems over the same N rows: minimise Σ weight · loss + ½ Σ ridge · V².

    Attributes:
        loss: of one value a row; the same in every problem.
        weight_PN: weight of each row in each problem, float64; 0 leaves it out.
        ridge_PF: penalty of each feature, float64; infinite holds its weight at 0. Cuts are not penalised.
    """

    loss: ValueLoss
    weight_PN: Tensor
    ridge_PF: Tensor


class ValuePoint(NamedTuple):
    """Weights on standardised features, (P, F), and cuts, (P, K), float64."""

    weight_PF: Tensor
    cut_PK: Tensor


@dataclass(frozen=True, kw_only=True, eq=False)
class ValueSolution:
    """Where the solver stopped.

    Attributes:
        point: weights and cuts.
        value_PN: of every row, whether it had weight or not.
        objective_P: the minimum found.
        gap_P: bound on (objective - minimum) / objective: ½ Σ gradient² / ridge, the cuts with their own curvature.
        gradient_P: largest absolute component of the gradient, divided by the sum of the weights.
        iterations: passes forth and back over the features.
    """

    point: ValuePoint
    value_PN: Tensor
    objective_P: Tensor
    gap_P: Tensor
    gradient_P: Tensor
    iterations: int


class _Standing(NamedTuple):
    """What is known of a point."""

    point: ValuePoint
    value_PN: Tensor
    terms: ValueTerms
    cut_terms: CutTerms
    objective_P: Tensor


class _Direction(NamedTuple):
    """A Newton step, what it makes of each row's value, and the passes that it took."""

    step_PX: Tensor
    along_PN: Tensor
    passes: int


def first_point(problems: ValueProblems) -> ValuePoint:
    """Return weights 0 and the best cuts with them: the optimum of an infinite penalty."""
    return ValuePoint(torch.zeros_like(problems.ridge_PF), problems.loss.first_cuts(problems.weight_PN))


def solve_values(
    products: Products, problems: ValueProblems, *, basis: Basis, start: ValuePoint, gap: float
) -> ValueSolution:
    """Find the optimum of every problem.

    Stops at the gap, or when rounding forbids any further step: whether what was reached is good enough is for the
    caller to judge.

    Args:
        products: with the standardised features, float32.
        problems: what to minimise.
        basis: of these features.
        start: where to begin.
        gap: to be reached by every problem.

    Source: Nocedal & Wright 2006, "Numerical Optimization", algorithm 7.1.
    """
    newton = _Newton(products, problems, basis)
    now = newton.stand(start)
    passes = 0
    for _ in range(NEWTON_STEPS):
        gradient_PX = newton.gradient(now)
        gap_P = newton.gap(now, gradient_PX)
        if bool((gap_P <= gap).all()):
            break
        direction = newton.direction(now, gradient_PX)
        passes += direction.passes
        length_P = newton.search(now, gradient_PX, direction)
        if not length_P.any():
            break
        step_PX = length_P[:, None] * direction.step_PX
        now = newton.stand(newton.moved(now.point, step_PX))
    gradient_PX = newton.gradient(now)
    return ValueSolution(
        point=now.point,
        value_PN=now.value_PN,
        objective_P=now.objective_P,
        gap_P=newton.gap(now, gradient_PX),
        gradient_P=gradient_PX.abs().amax(1) / problems.weight_PN.sum(1),
        iterations=passes,
    )


class _Newton:
    """Newton's method on all problems; X numbers a flat vector: F weights, then K cuts."""

    def __init__(self, products: Products, problems: ValueProblems, basis: Basis) -> None:
        self._products = products
        self._loss = problems.loss
        self._weight_PN = problems.weight_PN
        self._free_PF = problems.ridge_PF.isfinite()
        self._ridge_PF = torch.where(self._free_PF, problems.ridge_PF, 0.0)
        self._basis = basis
        self._features = problems.ridge_PF.shape[1]

    def stand(self, point: ValuePoint) -> _Standing:
        """Work out the values and the loss at a point: one pass."""
        value_PN = self._products.logits(point.weight_PF.float()).double()
        return self._measure(point, value_PN)

    def _measure(self, point: ValuePoint, value_PN: Tensor) -> _Standing:
        terms = self._loss.measure(value_PN, point.cut_PK)
        cut_terms = self._loss.between(point.cut_PK, self._weight_PN)
        penalty_P = 0.5 * (self._ridge_PF * point.weight_PF.square()).sum(1)
        objective_P = (terms.loss_PN * self._weight_PN).sum(1) + cut_terms.loss_P + penalty_P
        return _Standing(point, value_PN, terms, cut_terms, objective_P)

    def moved(self, point: ValuePoint, step_PX: Tensor) -> ValuePoint:
        """Return a point after a step."""
        return ValuePoint(point.weight_PF + step_PX[:, : self._features], point.cut_PK + step_PX[:, self._features :])

    def gradient(self, now: _Standing) -> Tensor:
        """Return the gradient, (P, X): one pass."""
        upper_PN = now.terms.upper_slope_PN * self._weight_PN
        lower_PN = now.terms.lower_slope_PN * self._weight_PN
        weight_PF = self._back(upper_PN + lower_PN) + self._ridge_PF * now.point.weight_PF
        cut_PK = now.cut_terms.slope_PK - upper_PN @ self._loss.upper_NK - lower_PN @ self._loss.lower_NK
        return torch.cat([weight_PF * self._free_PF, cut_PK], dim=1)

    def gap(self, now: _Standing, gradient_PX: Tensor) -> Tensor:
        """Bound the relative distance of the objective from its minimum; see `ValueSolution.gap_P`."""
        ridge_PF = torch.where(self._ridge_PF > 0, self._ridge_PF, 1.0)
        weight_P = (gradient_PX[:, : self._features].square() / ridge_PF).sum(1)
        own_PKK = now.cut_terms.bend_PKK + torch.diag_embed(
            now.terms.upper_bend_PN * self._weight_PN @ self._loss.upper_NK
            + now.terms.lower_bend_PN * self._weight_PN @ self._loss.lower_NK
        )
        cut_PK1 = gradient_PX[:, self._features :, None]
        cut_P = (cut_PK1 * torch.linalg.solve(own_PKK, cut_PK1)).sum((1, 2))
        # Numbers that are met exactly leave an objective of nearly nothing.
        gap_P: Tensor = 0.5 * (weight_P + cut_P) / now.objective_P.clamp_min(1e-12 * float(self._weight_PN.sum()))
        return gap_P

    def direction(self, now: _Standing, gradient_PX: Tensor) -> _Direction:
        """Work out a Newton step by preconditioned conjugate gradients: two passes each."""
        upper_PN = now.terms.upper_bend_PN * self._weight_PN
        lower_PN = now.terms.lower_bend_PN * self._weight_PN
        inverse = _Inverse(self._basis, self._loss, upper_PN.mean(0), lower_PN.mean(0), self._mean_ridge(), now)
        left_PX = -gradient_PX
        step_PX, along_PN = torch.zeros_like(left_PX), torch.zeros_like(now.value_PN)
        image_PX = inverse.apply(left_PX, self._free_PF)
        search_PX = image_PX
        length_P = first_P = (left_PX * image_PX).sum(1)
        passes = 0
        while passes < INNER_STEPS and bool((open_P := length_P > FORCING**2 * first_P).any()):
            forth_PN = self._products.logits(search_PX[:, : self._features].float()).double()
            cut_PK = search_PX[:, self._features :]
            upper_pull_PN = upper_PN * (forth_PN - cut_PK @ self._loss.upper_NK.T)
            lower_pull_PN = lower_PN * (forth_PN - cut_PK @ self._loss.lower_NK.T)
            weight_PF = self._back(upper_pull_PN + lower_pull_PN) + self._ridge_PF * search_PX[:, : self._features]
            cut_image_PK = (now.cut_terms.bend_PKK @ cut_PK[:, :, None])[:, :, 0]
            cut_image_PK = cut_image_PK - upper_pull_PN @ self._loss.upper_NK - lower_pull_PN @ self._loss.lower_NK
            bent_PX = torch.cat([weight_PF * self._free_PF, cut_image_PK], dim=1)
            bend_P = (search_PX * bent_PX).sum(1)
            far_P = torch.where(open_P & (bend_P > 0), length_P / bend_P, 0.0)
            step_PX = step_PX + far_P[:, None] * search_PX
            along_PN = along_PN + far_P[:, None] * forth_PN
            left_PX = left_PX - far_P[:, None] * bent_PX
            image_PX = inverse.apply(left_PX, self._free_PF)
            longer_P = torch.where(far_P > 0, (left_PX * image_PX).sum(1), 0.0)
            search_PX = image_PX + torch.where(length_P > 0, longer_P / length_P, 0.0)[:, None] * search_PX
            length_P = longer_P
            passes += 1
        return _Direction(step_PX, along_PN, passes)

    def search(self, now: _Standing, gradient_PX: Tensor, direction: _Direction) -> Tensor:
        """Find, in each problem, the first of the lengths 1, ½, ¼, … that lowers the objective; 0 where none does."""
        slope_P = (gradient_PX * direction.step_PX).sum(1)
        # The objective is a sum over float32 products; a rise smaller than this is not one.
        ceiling_P = now.objective_P * (1 + 1e-12)
        length_P = torch.where(slope_P < 0, 1.0, 0.0).double()
        for _ in range(HALVINGS):
            step_PX = length_P[:, None] * direction.step_PX
            trial = self._measure(self.moved(now.point, step_PX), now.value_PN + length_P[:, None] * direction.along_PN)
            is_lower_P = trial.objective_P <= ceiling_P + 1e-4 * length_P * slope_P
            if bool((is_lower_P | (length_P == 0)).all()):
                return length_P
            length_P = torch.where(is_lower_P, length_P, 0.5 * length_P)
        return torch.where(is_lower_P, length_P, 0.0)

    def _back(self, row_PN: Tensor) -> Tensor:
        return self._products.slopes(row_PN.float()).double()

    def _mean_ridge(self) -> float:
        return float(self._ridge_PF[self._free_PF].mean())


class _Inverse:
    """An approximate inverse of the curvature, shared by all problems; a poor one only costs passes.

    On the R directions of the basis and the K cuts, S = R + K, it is exact for the sampled rows; on all other
    directions it is one number.
    """

    def __init__(
        self, basis: Basis, loss: ValueLoss, upper_N: Tensor, lower_N: Tensor, ridge: float, now: _Standing
    ) -> None:
        self._direction_FR = basis.direction_FR.double()
        coordinate_MR = basis.coordinate_MR.double()
        upper_M, lower_M = (bend_N[:: basis.every] * basis.every for bend_N in (upper_N, lower_N))
        upper_MK = loss.upper_NK[:: basis.every] * upper_M[:, None]
        lower_MK = loss.lower_NK[:: basis.every] * lower_M[:, None]
        scaled_MR = basis.coordinate_MR * (upper_M + lower_M).float()[:, None]
        rank = coordinate_MR.shape[1]
        inner_SS = torch.zeros(rank + loss.cuts, rank + loss.cuts, dtype=torch.float64)
        inner_SS[:rank, :rank] = (scaled_MR.T @ basis.coordinate_MR).double() + ridge * torch.eye(rank).double()
        inner_SS[:rank, rank:] = -coordinate_MR.T @ (upper_MK + lower_MK)
        inner_SS[rank:, :rank] = inner_SS[:rank, rank:].T
        own_KK = now.cut_terms.bend_PKK.mean(0) + (upper_MK.sum(0) + lower_MK.sum(0)).diag()
        # A cut that no sampled row lies beside would leave its curvature at 0.
        inner_SS[rank:, rank:] = own_KK + (1e-6 * own_KK.diagonal().max() + 1e-12) * torch.eye(loss.cuts).double()
        self._inner_SS = torch.cholesky_inverse(torch.linalg.cholesky(inner_SS))
        self._outer = 1 / (basis.rest * float((upper_N + lower_N).sum()) + ridge)

    def apply(self, vector_PX: Tensor, free_PF: Tensor) -> Tensor:
        """Return a vector times the inverse."""
        features = free_PF.shape[1]
        weight_PF = vector_PX[:, :features] * free_PF
        part_PR = weight_PF @ self._direction_FR
        inner_PS = torch.cat([part_PR, vector_PX[:, features:]], dim=1) @ self._inner_SS
        rank = part_PR.shape[1]
        changed_PF = (inner_PS[:, :rank] - self._outer * part_PR) @ self._direction_FR.T + self._outer * weight_PF
        return torch.cat([changed_PF * free_PF, inner_PS[:, rank:]], dim=1)
