"""Thresholds of a finished model: chosen on its predictions, written into its bundle.

In: a run folder or a bundle, a goal, predictions of rows whose labels are known. Out: thresholds, in the bundle.
It does not compute predictions, nor know how a threshold is chosen (see `evaluation.thresholds`).
"""

from pathlib import Path

from limbeck.errors import DataError, SettingsError
from limbeck.evaluation.prediction_files import read_predictions
from limbeck.evaluation.predictions import Predictions
from limbeck.evaluation.thresholds import Goal, Threshold, Thresholds, choose_thresholds
from limbeck.folder_lock import lock
from limbeck.inference.predictor import find_bundle
from limbeck.model.bundle import load_bundle, set_thresholds


def write_thresholds(run: Path, goal: Goal, predictions: Path | None = None) -> Thresholds:
    """Choose the thresholds of a model and write them into its bundle; other thresholds in it go.

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
    names = load_bundle(folder).facts.label_names
    source = predictions or run / "predictions" / "validation.parquet"
    if predictions is None and not source.is_file():
        raise SettingsError(
            f"{run} has no predictions/validation.parquet to choose thresholds on: write predictions of labelled rows "
            "with `limbeck evaluate … --out FILE.parquet`, and give --predictions FILE.parquet"
        )
    found = read_predictions(source)
    _require_own(found, names, source)
    rows = found.labelled_rows
    if not len(rows):
        raise DataError(f"{source} has no row whose label is known: thresholds are chosen by right and wrong answers")
    chosen = choose_thresholds(found.probabilities[rows], found.known_labels, names, goal)
    if not chosen.is_reached:
        raise DataError(_say_not_reached(chosen, source))
    with lock(run):
        set_thresholds(folder, chosen.values, chosen={**chosen.to_dict(), "rows": len(rows), "source": source.name})
    return chosen


def clear_thresholds(run: Path) -> None:
    """Take the thresholds out of a model: it answers every row again.

    Raises:
        BundleError: there is no model, or it was changed since it was written.
    """
    folder = find_bundle(run)
    with lock(run):
        set_thresholds(folder, None, chosen=None)


def _require_own(found: Predictions, names: tuple[str, ...], source: Path) -> None:
    if found.label_names != names:
        raise DataError(
            f"{source} is of another model: its classes are {', '.join(found.label_names)}, the model's "
            f"{', '.join(names)}; predict with this model first"
        )


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
