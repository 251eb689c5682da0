"""The pictures of a run: how frequent the classes are, and which are taken for which.

In: a dataset with its splits, an evaluation. Out: PNG and SVG files in a folder.
It does not know how the run was made.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from limbeck.data.dataset import Dataset
from limbeck.evaluation.evaluation import Evaluation
from limbeck.progress import SILENT, Progress
from limbeck.reporting.charts import class_frequency, confusion_matrix
from limbeck.reporting.curves import learning_curves, rate_curve


def write_run_pictures(
    dataset: Dataset, validation: Evaluation, folder: Path, progress: Progress = SILENT
) -> list[Path]:
    """Write `class_frequency` and `confusion` as PNG and SVG, and say what could not be shown as it is.

    Returns:
        The PNG files.

    Raises:
        MissingExtraError: matplotlib, or a font for Hangul, is absent.
        StorageError: the folder cannot be written.
    """
    counts = {name: _class_counts(dataset.split(name)) for name in dataset.split_names}
    pictures = {
        "class_frequency": class_frequency(
            {name: found for name, found in counts.items() if sum(found)}, dataset.label_names
        ),
        "confusion": confusion_matrix(validation.confusion_counts, dataset.label_names),
    }
    for name, picture in pictures.items():
        picture.write(folder, name)
        for notice in picture.notices:
            progress.say(f"{folder / name}: {notice}")
    return [folder / f"{name}.png" for name in pictures]


def write_learning_curves(metrics: Mapping[str, Any], folder: Path) -> Path:
    """Write `learning_curves` as PNG and SVG, from the figures of a run that has epochs.

    Returns:
        The PNG file.

    Raises:
        MissingExtraError: matplotlib is absent.
        StorageError: the folder cannot be written.
    """
    learning_curves(metrics["epochs"], best_epoch=metrics["best_epoch"]).write(folder, "learning_curves")
    return folder / "learning_curves.png"


def write_rate_curve(found: Mapping[str, Any], folder: Path) -> Path:
    """Write `learning_rate` as PNG and SVG, from what the learning-rate finder saw.

    Returns:
        The PNG file.

    Raises:
        MissingExtraError: matplotlib is absent.
        StorageError: the folder cannot be written.
    """
    rate_curve(found).write(folder, "learning_rate")
    return folder / "learning_rate.png"


def _class_counts(rows: Dataset) -> list[int]:
    """Rows a class; rows without a label do not count."""
    labels = rows.table["label"].drop_null().to_numpy()
    counts: list[int] = np.bincount(labels, minlength=len(rows.label_names)).tolist()
    return counts
