"""Ridge fit: a linear model that gives each row a number, its penalty and its features chosen by cross-validation.

In: features and numbers of the training rows. Out: a `RidgeFit`: one linear layer on raw features, the table of scores
that chose it, and for every training row the number given by a model that never saw that row.
It does not know texts or encoders.

The model is scikit-learn's Ridge on standardised features and numbers: C · Σ ½ (value - number)² + ½ ‖w‖², the
intercept free; C is 1 / alpha. Penalties are tried from strong to weak, each fit starting where the last ended, all
folds and the fit on all rows side by side. Where the strongest one is the best, still stronger ones are tried.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from limbeck.errors import SettingsError, TrainingError
from limbeck.linear.checks import check_features, check_numbers, check_probe, refuse_unfinite
from limbeck.linear.curvature import Basis, find_basis
from limbeck.linear.fit import ACCEPTED_GAP, ALL_COLUMNS, FINAL_GAP, REFUSED_GAP
from limbeck.linear.folds import plan_number_folds
from limbeck.linear.ridge_solver import RidgeProblems, RidgeSolution, first_point, solve_ridge
from limbeck.linear.scaling import Columns, InMemory, Scaling, measure_scaling, standardise
from limbeck.linear.search import PATIENCE, stronger_penalties
from limbeck.progress import SILENT, Progress
from limbeck.settings import ProbeSettings

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]

RIDGE_SEARCH_GAP = 1e-4
"""How near to the minimum, as a share of the objective, every fit of the search is taken."""


@dataclass(frozen=True, kw_only=True)
class NumberScore:
    """What cross-validation found for one penalty.

    Attributes:
        candidate: name of the set of columns.
        penalty: C.
        squared_error: mean over the held-out rows, in squares of the numbers' unit.
        iterations: passes that the fits took.
        gap: bound on (objective - minimum) / objective, the largest of the fits.
    """

    candidate: str
    penalty: float
    squared_error: float
    iterations: int
    gap: float


@dataclass(frozen=True, kw_only=True, eq=False)
class NumberRows:
    """The rows that numbers are learned from.

    Attributes:
        numbers_N: of each row, float64.
        group_N: rows with equal numbers are held out together; every row alone when not given.
    """

    numbers_N: Float64
    group_N: Int64 | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class RidgeFit:
    """A fitted probe of numbers.

    Shapes: N training rows, F columns of the chosen candidate.

    Attributes:
        weight_F: of the linear layer on raw features, in the order of the candidate's columns.
        bias: of the linear layer.
        candidate: name of the chosen set of columns.
        penalty: the chosen C.
        scores: one for each candidate and penalty that was tried.
        out_of_fold_N: number of each training row from the fit that did not see it.
        fold_N: the fold in which each row was held out.
        iterations: passes that the last fits took.
        gap: bound on (objective - minimum) / objective, the largest of the last fits.
        gradient: largest absolute component of the gradient per row, the largest of the last fits.
        notes: what was done otherwise than asked, in words.
    """

    weight_F: Float32
    bias: float
    candidate: str
    penalty: float
    scores: tuple[NumberScore, ...]
    out_of_fold_N: Float32
    fold_N: Int64
    iterations: int
    gap: float
    gradient: float
    notes: tuple[str, ...]

    def record(self) -> dict[str, Any]:
        """Say what cross-validation chose and how well the fit converged."""
        return {
            "candidate": self.candidate,
            "penalty": self.penalty,
            "chosen_by": "squared error",
            "scores": [asdict(score) for score in self.scores],
            "iterations": self.iterations,
            "gap": self.gap,
            "gradient": self.gradient,
            "notes": list(self.notes),
        }


class _Tried(NamedTuple):
    score: NumberScore
    solution: RidgeSolution


@dataclass(frozen=True, kw_only=True, eq=False)
class _Standard:
    """Numbers in units around their mean: the unit of the penalty; no answer depends on it otherwise.

    Attributes:
        numbers_N: as they are.
        fold_N: the fold in which each row is held out.
    """

    numbers_N: Float64
    fold_N: Int64

    @property
    def mean(self) -> float:
        """Of the numbers."""
        return float(self.numbers_N.mean())

    @property
    def unit(self) -> float:
        """Their standard deviation."""
        return float(self.numbers_N.std())

    def problems(self, scaling: Scaling, penalty: float) -> RidgeProblems:
        """State all fits of a penalty. A fold's own standardisation comes from its ridge."""
        folds = int(self.fold_N.max()) + 1
        scale_PF = torch.from_numpy(np.vstack([scaling.fold_scale_KF, np.ones(len(scaling.mean_F))]))
        scale_PF[:, torch.from_numpy(scaling.constant_F)] = torch.inf
        return RidgeProblems(
            target_N=torch.from_numpy((self.numbers_N - self.mean) / self.unit),
            weight_PN=torch.from_numpy((self.fold_N != np.arange(folds + 1)[:, None]).astype(np.float64)),
            ridge_PF=scale_PF.square() / penalty,
        )

    def unseen(self, solution: RidgeSolution) -> Float64:
        """Return the number that each row is given by the fit that did not see it."""
        value_PN: Float64 = solution.value_PN.numpy()
        return self.mean + self.unit * value_PN[self.fold_N, np.arange(len(self.fold_N))]


@dataclass(frozen=True, kw_only=True, eq=False)
class _Searched:
    """One set of columns, and what its penalties came to."""

    name: str
    scaling: Scaling
    products: InMemory
    basis: Basis
    tried: list[_Tried]

    @property
    def best(self) -> _Tried:
        """The lowest squared error."""
        return min(self.tried, key=lambda one: one.score.squared_error)


def fit_numbers(
    features_NF: Float32,
    rows: NumberRows,
    *,
    settings: ProbeSettings,
    candidates: Mapping[str, Columns] | None = None,
    progress: Progress = SILENT,
) -> RidgeFit:
    """Fit a ridge regression, choosing penalty and columns by cross-validation among the training rows.

    Args:
        features_NF: raw features, float32; only read.
        rows: their numbers, and which of them stay together in cross-validation.
        settings: penalties, folds and seed; balance must be "none".
        candidates: named sets of columns to choose from; all columns when not given.
        progress: follows the fits.

    Raises:
        DataError: features and numbers do not fit together, or are not finite.
        SettingsError: a setting is impossible.
        TrainingError: there are too few rows, all numbers are the same, or a fit ends far from its minimum.
    """
    check_probe(settings)
    if settings.balance != "none":
        raise SettingsError(f"balance = {settings.balance!r} is for classes; these rows have numbers: leave it out")
    numbers_N = np.asarray(rows.numbers_N, dtype=np.float64)
    check_features(features_NF, numbers_N)
    check_numbers(numbers_N)
    plan = plan_number_folds(numbers_N, settings, rows.group_N)
    for note in plan.notes:
        progress.say(note)
    standard = _Standard(numbers_N=numbers_N, fold_N=plan.fold_N)
    penalties = sorted(set(settings.penalties))
    named: Mapping[str, Columns | None] = candidates or {ALL_COLUMNS: None}
    best: _Searched | None = None
    scores: list[NumberScore] = []
    with progress.track("choose the penalty", total=len(named) * len(penalties), unit="fits") as advance:
        for name, columns in named.items():
            scaling = measure_scaling(features_NF, columns=columns, fold_N=plan.fold_N)
            if not scaling.is_finite:
                refuse_unfinite(features_NF)
            if scaling.constant_F.all():
                raise TrainingError(
                    f"{name}: every column is constant over the training rows, there is nothing to learn"
                )
            products = InMemory(standardise(features_NF, scaling, columns=columns, dtype=torch.float32))
            basis = find_basis(products.features_NF, seed=settings.seed)
            found = _Searched(name=name, scaling=scaling, products=products, basis=basis, tried=[])
            _walk(found, standard, penalties, stronger_penalties(settings))
            scores += [one.score for one in found.tried]
            if best is None or found.best.score.squared_error < best.best.score.squared_error:
                best = found
            advance(len(penalties))
    if best is None:
        raise SettingsError("no set of columns was given to choose from")
    with progress.track("fit the probe", total=1, unit="fits") as advance:
        fit = _finish(best, standard, tuple(scores), [*plan.notes, *_notes(best, penalties)])
        advance(1)
    for note in fit.notes[len(plan.notes) :]:
        progress.say(note)
    return fit


def _walk(searched: _Searched, standard: _Standard, penalties: Sequence[float], stronger: Sequence[float]) -> None:
    """Try penalties from strong to weak until the squared error has risen `PATIENCE` times.

    Where the strongest is the best, still stronger ones are tried, as long as each is better than the last.
    """
    start_PX = first_point(standard.problems(searched.scaling, penalties[0]))
    errors: list[float] = []

    def attempt(penalty: float, start_PX: torch.Tensor) -> torch.Tensor:
        problems = standard.problems(searched.scaling, penalty)
        solution = solve_ridge(
            searched.products, problems, basis=searched.basis, start_PX=start_PX, gap=RIDGE_SEARCH_GAP
        )
        errors.append(float(np.square(standard.unseen(solution) - standard.numbers_N).mean()))
        score = NumberScore(
            candidate=searched.name,
            penalty=penalty,
            squared_error=errors[-1],
            iterations=solution.iterations,
            gap=float(solution.gap_P.max()),
        )
        searched.tried.append(_Tried(score, solution))
        return solution.point_PX

    for penalty in penalties:
        start_PX = attempt(penalty, start_PX)
        if len(errors) - 1 - errors.index(min(errors)) >= PATIENCE:
            break
    if errors.index(min(errors)) > 0:
        return
    lowest, start_PX = errors[0], searched.tried[0].solution.point_PX
    for penalty in stronger:
        start_PX = attempt(penalty, start_PX)
        if errors[-1] >= lowest:
            break
        lowest = errors[-1]


def _finish(searched: _Searched, standard: _Standard, scores: tuple[NumberScore, ...], notes: list[str]) -> RidgeFit:
    """Solve the chosen penalty to the stricter bound, for each fold and for all rows, and fold in the scaling."""
    penalty, scaling = searched.best.score.penalty, searched.scaling
    solution = solve_ridge(
        searched.products,
        standard.problems(scaling, penalty),
        basis=searched.basis,
        start_PX=searched.best.solution.point_PX,
        gap=FINAL_GAP,
    )
    gap = float(solution.gap_P.max())
    if not gap <= REFUSED_GAP:
        raise TrainingError(
            f"the probe did not converge at C = {penalty:g}: after {solution.iterations} passes it may be {gap:.1e} of "
            f"the objective away from the minimum, {REFUSED_GAP:.0e} is the most that is kept; leave out the largest "
            "values of C"
        )
    if gap > ACCEPTED_GAP:
        notes = [
            *notes,
            f"the fit at C = {penalty:g} ended after {solution.iterations} passes; it may be {gap:.1e} of the "
            "objective above its minimum",
        ]
    weight_F = standard.unit * solution.point_PX[-1, :-1].numpy() / scaling.scale_F
    bias = standard.mean + standard.unit * float(solution.point_PX[-1, -1]) - float(weight_F @ scaling.mean_F)
    return RidgeFit(
        weight_F=weight_F.astype(np.float32),
        bias=bias,
        candidate=searched.name,
        penalty=penalty,
        scores=scores,
        out_of_fold_N=standard.unseen(solution).astype(np.float32),
        fold_N=standard.fold_N,
        iterations=solution.iterations,
        gap=gap,
        gradient=float(solution.gradient_P.max()),
        notes=tuple(dict.fromkeys(notes)),
    )


def _notes(searched: _Searched, penalties: Sequence[float]) -> list[str]:
    notes = []
    tried, best = [one.score.penalty for one in searched.tried], searched.best.score.penalty
    if (last := max(tried)) < max(penalties):
        notes.append(f"{searched.name}: penalties above C = {last:g} were not tried, the squared error had risen")
    if len(penalties) > 1 and best in (min(tried), penalties[-1]):
        notes.append(f"{searched.name}: the best penalty, C = {best:g}, is at the end of those tried")
    if constant := int(searched.scaling.constant_F.sum()):
        columns = len(searched.scaling.constant_F)
        notes.append(f"{constant:,} of {columns:,} columns are constant over the training rows: weight 0")
    return notes
