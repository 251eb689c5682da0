"""Cross-fitting: every training row answered by a model of the same kind that did not learn from it.

    RUN/cross_fit/5_folds/
    ├── 0/ … 4/               a run for each fold: trained on the other folds, chosen on the run's own validation rows
    └── 0.parquet … 4.parquet its answers to the rows that it did not see; when they are there, its bundle is gone

In: a finished run and its data. Out: `Predictions` of the training rows, in their order. Killed at any moment it goes
on with the fold at hand when it is called again. It does not know what the answers are for.
"""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from limbeck import storage
from limbeck.data.dataset import Dataset
from limbeck.errors import SettingsError
from limbeck.evaluation.prediction_files import read_predictions, write_predictions
from limbeck.evaluation.predictions import Predictions
from limbeck.features.cache import FeatureCache
from limbeck.inference.answers import classes_of
from limbeck.inference.predictor import load
from limbeck.linear.folds import assign_folds
from limbeck.methods.past_run import PastRun, train_again
from limbeck.methods.probe_kinds import OUT_OF_FOLD
from limbeck.progress import SILENT, Progress
from limbeck.runs.run_folder import RunFolder
from limbeck.runs.training_rows import alike_texts

FOLD_SEED = 0
"""Of the folds: the same number of folds gives the same folds, so that a second call finds what the first one made."""


def cross_fit(
    run: PastRun, dataset: Dataset, *, folds: int, cache: FeatureCache | None = None, progress: Progress = SILENT
) -> Predictions:
    """Train a model a fold with the run's settings, and keep the answers as the run's out-of-fold predictions.

    Args:
        run: a finished run.
        dataset: its data, with the splits that it used (`past_data.read_data_of`).
        folds: 2 or more; each model learns from all but 1 / folds of the training rows.
        cache: of features, for a head.
        progress: is told of each fold.

    Raises:
        SettingsError: too few folds, or more than a class has rows.
        LimbeckError: what the training raises; `Interrupted` leaves what is done in place.
    """
    train = dataset.split("train")
    smallest = int(np.bincount(train.labels).min())
    if not 2 <= folds <= smallest:
        raise SettingsError(f"{folds} folds are not possible: give 2 to {smallest}, the rows of the smallest class")
    fold_N = assign_folds(train.labels, folds=folds, seed=FOLD_SEED, group_N=alike_texts(train.texts, progress))
    place = run.folder.cross_fit / f"{folds}_folds"
    parts = []
    for fold in range(folds):
        progress.say(f"fold {fold + 1} of {folds}")
        seen, unseen = train.select(np.flatnonzero(fold_N != fold)), train.select(np.flatnonzero(fold_N == fold))
        parts.append(
            _answers(
                run,
                _joined(seen, dataset.split("validation")),
                unseen,
                place / str(fold),
                cache=cache,
                progress=progress,
            )
        )
    order = np.argsort(np.concatenate([np.flatnonzero(fold_N == fold) for fold in range(folds)]))
    found = _merged(parts, train, order)
    write_predictions(run.folder.predictions(OUT_OF_FOLD), found)
    return found


def _answers(
    run: PastRun, learned: Dataset, unseen: Dataset, out: Path, *, cache: FeatureCache | None, progress: Progress
) -> Predictions:
    """Return a fold's answers, from the disk where they are there."""
    answers = out.with_suffix(".parquet")
    if answers.exists():
        found = read_predictions(answers)
        if found.row_ids != tuple(unseen.row_ids):
            raise SettingsError(f"{answers} holds answers to other rows: remove {out.parent} and begin again")
        progress.say(f"{answers} is there already")
        return found
    own = RunFolder(out)
    if not own.metrics.exists():
        train_again(run, learned, out, cache=cache, progress=progress)
    found = classes_of(load(out, device=run.training.features.device).predict_dataset(unseen, progress=progress))
    write_predictions(answers, found)
    with storage.explained(own.bundle, doing="remove"):
        shutil.rmtree(own.bundle)
    return found


def _joined(seen: Dataset, validation: Dataset) -> Dataset:
    """Put the training rows of a fold and the validation rows into one dataset."""
    tables = [part.table.unify_dictionaries() for part in (seen, validation)]
    return replace(seen, table=pa.concat_tables(tables).unify_dictionaries(), notes=())


def _merged(parts: list[Predictions], train: Dataset, order: np.ndarray) -> Predictions:
    return Predictions(
        row_ids=tuple(train.row_ids),
        label_names=parts[0].label_names,
        probabilities=np.concatenate([part.probabilities for part in parts])[order],
        true_labels=train.with_label_names(parts[0].label_names).table["label"],
        tokens=np.concatenate([part.tokens for part in parts])[order],
        truncated=np.concatenate([part.truncated for part in parts])[order],
        texts=tuple(train.texts),
    )
