"""The data of a past run: where they came from, read again as the run used them.

In: the folder of any finished run of a classifier. Out: its rows, with its splits. It does not know how it was trained.
"""

from dataclasses import dataclass
from pathlib import Path

from limbeck import storage
from limbeck.data.dataset import Dataset
from limbeck.errors import DataError, SettingsError, StorageError
from limbeck.progress import SILENT, Progress
from limbeck.reading.read import read_with
from limbeck.runs.run_folder import RunFolder, require_finished
from limbeck.runs.training_rows import training_rows
from limbeck.setting_tables import build, read_toml
from limbeck.settings import ReadSettings, SplitSettings
from limbeck.task import REGRESSION


@dataclass(frozen=True, kw_only=True)
class PastData:
    """The data of a finished run.

    Attributes:
        path: of the run, as it was given.
        source: where they came from, as it was given.
        fingerprint: of them, splits included.
        label_names: in the order of the run; a student has its teacher's.
        read: how they were read.
        split: how they were split.
    """

    path: Path
    source: str
    fingerprint: str
    label_names: tuple[str, ...]
    read: ReadSettings
    split: SplitSettings


def open_past_data(path: Path) -> PastData:
    """Read what a finished run says of its data.

    Raises:
        SettingsError: it is no finished run of a classifier.
        StorageError: a file is unreadable.
    """
    folder = RunFolder(path)
    require_finished(path)
    metrics, record = storage.read_json(folder.metrics), storage.read_json(folder.record)
    judged = metrics.get("validation", {})
    labels = judged.get("labels", () if judged.get("task") == REGRESSION.name else None)
    if labels is None:
        raise SettingsError(f"{path} was made by {metrics.get('method')!r}, which learns from texts without labels")
    tables, where = read_toml(folder.settings), str(folder.settings)
    return PastData(
        path=path,
        source=record["data"]["source"],
        fingerprint=record["data"]["fingerprint"],
        label_names=tuple(labels),
        read=build(ReadSettings, tables.get("read", {}), where=where),
        split=build(SplitSettings, tables.get("split", {}), where=where),
    )


def read_data_of(past: PastData, data: str | None = None, progress: Progress = SILENT) -> Dataset:
    """Read a run's data again, with the splits that it used.

    Args:
        past: what the run says of them.
        data: where they are now; where they were when not given.
        progress: follows the reading.

    Raises:
        SettingsError: they are no longer where they were.
        DataError: they are not those that the run was trained on.
    """
    source = data or past.source
    try:
        dataset = read_with(source, past.read, progress)
    except StorageError as error:
        if data is not None:
            raise
        raise SettingsError(
            f"{past.path} was trained on {past.source}, which cannot be read now ({error}): give the data after the run"
        ) from error
    if past.label_names and set(dataset.label_names) == set(past.label_names):
        dataset = dataset.with_label_names(past.label_names)
    used = training_rows(dataset, past.split, folds_may_judge=True).dataset
    # Of several seeds the record is of the rows as they were read, before any were taken to judge by.
    if past.fingerprint not in (used.fingerprint(), dataset.fingerprint()):
        raise DataError(
            f"{source} is not what {past.path} was trained on (texts, labels, row ids or splits differ): "
            "give the data of the run after it, or train again"
        )
    return used
