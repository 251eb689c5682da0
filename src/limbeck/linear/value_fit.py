"""Value fit: a linear model that gives each row one value, for ordered classes or for numbers.

In: features, and the classes or numbers of the training rows. Out: a `ProbeFit`: one linear layer on raw features, the
table of scores that chose its penalty and its columns, and for every training row the answer of a model that never saw
it. It does not know texts or encoders.

Ordered classes: the layer gives the log odds of "above class k" for each k but the last, all with the same weights
(proportional odds), so that class probabilities are differences that are never negative. Numbers: ridge regression; the
layer gives the number. Both are standardised, cross-validated and chosen as the probe of unordered classes is:
penalties from strong to weak, all folds and the fit on all rows side by side, by log loss or by squared error.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from limbeck.errors import SettingsError, TrainingError
from limbeck.linear.balance import balance_rows
from limbeck.linear.checks import check_features, check_numbers, check_probe, check_probe_labels, refuse_unfinite
from limbeck.linear.curvature import Basis, find_basis
from limbeck.linear.fit import ACCEPTED_GAP, ALL_COLUMNS, FINAL_GAP, REFUSED_GAP, ProbeFit, ProbeRows
from limbeck.linear.folds import FoldPlan, plan_folds, plan_number_folds
from limbeck.linear.scaling import Columns, InMemory, Scaling, measure_scaling, standardise
from limbeck.linear.search import PATIENCE, NumberScore, PenaltyScore
from limbeck.linear.value_losses import OrderedLoss, SquaredLoss, ValueLoss, class_probabilities
from limbeck.linear.value_solver import ValueProblems, ValueSolution, first_point, solve_values
from limbeck.progress import SILENT, Progress
from limbeck.settings import ProbeSettings

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]

VALUE_SEARCH_GAP = 1e-4
"""How near to the minimum, as a share of the objective, every fit of the search is taken."""


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
class _Kind:
    """What differs between ordered classes and numbers.

    Attributes:
        loss: of a value.
        row_weights: the weight of each of the given rows, (M,), 1 or by balance.
        answers: values (N,) and cuts (K,) become the answers (N, A) that are given out.
        score: a penalty's name, C, the out-of-fold answers, passes and gap become a line of the table.
        metric: what chooses, in words.
    """

    loss: ValueLoss
    row_weights: Callable[[Int64], NDArray[np.floating]]
    answers: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
    score: Callable[[str, float, Float64, ValueSolution], PenaltyScore | NumberScore]
    metric: str


class _Tried(NamedTuple):
    score: PenaltyScore | NumberScore
    solution: ValueSolution


@dataclass(frozen=True, kw_only=True, eq=False)
class _Searched:
    """One set of columns, and the best of its penalties."""

    name: str
    scaling: Scaling
    products: InMemory
    basis: Basis
    tried: list[_Tried]
    best: _Tried


def fit_ordered(
    features_NF: Float32,
    rows: ProbeRows,
    *,
    settings: ProbeSettings,
    candidates: Mapping[str, Columns] | None = None,
    progress: Progress = SILENT,
) -> ProbeFit:
    """Fit a probe on ordered classes, choosing penalty and columns by cross-validation among the training rows.

    Its layer has C - 1 outputs, the log odds of lying above each class but the last; its out-of-fold answers are the C
    class probabilities.

    Args:
        features_NF: raw features, float32; only read.
        rows: their classes, the names in their order, and which of them stay together in cross-validation.
        settings: balance ("smote" is not possible), penalties, folds and seed.
        candidates: named sets of columns to choose from; all columns when not given.
        progress: follows the fits.

    Raises:
        DataError: features and classes do not fit together, or are not finite numbers.
        SettingsError: a setting is impossible.
        TrainingError: a class has too few rows, or a fit ends far from its minimum.
    """
    check_probe(settings)
    if settings.balance == "smote":
        raise SettingsError(
            "balance = 'smote' is not possible for ordered classes: it makes new rows of unordered ones; give weights, "
            "oversample or none"
        )
    labels: Int64 = np.asarray(rows.labels_N, dtype=np.int64)
    check_features(features_NF, labels)
    check_probe_labels(labels, rows.label_names)
    plan = plan_folds(labels, settings, rows.label_names, rows.group_N)
    score_weight_N = np.ones(len(labels))
    if settings.balance != "none":
        score_weight_N = balance_rows(labels, balance="weights", seed=0).weight_M.astype(np.float64)

    def score(name: str, penalty: float, unseen_NC: Float64, solution: ValueSolution) -> PenaltyScore:
        own_N = unseen_NC[np.arange(len(labels)), labels]
        answer_N = (unseen_NC.cumsum(1)[:, :-1] < 0.5).sum(1)
        return PenaltyScore(
            candidate=name,
            penalty=penalty,
            log_loss=float(np.average(-np.log(np.maximum(own_N, 1e-300)), weights=score_weight_N)),
            accuracy=float((answer_N == labels).mean()),
            iterations=solution.iterations,
            gap=float(solution.gap_P.max()),
        )

    kind = _Kind(
        loss=OrderedLoss(labels, len(rows.label_names)),
        row_weights=lambda rows_M: (
            balance_rows(
                labels[rows_M], balance=settings.balance, seed=settings.seed, label_names=rows.label_names
            ).weight_M
        ),
        answers=class_probabilities,
        score=score,
        metric="log loss" if settings.balance == "none" else "log loss, each class counting the same",
    )
    return _fit(features_NF, kind, plan, settings, candidates, progress)


def fit_numbers(
    features_NF: Float32,
    rows: NumberRows,
    *,
    settings: ProbeSettings,
    candidates: Mapping[str, Columns] | None = None,
    progress: Progress = SILENT,
) -> ProbeFit:
    """Fit a ridge regression, choosing penalty and columns by cross-validation among the training rows.

    Its layer has one output, the number; so have its out-of-fold answers.

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
    mean, unit = float(numbers_N.mean()), float(numbers_N.std())

    def answers(value_N: torch.Tensor, cut_K: torch.Tensor) -> torch.Tensor:
        return (mean + unit * (value_N - cut_K))[:, None]

    def score(name: str, penalty: float, unseen_N1: Float64, solution: ValueSolution) -> NumberScore:
        return NumberScore(
            candidate=name,
            penalty=penalty,
            squared_error=float(np.square(unseen_N1[:, 0] - numbers_N).mean()),
            iterations=solution.iterations,
            gap=float(solution.gap_P.max()),
        )

    kind = _Kind(
        # The unit of the numbers is the penalty's unit: no answer depends on it otherwise.
        loss=SquaredLoss((numbers_N - mean) / unit),
        row_weights=lambda rows_M: np.ones(len(rows_M)),
        answers=answers,
        score=score,
        metric="squared error",
    )
    fit = _fit(features_NF, kind, plan, settings, candidates, progress)
    return _in_units(fit, mean=mean, unit=unit)


def _fit(
    features_NF: Float32,
    kind: _Kind,
    plan: FoldPlan,
    settings: ProbeSettings,
    candidates: Mapping[str, Columns] | None,
    progress: Progress,
) -> ProbeFit:
    """Search every set of columns, and solve the best penalty of the best one closely."""
    for note in plan.notes:
        progress.say(note)
    weight_PN = _weights(kind, plan.fold_N)
    penalties = sorted(set(settings.penalties))
    named: Mapping[str, Columns | None] = candidates or {ALL_COLUMNS: None}
    best: _Searched | None = None
    scores: list[PenaltyScore | NumberScore] = []
    with progress.track("choose the penalty", total=len(named) * len(penalties), unit="fits") as advance:
        for name, columns in named.items():
            scaling = measure_scaling(features_NF, columns=columns, fold_N=plan.fold_N)
            if not scaling.is_finite:
                refuse_unfinite(features_NF)
            if scaling.constant_F.all():
                raise TrainingError(
                    f"{name}: every column is constant over the training rows, there is nothing to learn"
                )
            standard_NF = standardise(features_NF, scaling, columns=columns, dtype=torch.float32)
            basis = find_basis(standard_NF, seed=settings.seed)
            products = InMemory(standard_NF)
            tried = _walk(name, kind, _problems_by(kind, weight_PN, scaling), (products, basis, plan.fold_N), penalties)
            scores += [one.score for one in tried]
            found = _Searched(
                name=name,
                scaling=scaling,
                products=products,
                basis=basis,
                tried=tried,
                best=min(tried, key=lambda one: one.score.loss),
            )
            if best is None or found.best.score.loss < best.best.score.loss:
                best = found
            advance(len(penalties))
    if best is None:
        raise SettingsError("no set of columns was given to choose from")
    with progress.track("fit the probe", total=1, unit="fits") as advance:
        notes = [*plan.notes, *_notes(best, penalties)]
        fit = _finish(best, kind, weight_PN, plan.fold_N, (tuple(scores), notes))
        advance(1)
    for note in fit.notes[len(plan.notes) :]:
        progress.say(note)
    return fit


def _weights(kind: _Kind, fold_N: Int64) -> torch.Tensor:
    """Return the weight of each row in the fit without each fold, and in the one on all rows, (P, N)."""
    folds = int(fold_N.max()) + 1
    weight_PN = np.zeros((folds + 1, len(fold_N)))
    for fit in range(folds + 1):
        rows_M = np.flatnonzero(fold_N != fit)
        weight_PN[fit, rows_M] = kind.row_weights(rows_M)
    return torch.from_numpy(weight_PN)


def _problems_by(kind: _Kind, weight_PN: torch.Tensor, scaling: Scaling) -> Callable[[float], ValueProblems]:
    """Return what states the problems of a penalty. A fold's own standardisation comes from its ridge."""
    scale_PF = torch.from_numpy(np.vstack([scaling.fold_scale_KF, np.ones(len(scaling.mean_F))]))
    scale_PF[:, torch.from_numpy(scaling.constant_F)] = torch.inf
    return lambda penalty: ValueProblems(loss=kind.loss, weight_PN=weight_PN, ridge_PF=scale_PF.square() / penalty)


def _walk(
    name: str,
    kind: _Kind,
    problems_by: Callable[[float], ValueProblems],
    ground: tuple[InMemory, Basis, Int64],
    penalties: Sequence[float],
) -> list[_Tried]:
    """Try penalties from strong to weak until the figure has risen `PATIENCE` times."""
    products, basis, fold_N = ground
    tried: list[_Tried] = []
    start = first_point(problems_by(penalties[0]))
    for penalty in penalties:
        solution = solve_values(products, problems_by(penalty), basis=basis, start=start, gap=VALUE_SEARCH_GAP)
        start = solution.point
        unseen_NA = _unseen(kind, solution, fold_N).numpy()
        tried.append(_Tried(kind.score(name, penalty, unseen_NA, solution), solution))
        figures = [one.score.loss for one in tried]
        if len(figures) - 1 - figures.index(min(figures)) >= PATIENCE:
            break
    return tried


def _unseen(kind: _Kind, solution: ValueSolution, fold_N: Int64) -> torch.Tensor:
    """Return the answer to each row of the fit that did not see it, (N, A) float64."""
    parts = {
        fold: kind.answers(solution.value_PN[fold, torch.from_numpy(fold_N == fold)], solution.point.cut_PK[fold])
        for fold in range(int(fold_N.max()) + 1)
    }
    answers_NA = torch.empty(len(fold_N), next(iter(parts.values())).shape[1], dtype=torch.float64)
    for fold, answers_MA in parts.items():
        answers_NA[torch.from_numpy(fold_N == fold)] = answers_MA
    return answers_NA


def _finish(
    searched: _Searched,
    kind: _Kind,
    weight_PN: torch.Tensor,
    fold_N: Int64,
    told: tuple[tuple[PenaltyScore | NumberScore, ...], list[str]],
) -> ProbeFit:
    """Solve the chosen penalty to the stricter bound, for each fold and for all rows, and fold in the scaling."""
    scores, notes = told
    best, scaling = searched.best, searched.scaling
    penalty = best.score.penalty
    solution = solve_values(
        searched.products,
        _problems_by(kind, weight_PN, scaling)(penalty),
        basis=searched.basis,
        start=best.solution.point,
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
    weight_F = solution.point.weight_PF[-1].numpy() / scaling.scale_F
    bias_K = -solution.point.cut_PK[-1].numpy() - float(weight_F @ scaling.mean_F)
    return ProbeFit(
        weight_CF=np.repeat(weight_F[None], len(bias_K), axis=0).astype(np.float32),
        bias_C=bias_K.astype(np.float32),
        candidate=searched.name,
        penalty=penalty,
        metric=kind.metric,
        scores=scores,
        out_of_fold_NC=_unseen(kind, solution, fold_N).float().numpy(),
        fold_N=fold_N,
        iterations=solution.iterations,
        gap=gap,
        gradient=float(solution.gradient_P.max()),
        objective=float(solution.objective_P[-1]) * penalty,
        notes=tuple(dict.fromkeys(notes)),
    )


def _notes(searched: _Searched, penalties: Sequence[float]) -> list[str]:
    notes = []
    tried, best = searched.tried, searched.best.score.penalty
    if len(tried) < len(penalties):
        notes.append(
            f"{searched.name}: penalties above C = {tried[-1].score.penalty:g} were not tried, the loss had risen"
        )
    elif len(penalties) > 1 and best in (penalties[0], penalties[-1]):
        notes.append(f"{searched.name}: the best penalty, C = {best:g}, is at the end of those tried")
    if constant := int(searched.scaling.constant_F.sum()):
        columns = len(searched.scaling.constant_F)
        notes.append(f"{constant:,} of {columns:,} columns are constant over the training rows: weight 0")
    return notes


def _in_units(fit: ProbeFit, *, mean: float, unit: float) -> ProbeFit:
    """Let the layer give numbers in their own unit; the out-of-fold answers are in it already."""
    return replace(
        fit,
        weight_CF=(fit.weight_CF * unit).astype(np.float32),
        bias_C=(mean + unit * fit.bias_C.astype(np.float64)).astype(np.float32),
        objective=fit.objective * unit**2,
    )
