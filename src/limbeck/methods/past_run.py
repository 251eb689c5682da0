"""A past run: what a finished run folder says of how it was made, and how to do the same again.

In: a run folder. Out: its method and settings, and further trainings with the same settings.
It does not know why anybody wants them again.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from limbeck import storage
from limbeck.data.dataset import Dataset
from limbeck.errors import SettingsError
from limbeck.features.cache import FeatureCache
from limbeck.methods.table import CLASSIFIERS
from limbeck.progress import SILENT, Progress
from limbeck.runs.past_data import PastData, open_past_data
from limbeck.runs.run_folder import RunFolder
from limbeck.setting_tables import build, read_toml
from limbeck.settings import FeatureSettings


@dataclass(frozen=True, kw_only=True)
class PastRun:
    """A finished run.

    Attributes:
        folder: its places.
        method: of `CLASSIFIERS`.
        training: the settings of every stage.
        data: where its data are, and how they were read and split.
        metrics: what metrics.json holds.
    """

    folder: RunFolder
    method: str
    training: Any
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
    if method not in CLASSIFIERS:
        raise SettingsError(f"{path} was made by {method!r}: give a run of {', '.join(CLASSIFIERS)}")
    kind = CLASSIFIERS[method].training
    fitting = type(kind().fitting)
    training = kind(  # type: ignore[call-arg]  # every classifier's training has these stages
        read=data.read,
        split=data.split,
        features=build(FeatureSettings, tables.get("features", {}), where=where),
        **{method: build(fitting, tables.get(method, {}), where=where)},
    )
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
) -> Any:
    """Train with a run's method and settings on other rows; one seed; an unfinished run in `out` goes on.

    Raises:
        LimbeckError: what the method's own training raises.
    """
    method = CLASSIFIERS[run.method]
    if not method.by_steps:
        return method.train(dataset, out, run.training, cache=cache, progress=progress)
    once = run.training.with_fitting(seeds=1)
    return method.train(dataset, out, once, cache=cache, start="resume", progress=progress)
