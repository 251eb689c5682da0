"""Rescoring: the same training on corrected labels, and whether what changed is more than noise.

In: a finished run and its data with corrected labels. Out: `Rescored`: the new run, and both models beside each other
on the run's own validation rows. It does not know who corrected what.

Where labels of validation rows were corrected too, the yardstick itself has changed: both models are then measured
twice, by the corrected labels and by the old ones, and by each alike.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from limbeck import storage
from limbeck.data.dataset import Dataset
from limbeck.display.views import View
from limbeck.errors import DataError
from limbeck.evaluation import metrics
from limbeck.evaluation.comparison import LEAST_P, Comparison, compare_answers
from limbeck.evaluation.prediction_files import read_predictions
from limbeck.evaluation.predictions import Predictions
from limbeck.features.cache import FeatureCache
from limbeck.methods.past_run import PastRun, train_again
from limbeck.progress import SILENT, Progress
from limbeck.runs.run_folder import RunFolder

RUN_NAME = "run"
COMPARISON_NAME = "rescore.json"


@dataclass(frozen=True, kw_only=True, eq=False)
class BeforeAfter:
    """Both models on the validation rows, measured by one set of labels.

    Attributes:
        measured_by: "corrected labels" or "labels as they were".
        before: accuracy of the run's own model.
        after: accuracy of the model trained on corrected labels.
        comparison: after beside before, paired by row.
    """

    measured_by: str
    before: float
    after: float
    comparison: Comparison

    @property
    def is_shown(self) -> bool:
        """Whether the change of accuracy is more than noise: McNemar's p below 0.05."""
        return self.comparison.mcnemar.p_value < LEAST_P

    def __str__(self) -> str:
        change, test = self.comparison.accuracy, self.comparison.mcnemar
        verdict = "more than noise" if self.is_shown else "no difference shown: it may be noise"
        return (
            f"by {self.measured_by}: accuracy {self.before:.4f} → {self.after:.4f}, change {change.value:+.4f} "
            f"(95 % {change.low:+.4f} to {change.high:+.4f}); {test.mended:,} rows mended, {test.broken:,} broken, "
            f"McNemar p = {test.p_value:.2g}: {verdict}"
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "measured_by": self.measured_by,
            "accuracy_before": self.before,
            "accuracy_after": self.after,
            "more_than_noise": self.is_shown,
            "in_words": str(self),
            **self.comparison.to_dict(),
        }


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Rescored(View):
    """What retraining on corrected labels came to.

    Attributes:
        folder: the new run.
        found: measured by the corrected labels, and by the old ones where some of the validation rows' changed.
        changed_validation: validation rows whose label was corrected.
    """

    folder: RunFolder
    found: tuple[BeforeAfter, ...]
    changed_validation: int

    def _lines(self) -> tuple[str, str]:
        return f"The run on corrected labels: {self.folder.path}", str(self.found[0])

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "run": str(self.folder.path),
            "changed_validation": self.changed_validation,
            "found": [one.to_dict() for one in self.found],
        }


def rescore(
    run: PastRun, corrected: Dataset, folder: Path, *, cache: FeatureCache | None = None, progress: Progress = SILENT
) -> Rescored:
    """Train with the run's settings on corrected labels and compare on the run's validation rows.

    Args:
        run: a finished run.
        corrected: its data with corrected labels; row ids tell which rows are the run's validation rows.
        folder: of the corrections; `run/` in it becomes the new run, `rescore.json` holds the comparison.
        cache: of features; they are those of the run, for texts did not change.
        progress: is told what is being done.

    Raises:
        DataError: the data are not those of the run.
        LimbeckError: what the training raises.
    """
    before = read_predictions(run.folder.predictions("validation"))
    dataset = _with_splits_of(run, before, corrected)
    trained = train_again(run, dataset, folder / RUN_NAME, cache=cache, progress=progress)
    after = read_predictions(trained.folder.predictions("validation"))
    place = {row_id: number for number, row_id in enumerate(after.row_ids)}
    order = np.array([place[row_id] for row_id in before.row_ids])
    names = before.label_names
    columns = [after.label_names.index(name) for name in names]
    after_NC = after.probabilities[order][:, columns]
    new_N = np.array([names.index(after.label_names[label]) for label in after.known_labels[order]])
    old_N = before.known_labels
    yardsticks = [("corrected labels", new_N)]
    if changed := int((new_N != old_N).sum()):
        yardsticks.append(("labels as they were", old_N))
    rescored = Rescored(
        folder=trained.folder,
        found=tuple(
            BeforeAfter(
                measured_by=what,
                before=_accuracy(before.probabilities, labels_N),
                after=_accuracy(after_NC, labels_N),
                comparison=compare_answers(before.probabilities, after_NC, labels_N, names),
            )
            for what, labels_N in yardsticks
        ),
        changed_validation=changed,
    )
    storage.write_json(folder / COMPARISON_NAME, rescored.to_dict())
    return rescored


def _with_splits_of(run: PastRun, before: Predictions, corrected: Dataset) -> Dataset:
    """Give the rows the splits that the run used, which may have made its validation rows of training rows."""
    validation = set(before.row_ids)
    if missing := validation - set(corrected.row_ids):
        raise DataError(
            f"{len(missing):,} of {len(before):,} validation rows of {run.folder.path} are not in {corrected.source} "
            f"(the first: {min(missing)}): give the data that the run was trained on"
        )
    splits = corrected.table["split"].cast(pa.string()).to_pylist()
    rows = zip(corrected.row_ids, splits, strict=True)
    return corrected.with_splits(["validation" if row_id in validation else split for row_id, split in rows])


def _accuracy(probabilities_NC: np.ndarray, labels_N: np.ndarray) -> float:
    return float((metrics.predicted_labels(probabilities_NC) == labels_N).mean())
