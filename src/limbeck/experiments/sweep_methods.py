"""A sweep over the settings of any method: what it varies, and how one trial of it is trained.

In: what is learnt from, and the settings of a training. Out: a `Sweep`. It does not know how settings are chosen.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from limbeck import storage
from limbeck.data.dataset import Dataset
from limbeck.errors import SettingsError
from limbeck.experiments.search_space import first_values, read_space
from limbeck.experiments.sweep import SweepPlan, run_sweep
from limbeck.experiments.sweep_folder import Sweep
from limbeck.features.cache import FeatureCache
from limbeck.methods.distil import Curriculum
from limbeck.methods.knobs import knobs_for
from limbeck.methods.language import Perplexity
from limbeck.methods.table import Method, method_of
from limbeck.methods.trainings import Stages
from limbeck.progress import SILENT, Progress, ProgressLike, as_progress
from limbeck.reading.text_stream import TextStream
from limbeck.runs.run_folder import RunFolder
from limbeck.runtime import is_one_of_many
from limbeck.settings import SweepSettings
from limbeck.task import SINGLE, Task
from limbeck.training.job import train
from limbeck.training.journal import EPOCH_LINES, AfterEpoch, EpochLine, read_epochs

Material = Dataset | Curriculum | TextStream
"""What a method learns from."""


@dataclass(frozen=True, kw_only=True)
class Sweeping:
    """A sweep's settings.

    Attributes:
        base: of a training: what is not varied, and where the search begins.
        search: budget and figure.
        space: a TOML file with a search space of one's own; what is sensible for the method when not given.
    """

    base: Stages
    search: SweepSettings = field(default_factory=SweepSettings)
    space: Path | None = None


def sweep(
    material: Material,
    out: str | Path,
    settings: Sweeping,
    *,
    resume: bool = False,
    cache: FeatureCache | None = None,
    progress: ProgressLike = SILENT,
) -> Sweep:
    """Look for better settings of a method, within a budget of minutes.

    Args:
        material: labelled rows; of a distillation a `Curriculum`, of a pretraining a `TextStream`. Validation rows
            decide, the test split is never looked at.
        out: the folder of the sweep.
        settings: of the training and of the search.
        resume: go on with the sweep in `out`.
        cache: where features are kept; the user's cache folder when not given.
        progress: is told of every trial.

    Raises:
        MissingExtraError: Optuna is absent.
        SettingsError: the settings, the space or `out` are wrong.
        Interrupted: a signal came; `resume` goes on.

    Example:
        >>> settings = Sweeping(base=ProbeTraining(), search=SweepSettings(most_trials=1))
        >>> found = sweep(data, "SWEEP", settings)
        >>> len(found.trials)
        1
    """
    progress = as_progress(progress)
    if is_one_of_many():
        raise SettingsError("a sweep runs in one process: run limbeck without torchrun")
    base, method, kept = settings.base, method_of(settings.base), cache or FeatureCache()
    asked, deciding = settings.search.by, _task_of(material).deciding(settings.search.by)
    if deciding != asked:
        progress.say(
            f"trials are judged by {deciding}: --by {asked} means that where a row has {_task_of(material).words}"
        )
    rate = None
    if method.by_steps:
        if base.fitting.seeds > 1:
            raise SettingsError("a sweep trains each of its settings once: leave seeds out, and train the best with it")
        if method.learns_from == "texts" and settings.search.by != "loss":
            raise SettingsError(f"by = {settings.search.by!r}: {method.name} is judged by its loss; give --by loss")
        if method.learns_from != "texts":
            base = base.with_fitting(best_by=deciding)
        known = base.fitting.learning_rate
        rate = known if isinstance(known, float) else method.recipe(base, material, kept).usual_rate(progress)
    own = settings.space
    usual = knobs_for(_task_of(material).name, base.knobs(0.0 if rate is None else rate))
    knobs = read_space(own, method.name, base) if own else usual
    plan = SweepPlan(
        base=base,
        knobs=knobs,
        first=first_values(base, knobs, {"learning_rate": rate, "dropout": 0.1}),
        train=partial(_train, method, material, kept),
        fingerprint=_fingerprint(material),
    )
    return run_sweep(Path(out), plan, replace(settings.search, by=deciding), resume=resume, progress=progress)


def _task_of(material: Material) -> Task:
    """Return the shape of the answers; a pretraining's loss is that of single labels, words."""
    if isinstance(material, TextStream):
        return SINGLE
    return (material.dataset if isinstance(material, Curriculum) else material).task


def _fingerprint(material: Material) -> Any:
    """Return what tells the data of two sweeps apart."""
    if isinstance(material, Curriculum):
        return [material.dataset.fingerprint(), *map(str, material.teachers), len(material.unlabelled)]
    return material.fingerprint()


def _train(  # noqa: PLR0913, PLR0917  # bound to the first three, it is what a sweep calls
    method: Method,
    material: Material,
    cache: FeatureCache,
    base: Stages,
    out: Path,
    after_epoch: AfterEpoch,
    progress: Progress,
) -> dict[str, Any]:
    """Train with settings, going on with what is in the folder; return what its `metrics.json` holds."""
    folder = RunFolder(out)
    if not method.by_steps:
        return dict(method.train(material, out, base, cache=cache, start="overwrite", progress=progress).metrics)
    # What was told before a kill is told again: the new number of the trial knows nothing of it.
    for line in _epochs_so_far(folder, method, material):
        after_epoch(line)
    if folder.metrics.exists():
        return dict(storage.read_json(folder.metrics))
    recipe = method.recipe(base, material, cache)
    run = train(recipe, out, "resume", progress=progress, after_epoch=after_epoch)
    return dict(run.metrics)


def _epochs_so_far(folder: RunFolder, method: Method, material: Material) -> Sequence[EpochLine]:
    if not folder.journal.exists():
        return []
    kind = Perplexity if method.learns_from == "texts" else EPOCH_LINES[_task_of(material).name]
    return list(read_epochs(folder.journal, kind))
