"""Probe: a linear classifier on frozen features, its penalty and its features chosen by cross-validation.

In: features and labels of the training rows. Out: one linear layer on the raw features, the table of scores that chose
it, and for every training row the probabilities given by a model that never saw that row.
It does not know texts, encoders or validation trials.

The model is scikit-learn's LogisticRegression on standardised features: C · Σ weight · cross-entropy + ½ ‖W‖², the
intercept free. Penalties are tried from strong to weak, each fit starting where the last ended, all folds side by side
(`logistic.py`), in bfloat16 where the processor multiplies it. The chosen one is then solved in float32 to a strict
bound, together with the fit on all rows.

Penalties are chosen by log loss, not accuracy: it hardly changes when other folds are drawn, where accuracy moves by
single rows, and it is what the out-of-fold probabilities are used for. When classes are balanced, each class counts
the same in it.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from limbeck.errors import DataError, SettingsError, TrainingError
from limbeck.progress import SILENT, Progress
from limbeck.runtime import cpu_features
from limbeck.settings import ProbeSettings
from limbeck.training.balance import Balanced
from limbeck.training.curvature import Basis, Slopes, find_basis
from limbeck.training.folds import assign_folds
from limbeck.training.logistic import Solution, solve
from limbeck.training.scaling import measure_scaling
from limbeck.training.trials import Columns, Trials

Float32 = NDArray[np.float32]

ALL_COLUMNS = "all columns"
"""Name of the only candidate when none were given."""
PATIENCE = 2
"""Penalties in a row with a higher log loss than the best after which weaker ones are not tried."""
CLEAR_RISE = 0.02
"""Rise of the log loss, as a share of the best, after which weaker penalties are not tried at once."""
SEARCH_GAP = 1e-3
"""How near to the minimum, as a share of the objective, a fit is taken when penalties are compared. A looser one would
choose by how early a fit was stopped; bfloat16 allows about 3e-4."""
FINAL_GAP = 3e-8
"""How near float32 brings the fits that are kept: no probability is then further than about 1e-4 from its optimum."""
ACCEPTED_GAP = 1e-6
"""The bound that a kept fit must reach to count as converged, when rounding forbids more."""
MAX_ITERATIONS = 500


@dataclass(frozen=True, kw_only=True)
class PenaltyScore:
    """What cross-validation found for one penalty.

    Attributes:
        candidate: name of the set of columns.
        penalty: C.
        log_loss: mean over the held-out rows, in nats; each class counting the same where classes are balanced.
        accuracy: share of the held-out rows that are right, 0 to 1.
        iterations: passes that the fit took.
    """

    candidate: str
    penalty: float
    log_loss: float
    accuracy: float
    iterations: int


@dataclass(frozen=True, kw_only=True, eq=False)
class ProbeFit:
    """A fitted probe.

    Shapes: N training rows, C classes, F columns of the chosen candidate.

    Attributes:
        weight_CF: of the linear layer on raw features, in the order of the candidate's columns.
        bias_C: of the linear layer.
        candidate: name of the chosen set of columns.
        penalty: the chosen C.
        metric: what chose them, in words.
        scores: one for each candidate and penalty that was tried.
        out_of_fold_NC: probabilities of each training row from the fit that did not see it.
        fold_N: the fold in which each row was held out.
        iterations: passes that the last fits took.
        gap: bound on (objective - minimum) / objective, the largest of the last fits.
        gradient: largest absolute component of the gradient per row, the largest of the last fits.
        objective: scikit-learn's objective of the fit on all rows.
        notes: what was done otherwise than asked, in words.
    """

    weight_CF: Float32
    bias_C: Float32
    candidate: str
    penalty: float
    metric: str
    scores: tuple[PenaltyScore, ...]
    out_of_fold_NC: Float32
    fold_N: NDArray[np.int64]
    iterations: int
    gap: float
    gradient: float
    objective: float
    notes: tuple[str, ...]


def fit_probe(
    features_NF: Float32,
    labels_N: NDArray[np.integer],
    *,
    classes: int,
    settings: ProbeSettings,
    candidates: Mapping[str, Columns] | None = None,
    progress: Progress = SILENT,
) -> ProbeFit:
    """Fit a probe on training rows, choosing penalty and columns by cross-validation among them.

    Args:
        features_NF: raw features, float32; only read, and a memory map will do.
        labels_N: class of each row, 0 to `classes` - 1.
        classes: number of classes.
        settings: balance, penalties, folds and seed.
        candidates: named sets of columns to choose from; all columns when not given.
        progress: follows the fits.

    Raises:
        DataError: features and labels do not fit together, or are not finite numbers.
        SettingsError: a penalty or the number of folds is impossible.
        TrainingError: a class has too few rows, or a fit does not converge.
    """
    labels: NDArray[np.int64] = np.asarray(labels_N, dtype=np.int64)
    _check_settings(settings)
    _check_rows(features_NF, labels, classes)
    folds, notes = _choose_folds(np.bincount(labels, minlength=classes), settings)
    fold_N = assign_folds(labels, folds=folds, seed=settings.seed)
    for note in notes:
        progress.say(note)
    penalties = sorted(set(settings.penalties))
    scores: list[PenaltyScore] = []
    best: _Searched | None = None
    named: Mapping[str, Columns | None] = candidates or {ALL_COLUMNS: None}
    with progress.track("choose the penalty", total=len(named) * len(penalties), unit="fits") as advance:
        for name, columns in named.items():
            trials = Trials(
                name=name,
                features_NF=features_NF,
                columns=columns,
                scaling=measure_scaling(features_NF, columns=columns, fold_N=fold_N),
                labels_N=labels,
                classes=classes,
                fold_N=fold_N,
                settings=settings,
            )
            searched = _search(trials, penalties)
            scores += searched.scores
            if best is None or searched.best.log_loss < best.best.log_loss:
                best = searched
            advance(len(penalties))
    if best is None:
        raise SettingsError("no set of columns was given to choose from")
    with progress.track("fit the probe", total=1, unit="fits") as advance:
        fit = _finish(best, tuple(scores), [*notes, *best.notes])
        advance(1)
    for note in fit.notes[len(notes) :]:
        progress.say(note)
    return fit


@dataclass(frozen=True, kw_only=True, eq=False)
class _Searched:
    """What the search of one candidate's penalties left."""

    trials: Trials
    balanced: list[Balanced]
    basis: Basis
    scores: list[PenaltyScore]
    best: PenaltyScore
    solution: Solution
    notes: list[str]


def _search(trials: Trials, penalties: list[float]) -> _Searched:
    """Try penalties from strong to weak until the log loss has risen."""
    if trials.scaling.constant_F.all():
        raise TrainingError(
            f"{trials.name}: every column is constant over the training rows, there is nothing to learn"
        )
    features_NF = trials.standardised(_fast_type())
    basis = find_basis(features_NF, seed=trials.settings.seed)
    balanced = [trials.balance(fold) for fold in trials.folds]
    scores: list[PenaltyScore] = []
    kept: tuple[PenaltyScore, Solution] | None = None
    start = trials.first_point(balanced)
    rises = 0
    for penalty in penalties:
        solution = solve(
            features_NF,
            trials.problems(trials.folds, balanced, penalty=penalty),
            basis=basis,
            start=start,
            tolerance=SEARCH_GAP,
            max_iterations=MAX_ITERATIONS,
        )
        start = Slopes(solution.weight_PCF, solution.intercept_PC)
        score = _score(trials, solution, penalty)
        scores.append(score)
        if kept is None or score.log_loss < kept[0].log_loss:
            kept, rises = (score, solution), 0
        else:
            rises += 1
            if rises == PATIENCE or score.log_loss > kept[0].log_loss * (1 + CLEAR_RISE):
                break
    if kept is None:
        raise SettingsError("no penalty was given")
    notes = sorted({note for part in balanced for note in part.notes})
    if len(scores) < len(penalties):
        notes.append(
            f"{trials.name}: penalties above C = {scores[-1].penalty:g} were not tried, the log loss had risen"
        )
    elif len(penalties) > 1 and kept[0].penalty in (penalties[0], penalties[-1]):
        notes.append(f"{trials.name}: the best penalty, C = {kept[0].penalty:g}, is at the end of those tried")
    return _Searched(
        trials=trials, balanced=balanced, basis=basis, scores=scores, best=kept[0], solution=kept[1], notes=notes
    )


def _finish(searched: _Searched, scores: tuple[PenaltyScore, ...], notes: list[str]) -> ProbeFit:
    """Solve the chosen penalty to the stricter bound, for each fold and for all rows, and fold in the scaling."""
    trials, best = searched.trials, searched.best
    whole = trials.balance(None)
    problems = trials.problems([*trials.folds, None], [*searched.balanced, whole], penalty=best.penalty)
    near = searched.solution
    point = Slopes(
        torch.cat([near.weight_PCF, near.weight_PCF.mean(0, keepdim=True)]),
        torch.cat([near.intercept_PC, near.intercept_PC.mean(0, keepdim=True)]),
    )
    # What bfloat16 can do it does at a quarter of the cost; the rest is float32's.
    for dtype, tolerance in ((_fast_type(), SEARCH_GAP), (torch.float32, FINAL_GAP)):
        solution = solve(
            trials.standardised(dtype),
            problems,
            basis=searched.basis,
            start=point,
            tolerance=tolerance,
            max_iterations=MAX_ITERATIONS,
        )
        point = Slopes(solution.weight_PCF, solution.intercept_PC)
    gap = float(solution.gap_P.max())
    if gap > ACCEPTED_GAP:
        raise TrainingError(
            f"the probe did not converge at C = {best.penalty:g}: after {solution.iterations} iterations it may be "
            f"{gap:.1e} of the objective away from the minimum, {ACCEPTED_GAP:.0e} is asked; "
            "leave out the largest values of C"
        )
    weight_CF = solution.weight_PCF[-1].double().numpy() / trials.scaling.scale_F
    bias_C = solution.intercept_PC[-1].double().numpy() - weight_CF @ trials.scaling.mean_F
    return ProbeFit(
        weight_CF=weight_CF.astype(np.float32),
        bias_C=bias_C.astype(np.float32),
        candidate=trials.name,
        penalty=best.penalty,
        metric="log loss" if trials.settings.balance == "none" else "log loss, each class counting the same",
        scores=scores,
        out_of_fold_NC=torch.softmax(_held_out(trials, solution), dim=1).numpy(),
        fold_N=trials.fold_N,
        iterations=solution.iterations,
        gap=gap,
        gradient=float(solution.gradient_P.max()),
        objective=float(solution.objective_P[-1]) * best.penalty,
        notes=tuple(dict.fromkeys([*notes, *whole.notes, *_constant_note(trials)])),
    )


def _constant_note(trials: Trials) -> list[str]:
    constant = int(trials.scaling.constant_F.sum())
    if not constant:
        return []
    return [f"{constant:,} of {len(trials.scaling.constant_F):,} columns are constant over the training rows: weight 0"]


def _fast_type() -> torch.dtype:
    """Return the type in which passes over the features are fastest on this processor."""
    return torch.bfloat16 if cpu_features().bf16 else torch.float32


def _held_out(trials: Trials, solution: Solution) -> torch.Tensor:
    """Return the logits of each row from the fit that did not see it, (N, C)."""
    return solution.logits_PCN[torch.from_numpy(trials.fold_N), :, torch.arange(len(trials.fold_N))]


def _score(trials: Trials, solution: Solution, penalty: float) -> PenaltyScore:
    log_NC = torch.log_softmax(_held_out(trials, solution), dim=1).double().numpy()
    loss_N = -log_NC[np.arange(len(log_NC)), trials.labels_N]
    return PenaltyScore(
        candidate=trials.name,
        penalty=penalty,
        log_loss=float(np.average(loss_N, weights=trials.score_weights())),
        accuracy=float((log_NC.argmax(1) == trials.labels_N).mean()),
        iterations=solution.iterations,
    )


def _check_settings(settings: ProbeSettings) -> None:
    wrong = [penalty for penalty in settings.penalties if not 0 < penalty < np.inf]
    if wrong or not settings.penalties:
        raise SettingsError(f"penalties = {settings.penalties}: give at least one value of C, each above 0 and finite")
    if settings.folds < 2:
        raise SettingsError(f"folds = {settings.folds}: cross-validation needs at least 2")


def _check_rows(features_NF: Float32, labels_N: NDArray[np.int64], classes: int) -> None:
    if features_NF.ndim != 2 or len(features_NF) != len(labels_N):
        raise DataError(f"features of shape {features_NF.shape} do not go with {len(labels_N):,} labels")
    outside = np.flatnonzero((labels_N < 0) | (labels_N >= classes))
    if len(outside):
        row = int(outside[0])
        raise DataError(
            f"{len(outside):,} labels lie outside 0 to {classes - 1}; the first is {labels_N[row]} in row {row}"
        )
    if classes < 2:
        raise TrainingError(f"there is {classes} class; a classifier needs at least 2")
    wrong = [row for row, line in enumerate(features_NF) if not np.isfinite(line).all()]
    if wrong:
        raise DataError(
            f"features of {len(wrong):,} rows are not finite numbers; the first is row {wrong[0]}: "
            "look at the text and the encoder's weights, and compute the features again"
        )


def _choose_folds(counts_C: NDArray[np.int64], settings: ProbeSettings) -> tuple[int, list[str]]:
    """Return the number of folds that the smallest class allows, and what to say about it."""
    absent = np.flatnonzero(counts_C == 0)
    if len(absent):
        raise TrainingError(
            f"no training row has class {', '.join(map(str, absent))}: a classifier cannot learn a class that it never "
            "sees; add rows, or leave the class out of the label names"
        )
    smallest = int(counts_C.argmin())
    count = int(counts_C[smallest])
    if count < 2:
        raise TrainingError(
            f"class {smallest} has one training row: cross-validation must train on some rows of each class and hold "
            "out others; add rows of it, or leave the class out"
        )
    if count < settings.folds:
        return count, [f"{count} folds instead of {settings.folds}: class {smallest} has {count} training rows"]
    return settings.folds, []
