"""Probe: a linear classifier on frozen features, its penalty and its features chosen by cross-validation.

In: features and labels of the training rows. Out: one linear layer on the raw features, the table of scores that chose
it, and for every training row the probabilities given by a model that never saw that row.
It does not know texts, encoders or validation data.

The model is scikit-learn's LogisticRegression on standardised features: C · Σ weight · cross-entropy + ½ ‖W‖², the
intercept free. Penalties are tried from strong to weak, each fit starting where the last ended, all folds side by side
(`logistic.py`); the chosen one is then solved again to a stricter bound, together with the fit on all rows.

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
from limbeck.training.balance import Balanced, Mixtures, balance_rows
from limbeck.training.curvature import Basis, Slopes, find_basis
from limbeck.training.folds import assign_folds
from limbeck.training.logistic import Problems, Solution, solve
from limbeck.training.neighbours import nearest_rows
from limbeck.training.scaling import Scaling, measure_scaling, standardise

Float32 = NDArray[np.float32]
Columns = NDArray[np.integer]

ALL_COLUMNS = "all columns"
"""Name of the only candidate when none were given."""
PATIENCE = 2
"""Penalties in a row with a higher log loss after which weaker ones are not tried."""
SEARCH_GAP = 1e-3
"""How near to the minimum, as a share of the objective, a fit is taken when penalties are compared."""
FINAL_GAP = 1e-7
"""The same for the fits that are kept."""
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
    labels_N = np.asarray(labels_N, dtype=np.int64)
    _check_settings(settings)
    _check_rows(features_NF, labels_N, classes)
    folds, notes = _choose_folds(np.bincount(labels_N, minlength=classes), settings)
    fold_N = assign_folds(labels_N, folds=folds, seed=settings.seed)
    for note in notes:
        progress.say(note)
    penalties = sorted(set(settings.penalties))
    scores: list[PenaltyScore] = []
    best: _Searched | None = None
    named: Mapping[str, Columns | None] = candidates or {ALL_COLUMNS: None}
    with progress.track("choose the penalty", total=len(named) * len(penalties), unit="fits") as advance:
        for name, columns in named.items():
            data = _Data(name, features_NF, columns, labels_N, classes, fold_N, settings)
            searched = _search(data, penalties)
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


class _Data:
    """One candidate's columns, and what each fold may see of them."""

    def __init__(  # noqa: PLR0913, PLR0917 - a private bundle of what fit_probe was given
        self,
        name: str,
        features_NF: Float32,
        columns: Columns | None,
        labels_N: NDArray[np.int64],
        classes: int,
        fold_N: NDArray[np.int64],
        settings: ProbeSettings,
    ) -> None:
        self.name = name
        self.classes = classes
        self.labels_N = labels_N
        self.fold_N = fold_N
        self.settings = settings
        self._features_NF = features_NF
        self._columns = columns
        self.scaling: Scaling = measure_scaling(features_NF, columns=columns, fold_N=fold_N)
        self._balanced: dict[int | None, tuple[Balanced, NDArray[np.int64]]] = {}

    def standardised(self, dtype: torch.dtype) -> torch.Tensor:
        return standardise(self._features_NF, self.scaling, columns=self._columns, dtype=dtype)

    def scale_F(self, fold: int | None) -> NDArray[np.float64]:
        """Return the scale of the rows that a fit sees, relative to the scale of all."""
        if fold is None:
            return np.where(self.scaling.constant_F, np.inf, 1.0)
        return np.asarray(self.scaling.fold_scale_KF[fold])

    def balanced(self, fold: int | None) -> Balanced:
        """Weigh the rows outside a fold (all rows, for none) as settings say: positions are those of all rows."""
        rows_M = np.arange(len(self.labels_N)) if fold is None else np.flatnonzero(self.fold_N != fold)

        def find_neighbours(members: NDArray[np.int64], number: int) -> NDArray[np.int64]:
            standard_MF = standardise(
                self._features_NF[rows_M[members]], self.scaling, columns=self._columns, dtype=torch.float32
            )
            return nearest_rows(standard_MF.div_(torch.from_numpy(self.scale_F(fold)).float()), number=number)

        balanced = balance_rows(
            self.labels_N[rows_M],
            balance=self.settings.balance,
            seed=self.settings.seed,
            find_neighbours=find_neighbours,
        )
        weight_N = np.zeros(len(self.labels_N), dtype=np.float32)
        weight_N[rows_M] = balanced.weight_M
        mixtures = balanced.mixtures and Mixtures(
            base_S=rows_M[balanced.mixtures.base_S],
            neighbour_S=rows_M[balanced.mixtures.neighbour_S],
            step_S=balanced.mixtures.step_S,
            labels_S=balanced.mixtures.labels_S,
        )
        return Balanced(weight_M=weight_N, mixtures=mixtures, notes=balanced.notes)

    def problems(self, balanced: list[Balanced], fits: list[int | None], penalty: float) -> Problems:
        """State the fits of one penalty."""
        # scikit-learn gives two classes one weight vector w. As two that are ±w/2, its penalty ½‖w‖² is twice theirs.
        factor = (2.0 if self.classes == 2 else 1.0) / penalty
        scale_PF = np.stack([self.scale_F(fold) for fold in fits])
        return Problems(
            labels_N=torch.from_numpy(self.labels_N),
            classes=self.classes,
            weight_PN=torch.from_numpy(np.stack([part.weight_M for part in balanced])),
            ridge_PF=torch.from_numpy(factor * scale_PF**2).float(),
            mixtures_P=tuple(part.mixtures for part in balanced),
        )

    def score_weight_N(self) -> NDArray[np.float64]:
        """Return the weight of each row in the score: 1, or the same sum for each class where classes are balanced."""
        if self.settings.balance == "none":
            return np.ones(len(self.labels_N))
        return balance_rows(self.labels_N, balance="weights", seed=0).weight_M.astype(np.float64)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Searched:
    """What the search of one candidate's penalties left."""

    data: _Data
    balanced: list[Balanced]
    basis: Basis
    scores: list[PenaltyScore]
    best: PenaltyScore
    solution: Solution
    notes: list[str]


def _search(data: _Data, penalties: list[float]) -> _Searched:
    """Try penalties from strong to weak until the log loss has risen `PATIENCE` times."""
    features_NF = data.standardised(torch.bfloat16 if cpu_features().bf16 else torch.float32)
    basis = find_basis(features_NF, seed=data.settings.seed)
    fits: list[int | None] = list(range(int(data.fold_N.max()) + 1))
    balanced = [data.balanced(fold) for fold in fits]
    scores: list[PenaltyScore] = []
    kept: tuple[PenaltyScore, Solution] | None = None
    start = _first_point(balanced, data, features_NF.shape[1])
    rises = 0
    for penalty in penalties:
        solution = solve(
            features_NF,
            data.problems(balanced, fits, penalty),
            basis=basis,
            start=start,
            tolerance=SEARCH_GAP,
            max_iterations=MAX_ITERATIONS,
        )
        start = Slopes(solution.weight_PCF, solution.intercept_PC)
        score = _score(data, solution, penalty)
        scores.append(score)
        if kept is None or score.log_loss < kept[0].log_loss:
            kept, rises = (score, solution), 0
        else:
            rises += 1
            if rises == PATIENCE:
                break
    if kept is None:
        raise SettingsError("no penalty was given")
    notes = sorted({note for part in balanced for note in part.notes})
    if len(scores) < len(penalties):
        notes.append(
            f"{data.name}: penalties above C = {scores[-1].penalty:g} were not tried, "
            f"the log loss had risen {PATIENCE} times"
        )
    elif len(penalties) > 1 and kept[0].penalty in (penalties[0], penalties[-1]):
        notes.append(f"{data.name}: the best penalty, C = {kept[0].penalty:g}, is at the end of those tried")
    return _Searched(
        data=data, balanced=balanced, basis=basis, scores=scores, best=kept[0], solution=kept[1], notes=notes
    )


def _finish(searched: _Searched, scores: tuple[PenaltyScore, ...], notes: list[str]) -> ProbeFit:
    """Solve the chosen penalty to the stricter bound, for each fold and for all rows, and fold in the scaling."""
    data, best = searched.data, searched.best
    features_NF = data.standardised(torch.float32)
    fits: list[int | None] = [*range(len(searched.balanced)), None]
    whole = data.balanced(None)
    near = searched.solution
    solution = solve(
        features_NF,
        data.problems([*searched.balanced, whole], fits, best.penalty),
        basis=searched.basis,
        start=Slopes(
            torch.cat([near.weight_PCF, near.weight_PCF.mean(0, keepdim=True)]),
            torch.cat([near.intercept_PC, near.intercept_PC.mean(0, keepdim=True)]),
        ),
        tolerance=FINAL_GAP,
        max_iterations=MAX_ITERATIONS,
    )
    gap = float(solution.gap_P.max())
    if gap > ACCEPTED_GAP:
        raise TrainingError(
            f"the probe did not converge at C = {best.penalty:g}: after {solution.iterations} iterations it may be "
            f"{gap:.1e} of the objective away from the minimum, {ACCEPTED_GAP:.0e} is asked; "
            "leave out the largest values of C"
        )
    weight_CF = solution.weight_PCF[-1].double().numpy() / data.scaling.scale_F
    bias_C = solution.intercept_PC[-1].double().numpy() - weight_CF @ data.scaling.mean_F
    return ProbeFit(
        weight_CF=weight_CF.astype(np.float32),
        bias_C=bias_C.astype(np.float32),
        candidate=data.name,
        penalty=best.penalty,
        metric="log loss" if data.settings.balance == "none" else "log loss, each class counting the same",
        scores=scores,
        out_of_fold_NC=torch.softmax(_held_out(data, solution), dim=1).numpy(),
        fold_N=data.fold_N,
        iterations=solution.iterations,
        gap=gap,
        gradient=float(solution.gradient_P.max()),
        objective=float(solution.objective_P[-1]) * best.penalty,
        notes=tuple(dict.fromkeys([*notes, *whole.notes])),
    )


def _first_point(balanced: list[Balanced], data: _Data, features: int) -> Slopes:
    """Start from weights 0 and the logarithm of each class's share, the optimum of an infinite penalty."""
    share_PC = np.stack([np.bincount(data.labels_N, part.weight_M, data.classes) for part in balanced])
    for row_C, part in zip(share_PC, balanced, strict=True):
        if part.mixtures:
            row_C += np.bincount(part.mixtures.labels_S, minlength=data.classes)
    intercept_PC = torch.from_numpy(np.log(share_PC / share_PC.sum(1, keepdims=True))).float()
    return Slopes(torch.zeros(len(balanced), data.classes, features), intercept_PC)


def _held_out(data: _Data, solution: Solution) -> torch.Tensor:
    """Return the logits of each row from the fit that did not see it, (N, C)."""
    return solution.logits_PCN[torch.from_numpy(data.fold_N), :, torch.arange(len(data.fold_N))]


def _score(data: _Data, solution: Solution, penalty: float) -> PenaltyScore:
    log_NC = torch.log_softmax(_held_out(data, solution), dim=1).double().numpy()
    loss_N = -log_NC[np.arange(len(log_NC)), data.labels_N]
    return PenaltyScore(
        candidate=data.name,
        penalty=penalty,
        log_loss=float(np.average(loss_N, weights=data.score_weight_N())),
        accuracy=float((log_NC.argmax(1) == data.labels_N).mean()),
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
