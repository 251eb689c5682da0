"""The window that suits, chosen by training rows alone: the head of long texts, their tail, or half of each.

In: training rows, an engine, settings. Out: the window whose features a probe answers best with in cross-validation, by
log loss, or of numbers by squared error. An encoder that is to be trained is looked at as it is before: a fine-tuning
for each fold and window would take a day. "all" is not among the choices: it costs more with every answer, which is not
for a figure to decide.
It does not look at validation or test rows.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Protocol, get_args

import numpy as np
from numpy.typing import NDArray

from limbeck import storage
from limbeck.data.dataset import Dataset
from limbeck.data.text_pairs import are_pairs
from limbeck.errors import TrainingError
from limbeck.features.cache import FeatureCache
from limbeck.features.extraction import extract_features
from limbeck.inference.engine import Engine
from limbeck.linear.fit import ProbeRows, fit_probe
from limbeck.linear.label_fit import LabelRows, fit_label_probe
from limbeck.linear.ridge_fit import NumberRows, fit_numbers
from limbeck.linear.scaling import Columns
from limbeck.linear.search import PenaltyScore
from limbeck.methods.candidates import all_blocks, candidates_for, columns_of
from limbeck.progress import SILENT, Named, Progress
from limbeck.runs.run_folder import RunFolder
from limbeck.runs.training_rows import alike_texts
from limbeck.settings import FeatureSettings, ProbeSettings, TaskKind, WindowName
from limbeck.task import ORDINAL, SINGLE
from limbeck.tokens import Tokenizer, Window

WINDOWS_TO_TRY: tuple[WindowName, ...] = ("head", "tail", "both")
"""What costs the same; of equal log losses the first is taken."""
MOST_TRIED_ROWS = 4_000
"""Training rows that are looked at; drawn, where there are more."""
_FEWEST_OF_A_CLASS = 2
_FEWEST_OF_A_LABEL = 10
"""Rows with and without one of several labels that cross-validation can judge it by."""


@dataclass(frozen=True, kw_only=True)
class WindowScore:
    """What cross-validation says of a window.

    Attributes:
        log_loss: in nats, of several labels per row their mean; None of numbers.
        accuracy: share of the rows that are right; of one label per row only.
        squared_error: of numbers; None of labels.
    """

    log_loss: float | None = None
    accuracy: float | None = None
    squared_error: float | None = None

    @property
    def loss(self) -> float:
        """The lower, the better."""
        return self.log_loss if self.log_loss is not None else self.squared_error or 0.0

    def record(self) -> dict[str, float]:
        """Return what is known."""
        return {name: value for name, value in asdict(self).items() if value is not None}


@dataclass(frozen=True, kw_only=True)
class ChosenWindow:
    """A window, and why it was chosen.

    Attributes:
        name: of the window.
        rows: training rows that were looked at.
        cut: how many of these are longer than the limit.
        folds: of the cross-validation; 0 where there was nothing to choose.
        scores: by window; empty where there was nothing to choose.
    """

    name: WindowName
    rows: int
    cut: int
    folds: int
    scores: Mapping[str, WindowScore]

    def __str__(self) -> str:
        if not self.scores:
            return f"window {self.name}: none of {self.rows:,} training texts is longer than the limit"
        each = ", ".join(f"{name} {one.loss:.4f}" for name, one in self.scores.items())
        figure = "squared error" if self.scores[self.name].log_loss is None else "log loss"
        return (
            f"window {self.name}: the lowest {figure} in {self.folds} folds of {self.rows:,} training rows ({each}); "
            f"{self.cut:,} of their texts are longer than the limit"
        )

    def record(self) -> dict[str, Any]:
        """Return what `metrics.json` says of it."""
        return {**asdict(self), "scores": {name: one.record() for name, one in self.scores.items()}}


def choose_window(
    train: Dataset,
    engine: Engine,
    features: FeatureSettings,
    *,
    cache: FeatureCache | None = None,
    progress: Progress = SILENT,
) -> ChosenWindow:
    """Fit a probe on features of each window, and return the one with the lowest loss out of fold.

    Args:
        train: labelled training rows.
        engine: computes features.
        features: pooling, layer and limit.
        cache: where features are kept: those of the chosen window are not computed again.
        progress: is told what is being done, and what was chosen.

    Raises:
        TrainingError: there are fewer than two classes with two rows each, or no label that enough rows have and lack.
    """
    rows = _drawn(train)
    tokenizer = engine.loaded.tokenizer
    limit = tokenizer.checked_limit(features.max_tokens)
    read = tokenizer.read(rows.texts, Window(name="head", max_tokens=limit))
    cut = int(read.truncated.sum())
    if not cut:
        chosen = ChosenWindow(name=tokenizer.own_window, rows=len(rows), cut=0, folds=0, scores={})
        progress.say(str(chosen))
        return chosen
    candidates = candidates_for(features, engine.layers)
    group_N = alike_texts(rows.texts)
    scores: dict[str, WindowScore] = {}
    windows: tuple[WindowName, ...] = ("head", "tail") if are_pairs(rows.texts) else WINDOWS_TO_TRY
    for name in windows:
        window = Window(name=name, max_tokens=limit)
        named = Named(progress, f"to try window {name}")
        found = extract_features(rows.texts, engine, all_blocks(candidates), window=window, cache=cache, progress=named)
        columns = {key: columns_of(blocks, found.blocks, engine.width) for key, blocks in candidates.items()}
        scores[name], folds = _TRIALS[rows.task.name](found.values_NF, rows, group_N, columns)
    best_name = min(windows, key=lambda name: scores[name].loss)
    chosen = ChosenWindow(name=best_name, rows=len(rows), cut=cut, folds=folds, scores=scores)
    progress.say(str(chosen))
    return chosen


def recorded_window(folder: RunFolder) -> WindowName | None:
    """Return the window that an unfinished run was begun with; None where there is none."""
    if not folder.record.exists():
        return None
    stages = storage.read_json(folder.record).get("settings", {})
    name = stages.get("features", {}).get("window")
    return name if name in get_args(WindowName) else None


def _drawn(train: Dataset) -> Dataset:
    """Return some training rows, in their order, without those of classes that cross-validation cannot judge."""
    taken = np.arange(len(train))
    if len(train) > MOST_TRIED_ROWS:
        taken = np.sort(np.random.default_rng(0).permutation(len(train))[:MOST_TRIED_ROWS])
    if train.task not in (SINGLE, ORDINAL):
        return train.select(taken)
    labels_N = train.labels
    counts_C = np.bincount(labels_N[taken], minlength=len(train.label_names))
    return train.select(taken[counts_C[labels_N[taken]] >= _FEWEST_OF_A_CLASS])


_Tried = tuple[WindowScore, int]
"""What a probe of one window reaches, and the folds that it was judged in."""


def _try_classes(
    features_NF: NDArray[np.float32], rows: Dataset, group_N: NDArray[np.int64], columns: Mapping[str, Columns]
) -> _Tried:
    """Tell classes apart; an order is not asked for."""
    known, labels_N = np.unique(rows.labels, return_inverse=True)
    names = tuple(rows.label_names[label] for label in known.tolist())
    probe_rows = ProbeRows(labels_N=labels_N.astype(np.int64), label_names=names, group_N=group_N)
    fit = fit_probe(features_NF, probe_rows, settings=ProbeSettings(), candidates=columns, progress=SILENT)
    best = min((one for one in fit.scores if isinstance(one, PenaltyScore)), key=lambda one: one.log_loss)
    return WindowScore(log_loss=best.log_loss, accuracy=best.accuracy), len(np.unique(fit.fold_N))


def _try_labels(
    features_NF: NDArray[np.float32], rows: Dataset, group_N: NDArray[np.int64], columns: Mapping[str, Columns]
) -> _Tried:
    """Give labels that enough rows have, and lack.

    Raises:
        TrainingError: there is none.
    """
    targets_NL = rows.targets
    with_L = np.count_nonzero(targets_NL, axis=0)
    told = np.flatnonzero(np.minimum(with_L, len(rows) - with_L) >= _FEWEST_OF_A_LABEL)
    if not len(told):
        raise TrainingError(
            f"no label is had, and lacked, by {_FEWEST_OF_A_LABEL} of {len(rows):,} training rows, so that a window "
            "can be chosen by it: name what is to be read of a long text, --window head, tail, both or all"
        )
    label_rows = LabelRows(
        targets_NL=targets_NL[:, told],
        label_names=tuple(rows.label_names[label] for label in told.tolist()),
        group_N=group_N,
    )
    fit = fit_label_probe(features_NF, label_rows, settings=ProbeSettings(), candidates=columns, progress=SILENT)
    return WindowScore(log_loss=fit.candidates[fit.candidate]), len(np.unique(fit.fold_N))


def _try_numbers(
    features_NF: NDArray[np.float32], rows: Dataset, group_N: NDArray[np.int64], columns: Mapping[str, Columns]
) -> _Tried:
    """Predict numbers."""
    number_rows = NumberRows(numbers_N=rows.targets, group_N=group_N)
    fit = fit_numbers(features_NF, number_rows, settings=ProbeSettings(), candidates=columns, progress=SILENT)
    return WindowScore(squared_error=min(one.squared_error for one in fit.scores)), len(np.unique(fit.fold_N))


class _Tries(Protocol):
    def __call__(
        self,
        features_NF: NDArray[np.float32],
        rows: Dataset,
        group_N: NDArray[np.int64],
        columns: Mapping[str, Columns],
        /,
    ) -> _Tried: ...


_TRIALS: dict[TaskKind, _Tries] = {
    "single": _try_classes,
    "multi": _try_labels,
    "ordinal": _try_classes,
    "regression": _try_numbers,
}
"""What judges a window for each shape of answer."""


@dataclass(frozen=True, kw_only=True, eq=False)
class SettledWindow:
    """What a training reads of a text.

    Attributes:
        features: the settings of the features, with a window that is named where one was to be chosen.
        window: the window.
        choice: how it was chosen, for `metrics.json`; None where it was not.
    """

    features: FeatureSettings
    window: Window
    choice: Mapping[str, Any] | None


def settle_window(
    features: FeatureSettings,
    tokenizer: Tokenizer,
    choose: Callable[[FeatureSettings], ChosenWindow],
    *,
    recorded: WindowName | None = None,
) -> SettledWindow:
    """Return what a training reads of a text: what was asked for, what an unfinished run began with, or what suits.

    Args:
        features: the settings of the features.
        tokenizer: of the encoder.
        choose: is called where the settings leave it to be chosen.
        recorded: what an unfinished run was begun with.
    """
    if features.window != "auto":
        window = tokenizer.window(features.window, features.max_tokens)
        return SettledWindow(features=features, window=window, choice=None)
    if recorded is not None:
        name, choice = recorded, None
    else:
        chosen = choose(features)
        name, choice = chosen.name, chosen.record()
    window = tokenizer.window(name, features.max_tokens)
    return SettledWindow(features=replace(features, window=name), window=window, choice=choice)
