"""Label fit: a linear classifier for any number of labels a row, each label with a penalty of its own.

In: features of the training rows, and which labels each has. Out: one linear layer on the raw features with a logit per
label, the penalties that cross-validation chose, and for every training row the probabilities given by a model that
never saw that row. It does not know texts, encoders or validation rows.

The model is scikit-learn's LogisticRegression for each label alone (OneVsRest), on standardised features. As
`search.py` does for one class a row, penalties are tried from strong to weak, all folds side by side, and the chosen
ones are solved again to a strict bound; where the strongest is the best, still stronger ones are tried. Labels do not
know of each other: a block of them is solved together, because one pass over the features serves them all, and no more
is in memory than a block needs.

A penalty is chosen for each label by its log loss: of 114 Debian tags (3,195 rows) the chosen ones lie between 0.003
and 1.0 (docs/log.md); one penalty for all labels was not tried beside it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from limbeck.errors import SettingsError, TrainingError
from limbeck.linear.checks import check_features, check_probe, check_probe_targets, refuse_unfinite
from limbeck.linear.curvature import Basis, find_basis
from limbeck.linear.fit import ACCEPTED_GAP, ALL_COLUMNS, FINAL_GAP, REFUSED_GAP
from limbeck.linear.folds import FoldPlan
from limbeck.linear.label_folds import plan_label_folds
from limbeck.linear.label_penalties import BlockSearched, label_held_out, search_block
from limbeck.linear.label_trials import LabelTrials
from limbeck.linear.scaling import Columns, InMemory, Passes, measure_scaling
from limbeck.linear.search import MAX_ITERATIONS, fast_type
from limbeck.linear.solver import StoppingRule, solve
from limbeck.progress import SILENT, Progress
from limbeck.settings import ProbeSettings

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]
Bool = NDArray[np.bool_]

BLOCK_PROBLEMS = 192
"""Problems that are solved side by side: enough for a pass to be bound by arithmetic and not by memory. More would wait
for the slowest label without any gain."""


@dataclass(frozen=True, kw_only=True, eq=False)
class LabelRows:
    """The rows that a probe of labels is fitted on.

    Shapes: N rows, L labels.

    Attributes:
        targets_NL: whether each row has each label.
        label_names: of the labels; notes and errors use them.
        group_N: rows with equal numbers are held out together, as their texts are equal or nearly so; every row alone
            when not given.
        asked_NL: whether each row has a part in each label's fits and scores; every row in all of them when not given.
        plan: the folds; dealt out by the labels when not given.
    """

    targets_NL: Bool
    label_names: Sequence[str]
    group_N: Int64 | None = None
    asked_NL: Bool | None = None
    plan: FoldPlan | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class LabelFit:
    """A fitted probe of labels.

    Shapes: N training rows, L labels, F columns of the chosen candidate.

    Attributes:
        weight_LF: of the linear layer on raw features, in the order of the candidate's columns.
        bias_L: of the linear layer.
        candidate: name of the chosen set of columns.
        penalty_L: the chosen C of each label.
        log_loss_L: of each label on held-out rows, when it was chosen.
        label_names: of the labels.
        metric: what chose them, in words.
        candidates: mean of the labels' log losses for each set of columns.
        out_of_fold_NL: probabilities of each training row from the fit that did not see it.
        fold_N: the fold in which each row was held out.
        iterations: passes that all fits took, of every block.
        gap: bound on (objective - minimum) / objective, the largest of the last fits.
        notes: what was done otherwise than asked, in words.
    """

    weight_LF: Float32
    bias_L: Float32
    candidate: str
    penalty_L: Float64
    log_loss_L: Float64
    label_names: tuple[str, ...]
    metric: str
    candidates: Mapping[str, float]
    out_of_fold_NL: Float32
    fold_N: Int64
    iterations: int
    gap: float
    notes: tuple[str, ...]

    def record(self) -> dict[str, Any]:
        """Say what cross-validation chose and how well the fit converged."""
        return {
            "candidate": self.candidate,
            "penalties": dict(zip(self.label_names, self.penalty_L.tolist(), strict=True)),
            "chosen_by": self.metric,
            "log_losses": dict(zip(self.label_names, self.log_loss_L.tolist(), strict=True)),
            "candidates": dict(self.candidates),
            "iterations": self.iterations,
            "gap": self.gap,
            "notes": list(self.notes),
        }


@dataclass(frozen=True, kw_only=True, eq=False)
class _Searched:
    """The best penalties of all labels with one set of columns."""

    trials: LabelTrials
    passes: Passes
    basis: Basis
    blocks: tuple[BlockSearched, ...]

    @property
    def log_loss(self) -> float:
        """Mean over the labels."""
        return float(np.concatenate([block.log_loss_L for block in self.blocks]).mean())


def fit_label_probe(
    features_NF: Float32,
    rows: LabelRows,
    *,
    settings: ProbeSettings,
    candidates: Mapping[str, Columns] | None = None,
    progress: Progress = SILENT,
) -> LabelFit:
    """Fit a probe of labels, choosing each label's penalty, and the columns, by cross-validation.

    Args:
        features_NF: raw features, float32; only read, and a memory map will do.
        rows: their labels, and which of them stay together in cross-validation.
        settings: balance ("none" or "weights"), penalties, folds and seed.
        candidates: named sets of columns to choose from, for all labels alike; all columns when not given.
        progress: follows the fits.

    Raises:
        DataError: features and labels do not fit together, or are not finite numbers.
        SettingsError: a penalty, the balance or the number of folds is impossible.
        TrainingError: a label has too few rows with or without it, or a fit ends far from its minimum.
    """
    check_probe(settings)
    check_features(features_NF, rows.targets_NL)
    check_probe_targets(rows.targets_NL, rows.label_names, settings)
    plan = rows.plan or plan_label_folds(rows.targets_NL, settings, rows.label_names, rows.group_N)
    blocks = _blocks_of(rows.targets_NL, int(plan.fold_N.max()) + 2)
    named: Mapping[str, Columns | None] = candidates or {ALL_COLUMNS: None}
    best: _Searched | None = None
    losses: dict[str, float] = {}
    labels = len(rows.label_names)
    with progress.track("choose the penalties", total=len(named) * labels, unit="labels") as advance:
        for name, columns in named.items():
            scaling = measure_scaling(features_NF, columns=columns, fold_N=plan.fold_N)
            if not scaling.is_finite:
                refuse_unfinite(features_NF)
            trials = LabelTrials(
                name=name,
                features_NF=features_NF,
                columns=columns,
                scaling=scaling,
                targets_NL=rows.targets_NL,
                label_names=tuple(rows.label_names),
                fold_N=plan.fold_N,
                settings=settings,
                asked_NL=rows.asked_NL,
            )
            found = _search(trials, blocks, advance)
            losses[name] = found.log_loss
            if best is None or found.log_loss < best.log_loss:
                best = found
    if best is None:
        raise SettingsError("no set of columns was given to choose from")
    with progress.track("fit the probe", total=labels, unit="labels") as advance:
        fit = _finish(best, losses, list(plan.notes), advance)
    for note in fit.notes:
        progress.say(note)
    return fit


def _blocks_of(targets_NL: Bool, fits: int) -> list[Int64]:
    """Put labels of like size together: they need like penalties and as many steps."""
    size = max(1, BLOCK_PROBLEMS // fits)
    order_L = np.argsort(-targets_NL.sum(axis=0), kind="stable")
    return [order_L[start : start + size] for start in range(0, len(order_L), size)]


def _search(trials: LabelTrials, blocks: Sequence[Int64], advance: Any) -> _Searched:
    """Choose the penalty of every label with one set of columns."""
    if trials.scaling.constant_F.all():
        raise TrainingError(
            f"{trials.name}: every column is constant over the training rows, there is nothing to learn"
        )
    features_NF = trials.standardised(fast_type())
    is_exact = features_NF.dtype == torch.float32
    fast = InMemory(features_NF, None if is_exact else features_NF.T.contiguous())
    basis = find_basis(features_NF, seed=trials.settings.seed).principal()
    searched = []
    for block in blocks:
        searched.append(search_block(trials, block, Passes(fast=fast, exact=fast), basis))
        advance(len(block))
    passes = Passes(fast=fast, exact=fast if is_exact else trials.streamed())
    return _Searched(trials=trials, passes=passes, basis=basis, blocks=tuple(searched))


def _finish(searched: _Searched, losses: Mapping[str, float], notes: list[str], advance: Any) -> LabelFit:
    """Solve the chosen penalties to the stricter bound, for each fold and for all rows, and fold in the scaling."""
    trials = searched.trials
    rows, labels = trials.targets_NL.shape
    weight_LF = np.empty((labels, len(trials.scaling.mean_F)), dtype=np.float64)
    bias_L, penalty_L, log_loss_L, gap_L = (np.empty(labels) for _ in range(4))
    out_of_fold_NL = np.empty((rows, labels), dtype=np.float32)
    iterations = 0
    for block in searched.blocks:
        problems = trials.problems(block.labels, trials.weights(block.labels), penalty_L=block.penalty_L)
        goal = StoppingRule(gap=FINAL_GAP, steps=MAX_ITERATIONS)
        solution = solve(searched.passes, problems, basis=searched.basis, start=block.point, goal=goal)
        size = len(block.labels)
        last_LF = solution.point.weight_PCF[-size:, 0].double().numpy() / trials.scaling.scale_F
        weight_LF[block.labels] = last_LF
        bias_L[block.labels] = solution.point.intercept_PC[-size:, 0].double().numpy() - last_LF @ trials.scaling.mean_F
        held_out_LN = label_held_out(trials, solution.logits_PCN, size)
        out_of_fold_NL[:, block.labels] = held_out_LN.sigmoid().T.numpy()
        penalty_L[block.labels], log_loss_L[block.labels] = block.penalty_L, block.log_loss_L
        gap_L[block.labels] = solution.gap_P.view(-1, size).amax(0).numpy()
        iterations += block.iterations + solution.iterations
        advance(size)
    _require_convergence(trials, penalty_L, gap_L)
    return LabelFit(
        weight_LF=weight_LF.astype(np.float32),
        bias_L=bias_L.astype(np.float32),
        candidate=trials.name,
        penalty_L=penalty_L,
        log_loss_L=log_loss_L,
        label_names=trials.label_names,
        metric="log loss of each label"
        + ("" if trials.settings.balance == "none" else ", rows with and without it counting the same"),
        candidates=losses,
        out_of_fold_NL=out_of_fold_NL,
        fold_N=trials.fold_N,
        iterations=iterations,
        gap=float(gap_L.max()),
        notes=(*notes, *_notes(searched, gap_L)),
    )


def _require_convergence(trials: LabelTrials, penalty_L: Float64, gap_L: Float64) -> None:
    far = np.flatnonzero(~(gap_L <= REFUSED_GAP))
    if len(far):
        worst = int(far[np.argmax(gap_L[far])])
        raise TrainingError(
            f"the probe of {len(far):,} labels did not converge; the fit of {trials.label_names[worst]} at C = "
            f"{penalty_L[worst]:g} may be {gap_L[worst]:.1e} of the objective away from the minimum, {REFUSED_GAP:.0e} "
            "is the most that is kept; leave out the largest values of C"
        )


def _notes(searched: _Searched, gap_L: Float64) -> list[str]:
    """Say what is otherwise than asked."""
    trials, notes = searched.trials, []
    if far := int((gap_L > ACCEPTED_GAP).sum()):
        notes.append(f"the fits of {far:,} labels may be up to {gap_L.max():.1e} of the objective above their minimum")
    at_end = sum(int(block.is_at_end_L.sum()) for block in searched.blocks)
    if at_end and len(set(trials.settings.penalties)) > 1:
        weakest = max(trials.settings.penalties)
        notes.append(
            f"{trials.name}: the best penalty of {at_end:,} of {len(gap_L):,} labels, C = {weakest:g}, is at the end "
            "of those tried"
        )
    if constant := int(trials.scaling.constant_F.sum()):
        columns = len(trials.scaling.constant_F)
        notes.append(f"{constant:,} of {columns:,} columns are constant over the training rows: weight 0")
    return notes
