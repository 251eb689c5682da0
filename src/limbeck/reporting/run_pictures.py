"""The pictures of a run, drawn after it: classes, confusions, epochs, learning rates.

In: a finished run. Out: PNG and SVG files in its folder. It does not know how the run was made.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow.compute as pc

from limbeck import storage
from limbeck.data.dataset import Dataset
from limbeck.errors import MissingExtraError
from limbeck.evaluation.evaluation import Evaluation
from limbeck.evaluation.ordinal_evaluation import OrdinalEvaluation
from limbeck.progress import SILENT, Progress
from limbeck.reporting.charts import class_frequency, confusion_matrix
from limbeck.reporting.curves import learning_curves, rate_curve
from limbeck.reporting.picture import Picture
from limbeck.task import MULTI

if TYPE_CHECKING:
    from limbeck.methods.probe import ProbeRun
    from limbeck.training.outcome import LoopRun


def draw_pictures(run: "LoopRun | ProbeRun", progress: Progress = SILENT) -> list[Path]:
    """Draw what a run can be seen by, and say what could not be shown as it is.

    Where matplotlib or a font is missing, it says so, and what to install: a run is whole without its pictures.

    Returns:
        The PNG files; an SVG stands beside each.

    Raises:
        StorageError: the folder cannot be written.
    """
    try:
        pictures = _pictures_of(run)
    except MissingExtraError as error:
        progress.say(f"no pictures were drawn, the run is whole without them: {error}")
        return []
    folder = run.folder.pictures
    for name, picture in pictures.items():
        picture.write(folder, name)
        for notice in picture.notices:
            progress.say(f"{folder / name}: {notice}")
    return [folder / f"{name}.png" for name in pictures]


def _pictures_of(run: "LoopRun | ProbeRun") -> dict[str, Picture]:
    dataset, pictures = run.dataset, {}
    if dataset.task.has_classes:
        counts = {name: _class_counts(dataset.split(name)) for name in dataset.split_names}
        counts = {name: found for name, found in counts.items() if sum(found)}
        pictures["class_frequency"] = class_frequency(counts, dataset.label_names)
    if isinstance(run.validation, Evaluation | OrdinalEvaluation):
        pictures["confusion"] = confusion_matrix(run.validation.confusion_counts, dataset.label_names)
    if "epochs" in run.metrics:
        pictures["learning_curves"] = learning_curves(run.metrics["epochs"], best_epoch=run.metrics["best_epoch"])
    if run.folder.rate_curve.exists():
        pictures["learning_rate"] = rate_curve(storage.read_json(run.folder.rate_curve))
    return pictures


def _class_counts(rows: Dataset) -> list[int]:
    """Rows a class, or rows with each label; rows that are not labelled do not count."""
    known = rows.table["label"].drop_null()
    labels = (pc.list_flatten(known) if rows.task == MULTI else known).to_numpy()
    counts: list[int] = np.bincount(labels, minlength=len(rows.label_names)).tolist()
    return counts
