"""A past run: what a finished run folder says of how it was made, and how to do the same again.

In: a run folder. Out: its method and settings, and further trainings with the same settings.
It does not know why anybody wants them again.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from limbeck import storage
from limbeck.data.dataset import Dataset
from limbeck.errors import SettingsError
from limbeck.features.cache import FeatureCache
from limbeck.methods.finetune import Finetuning, finetune
from limbeck.methods.head import HeadTraining, train_head
from limbeck.methods.probe import ProbeRun, ProbeTraining, train_probe
from limbeck.progress import SILENT, Progress
from limbeck.runs.past_data import PastData, open_past_data
from limbeck.runs.run_folder import RunFolder
from limbeck.settings import (
    FeatureSettings,
    FinetuneSettings,
    HeadSettings,
    ProbeSettings,
    build,
    read_toml,
)
from limbeck.training.outcome import LoopRun

AnyTraining = ProbeTraining | HeadTraining | Finetuning


@dataclass(frozen=True, kw_only=True)
class PastRun:
    """A finished run.

    Attributes:
        folder: its places.
        method: "probe", "head" or "finetune".
        training: the settings of every stage.
        data: where its data are, and how they were read and split.
        metrics: what metrics.json holds.
    """

    folder: RunFolder
    method: str
    training: AnyTraining
    data: PastData
    metrics: dict[str, Any]


def open_past_run(path: Path) -> PastRun:
    """Read how a finished run was made.

    Raises:
        SettingsError: it is no finished run, or one of a method that is not done again.
        StorageError: a file is unreadable.
    """
    folder, data = RunFolder(path), open_past_data(path)
    metrics = storage.read_json(folder.metrics)
    method = metrics.get("method")
    tables = read_toml(folder.settings)
    where = str(folder.settings)
    features = build(FeatureSettings, tables.get("features", {}), where=where)
    training: AnyTraining
    if method == "probe":
        probe = build(ProbeSettings, tables.get("probe", {}), where=where)
        training = ProbeTraining(read=data.read, split=data.split, features=features, probe=probe)
    elif method == "head":
        head = build(HeadSettings, tables.get("head", {}), where=where)
        training = HeadTraining(read=data.read, split=data.split, features=features, head=head)
    elif method == "finetune":
        finetuned = build(FinetuneSettings, tables.get("finetune", {}), where=where)
        training = Finetuning(read=data.read, split=data.split, features=features, finetune=finetuned)
    else:
        raise SettingsError(f"{path} was made by {method!r}: give a run of probe, head or finetune")
    return PastRun(
        folder=folder,
        method=method,
        training=training,
        data=data,
        metrics=metrics,
    )


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
