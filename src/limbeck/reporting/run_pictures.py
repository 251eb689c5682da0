"""The pictures of a run: how frequent the classes are, and which are taken for which.

In: a dataset with its splits, an evaluation. Out: PNG and SVG files in a folder.
It does not know how the run was made.
"""

from pathlib import Path

import numpy as np

from limbeck.data.dataset import Dataset
from limbeck.evaluation.evaluation import Evaluation
from limbeck.reporting.charts import class_frequency, confusion_matrix


def write_run_pictures(dataset: Dataset, validation: Evaluation, folder: Path) -> list[Path]:
    """Write `class_frequency` and `confusion` as PNG and SVG.

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
    return [folder / f"{name}.png" for name in pictures]


def _class_counts(rows: Dataset) -> list[int]:
    """Rows a class; rows without a label do not count."""
    labels = rows.table["label"].drop_null().to_numpy()
    counts: list[int] = np.bincount(labels, minlength=len(rows.label_names)).tolist()
    return counts
