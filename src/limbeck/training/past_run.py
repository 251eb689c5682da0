"""A past run: what a finished run folder says of how it was made, and how to do the same again.

In: a run folder. Out: its method and settings, its data, and further trainings with the same settings.
It does not know why anybody wants them again.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from limbeck import storage
from limbeck.data.dataset import Dataset
from limbeck.data.read import read_with
from limbeck.errors import DataError, SettingsError, StorageError
from limbeck.features.cache import FeatureCache
from limbeck.progress import SILENT, Progress
from limbeck.settings import (
    FeatureSettings,
    FinetuneSettings,
    HeadSettings,
    ProbeSettings,
    ReadSettings,
    SplitSettings,
    build,
    read_toml,
)
from limbeck.training.finetuning import Finetuning, finetune
from limbeck.training.head_training import HeadTraining, train_head
from limbeck.training.loop_run import LoopRun
from limbeck.training.probe_training import ProbeRun, ProbeTraining, train_probe
from limbeck.training.rows import training_rows
from limbeck.training.run_folder import RunFolder

AnyTraining = ProbeTraining | HeadTraining | Finetuning


@dataclass(frozen=True, kw_only=True)
class PastRun:
    """A finished run.

    Attributes:
        folder: its places.
        method: "probe", "head" or "finetune".
        training: the settings of every stage.
        source: where its data came from, as it was given.
        fingerprint: of its data, splits included.
        metrics: what metrics.json holds.
    """

    folder: RunFolder
    method: str
    training: AnyTraining
    source: str
    fingerprint: str
    metrics: dict[str, Any]


def open_past_run(path: Path) -> PastRun:
    """Read how a finished run was made.

    Raises:
        SettingsError: it is no finished run, or one of a method that is not done again.
        StorageError: a file is unreadable.
    """
    folder = RunFolder(path)
    if not folder.metrics.is_file() or not folder.record.is_file():
        raise SettingsError(f"{path} is no finished run: give the folder of a finished `limbeck train --out`")
    metrics, record = storage.read_json(folder.metrics), storage.read_json(folder.record)
    method = metrics.get("method")
    tables = read_toml(folder.settings)
    where = str(folder.settings)
    read = build(ReadSettings, tables.get("read", {}), where=where)
    split = build(SplitSettings, tables.get("split", {}), where=where)
    features = build(FeatureSettings, tables.get("features", {}), where=where)
    training: AnyTraining
    if method == "probe":
        probe = build(ProbeSettings, tables.get("probe", {}), where=where)
        training = ProbeTraining(read=read, split=split, features=features, probe=probe)
    elif method == "head":
        head = build(HeadSettings, tables.get("head", {}), where=where)
        training = HeadTraining(read=read, split=split, features=features, head=head)
    elif method == "finetune":
        finetuned = build(FinetuneSettings, tables.get("finetune", {}), where=where)
        training = Finetuning(read=read, split=split, features=features, finetune=finetuned)
    else:
        raise SettingsError(f"{path} was made by {method!r}: give a run of probe, head or finetune")
    return PastRun(
        folder=folder,
        method=method,
        training=training,
        source=record["data"]["source"],
        fingerprint=record["data"]["fingerprint"],
        metrics=metrics,
    )


def read_data_of(run: PastRun, data: str | None = None, progress: Progress = SILENT) -> Dataset:
    """Read a run's data again, with the splits that it used.

    Args:
        run: the run.
        data: where they are now; where they were when not given.
        progress: follows the reading.

    Raises:
        SettingsError: they are no longer where they were.
        DataError: they are not those that the run was trained on.
    """
    source = data or run.source
    try:
        dataset = read_with(source, run.training.read, progress)
    except StorageError as error:
        if data is not None:
            raise
        raise SettingsError(
            f"{run.folder.path} was trained on {run.source}, which cannot be read now ({error}): "
            "give the data after the run, limbeck labels RUN DATA"
        ) from error
    used = training_rows(dataset, run.training.split).dataset
    if used.fingerprint() != run.fingerprint:
        raise DataError(
            f"{source} is not what {run.folder.path} was trained on (texts, labels, row ids or splits differ): "
            "give the data of the run after it, or train again"
        )
    return used


def train_again(
    run: PastRun,
    dataset: Dataset,
    out: Path,
    *,
    cache: FeatureCache | None = None,
    progress: Progress = SILENT,
) -> ProbeRun | LoopRun:
    """Train with a run's method and settings on other rows; one seed; an unfinished run in `out` goes on.

    Raises:
        LimbeckError: what the method's own training raises.
    """
    training = run.training
    if isinstance(training, ProbeTraining):
        return train_probe(dataset, out, training, cache=cache, progress=progress)
    if isinstance(training, HeadTraining):
        once = replace(training, head=replace(training.head, seeds=1))
        return train_head(dataset, out, once, cache=cache, start="resume", progress=progress)
    alone = replace(training, finetune=replace(training.finetune, seeds=1))
    return finetune(dataset, out, alone, start="resume", progress=progress)
