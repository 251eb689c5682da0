"""Logistic: the optimum of several multinomial logistic regressions over the same features, found side by side.

In: standardised features, and problems that differ in the weights of the rows and the penalty. Out: weights,
intercepts, the logits of every row, and a bound on how far the objective is from its minimum.
It does not know folds, scores or raw features.

What makes it fast: (1) one pass over the features serves every problem, and such a pass is bound by memory, so that
more problems are nearly free; (2) logits are linear in the weights, so a line search costs no pass; (3) L-BFGS
starts from the curvature of `curvature.py` instead of from nothing.
"""

from collections import deque
from dataclasses import dataclass
from typing import NamedTuple

import torch

from limbeck.training.balance import Mixtures
from limbeck.training.curvature import Basis, InverseCurvature, Slopes, invert_curvature

MEMORY = 8
"""Steps that L-BFGS remembers."""
LINE_TRIALS = 20
"""Step lengths tried before a line search gives up."""
REFRESH_EVERY = 12
"""Iterations after which the curvature is computed anew."""


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


@dataclass(frozen=True, kw_only=True, eq=False)
class Solution:
    """Where the solver stopped.

    Attributes:
        weight_PCF: V, on standardised features.
        intercept_PC: b.
        logits_PCN: of every row, whether it had weight or not.
        objective_P: the minimum found.
        gap_P: bound on (objective - minimum) / objective, from the gradient and the strong convexity that the
            penalty gives: ½ Σ gradient² / ridge, with the intercept's own curvature in place of a penalty.
        gradient_P: largest absolute component of the gradient, divided by the sum of the weights, as scikit-learn
            measures it.
        iterations: passes forth and back over the features.
    """

    weight_PCF: torch.Tensor
    intercept_PC: torch.Tensor
    logits_PCN: torch.Tensor
    objective_P: torch.Tensor
    gap_P: torch.Tensor
    gradient_P: torch.Tensor
    iterations: int


class _Pair(NamedTuple):
    """A step that was made, and by how much it changed the gradient."""

    step: Slopes
    change: Slopes
    inverse_P: torch.Tensor


class _Trial(NamedTuple):
    """The objective at one step length of each problem."""

    objective_P: torch.Tensor
    slope_P: torch.Tensor
    bend_P: torch.Tensor
    residual_PCM: torch.Tensor


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


class _Objective:
    """The objective of all problems, its gradient, and what it is along a line."""

    def __init__(self, features_NF: torch.Tensor, problems: Problems) -> None:
        self.features_NF = features_NF
        self.problems = problems
        self.rows = _Rows(problems)
        self.free_P1F = problems.ridge_PF.isfinite()[:, None]
        self.ridge_P1F = torch.where(self.free_P1F, problems.ridge_PF[:, None], 0.0)

    def logits(self, point: Slopes) -> torch.Tensor:
        """Return the logits of all M rows, (P, C, M): one pass over the features."""
        problems, classes, features = point.weight_PCF.shape
        weight_KF = point.weight_PCF.reshape(-1, features).to(self.features_NF.dtype)
        logits_NK = (self.features_NF @ weight_KF.T).float()
        logits_PCN = logits_NK.T.contiguous().view(problems, classes, -1)
        return self.rows.spread(logits_PCN.add_(point.intercept_PC[:, :, None]))

    def gradient(self, point: Slopes, residual_PCM: torch.Tensor) -> Slopes:
        """Return the gradient, from the residuals at the point: one pass over the features."""
        residual_PCM = residual_PCM * self.rows.weight_PM[:, None]
        residual_PCN = self.rows.gather(residual_PCM)
        problems, classes, rows = residual_PCN.shape
        residual_KN = residual_PCN.reshape(-1, rows).to(self.features_NF.dtype)
        loss_PCF = (residual_KN @ self.features_NF).float().view(problems, classes, -1)
        weight_PCF = torch.addcmul(loss_PCF, point.weight_PCF, self.ridge_P1F)
        return self.restrict(Slopes(weight_PCF, residual_PCM.sum(2)))

    def restrict(self, slopes: Slopes) -> Slopes:
        """Project on the space in which the optimum lies: features that may be used, and a sum of 0 over the classes.

        What all classes have in common changes no probability: it would be the flattest direction of all, and the one
        that slows a fit down most (247 iterations instead of 17 on emotion's 8,064 features).
        """
        weight_PCF = slopes.weight_PCF * self.free_P1F
        weight_PCF -= weight_PCF.mean(1, keepdim=True)
        return Slopes(weight_PCF, slopes.intercept_PC - slopes.intercept_PC.mean(1, keepdim=True))

    def penalty(self, one: Slopes, other: Slopes) -> torch.Tensor:
        """Return Σ ridge · V · V' of two points, (P,) float64."""
        return (one.weight_PCF * other.weight_PCF * self.ridge_P1F).sum((1, 2), dtype=torch.float64)

    def spread(self, residual_PCM: torch.Tensor) -> torch.Tensor:
        """Return the weighted variance of each class in each row, w p (1 - p)."""
        far_PCM = residual_PCM.abs()
        return far_PCM * (1 - far_PCM) * self.rows.weight_PM[:, None]


class _Line:
    """The objective of all problems along one direction each; no trial costs a pass over the features."""

    def __init__(self, objective: _Objective, start: Slopes, logits_PCM: torch.Tensor, direction: Slopes) -> None:
        self._rows = objective.rows
        self._logits_PCM = logits_PCM
        self._along_PCM = objective.logits(direction)
        self._constant_P = 0.5 * objective.penalty(start, start)
        self._linear_P = objective.penalty(start, direction)
        self.weight_P = self._rows.weight_PM.sum(1)
        self._square_P = objective.penalty(direction, direction)

    def logits(self, length_P: torch.Tensor) -> torch.Tensor:
        """Return the logits after a step of these lengths."""
        return torch.addcmul(self._logits_PCM, self._along_PCM, length_P.float()[:, None, None])

    def measure(self, length_P: torch.Tensor) -> _Trial:
        """Return the objective, its slope and its bend after a step of these lengths."""
        weight_PM = self._rows.weight_PM
        log_PCM = torch.log_softmax(self.logits(length_P), dim=1)
        loss_P = -(log_PCM.gather(1, self._rows.index_P1M)[:, 0] * weight_PM).sum(1, dtype=torch.float64)
        probability_PCM = log_PCM.exp_()
        likely_PCM = probability_PCM * self._along_PCM
        variance_PM = (likely_PCM * self._along_PCM).sum(1) - likely_PCM.sum(1).square()
        # p - 1 of the true class as minus the sum of the others: exact where p is nearly 1.
        residual_PCM = probability_PCM.scatter_(1, self._rows.index_P1M, 0.0)
        residual_PCM.scatter_(1, self._rows.index_P1M, -residual_PCM.sum(1, keepdim=True))
        slope_P = ((residual_PCM * self._along_PCM).sum(1) * weight_PM).sum(1, dtype=torch.float64)
        return _Trial(
            objective_P=loss_P + self._constant_P + length_P * (self._linear_P + 0.5 * length_P * self._square_P),
            slope_P=slope_P + self._linear_P + length_P * self._square_P,
            bend_P=(variance_PM * weight_PM).sum(1, dtype=torch.float64) + self._square_P,
            residual_PCM=residual_PCM,
        )


def solve(
    features_NF: torch.Tensor,
    problems: Problems,
    *,
    basis: Basis,
    start: Slopes,
    tolerance: float,
    max_iterations: int,
) -> Solution:
    """Find the optimum of every problem with L-BFGS.

    Stops when the gap of every problem is at most `tolerance`, after `max_iterations`, or when rounding forbids any
    further step: whether the gap reached is good enough is for the caller to judge.

    Args:
        features_NF: standardised features; in bfloat16 the passes are faster and the logits right to three digits.
        problems: what to minimise.
        basis: of these features.
        start: where to begin.
        tolerance: of the gap.
        max_iterations: passes forth and back over the features at most.

    Source: Nocedal & Wright 2006, "Numerical Optimization", algorithm 7.4, with the curvature of one class at a time as
    the first matrix.
    """
    objective = _Objective(features_NF, problems)
    point = start
    zero = Slopes(torch.zeros_like(start.weight_PCF), torch.zeros_like(start.intercept_PC))
    none_P = torch.zeros(len(start.intercept_PC), dtype=torch.float64)
    logits_PCM = objective.logits(point)
    trial = _Line(objective, point, logits_PCM, zero).measure(none_P)
    gradient = objective.gradient(point, trial.residual_PCM)
    pairs: deque[_Pair] = deque(maxlen=MEMORY)
    inverse: InverseCurvature | None = None
    iterations = 0
    while True:
        gap_P = _bound_gap(objective, gradient, trial)
        if bool((gap_P <= tolerance).all()) or iterations == max_iterations:
            break
        if inverse is None or iterations % REFRESH_EVERY == 0:
            inverse = _measure_curvature(objective, basis, trial.residual_PCM)
        direction = objective.restrict(_descend(gradient, pairs, inverse))
        line = _Line(objective, point, logits_PCM, direction)
        length_P, trial = _search(line, gradient.dot(direction), trial)
        if not length_P.any():
            if not pairs:
                break
            pairs.clear()
            inverse = None
            continue
        iterations += 1
        point = point.plus(length_P, direction)
        logits_PCM = line.logits(length_P)
        before = gradient
        gradient = objective.gradient(point, trial.residual_PCM)
        pairs.append(_pair(zero.plus(length_P, direction), gradient.plus(-torch.ones_like(length_P), before)))
    largest_P = torch.maximum(gradient.weight_PCF.abs().amax((1, 2)), gradient.intercept_PC.abs().amax(1))
    return Solution(
        weight_PCF=point.weight_PCF,
        intercept_PC=point.intercept_PC,
        logits_PCN=logits_PCM[:, :, : features_NF.shape[0]],
        objective_P=trial.objective_P,
        gap_P=gap_P,
        gradient_P=largest_P / objective.rows.weight_PM.sum(1),
        iterations=iterations,
    )


def _bound_gap(objective: _Objective, gradient: Slopes, trial: _Trial) -> torch.Tensor:
    """Bound the relative distance of the objective from its minimum; see `Solution.gap_P`."""
    ridge_P1F = torch.where(objective.ridge_P1F > 0, objective.ridge_P1F, 1.0)
    weight_P = (gradient.weight_PCF.square() / ridge_P1F).sum((1, 2), dtype=torch.float64)
    bend_PC = objective.spread(trial.residual_PCM).sum(2, dtype=torch.float64).clamp_min(1e-12)
    intercept_P = (gradient.intercept_PC.double().square() / bend_PC).sum(1)
    return 0.5 * (weight_P + intercept_P) / trial.objective_P


def _measure_curvature(objective: _Objective, basis: Basis, residual_PCM: torch.Tensor) -> InverseCurvature:
    spread_CN = objective.rows.gather(objective.spread(residual_PCM)).mean(0)
    ridge = float(objective.ridge_P1F[objective.free_P1F].mean())
    return invert_curvature(basis, spread_CN=spread_CN, ridge=ridge)


def _descend(gradient: Slopes, pairs: deque[_Pair], inverse: InverseCurvature) -> Slopes:
    """Return the direction of L-BFGS: the two-loop recursion."""
    rest = gradient
    factors = []
    for pair in reversed(pairs):
        factor_P = pair.inverse_P * pair.step.dot(rest)
        factors.append(factor_P)
        rest = rest.plus(-factor_P, pair.change)
    step = inverse.apply(rest)
    for pair, factor_P in zip(pairs, reversed(factors), strict=True):
        step = step.plus(factor_P - pair.inverse_P * pair.change.dot(step), pair.step)
    return Slopes(step.weight_PCF.neg_(), step.intercept_PC.neg_())


def _pair(step: Slopes, change: Slopes) -> _Pair:
    """Remember a step, unless rounding has turned its curvature negative: its factor is then 0."""
    curvature_P = step.dot(change)
    return _Pair(step, change, torch.where(curvature_P > 0, 1 / curvature_P, 0.0))


def _search(line: _Line, slope_P: torch.Tensor, start: _Trial) -> tuple[torch.Tensor, _Trial]:
    """Find, in each problem, a step after which the slope is at most half as steep and the objective not higher.

    Newton's method on the slope, kept between the ends known to be too short and too long. A problem that finds no such
    step (rounding has the better of it) stays where it is: length 0.
    """
    # The objective is a sum of many float32 losses; a rise smaller than this is not one.
    ceiling_P = start.objective_P * (1 + 1e-6) + 1e-7 * line.weight_P
    length_P = torch.ones_like(slope_P)
    short_P = torch.zeros_like(slope_P)
    long_P = torch.full_like(slope_P, torch.inf)
    for _ in range(LINE_TRIALS):
        trial = line.measure(length_P)
        good_P = (trial.slope_P.abs() <= 0.5 * slope_P.abs()) & (trial.objective_P <= ceiling_P) & (slope_P < 0)
        good_P |= length_P == 0
        if bool(good_P.all()):
            return length_P, trial
        short_P = torch.where(~good_P & (trial.slope_P < 0), length_P, short_P)
        long_P = torch.where(~good_P & (trial.slope_P >= 0), length_P, long_P)
        middle_P = torch.where(long_P.isinf(), 2 * length_P, 0.5 * (short_P + long_P))
        newton_P = length_P - trial.slope_P / trial.bend_P
        inside_P = (newton_P > short_P) & (newton_P < long_P)
        length_P = torch.where(good_P, length_P, torch.where(inside_P, newton_P, middle_P))
    length_P = torch.where(good_P, length_P, 0.0)
    return length_P, line.measure(length_P)
