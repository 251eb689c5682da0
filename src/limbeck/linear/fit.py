"""Probe: a linear classifier on frozen features, its penalty and its features chosen by cross-validation.

In: features and labels of the training rows. Out: one linear layer on the raw features, the table of scores that chose
it, and for every training row the probabilities given by a model that never saw that row.
It does not know texts, encoders or validation trials.

The model is scikit-learn's LogisticRegression on standardised features: C · Σ weight · cross-entropy + ½ ‖W‖², the
intercept free. Penalties are tried from strong to weak, each fit starting where the last ended, all folds side by side
(`solver.py`), in bfloat16 where the processor multiplies it. The chosen one is then solved in float32 to a strict
bound, together with the fit on all rows.

Penalties are chosen by log loss, not accuracy: it hardly changes when other folds are drawn, where accuracy moves by
single rows, and it is what the out-of-fold probabilities are used for. When classes are balanced, each class counts
the same in it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from limbeck.errors import SettingsError, TrainingError
from limbeck.linear.checks import check_features, check_probe, check_probe_labels, refuse_unfinite
from limbeck.linear.folds import plan_folds
from limbeck.linear.scaling import Columns, measure_scaling
from limbeck.linear.search import MAX_ITERATIONS, PenaltyScore, Searched, held_out_logits, search_penalties
from limbeck.linear.solver import StoppingRule, solve
from limbeck.linear.trials import Trials
from limbeck.progress import SILENT, Progress
from limbeck.settings import ProbeSettings

Float32 = NDArray[np.float32]

ALL_COLUMNS = "all columns"
"""Name of the only candidate when none were given."""
FINAL_GAP = 1e-8
"""How near float32 brings the fits that are kept: no probability is then further than about 1e-4 from its optimum."""
ACCEPTED_GAP = 1e-6
"""The bound up to which a kept fit counts as converged, when rounding forbids more; above it a note tells the bound."""
REFUSED_GAP = 1e-3
"""The bound from which on a fit is no answer: classes next to each other could change places."""


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


@dataclass(frozen=True, kw_only=True, eq=False)
class ProbeRows:
    """The rows that a probe is fitted on.

    Shapes: N rows, C classes.

    Attributes:
        labels_N: class of each row, 0 to C - 1.
        label_names: of the C classes; notes and errors use them.
        group_N: rows with equal numbers are held out together, as their texts are equal or nearly so; every row alone
            when not given.
    """

    labels_N: NDArray[np.integer]
    label_names: Sequence[str]
    group_N: NDArray[np.int64] | None = None


def fit_probe(
    features_NF: Float32,
    rows: ProbeRows,
    *,
    settings: ProbeSettings,
    candidates: Mapping[str, Columns] | None = None,
    progress: Progress = SILENT,
) -> ProbeFit:
    """Fit a probe on training rows, choosing penalty and columns by cross-validation among them.

    Args:
        features_NF: raw features, float32; only read, and a memory map will do.
        rows: their labels, and which of them stay together in cross-validation.
        settings: balance, penalties, folds and seed.
        candidates: named sets of columns to choose from; all columns when not given.
        progress: follows the fits.

    Raises:
        DataError: features and labels do not fit together, or are not finite numbers.
        SettingsError: a penalty or the number of folds is impossible.
        TrainingError: a class has too few rows, or a fit ends far from its minimum.
    """
    check_probe(settings)
    labels: NDArray[np.int64] = np.asarray(rows.labels_N, dtype=np.int64)
    check_features(features_NF, labels)
    check_probe_labels(labels, rows.label_names)
    plan = plan_folds(labels, settings, rows.label_names, rows.group_N)
    for note in plan.notes:
        progress.say(note)
    penalties = sorted(set(settings.penalties))
    scores: list[PenaltyScore] = []
    best: Searched | None = None
    named: Mapping[str, Columns | None] = candidates or {ALL_COLUMNS: None}
    with progress.track("choose the penalty", total=len(named) * len(penalties), unit="fits") as advance:
        for name, columns in named.items():
            scaling = measure_scaling(features_NF, columns=columns, fold_N=plan.fold_N)
            if not scaling.is_finite:
                refuse_unfinite(features_NF)
            trials = Trials(
                name=name,
                features_NF=features_NF,
                columns=columns,
                scaling=scaling,
                labels_N=labels,
                label_names=tuple(rows.label_names),
                fold_N=plan.fold_N,
                settings=settings,
            )
            searched = search_penalties(trials, penalties)
            scores += searched.scores
            if best is None or searched.best.log_loss < best.best.log_loss:
                best = searched
            advance(len(penalties))
    if best is None:
        raise SettingsError("no set of columns was given to choose from")
    with progress.track("fit the probe", total=1, unit="fits") as advance:
        fit = _finish(best, tuple(scores), [*plan.notes, *best.notes])
        advance(1)
    for note in fit.notes[len(plan.notes) :]:
        progress.say(note)
    return fit


def _finish(searched: Searched, scores: tuple[PenaltyScore, ...], notes: list[str]) -> ProbeFit:
    """Solve the chosen penalty to the stricter bound, for each fold and for all rows, and fold in the scaling."""
    trials, best = searched.trials, searched.best
    solution = solve(
        searched.passes,
        trials.problems(searched.balanced, penalty=best.penalty),
        basis=searched.basis,
        start=searched.solution.state,
        goal=StoppingRule(gap=FINAL_GAP, steps=MAX_ITERATIONS),
    )
    gap = float(solution.gap_P.max())
    if not gap <= REFUSED_GAP:
        raise TrainingError(
            f"the probe did not converge at C = {best.penalty:g}: after {solution.iterations} iterations it may be "
            f"{gap:.1e} of the objective away from the minimum, {REFUSED_GAP:.0e} is the most that is kept; "
            "leave out the largest values of C"
        )
    if gap > ACCEPTED_GAP:
        notes = [
            *notes,
            f"the fit at C = {best.penalty:g} ended after {solution.iterations} iterations; it may be {gap:.1e} of the "
            "objective above its minimum",
        ]
    weight_CF = solution.point.weight_PCF[-1].double().numpy() / trials.scaling.scale_F
    bias_C = solution.point.intercept_PC[-1].double().numpy() - weight_CF @ trials.scaling.mean_F
    return ProbeFit(
        weight_CF=weight_CF.astype(np.float32),
        bias_C=bias_C.astype(np.float32),
        candidate=trials.name,
        penalty=best.penalty,
        metric="log loss" if trials.settings.balance == "none" else "log loss, each class counting the same",
        scores=scores,
        out_of_fold_NC=torch.softmax(held_out_logits(trials, solution.logits_PCN), dim=1).numpy(),
        fold_N=trials.fold_N,
        iterations=solution.iterations,
        gap=gap,
        gradient=float(solution.gradient_P.max()),
        objective=float(solution.objective_P[-1]) * best.penalty,
        notes=tuple(dict.fromkeys([*notes, *_constant_note(trials)])),
    )


def _constant_note(trials: Trials) -> list[str]:
    constant = int(trials.scaling.constant_F.sum())
    if not constant:
        return []
    return [f"{constant:,} of {len(trials.scaling.constant_F):,} columns are constant over the training rows: weight 0"]


def fit_record(fit: ProbeFit) -> dict[str, Any]:
    """Say what cross-validation chose and how well the fit converged."""
    return {
        "candidate": fit.candidate,
        "penalty": fit.penalty,
        "chosen_by": fit.metric,
        "scores": [asdict(score) for score in fit.scores],
        "iterations": fit.iterations,
        "objective": fit.objective,
        "gap": fit.gap,
        "gradient": fit.gradient,
        "notes": list(fit.notes),
    }
