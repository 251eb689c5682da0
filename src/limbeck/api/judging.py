"""Judging: answers scored, runs compared, thresholds chosen, as the commands of these names do.

In: predictions or runs. Out: what is known about them. It trains nothing.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import overload

import numpy as np
from numpy.typing import ArrayLike

from limbeck.api.given import Run, run_path
from limbeck.errors import DataError, SettingsError
from limbeck.evaluation.evaluation import Evaluation
from limbeck.evaluation.evaluation import evaluate as evaluate_arrays
from limbeck.evaluation.intervals import RESAMPLES
from limbeck.evaluation.label_thresholds import LabelThresholds
from limbeck.evaluation.multi_evaluation import MultiEvaluation, evaluate_multi
from limbeck.evaluation.multi_predictions import MultiPredictions
from limbeck.evaluation.predictions import Predictions
from limbeck.evaluation.thresholds import Goal, Thresholds
from limbeck.evaluation.value_evaluation import ValueEvaluation, evaluate_values
from limbeck.evaluation.value_predictions import ValuePredictions
from limbeck.experiments.run_comparison import RunComparison
from limbeck.experiments.shape_comparison import ShapeComparison, compare_any_runs
from limbeck.reading.read import said_in_python
from limbeck.runs.run_thresholds import clear_thresholds as take_out
from limbeck.runs.run_thresholds import write_any_thresholds


@overload
def evaluate(answers: MultiPredictions, *, seed: int = ..., resamples: int | None = ...) -> MultiEvaluation: ...


@overload
def evaluate(answers: ValuePredictions, *, seed: int = ..., resamples: int | None = ...) -> ValueEvaluation: ...


@overload
def evaluate(
    answers: Predictions | ArrayLike,
    labels: ArrayLike | None = ...,
    label_names: Sequence[str] | None = ...,
    *,
    majority_label: int | str | None = ...,
    seed: int = ...,
    resamples: int | None = ...,
) -> Evaluation: ...


@said_in_python()
def evaluate(
    answers: Predictions | MultiPredictions | ValuePredictions | ArrayLike,
    labels: ArrayLike | None = None,
    label_names: Sequence[str] | None = None,
    *,
    majority_label: int | str | None = None,
    seed: int = 0,
    resamples: int | None = None,
) -> Evaluation | MultiEvaluation | ValueEvaluation:
    """Score answers to rows whose labels are known: every score with its 95 % interval, beside what needs no reading.

    Args:
        answers: `Predictions`, of which the rows with a known label are scored; or probabilities (N, C), each row
            adding up to 1, with `labels` (N,) and `label_names` (C). Answers with any number of labels per row
            (`MultiPredictions`) and numbers (`ValuePredictions`) have figures of their own.
        labels: the true labels, integers 0 … C-1; beside `Predictions` not given.
        label_names: the class names; beside `Predictions` not given.
        majority_label: the most frequent label of the *training* rows, by name or number; the baseline says it of every
            row. That of the scored rows when not given, which is the hardest single answer to beat.
        seed: of the bootstrap.
        resamples: bootstrap resamples behind the intervals of mean F1s and log loss.

    Raises:
        DataError: no row has a label, shapes differ, a label is out of range, a row is no distribution.
        SettingsError: labels are missing, or given beside predictions that have them.

    Example:
        >>> found = evaluate([[0.9, 0.1], [0.2, 0.8]], [0, 1], ["no", "yes"])
        >>> found.accuracy.value, found.baseline.accuracy
        (1.0, 0.5)
    """
    drawn = RESAMPLES if resamples is None else resamples
    if isinstance(answers, Predictions | MultiPredictions | ValuePredictions) and (
        labels is not None or label_names is not None
    ):
        raise SettingsError("predictions have labels and label names of their own: give nothing beside them")
    if isinstance(answers, MultiPredictions | ValuePredictions):
        if majority_label is not None:
            raise SettingsError("majority_label is for one label per row: these answers have another baseline")
        if isinstance(answers, MultiPredictions):
            return evaluate_multi(answers, seed=seed, resamples=drawn)
        return evaluate_values(answers, seed=seed, resamples=drawn)
    if isinstance(answers, Predictions):
        rows = answers.labelled_rows
        if not len(rows):
            raise DataError("no row of the predictions has a known label: there is nothing to score them by")
        probabilities, labels, label_names = answers.probabilities[rows], answers.known_labels, answers.label_names
    elif labels is None or label_names is None:
        raise SettingsError("probabilities are scored by labels: give evaluate(probabilities, labels, label_names)")
    else:
        probabilities = np.asarray(answers)
    if isinstance(majority_label, str):
        if majority_label not in label_names:
            raise SettingsError(
                f"majority_label = {majority_label!r} is no class: give one of {', '.join(label_names)}"
            )
        majority_label = list(label_names).index(majority_label)
    return evaluate_arrays(
        probabilities, labels, label_names, majority_label=majority_label, seed=seed, resamples=drawn
    )


@said_in_python()
def compare(*runs: Run, split: str = "validation", seed: int = 0) -> RunComparison | ShapeComparison:
    """Say whether one run is better than another on the same rows, or only luckier; and which rows changed.

    Args:
        *runs: two or more: run folders, what `train` returned, or files of predictions. The others are set beside the
            first; one with several seeds stands for all of them.
        split: whose predictions: "validation" or "out_of_fold".
        seed: of the bootstrap.

    Raises:
        SettingsError: fewer than two runs, or one without such predictions.
        DataError: the rows differ; says how.

    Example:
        >>> found = compare("RUN", "RUN")
        >>> found.pairs[0].verdict
        'no difference shown'
    """
    return compare_any_runs([run_path(run) for run in runs], split=split, seed=seed)


@said_in_python()
def threshold(
    run: Run,
    *,
    precision: float | None = None,
    coverage: float | None = None,
    confidence: float = 0.95,
    per_class: bool = False,
    predictions: str | Path | None = None,
) -> Thresholds | LabelThresholds:
    """Make a model say "unsure" where its highest probability is too low; `clear_thresholds` takes that back.

    A model of any number of labels gets a threshold for each label instead: for the largest F1, or for `precision`.

    Args:
        run: run folder, bundle, or what `train` returned.
        precision: minimum share of right answers among those that are given, promised with `confidence`.
        coverage: minimum share of the rows that are answered; one of the two. Not for any number of labels.
        confidence: of what is promised.
        per_class: a threshold for each class instead of one for all.
        predictions: file of predictions of labelled rows that the model did not learn from; the run's validation rows
            when not given.

    Raises:
        DataError: the goal cannot be reached on these rows; nothing is written then.
        SettingsError: both goals were given, or none, or one that is no share.

    Example:
        >>> threshold("RUN", coverage=0.5).is_reached
        True
    """
    goal = Goal(precision=precision, coverage=coverage, confidence=confidence, per_class=per_class)
    return write_any_thresholds(run_path(run), goal, None if predictions is None else Path(predictions))


@said_in_python()
def clear_thresholds(run: Run) -> None:
    """Take the thresholds out of a model: it answers every row again.

    Raises:
        BundleError: there is no model, or it was changed since it was written.

    Example:
        >>> clear_thresholds("RUN")
    """
    take_out(run_path(run))
