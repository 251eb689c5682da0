"""The search for a penalty: cross-validation from strong penalties to weak ones.

In: the trials of one set of columns, and penalties. Out: a score for each that was tried, and the fits of the best.
It does not know other sets of columns.

Each fit starts where the last two point, all folds and the fit on all rows side by side (`logistic.py`), in bfloat16
where the processor multiplies it. The fit on all rows has no part in the scores: it goes along to be near its end.
Every penalty is fitted coarsely, and the contenders, whose log loss may yet turn out to be the lowest, more closely.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch

from limbeck.errors import TrainingError
from limbeck.linear.balance import Balanced
from limbeck.linear.curvature import Basis, Slopes, find_basis
from limbeck.linear.objective import Problems, State
from limbeck.linear.scaling import InMemory, Passes
from limbeck.linear.solver import Solution, StoppingRule, extrapolate, solve
from limbeck.linear.trials import Trials
from limbeck.runtime import cpu_features
from limbeck.settings import ProbeSettings

PATIENCE = 2
"""Penalties in a row with a higher log loss than the best after which weaker ones are not tried."""
CLEAR_RISE = 0.02
"""Rise of the log loss, as a share of the best, after which weaker penalties are not tried at once."""
COARSE_GAP = 2e-2
"""How near to the minimum, as a share of the objective, every fit is taken."""
CONTENDER_RISE = 0.03
"""Penalties whose log loss after that is at most this share above the lowest are fitted more
closely. What was missing to the minimum moved it by less than 1 % (docs/log.md)."""
SEARCH_GAP = 1e-3
"""How near the contenders' fits are taken. A looser one would choose by how early a fit was stopped; bfloat16 allows
about 3e-4."""
LOST_GAP = 0.2
LOST_RISE = 0.05
"""A fit that is as near to its minimum as that, and whose log loss is by this share above the lowest, goes no further:
it comes from a stronger penalty's minimum, and the way has led upwards."""
MAX_ITERATIONS = 500
_STRONGER = 4
"""Penalties beyond the strongest that are tried where it is the best."""


def stronger_penalties(settings: ProbeSettings) -> list[float]:
    """Return penalties beyond the strongest, from weak to strong; none where the user has named what is to be tried.

    Example:
        >>> stronger_penalties(ProbeSettings())
        [0.0001, 3e-05, 1e-05, 3e-06]
    """
    if settings.penalties != ProbeSettings().penalties:
        return []
    found = [min(settings.penalties)]
    while len(found) <= _STRONGER:
        found.append(float(f"{found[-1] / 3:.0e}"))
    return found[1:]


@dataclass(frozen=True, kw_only=True)
class PenaltyScore:
    """What cross-validation found for one penalty.

    Attributes:
        candidate: name of the set of columns.
        penalty: C.
        log_loss: mean over the held-out rows, in nats; each class counting the same where classes are balanced.
        accuracy: share of the held-out rows that are right, 0 to 1.
        iterations: steps that the fits took.
        gap: bound on (objective - minimum) / objective, the largest of the fits: a thousandth, or more where the log
            loss was too high for a closer fit to matter.
    """

    candidate: str
    penalty: float
    log_loss: float
    accuracy: float
    iterations: int
    gap: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Searched:
    """What the search of one candidate's penalties left.

    Attributes:
        trials: that were searched.
        balanced: what each fit sees.
        passes: how the features are read.
        basis: of the features.
        scores: of each penalty that was tried.
        best: the lowest log loss.
        solution: the fits of the best penalty.
        notes: what was done otherwise than asked, in words.
    """

    trials: Trials
    balanced: list[Balanced]
    passes: Passes
    basis: Basis
    scores: list[PenaltyScore]
    best: PenaltyScore
    solution: Solution
    notes: list[str]


class _Tried(NamedTuple):
    """A penalty that was tried."""

    score: PenaltyScore
    solution: Solution


def search_penalties(trials: Trials, penalties: list[float]) -> Searched:
    """Try penalties from strong to weak until the log loss has risen.

    Raises:
        TrainingError: every column is constant.
    """
    if trials.scaling.constant_F.all():
        raise TrainingError(
            f"{trials.name}: every column is constant over the training rows, there is nothing to learn"
        )
    features_NF = trials.standardised(fast_type())
    fast = InMemory(features_NF, None if features_NF.dtype == torch.float32 else features_NF.T.contiguous())
    balanced = [trials.balance(held_out) for held_out in trials.fits]
    path = _Path(trials, balanced, Passes(fast=fast, exact=fast), find_basis(features_NF, seed=trials.settings.seed))
    tried = path.walk(penalties)
    best = min(tried, key=lambda one: one.score.log_loss)
    scores = [one.score for one in tried]
    notes = sorted({note for part in balanced for note in part.notes})
    if len(scores) < len(penalties):
        notes.append(
            f"{trials.name}: penalties above C = {scores[-1].penalty:g} were not tried, the log loss had risen"
        )
    elif len(penalties) > 1 and best.score.penalty in (penalties[0], penalties[-1]):
        notes.append(f"{trials.name}: the best penalty, C = {best.score.penalty:g}, is at the end of those tried")
    return Searched(
        trials=trials,
        balanced=balanced,
        passes=Passes(fast=fast, exact=fast if features_NF.dtype == torch.float32 else trials.streamed()),
        basis=path.basis,
        scores=scores,
        best=best.score,
        solution=best.solution,
        notes=notes,
    )


class _Path:
    """The fits of one set of columns, from penalty to penalty."""

    def __init__(self, trials: Trials, balanced: list[Balanced], passes: Passes, basis: Basis) -> None:
        self.trials = trials
        self.balanced = balanced
        self.passes = passes
        self.basis = basis

    def walk(self, penalties: list[float]) -> list[_Tried]:
        """Try penalties, in rising order, and fit the contenders closely."""
        tried: list[_Tried] = []
        for penalty in penalties:
            tried.append(self._fit(penalty, tried))
            if _has_risen([one.score.log_loss for one in tried]):
                break
        close: set[int] = set()
        while contenders := _contenders([one.score.log_loss for one in tried]) - close:
            place = min(contenders)
            tried[place] = self._fit_closely(tried[place])
            close.add(place)
        return tried

    def _start(self, penalty: float, tried: list[_Tried]) -> Slopes | State:
        """Return where the fit of a penalty begins."""
        first = self.trials.first_point(self.balanced)
        if not tried:
            return first
        earlier = tried[-2].solution.state if len(tried) > 1 else first
        return extrapolate(self.passes, self._problems(penalty), earlier, tried[-1].solution.state)

    def _fit(self, penalty: float, tried: list[_Tried]) -> _Tried:
        """Fit a penalty coarsely."""
        lowest = min((one.score.log_loss for one in tried), default=np.inf)

        def is_lost(logits_PCN: torch.Tensor, gap_P: torch.Tensor, _lane_L: torch.Tensor) -> torch.Tensor:
            is_near = float(gap_P.max()) <= LOST_GAP
            return torch.tensor([is_near and _log_loss(self.trials, logits_PCN) > lowest * (1 + LOST_RISE)])

        goal = StoppingRule(gap=COARSE_GAP, steps=MAX_ITERATIONS, suffices=is_lost if tried else None)
        return self._solve(penalty, self._start(penalty, tried), goal, 0)

    def _fit_closely(self, one: _Tried) -> _Tried:
        goal = StoppingRule(gap=SEARCH_GAP, steps=MAX_ITERATIONS)
        return self._solve(one.score.penalty, one.solution.state, goal, one.score.iterations)

    def _solve(self, penalty: float, start: Slopes | State, goal: StoppingRule, before: int) -> _Tried:
        solution = solve(self.passes, self._problems(penalty), basis=self.basis, start=start, goal=goal)
        return _Tried(_score(self.trials, solution, penalty, before), solution)

    def _problems(self, penalty: float) -> Problems:
        return self.trials.problems(self.balanced, penalty=penalty)


def held_out_logits(trials: Trials, logits_PCN: torch.Tensor) -> torch.Tensor:
    """Return the logits of each row from the fit that did not see it, (N, C)."""
    return logits_PCN[torch.from_numpy(trials.fold_N), :, torch.arange(len(trials.fold_N))]


def fast_type() -> torch.dtype:
    """Return the type in which passes over the features are fastest on this processor."""
    return torch.bfloat16 if cpu_features().bf16 else torch.float32


def _has_risen(log_losses: list[float]) -> bool:
    """Tell whether weaker penalties need not be tried."""
    lowest = min(log_losses)
    since = len(log_losses) - 1 - log_losses.index(lowest)
    return since >= PATIENCE or log_losses[-1] > lowest * (1 + CLEAR_RISE)


def _log_loss(trials: Trials, logits_PCN: torch.Tensor) -> float:
    log_NC = torch.log_softmax(held_out_logits(trials, logits_PCN), dim=1).double().numpy()
    loss_N = -log_NC[np.arange(len(log_NC)), trials.labels_N]
    return float(np.average(loss_N, weights=trials.score_weights()))


def _contenders(log_losses: list[float]) -> set[int]:
    """Return the places of the penalties that may yet turn out to have the lowest log loss."""
    highest = min(log_losses) * (1 + CONTENDER_RISE)
    return {place for place, log_loss in enumerate(log_losses) if log_loss <= highest}


def _score(trials: Trials, solution: Solution, penalty: float, before: int) -> PenaltyScore:
    answer_N = held_out_logits(trials, solution.logits_PCN).argmax(1).numpy()
    return PenaltyScore(
        candidate=trials.name,
        penalty=penalty,
        log_loss=_log_loss(trials, solution.logits_PCN),
        accuracy=float((answer_N == trials.labels_N).mean()),
        iterations=before + solution.iterations,
        gap=float(solution.gap_P.max()),
    )
