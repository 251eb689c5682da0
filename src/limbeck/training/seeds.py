"""Several trainings that differ in nothing but the seed, which tell how much of a figure is chance.

    RUN/
    ├── seeds/0, 1, 2         each a whole run, which is resumed by itself
    ├── metrics.json          of the best on the validation rows, with `seeds` and `spread` beside
    └── bundle/, predictions/ of the same; encoder/ where that is what is trained

In: a `Recipe`, and how one seed is trained. Out: the run of the best seed. It does not know what is trained.
Where validation rows are taken from the training rows, the split is the same for all.
"""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np

from limbeck import storage
from limbeck.errors import SettingsError
from limbeck.progress import SILENT, Progress
from limbeck.runs.run_folder import RunFolder
from limbeck.runs.run_record import claim_run, differences, recorded_numerics
from limbeck.runtime import library_versions
from limbeck.setting_tables import to_plain, to_toml
from limbeck.training.plan import Recipe
from limbeck.training.session import ACCEPTING, Start, opened
from limbeck.training.team import Team

RunT = TypeVar("RunT")
RunOnceT = TypeVar("RunOnceT")


class Once(Protocol[RunOnceT]):
    """Trains one seed."""

    def __call__(self, recipe: Recipe[RunOnceT], out: Path, start: Start, numerics: str | None = None, /) -> RunOnceT:
        """Train, in the arithmetic that is given where there is a choice."""
        ...


def train_seeds(
    recipe: Recipe[RunT], out: Path, start: Start, once: Once[RunT], *, team: Team, progress: Progress
) -> RunT:
    """Train one model per seed, keep the best, and report how far they lie apart.

    Args:
        recipe: what is trained.
        out: the folder of them all.
        start: what to do with a run that is in it.
        once: trains one of them.
        team: the processes that train.
        progress: is told which seed is trained.

    Raises:
        SettingsError: `out` holds another run.
    """
    settings = recipe.loop
    progress = progress if team.is_first else SILENT
    numbers = range(settings.seed, settings.seed + settings.seeds)
    with opened(out, start, team) as folder:
        if team.is_first:
            claim_run(folder, _record(recipe), progress)
        for place, number in enumerate(numbers):
            run = RunFolder(folder.seeds / str(number))
            progress.say(f"seed {number}, {place + 1} of {len(numbers)}")
            if team.tell("done" if run.metrics.exists() else ""):
                progress.say(f"{run.path} is finished already")
                continue
            how: Start = start if start in ACCEPTING else "resume"
            once(recipe.with_loop({"seed": number, "seeds": 1}), run.path, how, _first_numerics(folder, numbers))
        team.wait()
        runs = {number: RunFolder(folder.seeds / str(number)) for number in numbers}
        metrics = {number: storage.read_json(run.metrics) for number, run in runs.items()}
        kept = _best(metrics, settings.best_by, loss=recipe.figures[-1])
        if not team.is_first:
            return recipe.reopen(folder, metrics[kept])
        _require_one_encoder(runs, progress, accepts_engine=start in ACCEPTING)
        more = {
            "kept_seed": kept,
            "seeds": [_line(number, metrics[number], runs[number], folder, recipe.figures) for number in numbers],
            "spread": spread([metrics[number]["validation"] for number in numbers], recipe.figures),
        }
        return _finish(folder, runs[kept], recipe, {**metrics[kept], **more})


def spread(scored: Sequence[Mapping[str, Any]], figures: Sequence[str]) -> dict[str, dict[str, float]]:
    """Return mean, standard deviation (of a sample), lowest and highest of each figure.

    Example:
        >>> spread([{"accuracy": 0.5}, {"accuracy": 0.75}], ["accuracy"])["accuracy"]
        {'mean': 0.625, 'std': 0.1767766952966369, 'min': 0.5, 'max': 0.75}
    """
    values = {name: np.array([float(one[name]) for one in scored]) for name in figures}
    return {
        name: {
            "mean": float(found.mean()),
            "std": float(found.std(ddof=1)),
            "min": float(found.min()),
            "max": float(found.max()),
        }
        for name, found in values.items()
    }


def _record(recipe: Recipe[Any]) -> dict[str, Any]:
    """Say what all seeds share; each seed's own record says the rest."""
    return {
        "settings": {name: to_plain(stage) for name, stage in recipe.stages().items()},
        "data": recipe.data(),
        "versions": library_versions(),
    }


def _best(metrics: Mapping[int, Mapping[str, Any]], by: str, *, loss: str) -> int:
    """Return the seed with the best figure on the validation rows; of equal figures the one of the lowest loss."""

    def goodness(number: int) -> tuple[float, float]:
        figures = metrics[number]["validation"]
        lowest = -float(figures[loss])
        # Several labels per row have no accuracy and no weighted F1; macro F1 stands for them.
        named = "f1_macro" if by in ("accuracy", "f1_weighted") and by not in figures else by
        return lowest if by == "loss" or named not in figures else float(figures[named]), lowest

    return max(metrics, key=goodness)


def _line(
    number: int, metrics: Mapping[str, Any], run: RunFolder, folder: RunFolder, names: Sequence[str]
) -> dict[str, Any]:
    figures = {name: metrics["validation"][name] for name in names}
    facts = {name: metrics[name] for name in ("best_epoch", "learning_rate", "train_seconds")}
    return {"seed": number, **figures, **facts, "folder": run.path.relative_to(folder.path).as_posix()}


def _first_numerics(folder: RunFolder, numbers: Sequence[int]) -> str | None:
    """Return the arithmetic of the first seed that was begun, which all of them are to have."""
    found = (recorded_numerics(RunFolder(folder.seeds / str(number))) for number in numbers)
    return next(filter(None, found), None)


def _require_one_encoder(runs: Mapping[int, RunFolder], progress: Progress, *, accepts_engine: bool) -> None:
    """Refuse to call it chance when encoder or arithmetic changed between seeds, unless the arithmetic was accepted."""
    told = {number: storage.read_json(run.record)["encoder"] for number, run in runs.items()}
    first, *others = told
    if other := next((number for number in others if told[number] != told[first]), None):
        if accepts_engine and not list(differences(told[first], told[other], "encoder")):
            progress.say(
                "the seeds were computed in different arithmetic, as accepted: not all of the spread is chance"
            )
            return
        raise SettingsError(
            f"seed {other} was trained with another encoder or arithmetic than seed {first} ({told[other]}, "
            f"{told[first]}): begin again with --overwrite"
        )


def _finish(folder: RunFolder, kept: RunFolder, recipe: Recipe[RunT], metrics: Mapping[str, Any]) -> RunT:
    """Put the best model and its figures where those of a single run are; the figures last."""
    for made, place in ((kept.bundle, folder.bundle), (kept.encoder, folder.encoder)):
        if made.exists():
            with storage.staged_folder(place) as staged:
                shutil.copytree(made, staged, dirs_exist_ok=True)
    answers, made = folder.predictions("validation"), kept.predictions("validation")
    if made.exists():
        with storage.explained(answers, doing="write"):
            storage.write_bytes(answers, made.read_bytes())
    storage.write_text(folder.settings, to_toml(recipe.stages()))
    storage.write_json(folder.metrics, metrics)
    return recipe.reopen(folder, metrics)
