"""Thresholds of a finished model: chosen on its predictions, written into its bundle.

In: a run folder or a bundle, a goal, predictions of rows whose labels are known. Out: thresholds, in the bundle. Of one
label per row a threshold says from where on a row is answered; of any number of labels from where on each is given.
It does not compute predictions, nor know how a threshold is chosen (`evaluation.thresholds`, `label_thresholds`).
"""

from pathlib import Path

import numpy as np

from limbeck.errors import DataError, SettingsError
from limbeck.evaluation.label_thresholds import LabelGoal, LabelThresholds, choose_label_thresholds
from limbeck.evaluation.multi_predictions import MultiPredictions
from limbeck.evaluation.prediction_files import read_any_predictions, read_predictions
from limbeck.evaluation.thresholds import Goal, Threshold, Thresholds, choose_thresholds
from limbeck.folder_lock import lock
from limbeck.inference.predictor import find_bundle
from limbeck.model.bundle import load_bundle, set_label_thresholds, set_thresholds
from limbeck.model.facts import FACTS_NAME, parse_facts
from limbeck.storage import read_json
from limbeck.task import MULTI, SINGLE, Task

_INSTEAD = {
    "ordinal": "The probabilities that limbeck predict writes say how sure an answer is, and expected_position says "
    "where between the classes it lies",
    "regression": "limbeck predict gives each number an interval instead, which promises to hold the true one",
}
"""What serves a shape that has no thresholds."""


def write_thresholds(run: Path, goal: Goal, predictions: Path | None = None) -> Thresholds:
    """Choose the thresholds of a model of one label per row and write them into its bundle; others in it go.

    Args:
        run: run folder or bundle.
        goal: what the thresholds are to reach.
        predictions: of rows that the model did not learn from, with labels; those of the run's validation rows when
            not given.

    Raises:
        DataError: the goal cannot be reached on these rows (nothing is written), or they are not this model's.
        SettingsError: the goal is impossible, or there are no predictions.
        BundleError: there is no model, or it was changed since it was written.
        LockedError: another process works in the folder.
    """
    folder = find_bundle(run)
    facts = load_bundle(folder).facts
    facts.shape.require((SINGLE.name,), doing="a threshold from which on rows are answered", todo=_instead(facts.shape))
    source = _source(run, predictions, ("validation",))
    found = read_predictions(source)
    _require_own(found.label_names, facts.label_names, source)
    rows = found.labelled_rows
    _require_labelled(rows, source)
    chosen = choose_thresholds(found.probabilities[rows], found.known_labels, facts.label_names, goal)
    if not chosen.is_reached:
        raise DataError(_say_not_reached(chosen, source))
    with lock(run):
        set_thresholds(folder, chosen.values, chosen={**chosen.to_dict(), "rows": len(rows), "source": source.name})
    return chosen


def write_label_thresholds(run: Path, goal: LabelGoal, predictions: Path | None = None) -> LabelThresholds:
    """Choose the threshold of each label of a model of any number of labels, and write them into its bundle.

    Args:
        run: run folder or bundle.
        goal: the largest F1, or a precision that is promised.
        predictions: of rows that the model did not learn from, with labels. Where not given, the run's answers to its
            training rows, each by a fit that did not see it; else those to its validation rows.

    Raises:
        DataError: the precision cannot be promised of any label (nothing is written), or they are not this model's.
        SettingsError: the goal is impossible, or there are no predictions.
        BundleError: there is no model, or it was changed since it was written.
        LockedError: another process works in the folder.
    """
    folder = find_bundle(run)
    facts = load_bundle(folder).facts
    facts.shape.require((MULTI.name,), doing="a threshold per label", todo=_instead(facts.shape))
    if facts.label_parents and goal.precision is not None:
        raise SettingsError(
            "a precision cannot be promised of labels with parents: a parent is given wherever a child of it is, "
            "whatever its own threshold. Give no precision, for the largest F1"
        )
    source = _source(run, predictions, ("out_of_fold", "validation"))
    found = read_any_predictions(source)
    if not isinstance(found, MultiPredictions):
        raise DataError(
            f"{source} does not hold answers of any number of labels per row: predict with this model first"
        )
    _require_own(found.label_names, facts.label_names, source)
    rows = found.labelled_rows
    _require_labelled(rows, source)
    chosen = choose_label_thresholds(found.probabilities[rows], found.known_targets, facts.label_names, goal)
    if len(chosen.never_given) == len(facts.label_names):
        raise DataError(
            f"a precision of {goal.precision} cannot be promised with confidence {goal.confidence} of any label on "
            f"{source}. Nothing was written; ask for less, or give more labelled rows with --predictions"
        )
    with lock(run):
        told = {**chosen.to_dict(), "rows": len(rows), "source": source.name}
        set_label_thresholds(folder, tuple(np.asarray(chosen.values).tolist()), chosen=told)
    return chosen


def write_any_thresholds(run: Path, goal: Goal, predictions: Path | None = None) -> Thresholds | LabelThresholds:
    """Choose the thresholds of a model of one label or of any number of labels per row, and write them into its bundle.

    Args:
        run: run folder or bundle.
        goal: what they are to reach; of any number of labels a precision, or neither, which is the largest F1.
        predictions: as `write_thresholds` and `write_label_thresholds` say.

    Raises:
        SettingsError: the model's answers have no thresholds, or the goal means nothing for them.
        DataError: as these say.
        BundleError: there is no model, or it was changed since it was written.
        LockedError: another process works in the folder.
    """
    if task_of_model(run) != MULTI:
        return write_thresholds(run, goal, predictions)
    if goal.coverage is not None:
        raise SettingsError(
            "a coverage is for one label per row: here every row is answered, with the labels that reach their "
            "thresholds. Give a precision, or nothing for the largest F1"
        )
    if goal.per_class:
        raise SettingsError("a threshold per class need not be asked for: each label has one of its own here")
    return write_label_thresholds(run, LabelGoal(precision=goal.precision, confidence=goal.confidence), predictions)


def clear_thresholds(run: Path) -> None:
    """Take the thresholds out of a model: it answers every row again, or gives every label from 0.5 on.

    Raises:
        SettingsError: its answers have no thresholds.
        BundleError: there is no model, or it was changed since it was written.
    """
    folder = find_bundle(run)
    shape = load_bundle(folder).facts.shape
    shape.require((SINGLE.name, MULTI.name), doing="limbeck threshold", todo=_instead(shape))
    with lock(run):
        (set_label_thresholds if shape == MULTI else set_thresholds)(folder, None, chosen=None)


def task_of_model(run: Path) -> Task:
    """Return the shape of a model's answers, where they have thresholds.

    Raises:
        SettingsError: they have none; says what serves them instead.
        BundleError: there is no model.
    """
    where = find_bundle(run) / FACTS_NAME
    shape = parse_facts(read_json(where), where=str(where)).shape
    shape.require((SINGLE.name, MULTI.name), doing="limbeck threshold", todo=_instead(shape))
    return shape


def _instead(shape: Task) -> str:
    if shape == MULTI:
        return "Each of its labels has a threshold of its own: `limbeck threshold` without --coverage chooses them"
    return _INSTEAD.get(shape.name, "")


def _source(run: Path, predictions: Path | None, names: tuple[str, ...]) -> Path:
    """Return the file of predictions to choose on: the one that was given, else the first of the run's."""
    places = [predictions] if predictions is not None else [run / "predictions" / f"{name}.parquet" for name in names]
    there = next((place for place in places if predictions is not None or place.is_file()), None)
    if there is None:
        raise SettingsError(
            f"{run} has no predictions/{names[-1]}.parquet to choose thresholds on: write predictions of labelled rows "
            "with `limbeck evaluate … --out FILE.parquet`, and give --predictions FILE.parquet"
        )
    return there


def _require_own(given: tuple[str, ...], names: tuple[str, ...], source: Path) -> None:
    if given != names:
        raise DataError(
            f"{source} is of another model: its classes are {', '.join(given)}, the model's {', '.join(names)}; "
            "predict with this model first"
        )


def _require_labelled(rows: np.ndarray, source: Path) -> None:
    if not len(rows):
        raise DataError(f"{source} has no row whose label is known: thresholds are chosen by right and wrong answers")


def _say_not_reached(chosen: Thresholds, source: Path) -> str:
    goal, best = chosen.goal, max(chosen.chosen, key=_most)
    of = f" of {best.label}" if best.label is not None else ""
    could = (
        f"the most that a threshold could promise{of} is {best.most_precision:.3f}"
        if best.most_precision
        else "there are too few rows to promise it of, even if every answer were right"
    )
    return (
        f"a precision of {goal.precision} cannot be promised with confidence {goal.confidence} on {source}: "
        f"{could}. Nothing was written; ask for less, give more labelled rows with --predictions, or train again"
    )


def _most(one: Threshold) -> float:
    return one.most_precision
