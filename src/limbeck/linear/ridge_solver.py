"""Ridge solver: the optimum of several ridge regressions over the same features, found side by side.

In: the features' products, and problems. Out: weights, intercepts, the value of every row, and a bound on how far the
objective is from its minimum. It does not know folds, scores or raw features.

Conjugate gradients, which start from the curvature in the directions where the features vary most: one pass over the
features serves every problem, and nothing of size features × features is formed. Sums over rows are of float32
products; all else is float64. Now and then the residual is worked out anew, so that it reaches float32's own limit.
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from limbeck.linear.curvature import Basis
from limbeck.linear.scaling import Products

RESTARTS = 40
INNER_STEPS = 60
"""Conjugate directions until the residual is worked out anew."""
INNER_SHARE = 0.03
"""How far a residual is brought down before that, in the metric of the curvature."""


@dataclass(frozen=True, kw_only=True, eq=False)
class RidgeProblems:
    """P problems over the same N rows: minimise ½ Σ weight · (value - target)² + ½ Σ ridge · V².

    Attributes:
        target_N: the number of each row, float64.
        weight_PN: weight of each row in each problem, float64; 0 leaves it out.
        ridge_PF: penalty of each feature, float64; infinite holds its weight at 0. The intercept is not penalised.
    """

    target_N: Tensor
    weight_PN: Tensor
    ridge_PF: Tensor


@dataclass(frozen=True, kw_only=True, eq=False)
class RidgeSolution:
    """Where the solver stopped.

    Attributes:
        point_PX: weights on standardised features, then the intercept, float64.
        value_PN: of every row, whether it had weight or not.
        objective_P: the minimum found.
        gap_P: bound on (objective - minimum) / objective: ½ Σ gradient² / ridge, the intercept with its own curvature.
        gradient_P: largest absolute component of the gradient, divided by the sum of the weights.
        iterations: passes forth and back over the features.
    """

    point_PX: Tensor
    value_PN: Tensor
    objective_P: Tensor
    gap_P: Tensor
    gradient_P: Tensor
    iterations: int


class _Standing(NamedTuple):
    """What is known of a point."""

    value_PN: Tensor
    objective_P: Tensor
    gradient_PX: Tensor
    gap_P: Tensor


def first_point(problems: RidgeProblems) -> Tensor:
    """Return weights 0 and the mean, (P, F + 1): the optimum of an infinite penalty."""
    mean_P = problems.weight_PN @ problems.target_N / problems.weight_PN.sum(1)
    return torch.cat([torch.zeros_like(problems.ridge_PF), mean_P[:, None]], dim=1)


def solve_ridge(
    products: Products, problems: RidgeProblems, *, basis: Basis, start_PX: Tensor, gap: float
) -> RidgeSolution:
    """Find the optimum of every problem.

    Stops at the gap, or when rounding forbids any further step: whether what was reached is good enough is for the
    caller to judge.

    Args:
        products: with the standardised features, float32.
        problems: what to minimise.
        basis: of these features.
        start_PX: where to begin: weights, then the intercept.
        gap: to be reached by every problem.

    Source: Nocedal & Wright 2006, "Numerical Optimization", algorithm 5.3.
    """
    quadratic = _Quadratic(products, problems, basis)
    point_PX = start_PX
    now = quadratic.stand(point_PX)
    passes = 0
    for _ in range(RESTARTS):
        if bool((now.gap_P <= gap).all()):
            break
        step_PX, taken = quadratic.step(-now.gradient_PX)
        moved = quadratic.stand(point_PX + step_PX)
        passes += taken
        # Where rounding has the better of it, the objective no longer falls.
        better_P = moved.objective_P <= now.objective_P
        if not better_P.any():
            break
        point_PX = point_PX + step_PX * better_P[:, None]
        now = moved if bool(better_P.all()) else quadratic.stand(point_PX)
    return RidgeSolution(
        point_PX=point_PX,
        value_PN=now.value_PN,
        objective_P=now.objective_P,
        gap_P=now.gap_P,
        gradient_P=now.gradient_PX.abs().amax(1) / problems.weight_PN.sum(1),
        iterations=passes,
    )


class _Quadratic:
    """The objective of all problems; X numbers a flat vector: F weights, then the intercept."""

    def __init__(self, products: Products, problems: RidgeProblems, basis: Basis) -> None:
        self._products = products
        self._target_N = problems.target_N
        self._weight_PN = problems.weight_PN
        self._free_PF = problems.ridge_PF.isfinite()
        self._ridge_PF = torch.where(self._free_PF, problems.ridge_PF, 0.0)
        self._inverse = _Inverse(basis, problems.weight_PN.mean(0), float(self._ridge_PF[self._free_PF].mean()))

    def stand(self, point_PX: Tensor) -> _Standing:
        """Work out the values, the objective and the gradient at a point: two passes."""
        value_PN = self._values(point_PX)
        over_PN = value_PN - self._target_N
        penalty_P = 0.5 * (self._ridge_PF * point_PX[:, :-1].square()).sum(1)
        objective_P = 0.5 * (self._weight_PN * over_PN.square()).sum(1) + penalty_P
        gradient_PX = self._back(over_PN, point_PX)
        ridge_PF = torch.where(self._ridge_PF > 0, self._ridge_PF, 1.0)
        far_P = (gradient_PX[:, :-1].square() / ridge_PF).sum(1) + gradient_PX[:, -1].square() / self._weight_PN.sum(1)
        # Numbers that are met exactly leave an objective of nearly nothing.
        gap_P = 0.5 * far_P / objective_P.clamp_min(1e-12 * float(self._weight_PN.sum()))
        return _Standing(value_PN, objective_P, gradient_PX, gap_P)

    def step(self, left_PX: Tensor) -> tuple[Tensor, int]:
        """Bring a residual down by conjugate gradients, two passes each; return the step, and how many."""
        step_PX = torch.zeros_like(left_PX)
        image_PX = search_PX = self._inverse.apply(left_PX, self._free_PF)
        length_P = first_P = (left_PX * image_PX).sum(1)
        passes = 0
        while passes < INNER_STEPS and bool((open_P := length_P > INNER_SHARE**2 * first_P).any()):
            bent_PX = self._back(self._values(search_PX), search_PX)
            bend_P = (search_PX * bent_PX).sum(1)
            far_P = torch.where(open_P & (bend_P > 0), length_P / bend_P, 0.0)
            step_PX = step_PX + far_P[:, None] * search_PX
            left_PX = left_PX - far_P[:, None] * bent_PX
            image_PX = self._inverse.apply(left_PX, self._free_PF)
            longer_P = torch.where(far_P > 0, (left_PX * image_PX).sum(1), 0.0)
            search_PX = image_PX + torch.where(length_P > 0, longer_P / length_P, 0.0)[:, None] * search_PX
            length_P = longer_P
            passes += 1
        return step_PX, passes

    def _values(self, point_PX: Tensor) -> Tensor:
        return self._products.logits(point_PX[:, :-1].float()).double() + point_PX[:, -1:]

    def _back(self, row_PN: Tensor, point_PX: Tensor) -> Tensor:
        """Return the weighted rows' pull at weights and intercept, and the penalty's."""
        pull_PN = row_PN * self._weight_PN
        slope_PF = self._products.slopes(pull_PN.float()).double() + self._ridge_PF * point_PX[:, :-1]
        return torch.cat([slope_PF * self._free_PF, pull_PN.sum(1, keepdim=True)], dim=1)


class _Inverse:
    """An approximate inverse of the curvature, shared by all problems; a poor one only costs passes.

    On the R directions of the basis and the intercept, S = R + 1, it is exact for the sampled rows; on all other
    directions it is one number.
    """

    def __init__(self, basis: Basis, weight_N: Tensor, ridge: float) -> None:
        self._direction_FR = basis.direction_FR.double()
        weight_M1 = (weight_N[:: basis.every] * basis.every).float()[:, None]
        coordinate_MS = torch.cat([basis.coordinate_MR, torch.ones(len(basis.coordinate_MR), 1)], dim=1)
        ridge_S = torch.full((coordinate_MS.shape[1],), ridge, dtype=torch.float64)
        ridge_S[-1] = 1e-9 * float(weight_M1.sum())
        inner_SS = ((coordinate_MS * weight_M1).T @ coordinate_MS).double() + ridge_S.diag()
        self._inner_SS = torch.cholesky_inverse(torch.linalg.cholesky(inner_SS))
        self._outer = 1 / (basis.rest * float(weight_N.sum()) + ridge)

    def apply(self, vector_PX: Tensor, free_PF: Tensor) -> Tensor:
        """Return a vector times the inverse."""
        weight_PF = vector_PX[:, :-1] * free_PF
        part_PR = weight_PF @ self._direction_FR
        inner_PS = torch.cat([part_PR, vector_PX[:, -1:]], dim=1) @ self._inner_SS
        changed_PF = (inner_PS[:, :-1] - self._outer * part_PR) @ self._direction_FR.T + self._outer * weight_PF
        return torch.cat([changed_PF * free_PF, inner_PS[:, -1:]], dim=1)
