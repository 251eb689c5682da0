"""Logistic: the optimum of several logistic regressions over the same features, found side by side.

In: the features' products, and problems. Out: weights, intercepts, the logits of every row, and a bound on how far the
objective is from its minimum.
It does not know folds, scores or raw features.

What makes it fast: (1) one pass over the features serves every problem, and such a pass is bound by memory, so that
more problems are nearly free; (2) logits are linear in the weights, so a line search costs no pass; (3) L-BFGS
starts from the curvature of `curvature.py` instead of from nothing; (4) labels that have arrived leave, and the others
go on without them; (5) only what has *changed* since an exactly computed point, the anchor, goes through bfloat16: its
rounding then is a small part of a small change, and a new anchor now and then, two or three a fit, brings float32's
answer.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch

from limbeck.linear.curvature import Basis, Slopes
from limbeck.linear.lanes import Lanes
from limbeck.linear.lbfgs import Memory
from limbeck.linear.objective import Line, Objective, ProblemSet, Pull, State, StepTrial
from limbeck.linear.scaling import Passes, Products

LINE_TRIALS = 20
"""Step lengths tried before a line search gives up."""
REFRESH_EVERY = 40
"""Steps after which the curvature is computed anew."""
TRUSTED_FALL = 1e-3
"""Share of the anchor's gap down to which changes in bfloat16 are trusted; below it a new anchor is needed. With 1e-5
rounding led the last steps: 35 instead of 26 on emotion's 8,064 columns."""
ANCHOR_STEPS = 32
"""Steps after which a new anchor is made in any case."""


@dataclass(frozen=True, kw_only=True)
class StoppingRule:
    """When to stop.

    Attributes:
        gap: reached by every problem.
        steps: at most.
        suffices: asked after every step, with the logits of the rows, (P, C, N), the gaps, (P,), and which lanes go
            on, (L,): of which of these nothing more needs to be known, bool (L,); None where only the gap counts.
    """

    gap: float
    steps: int
    suffices: Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor] | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Solution:
    """Where the solver stopped.

    Attributes:
        state: weights on standardised features, intercepts, and where to go on from with another penalty.
        logits_PCN: of every row, whether it had weight or not.
        objective_P: the minimum found.
        gap_P: bound on (objective - minimum) / objective, from the gradient and the strong convexity that the
            penalty gives: ½ Σ gradient² / ridge, with the intercept's own curvature in place of a penalty.
        gradient_P: largest absolute component of the gradient, divided by the sum of the weights, as scikit-learn
            measures it.
        iterations: steps; each costs a pass forth and one back over the features.
    """

    state: State
    logits_PCN: torch.Tensor
    objective_P: torch.Tensor
    gap_P: torch.Tensor
    gradient_P: torch.Tensor
    iterations: int

    @property
    def point(self) -> Slopes:
        """Weights on standardised features, and intercepts."""
        return self.state.point


class _Standing(NamedTuple):
    """What is known of the point that has been reached."""

    state: State
    trial: StepTrial
    gradient: Slopes
    gap_P: torch.Tensor


def solve(passes: Passes, problems: ProblemSet, *, basis: Basis, start: Slopes | State, goal: StoppingRule) -> Solution:
    """Find the optimum of every problem with L-BFGS.

    Stops at the goal, or when rounding forbids any further step: whether the gap reached is good enough is for the
    caller to judge.

    Args:
        passes: the products of the standardised features.
        problems: what to minimise.
        basis: of these features.
        start: where to begin; a state of the same rows and weights saves two passes.
        goal: when to stop.

    Source: Nocedal & Wright 2006, "Numerical Optimization", algorithm 7.4, with the curvature of one class at a time as
    the first matrix.
    """
    return _Descent(passes, problems.objective(), basis, start).run(goal)


class _Descent:
    """Problems on their way down.

    Args:
        passes: the products of the standardised features.
        objective: of all problems.
        basis: of these features.
        start: where to begin.
    """

    def __init__(self, passes: Passes, objective: Objective, basis: Basis, start: Slopes | State) -> None:
        self._whole = self._objective = objective
        self._basis = basis
        self._fast, self._exact = passes.fast, passes.exact
        anchored = self._exact is not self._fast
        if isinstance(start, State) and not anchored:
            self._now = _stand(objective, start)
        else:
            point = start.point if isinstance(start, State) else start
            self._now = _stand(objective, _visit(objective, point, self._exact))
        self._anchor = self._now if anchored else None
        self._memory: Memory | None = None
        self._steps = self._anchored_at = 0
        self._likely_P = torch.ones(len(self._now.gap_P), dtype=torch.float64)
        self._lanes = Lanes[_Standing](objective.lanes, len(self._now.gap_P))

    def run(self, goal: StoppingRule) -> Solution:
        """Go down to the goal, or as far as rounding lets go."""
        while self._goes_on(goal):
            if self._memory is None or self._memory.steps >= REFRESH_EVERY:
                self._memory = _start_memory(self._objective, self._basis, self._now)
            if not self._step(self._memory) and not self._start_again(self._memory):
                break
        return _conclude(self._whole, self._lanes.together(self._now), self._steps)

    def _goes_on(self, goal: StoppingRule) -> bool:
        """Tell whether there is more to do, at an exact point where the fast products are not; let lanes leave."""
        anchor, is_open_L = self._anchor, self._open(goal)
        is_done = self._steps == goal.steps or not is_open_L.any()
        if (
            anchor is not None
            and self._now is not anchor
            and (is_done or _is_far(self._now, anchor) or self._steps - self._anchored_at >= ANCHOR_STEPS)
        ):
            self._anchor_here()
            is_open_L = self._open(goal)
            is_done = self._steps == goal.steps or not is_open_L.any()
        is_exact = self._anchor is None or self._now is self._anchor
        if not is_done and is_exact and self._lanes.may_leave(is_open_L):
            self._leave(is_open_L.nonzero()[:, 0])
        return not is_done

    def _open(self, goal: StoppingRule) -> torch.Tensor:
        """Return the lanes of which more needs to be known, bool (L,)."""
        is_open_L = self._lanes.any_of(~(self._now.gap_P <= goal.gap))
        if goal.suffices is not None and is_open_L.any():
            logits_PCN = _given_logits(self._objective, self._now)
            is_open_L &= ~goal.suffices(logits_PCN, self._now.gap_P, self._lanes.lane_L)
        return is_open_L

    def _leave(self, lane_L: torch.Tensor) -> None:
        """Go on with some lanes alone."""
        before = self._now.gradient
        self._now, place_P = self._lanes.leave(self._now, lane_L)
        self._anchor = None if self._anchor is None else self._now
        self._objective, self._likely_P = self._objective.part(lane_L), self._likely_P[place_P]
        if self._memory is not None:
            self._memory = self._memory.part(lane_L, place_P, before=before, after=self._now.gradient)

    def _anchor_here(self) -> None:
        """Work out everything exactly where the problems stand."""
        self._now = _stand(self._objective, _visit(self._objective, self._now.state.point, self._exact))
        self._anchor, self._anchored_at = self._now, self._steps

    def _step(self, memory: Memory) -> bool:
        """Take a step, and tell whether any problem found one."""
        objective, before, anchor = self._objective, self._now, self._anchor
        direction = objective.restrict(memory.direction(before.gradient))
        along_PCM = objective.logits(direction, self._fast)
        line = Line(objective, before.state, direction, along_PCM)
        if anchor is not None:
            line.tilt(anchor.state, direction)
        length_P, trial = _search(line, before.gradient.dot(direction), before.trial, self._likely_P)
        if not length_P.any():
            return False
        self._steps += 1
        self._likely_P = torch.where(length_P > 0, length_P, 1.0)
        step = _nothing(direction).plus(length_P, direction)
        pull = objective.pull(trial.residual_PCM)
        loss_PCF = _loss(objective, pull, self._fast, anchor)
        point = before.state.point.plus(torch.ones_like(length_P), step)
        self._now = _judge(objective, State(point, line.logits(length_P), pull, loss_PCF), trial)
        memory.learn(step, before.gradient, self._now.gradient)
        return True

    def _start_again(self, memory: Memory) -> bool:
        """Forget the steps after one that led nowhere, at an exact point; tell whether that may help."""
        if self._anchor is not None and self._now is not self._anchor:
            self._anchor_here()
        elif memory.is_empty and self._anchor is None:
            return False
        elif memory.is_empty:
            # Even beside its anchor bfloat16 finds no way down: float32 does what is left.
            self._anchor, self._fast = None, self._exact
        self._memory = None
        self._likely_P = torch.ones_like(self._likely_P)
        return True


def extrapolate(passes: Passes, problems: ProblemSet, earlier: Slopes | State, later: State) -> State:
    """Go on from the optima of two other penalties to the best point on the line through them: one pass.

    Where the penalties are a geometric series, the optimum of the next one is near this line. The earlier one may be
    a point of weights 0, which is the optimum of an infinite penalty.
    """
    objective = problems.objective()
    one_P = torch.ones(len(objective.weight_PM), dtype=torch.float64)
    if isinstance(earlier, State):
        point, logits_PCM = earlier.point, earlier.logits_PCM
    else:
        point, logits_PCM = earlier, earlier.intercept_PC[:, :, None]
    direction = later.point.plus(-one_P, point)
    line = Line(objective, later, direction, later.logits_PCM - logits_PCM)
    now = _stand(objective, later)
    length_P, trial = _search(line, now.gradient.dot(direction), now.trial, one_P)
    if not length_P.any():
        return later
    pull = objective.pull(trial.residual_PCM)
    loss_PCF = objective.loss_slopes(pull.row_PCN, passes.fast)
    return State(later.point.plus(length_P, direction), line.logits(length_P), pull, loss_PCF)


def _given_logits(objective: Objective, now: _Standing) -> torch.Tensor:
    return now.state.logits_PCM[:, :, : objective.given]


def _conclude(objective: Objective, now: _Standing, steps: int) -> Solution:
    largest_P = torch.maximum(now.gradient.weight_PCF.abs().amax((1, 2)), now.gradient.intercept_PC.abs().amax(1))
    return Solution(
        state=now.state,
        logits_PCN=_given_logits(objective, now),
        objective_P=now.trial.objective_P,
        gap_P=now.gap_P,
        gradient_P=largest_P / objective.weight_PM.sum(1),
        iterations=steps,
    )


def _visit(objective: Objective, point: Slopes, products: Products) -> State:
    """Work out everything at a point, in two passes."""
    unknown = Pull(torch.empty(0), torch.empty(0))
    state = State(point, objective.logits(point, products), unknown, torch.empty(0))
    pull = objective.pull(_measure_at(objective, state).residual_PCM)
    return state._replace(pull=pull, loss_PCF=objective.loss_slopes(pull.row_PCN, products))


def _measure_at(objective: Objective, state: State) -> StepTrial:
    line = Line(objective, state, _nothing(state.point), torch.zeros_like(state.logits_PCM))
    return line.measure(torch.zeros(len(state.logits_PCM), dtype=torch.float64))


def _nothing(like: Slopes) -> Slopes:
    return Slopes(torch.zeros_like(like.weight_PCF), torch.zeros_like(like.intercept_PC))


def _stand(objective: Objective, state: State) -> _Standing:
    return _judge(objective, state, _measure_at(objective, state))


def _judge(objective: Objective, state: State, trial: StepTrial) -> _Standing:
    gradient = objective.gradient(state)
    return _Standing(state, trial, gradient, _bound_gap(objective, gradient, trial))


def _loss(objective: Objective, pull: Pull, fast: Products, anchor: _Standing | None) -> torch.Tensor:
    """Return the gradient of the loss: the anchor's, and what has changed since."""
    if anchor is None:
        return objective.loss_slopes(pull.row_PCN, fast)
    changed_PCF = objective.loss_slopes(pull.row_PCN - anchor.state.pull.row_PCN, fast)
    return changed_PCF.add_(anchor.state.loss_PCF)


def _is_far(now: _Standing, anchor: _Standing) -> bool:
    """Tell whether more has changed since the anchor than the fast products can be trusted with."""
    return float(now.gap_P.max()) <= TRUSTED_FALL * float(anchor.gap_P.max())


def _bound_gap(objective: Objective, gradient: Slopes, trial: StepTrial) -> torch.Tensor:
    """Bound the relative distance of the objective from its minimum; see `Solution.gap_P`."""
    ridge_P1F = torch.where(objective.ridge_P1F > 0, objective.ridge_P1F, 1.0)
    weight_P = (gradient.weight_PCF.square() / ridge_P1F).sum((1, 2), dtype=torch.float64)
    bend_PC = objective.spread(trial.residual_PCM).sum(2, dtype=torch.float64).clamp_min(1e-12)
    intercept_P = (gradient.intercept_PC.double().square() / bend_PC).sum(1)
    return 0.5 * (weight_P + intercept_P) / trial.objective_P


def _start_memory(objective: Objective, basis: Basis, now: _Standing) -> Memory:
    """Measure the curvature where the fit stands; nothing else is remembered."""
    return Memory(objective.inverse_curvature(basis, now.trial.residual_PCM), now.state.point)


def _search(
    line: Line, slope_P: torch.Tensor, start: StepTrial, likely_P: torch.Tensor
) -> tuple[torch.Tensor, StepTrial]:
    """Find, in each problem, a step after which the slope is at most half as steep and the objective not higher.

    Newton's method on the slope, from a likely length, kept between the ends known to be too short and too long. A
    problem that finds no such step (rounding has the better of it) stays where it is: length 0.
    """
    # The objective is a sum of many float32 losses; a rise smaller than this is not one.
    ceiling_P = start.objective_P * (1 + 1e-6) + 1e-7 * line.weight_P
    length_P = likely_P
    short_P = torch.zeros_like(slope_P)
    long_P = torch.full_like(slope_P, torch.inf)
    for _ in range(LINE_TRIALS):
        trial = line.measure(length_P)
        good_P = (
            (trial.slope_P.abs() <= 0.5 * slope_P.abs())
            & (trial.objective_P + trial.tilted_P <= ceiling_P)
            & (slope_P < 0)
        )
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
