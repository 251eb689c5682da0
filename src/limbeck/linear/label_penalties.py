"""Label penalties: the search for the penalty of each label of a block, from strong to weak.

In: the trials of one set of columns, and labels. Out: for each label the penalty of its lowest held-out loss, and its
fits at it. It does not know other blocks or sets of columns.

All labels of the block begin with the strongest penalty, and one whose log loss has risen leaves: weaker penalties take
more steps, and few labels want them. What is found for a label does not depend on the others.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from limbeck.linear.curvature import Basis, Slopes
from limbeck.linear.label_trials import LabelTrials
from limbeck.linear.lanes import pick, problems_of
from limbeck.linear.objective import State
from limbeck.linear.scaling import Passes
from limbeck.linear.search import (
    CLEAR_RISE,
    COARSE_GAP,
    CONTENDER_RISE,
    LOST_GAP,
    LOST_RISE,
    MAX_ITERATIONS,
    PATIENCE,
    stronger_penalties,
)
from limbeck.linear.solver import StoppingRule, extrapolate, solve

Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]
Bool = NDArray[np.bool_]

LABEL_GAP = 1e-4
"""How near to the minimum, as a share of the objective, every fit is taken while penalties are compared, but those of
which the loss has risen beyond doubt. A looser one prefers weak penalties: a fit that stops early is held back, too."""


@dataclass(frozen=True, kw_only=True, eq=False)
class BlockSearched:
    """The best penalties of a block of labels.

    Attributes:
        labels: their positions.
        penalty_L: the best C of each.
        log_loss_L: what it came to.
        point: the fits of each label at its best penalty.
        iterations: that all penalties took.
        is_at_end_L: whether the weakest penalty was the best.
    """

    labels: Int64
    penalty_L: Float64
    log_loss_L: Float64
    point: Slopes
    iterations: int
    is_at_end_L: Bool


class _Fits(NamedTuple):
    """Fits of some labels of a block.

    Attributes:
        place_A: the places of the labels in the block.
        last: of the last penalty.
        before: of the one before; None where only the last is gone on from.
    """

    place_A: Int64
    last: Slopes | State
    before: Slopes | State | None = None

    def of(self, stays_A: Bool) -> "_Fits":
        """Return the fits of fewer labels."""
        if stays_A.all():
            return self
        lane_L, lanes = torch.from_numpy(np.flatnonzero(stays_A)), len(self.place_A)
        place_P = problems_of(lane_L, lanes=lanes, problems=len(self.last[-1]))
        before = None if self.before is None else pick(self.before, place_P)
        return _Fits(self.place_A[stays_A], pick(self.last, place_P), before)


class _BlockSearch:
    """The search of a block of labels: what was best so far, and the fits of each label at it."""

    def __init__(self, trials: LabelTrials, block: Int64, passes: Passes, basis: Basis) -> None:
        self._trials, self._block, self._passes, self._basis = trials, block, passes, basis
        self._weight_KLN = trials.weights(block)
        self._score_LN = torch.from_numpy(np.ascontiguousarray(trials.score_weights(block)))
        labels = len(block)
        self.first = trials.first_point(block, self._weight_KLN)
        self.kept = Slopes(self.first.weight_PCF.clone(), self.first.intercept_PC.clone())
        self.best_L, self.penalty_L = np.full(labels, np.inf), np.full(labels, np.nan)
        self.since_L = np.zeros(labels, dtype=np.int64)
        self.risen_L = np.zeros(labels, dtype=bool)
        self.iterations = 0

    @property
    def is_done_L(self) -> Bool:  # noqa: N802  # an array ends in its shape letters
        """Whether weaker penalties need not be tried for a label."""
        return (self.since_L >= PATIENCE) | self.risen_L

    def attempt(self, penalty: float, fits: _Fits) -> _Fits:
        """Fit labels with a penalty, from the optima of the last two; keep the fits that are the best of theirs."""
        place_A = fits.place_A
        weight_KAN = np.take(self._weight_KLN, place_A, axis=1)
        penalty_A = np.full(len(place_A), penalty)
        problems = self._trials.problems(self._block[place_A], weight_KAN, penalty_L=penalty_A)
        start = fits.last
        if fits.before is not None and isinstance(start, State):
            start = extrapolate(self._passes, problems, fits.before, start)

        def is_lost(logits_PCN: torch.Tensor, gap_P: torch.Tensor, lane_L: torch.Tensor) -> torch.Tensor:
            held_out_BN = label_held_out(self._trials, logits_PCN, len(lane_L))
            weight_BN = self._score_LN[torch.from_numpy(place_A)[lane_L]]
            loss_B = _log_losses(problems.targets_LN[lane_L], held_out_BN, weight_BN)
            rise_B = torch.from_numpy(loss_B / self.best_L[place_A[lane_L.numpy()]] - 1)
            gap_B = gap_P.view(-1, len(lane_L)).amax(0)
            return (gap_B <= LOST_GAP) & (rise_B > LOST_RISE) | (gap_B <= COARSE_GAP) & (rise_B > CONTENDER_RISE)

        goal = StoppingRule(gap=LABEL_GAP, steps=MAX_ITERATIONS, suffices=is_lost)
        solution = solve(self._passes, problems, basis=self._basis, start=start, goal=goal)
        self.iterations += solution.iterations
        held_out_AN = label_held_out(self._trials, solution.logits_PCN, len(place_A))
        loss_A = _log_losses(problems.targets_LN, held_out_AN, self._score_LN[torch.from_numpy(place_A)])
        better_A = loss_A < self.best_L[place_A]
        self.risen_L[place_A] = loss_A > self.best_L[place_A] * (1 + CLEAR_RISE)
        self.since_L[place_A] = np.where(better_A, 0, self.since_L[place_A] + 1)
        self.best_L[place_A[better_A]], self.penalty_L[place_A[better_A]] = loss_A[better_A], penalty
        self._keep(place_A, better_A, solution.point)
        return _Fits(place_A, solution.state, fits.last)

    def _keep(self, place_A: Int64, better_A: Bool, point: Slopes) -> None:
        """Keep the fits of some labels."""
        one, features = self.kept, point.weight_PCF.shape[2]
        to_B, from_B = torch.from_numpy(place_A[better_A]), torch.from_numpy(np.flatnonzero(better_A))
        weight_KAF = point.weight_PCF.view(-1, len(place_A), features)
        one.weight_PCF.view(-1, len(self._block), features)[:, to_B] = weight_KAF[:, from_B]
        intercept_KA = point.intercept_PC.view(-1, len(place_A))
        one.intercept_PC.view(-1, len(self._block))[:, to_B] = intercept_KA[:, from_B]


def search_block(trials: LabelTrials, block: Int64, passes: Passes, basis: Basis) -> BlockSearched:
    """Try penalties from strong to weak for every label of a block, until its log loss has risen.

    Where the strongest is the best for a label, still stronger ones are tried, as long as one is better.
    """
    search = _BlockSearch(trials, block, passes, basis)
    penalties = sorted(set(trials.settings.penalties))
    strongest = search.attempt(penalties[0], _Fits(np.arange(len(block)), search.first))
    fits = strongest
    for penalty in penalties[1:]:
        fits = search.attempt(penalty, fits.of(~search.is_done_L[fits.place_A]))
        if search.is_done_L.all():
            break
    at_weak_end_L = search.penalty_L == penalties[-1]
    if len(penalties) > 1:
        fits = strongest._replace(before=None)
        best = penalties[0]
        for penalty in stronger_penalties(trials.settings):
            fits = fits.of(search.penalty_L[fits.place_A] == best)
            if not len(fits.place_A):
                break
            fits, best = search.attempt(penalty, fits)._replace(before=None), penalty
    return BlockSearched(
        labels=block,
        penalty_L=search.penalty_L,
        log_loss_L=search.best_L,
        point=search.kept,
        iterations=search.iterations,
        is_at_end_L=at_weak_end_L,
    )


def label_held_out(trials: LabelTrials, logits_PCN: torch.Tensor, labels: int) -> torch.Tensor:
    """Return the logits of each row from the fit that did not see it, (L, N)."""
    rows = len(trials.fold_N)
    logits_KLN = logits_PCN.reshape(-1, labels, rows)
    return logits_KLN[torch.from_numpy(trials.fold_N), :, torch.arange(rows)].T.contiguous()


def _log_losses(targets_LN: torch.Tensor, logits_LN: torch.Tensor, weight_LN: torch.Tensor) -> Float64:
    """Return the mean loss of each label, in nats."""
    loss_LN = functional.softplus(torch.where(targets_LN, -logits_LN, logits_LN))
    found: Float64 = ((loss_LN * weight_LN).sum(1, dtype=torch.float64) / weight_LN.sum(1, dtype=torch.float64)).numpy()
    return found
