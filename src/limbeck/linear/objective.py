"""Objective: what several logistic regressions over the same features minimise, and how it changes.

In: problems that differ in the weights of the rows and the penalty, and the features' products. Out: logits, objective,
residuals and gradients, at a point or along a line.
It does not know how a minimum is found.

What they have in common is `Objective`; here are those of one class a row, in `label_objective.py` those of any number
of labels a row.
"""

from abc import ABC, abstractmethod
from copy import copy
from dataclasses import dataclass
from typing import NamedTuple, Protocol, Self

import torch

from limbeck.linear.balance import Mixtures
from limbeck.linear.curvature import Basis, InverseCurvature, Slopes, invert_curvature
from limbeck.linear.lanes import problems_of
from limbeck.linear.scaling import Products


class ProblemSet(Protocol):
    """Problems over the same rows that are solved side by side."""

    def objective(self) -> "Objective":
        """Return what is brought down."""
        ...


@dataclass(frozen=True, kw_only=True, eq=False)
class Problems:
    """P problems over the same N rows: minimise Σ weight · cross-entropy + ½ Σ ridge · V².

    Shapes: P problems, N rows, C classes, F features.

    Attributes:
        labels_N: class of each row.
        classes: C, the number of classes.
        weight_PN: weight of each row in each problem; 0 leaves it out.
        ridge_PF: penalty of each feature; infinite holds its weights at 0. The intercept is not penalised.
        mixtures_P: rows that a problem has beside those, or none.
    """

    labels_N: torch.Tensor
    classes: int
    weight_PN: torch.Tensor
    ridge_PF: torch.Tensor
    mixtures_P: tuple[Mixtures | None, ...]

    def objective(self) -> "Objective":
        """Return what is brought down."""
        return ClassObjective(self)


class Pull(NamedTuple):
    """How the rows pull at the logits: the gradient of the loss by each of them.

    Attributes:
        row_PCN: of each given row, its mixtures included.
        intercept_PC: of all rows together.
    """

    row_PCN: torch.Tensor
    intercept_PC: torch.Tensor


class State(NamedTuple):
    """A point, and all that was worked out there; the penalty has no part in it, and may be another one next.

    Attributes:
        point: weights and intercepts.
        logits_PCM: of all rows, mixtures included.
        pull: of the rows.
        loss_PCF: the gradient of the loss by the weights.
    """

    point: Slopes
    logits_PCM: torch.Tensor
    pull: Pull
    loss_PCF: torch.Tensor


class RowsMeasured(NamedTuple):
    """What the rows make of their logits; the penalty has no part in it.

    Attributes:
        loss_P: weighted sum of the losses.
        slope_P: of the loss along a line.
        bend_P: of the loss along a line.
        residual_PCM: as `StepTrial` has it.
    """

    loss_P: torch.Tensor
    slope_P: torch.Tensor
    bend_P: torch.Tensor
    residual_PCM: torch.Tensor


class StepTrial(NamedTuple):
    """The objective at one step length of each problem.

    Attributes:
        objective_P: as the logits have it.
        tilted_P: what must be added to it to compare it with that at the line's start; see `Line.tilt`.
        slope_P: along the line.
        bend_P: along the line.
        residual_PCM: probability less 1 for the true class, probability for the others.
    """

    objective_P: torch.Tensor
    tilted_P: torch.Tensor
    slope_P: torch.Tensor
    bend_P: torch.Tensor
    residual_PCM: torch.Tensor


class Objective(ABC):
    """The objective of all problems, its gradient, and what it is along a line.

    Shapes: P problems, C classes, N given rows, M rows with those that are mixed of them, F features.

    Args:
        weight_PM: weight of each row in each problem.
        ridge_PF: penalty of each feature; infinite holds its weights at 0.
        given: N, the rows that have features of their own.
    """

    def __init__(self, weight_PM: torch.Tensor, ridge_PF: torch.Tensor, given: int) -> None:
        self.weight_PM = weight_PM
        self.given = given
        self.free_P1F = ridge_PF.isfinite()[:, None]
        self.ridge_P1F = torch.where(self.free_P1F, ridge_PF[:, None], 0.0)

    @property
    def lanes(self) -> int:
        """Lanes of these problems (see `lanes.py`): 1 where none may leave before the others."""
        return 1

    def part(self, lane_L: torch.Tensor) -> Self:
        """Return the objective of some lanes."""
        place_P = problems_of(lane_L, lanes=self.lanes, problems=len(self.weight_PM))
        found = copy(self)
        found.weight_PM, found.free_P1F = self.weight_PM[place_P], self.free_P1F[place_P]
        found.ridge_P1F = self.ridge_P1F[place_P]
        return found

    @abstractmethod
    def logits(self, point: Slopes, products: Products) -> torch.Tensor:
        """Return the logits of all M rows, (P, C, M): one pass."""

    @abstractmethod
    def loss_slopes(self, row_PCN: torch.Tensor, products: Products) -> torch.Tensor:
        """Return the gradient of the loss by the weights, (P, C, F), from the rows' pull: one pass."""

    @abstractmethod
    def restrict(self, slopes: Slopes) -> Slopes:
        """Project on the space in which the optimum lies."""

    @abstractmethod
    def measure(self, logits_PCM: torch.Tensor, along_PCM: torch.Tensor) -> RowsMeasured:
        """Return the loss of logits, and how it changes in a direction of them."""

    @abstractmethod
    def inverse_curvature(self, basis: Basis, residual_PCM: torch.Tensor) -> InverseCurvature:
        """Return an approximate inverse of the curvature where the residuals are these."""

    def gather(self, values_PCM: torch.Tensor) -> torch.Tensor:
        """Return what the M rows' values come to on the given ones."""
        return values_PCM

    def pull(self, residual_PCM: torch.Tensor) -> Pull:
        """Return how each given row pulls at the logits, from the residuals of all rows."""
        weighted_PCM = residual_PCM * self.weight_PM[:, None]
        return Pull(self.gather(weighted_PCM), weighted_PCM.sum(2))

    def gradient(self, state: State) -> Slopes:
        """Return the gradient of loss and penalty."""
        weight_PCF = torch.addcmul(state.loss_PCF, state.point.weight_PCF, self.ridge_P1F)
        return self.restrict(Slopes(weight_PCF, state.pull.intercept_PC))

    def penalty(self, one: Slopes, other: Slopes) -> torch.Tensor:
        """Return Σ ridge · V · V' of two points, (P,) float64."""
        return (one.weight_PCF * other.weight_PCF * self.ridge_P1F).sum((1, 2), dtype=torch.float64)

    def spread(self, residual_PCM: torch.Tensor) -> torch.Tensor:
        """Return the weighted variance of each class in each row, w p (1 - p)."""
        far_PCM = residual_PCM.abs()
        return far_PCM * (1 - far_PCM) * self.weight_PM[:, None]


class _Rows:
    """The rows of all problems, given and mixed, as the objective sees them: M of them, padded with weight 0."""

    def __init__(self, problems: Problems) -> None:
        extra = max((len(mixtures.base_S) for mixtures in problems.mixtures_P if mixtures), default=0)
        count, rows = problems.weight_PN.shape
        self.mixtures_P = problems.mixtures_P
        self.given = rows
        self.extra = extra
        self.weight_PM = torch.zeros(count, rows + extra)
        self.weight_PM[:, :rows] = problems.weight_PN
        labels_PM = torch.zeros(count, rows + extra, dtype=torch.int64)
        labels_PM[:, :rows] = problems.labels_N
        for p, mixtures in enumerate(self.mixtures_P):
            if mixtures:
                mixed = slice(rows, rows + len(mixtures.base_S))
                self.weight_PM[p, mixed] = 1
                labels_PM[p, mixed] = torch.from_numpy(mixtures.labels_S)
        self.index_P1M = labels_PM[:, None]

    def spread(self, values_PCN: torch.Tensor) -> torch.Tensor:
        """Return the values of all M rows from those of the given ones."""
        if not self.extra:
            return values_PCN
        problems, classes, rows = values_PCN.shape
        values_PCM = values_PCN.new_zeros(problems, classes, rows + self.extra)
        values_PCM[:, :, :rows] = values_PCN
        for p, mixtures in enumerate(self.mixtures_P):
            if mixtures:
                base_S, near_S, step_S = _parts(mixtures)
                mixed_CS = torch.lerp(values_PCN[p][:, base_S], values_PCN[p][:, near_S], step_S)
                values_PCM[p, :, rows : rows + len(base_S)] = mixed_CS
        return values_PCM

    def gather(self, values_PCM: torch.Tensor) -> torch.Tensor:
        """Return what the M rows' values come to on the given ones: the transpose of `spread`."""
        if not self.extra:
            return values_PCM
        values_PCN = values_PCM[:, :, : self.given].contiguous()
        for p, mixtures in enumerate(self.mixtures_P):
            if mixtures:
                base_S, near_S, step_S = _parts(mixtures)
                mixed_CS = values_PCM[p, :, self.given : self.given + len(base_S)]
                values_PCN[p].index_add_(1, base_S, mixed_CS * (1 - step_S))
                values_PCN[p].index_add_(1, near_S, mixed_CS * step_S)
        return values_PCN


def _parts(mixtures: Mixtures) -> tuple[torch.Tensor, ...]:
    return tuple(torch.from_numpy(part) for part in (mixtures.base_S, mixtures.neighbour_S, mixtures.step_S))


class ClassObjective(Objective):
    """The objective of problems with one class a row: multinomial logistic regression."""

    def __init__(self, problems: Problems) -> None:
        self._rows = _Rows(problems)
        super().__init__(self._rows.weight_PM, problems.ridge_PF, self._rows.given)

    def logits(self, point: Slopes, products: Products) -> torch.Tensor:
        """Return the logits of all M rows, (P, C, M), of weights that sum to 0 over the classes: one pass."""
        weight_PBF = point.weight_PCF[:, :-1]
        logits_KN = products.logits(weight_PBF.reshape(-1, weight_PBF.shape[2]))
        logits_PCN = _with_last(logits_KN.view(*weight_PBF.shape[:2], -1))
        return self._rows.spread(logits_PCN.add_(point.intercept_PC[:, :, None]))

    def loss_slopes(self, row_PCN: torch.Tensor, products: Products) -> torch.Tensor:
        """Return the gradient of the loss by the weights, (P, C, F), from the rows' pull: one pass."""
        row_PBN = row_PCN[:, :-1]
        slopes_KF = products.slopes(row_PBN.reshape(-1, row_PBN.shape[2]))
        return _with_last(slopes_KF.view(*row_PBN.shape[:2], -1))

    def restrict(self, slopes: Slopes) -> Slopes:
        """Project on the space in which the optimum lies: features that may be used, and a sum of 0 over the classes.

        What all classes have in common changes no probability: it would be the flattest direction of all, and the one
        that slows a fit down most (247 iterations instead of 17 on emotion's 8,064 features).
        """
        weight_PCF = slopes.weight_PCF * self.free_P1F
        weight_PCF -= weight_PCF.mean(1, keepdim=True)
        return Slopes(weight_PCF, slopes.intercept_PC - slopes.intercept_PC.mean(1, keepdim=True))

    def measure(self, logits_PCM: torch.Tensor, along_PCM: torch.Tensor) -> RowsMeasured:
        """Return the cross-entropy of logits, and how it changes in a direction of them."""
        weight_PM = self.weight_PM
        log_PCM = torch.log_softmax(logits_PCM, dim=1)
        loss_P = -(log_PCM.gather(1, self._rows.index_P1M)[:, 0] * weight_PM).sum(1, dtype=torch.float64)
        probability_PCM = log_PCM.exp_()
        likely_PCM = probability_PCM * along_PCM
        variance_PM = (likely_PCM * along_PCM).sum(1) - likely_PCM.sum(1).square()
        # p - 1 of the true class as minus the sum of the others: exact where p is nearly 1.
        residual_PCM = probability_PCM.scatter_(1, self._rows.index_P1M, 0.0)
        residual_PCM.scatter_(1, self._rows.index_P1M, -residual_PCM.sum(1, keepdim=True))
        slope_P = ((residual_PCM * along_PCM).sum(1) * weight_PM).sum(1, dtype=torch.float64)
        return RowsMeasured(
            loss_P=loss_P,
            slope_P=slope_P,
            bend_P=(variance_PM * weight_PM).sum(1, dtype=torch.float64),
            residual_PCM=residual_PCM,
        )

    def inverse_curvature(self, basis: Basis, residual_PCM: torch.Tensor) -> InverseCurvature:
        """Return the inverse of the curvature of one class at a time, the mean of the problems."""
        spread_CN = self.gather(self.spread(residual_PCM)).mean(0)
        ridge = float(self.ridge_P1F[self.free_P1F].mean())
        return invert_curvature(basis, spread_CN=spread_CN, shared_CC=self._shared_spread(residual_PCM), ridge=ridge)

    def gather(self, values_PCM: torch.Tensor) -> torch.Tensor:
        """Return what the M rows' values come to on the given ones."""
        return self._rows.gather(values_PCM)

    def _shared_spread(self, residual_PCM: torch.Tensor) -> torch.Tensor:
        """Return the sum over the rows of w (diag(p) - p pᵀ), (C, C), the mean of the problems."""
        probability_PCM = residual_PCM.clone()
        probability_PCM.scatter_add_(1, self._rows.index_P1M, torch.ones_like(residual_PCM[:, :1]))
        weighted_PCM = probability_PCM * self.weight_PM[:, None]
        together_CC = torch.einsum("pcm,pdm->cd", weighted_PCM, probability_PCM)
        return (weighted_PCM.sum((0, 2)).diag() - together_CC) / len(residual_PCM)


def _with_last(values_PBX: torch.Tensor) -> torch.Tensor:
    """Return the values of all classes from those of all but the last: they sum to 0.

    A pass over the features is spared the last class; for two classes that is half of it.
    """
    return torch.cat([values_PBX, -values_PBX.sum(1, keepdim=True)], dim=1)


class Line:
    """The objective of all problems along one direction each; no trial costs a pass over the features."""

    def __init__(self, objective: Objective, start: State, direction: Slopes, along_PCM: torch.Tensor) -> None:
        self._objective = objective
        self._logits_PCM = start.logits_PCM
        self._along_PCM = along_PCM
        self._constant_P = 0.5 * objective.penalty(start.point, start.point)
        self._linear_P = objective.penalty(start.point, direction)
        self._square_P = objective.penalty(direction, direction)
        self._tilt_P = torch.zeros_like(self._linear_P)
        self.weight_P = objective.weight_PM.sum(1)

    def tilt(self, anchor: State, direction: Slopes) -> None:
        """Let the slope that the anchor has in this direction be the exact one, not what rounded logits make of it."""
        rounded_P = (anchor.pull.row_PCN * self._along_PCM[:, :, : anchor.pull.row_PCN.shape[2]]).sum(
            (1, 2), dtype=torch.float64
        )
        self._tilt_P = Slopes(anchor.loss_PCF, anchor.pull.intercept_PC).dot(direction) - rounded_P

    def logits(self, length_P: torch.Tensor) -> torch.Tensor:
        """Return the logits after a step of these lengths."""
        return torch.addcmul(self._logits_PCM, self._along_PCM, length_P.float()[:, None, None])

    def measure(self, length_P: torch.Tensor) -> StepTrial:
        """Return the objective, its slope and its bend after a step of these lengths."""
        rows = self._objective.measure(self.logits(length_P), self._along_PCM)
        return StepTrial(
            objective_P=rows.loss_P + self._constant_P + length_P * (self._linear_P + 0.5 * length_P * self._square_P),
            tilted_P=length_P * self._tilt_P,
            slope_P=rows.slope_P + self._linear_P + self._tilt_P + length_P * self._square_P,
            bend_P=rows.bend_P + self._square_P,
            residual_PCM=rows.residual_PCM,
        )
