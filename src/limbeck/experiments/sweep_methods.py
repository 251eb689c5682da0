"""Sweeps over the three methods: what each varies, and how one trial of it is trained.

In: a `Dataset` and the settings of a method. Out: a `Sweep`. It does not know how settings are chosen.
"""

from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from limbeck import storage
from limbeck.catalog.presets import load_encoder_folder
from limbeck.data.dataset import Dataset
from limbeck.errors import SettingsError
from limbeck.experiments.search_space import first_values, read_space, space_of
from limbeck.experiments.sweep import Plan, run_sweep
from limbeck.experiments.sweep_result import Sweep
from limbeck.features.cache import FeatureCache
from limbeck.methods.finetune import FinetuneRecipe, Finetuning
from limbeck.methods.head import HEAD_RATE, HeadRecipe, HeadTraining
from limbeck.methods.probe import ProbeTraining, train_probe
from limbeck.progress import SILENT, Progress, ProgressLike, as_progress
from limbeck.runs.run_folder import RunFolder
from limbeck.settings import SweepSettings
from limbeck.training.job import train
from limbeck.training.journal import AfterEpoch, EpochLine, EpochScores, read_epochs
from limbeck.training.optim import default_learning_rate
from limbeck.training.team import is_one_of_many

Settings = ProbeTraining | HeadTraining | Finetuning
"""Of a whole training."""


@dataclass(frozen=True, kw_only=True)
class Sweeping:
    """A sweep's settings.

    Attributes:
        base: of a training: what is not varied, and where the search begins.
        search: budget and figure.
        space: a TOML file with a search space of one's own; what is sensible for the method when not given.
    """

    base: Settings
    search: SweepSettings = field(default_factory=SweepSettings)
    space: Path | None = None


def sweep(
    dataset: Dataset,
    out: str | Path,
    settings: Sweeping,
    *,
    resume: bool = False,
    cache: FeatureCache | None = None,
    progress: ProgressLike = SILENT,
) -> Sweep:
    """Look for better settings of a method, within a budget of minutes.

    Args:
        dataset: labelled rows; validation rows decide, the test split is never looked at.
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
        >>> found = sweep(read("reviews.csv"), "SWEEP", Sweeping(base=Finetuning()))  # doctest: +SKIP
        >>> found.best.values  # doctest: +SKIP
    """
    progress = as_progress(progress)
    if is_one_of_many():
        raise SettingsError("a sweep runs in one process: run limbeck without torchrun")
    base, space = settings.base, settings.space
    if not isinstance(base, ProbeTraining):
        if loop_of(base).seeds > 1:
            raise SettingsError("a sweep trains each of its settings once: leave seeds out, and train the best with it")
        name = method_of(base)
        base = replace(base, **{name: replace(loop_of(base), best_by=settings.search.by)})
    rate = _usual_rate(base, progress)
    knobs = read_space(space, method_of(base), base) if space else space_of(method_of(base), base, rate)
    plan = Plan(
        base=base,
        knobs=knobs,
        first=first_values(base, knobs, {"learning_rate": rate, "dropout": 0.1}),
        train=partial(_train, dataset, cache or FeatureCache()),
    )
    return run_sweep(dataset, Path(out), plan, settings.search, resume=resume, progress=progress)


def method_of(base: Settings) -> str:
    """Return the name of the method that settings are of."""
    if isinstance(base, ProbeTraining):
        return "probe"
    return "head" if isinstance(base, HeadTraining) else "finetune"


def loop_of(base: HeadTraining | Finetuning) -> Any:
    """Return the settings of the loop."""
    return base.head if isinstance(base, HeadTraining) else base.finetune


def _usual_rate(base: Settings, progress: Progress) -> float | None:
    """Return the learning rate that the settings say, or that suits the encoder."""
    if isinstance(base, ProbeTraining):
        return None
    said = loop_of(base).learning_rate
    if isinstance(said, float):
        return said
    if isinstance(base, HeadTraining):
        return HEAD_RATE
    return default_learning_rate(load_encoder_folder(base.features.encoder, progress=progress).config.dim)


def _train(
    dataset: Dataset, cache: FeatureCache, base: Settings, out: Path, after_epoch: AfterEpoch, progress: Progress
) -> dict[str, Any]:
    """Train with settings, going on with what is in the folder; return what its `metrics.json` holds."""
    folder = RunFolder(out)
    if isinstance(base, ProbeTraining):
        return dict(train_probe(dataset, out, base, cache=cache, overwrite=True, progress=progress).metrics)
    # What was told before a kill is told again: the new number of the trial knows nothing of it.
    for line in _epochs_so_far(folder):
        after_epoch(line)
    if folder.metrics.exists():
        return dict(storage.read_json(folder.metrics))
    recipe = FinetuneRecipe(base, dataset) if isinstance(base, Finetuning) else HeadRecipe(base, dataset, cache)
    run = train(recipe, out, "resume", progress=progress, after_epoch=after_epoch)
    return dict(run.metrics)


def _epochs_so_far(folder: RunFolder) -> list[EpochLine]:
    return list(read_epochs(folder.journal, EpochScores)) if folder.journal.exists() else []
