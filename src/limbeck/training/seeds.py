"""One training, or several that differ in nothing but the seed, which tell how much of a figure is chance.

    RUN/
    ├── seeds/0, 1, 2         each a whole run, which is resumed by itself
    ├── metrics.json          of the best on the validation rows, with `seeds` and `spread` beside
    └── bundle/, predictions/ of the same

In: a `Method`. Out: a `LoopRun`, where there are several seeds that of the best. It does not know what is trained.
Where validation rows are taken from the training rows, the split is the same for all.
"""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from limbeck import storage
from limbeck.data.dataset import Dataset
from limbeck.errors import SettingsError
from limbeck.evaluation.evaluation import Evaluation
from limbeck.progress import SILENT, Progress
from limbeck.runs.run_folder import RunFolder
from limbeck.runs.run_record import claim_run, differences, recorded_numerics
from limbeck.runs.training_rows import require_classes, with_validation
from limbeck.runtime import library_versions
from limbeck.settings import to_plain, to_toml
from limbeck.training.finished import ACCEPTING, LoopRun, Start, opened
from limbeck.training.gradients import own_chance
from limbeck.training.job import Method, Session, train_once
from limbeck.training.journal import AfterEpoch, EpochScores
from limbeck.training.setting_checks import check_training
from limbeck.training.signals import noticed_signals
from limbeck.training.team import joined_team

FIGURES = ("accuracy", "f1_weighted", "f1_macro", "log_loss")
"""Of the validation rows, whose mean and spread are told."""


def train_by_loop(
    dataset: Dataset,
    out: str | Path,
    method: Method,
    *,
    start: Start = "new",
    progress: Progress = SILENT,
    after_epoch: AfterEpoch | None = None,
) -> LoopRun:
    """Train once, or once a seed where the settings ask for several.

    Raises:
        DataError: no train split, a row without a label, a class without training rows.
        SettingsError: `out` holds another run, or the settings do not fit the encoder.
        TrainingError: the loss is not finite, or another process of the training ended.
        Interrupted: a signal came; a checkpoint is saved.
    """
    require_classes(dataset)
    check_training(method.loop, n_labels=len(dataset.label_names))
    with noticed_signals() as stop, joined_team() as team, own_chance():
        own_progress = progress if team.is_first else SILENT
        session = Session(stop=stop, team=team, progress=own_progress, after_epoch=after_epoch)
        if method.loop.seeds > 1:
            return train_seeds(dataset, Path(out), method, start, session)
        return train_once(dataset, Path(out), method, start, session)


def train_seeds(dataset: Dataset, out: Path, method: Method, start: Start, session: Session) -> LoopRun:
    """Train one model a seed, keep the best, and tell how far they lie apart.

    Raises:
        SettingsError: `out` holds another run.
    """
    team, settings = session.team, method.loop
    numbers = range(settings.seed, settings.seed + settings.seeds)
    with opened(out, start, team) as folder:
        if team.is_first:
            claim_run(folder, _record(dataset, method), session.progress)
        for place, number in enumerate(numbers):
            own = RunFolder(folder.seeds / str(number))
            session.progress.say(f"seed {number}, {place + 1} of {len(numbers)}")
            if team.tell("done" if own.metrics.exists() else ""):
                session.progress.say(f"{own.path} is finished already")
                continue
            once = method.with_loop({"seed": number, "seeds": 1})
            how: Start = ACCEPTING if start == ACCEPTING else "resume"
            train_once(dataset, own.path, once, how, replace(session, numerics=_first_numerics(folder, numbers)))
        if not team.is_first:
            return _kept_run(folder, RunFolder(folder.seeds / str(numbers[0])), dataset, method, {})
        runs = {number: RunFolder(folder.seeds / str(number)) for number in numbers}
        found = {number: storage.read_json(run.metrics) for number, run in runs.items()}
        _require_one_encoder(runs, session.progress, accepts_engine=start == ACCEPTING)
        kept = _best(found, settings.best_by)
        more = {
            "kept_seed": kept,
            "seeds": [_line(number, found[number], runs[number], folder) for number in numbers],
            "spread": spread([found[number]["validation"] for number in numbers]),
        }
        return _finish(folder, runs[kept], dataset, method, more)


def spread(scored: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, float]]:
    """Return mean, standard deviation (of a sample), lowest and highest of each of `FIGURES`.

    Example:
        >>> some = [dict.fromkeys(FIGURES, value) for value in (0.5, 0.75)]
        >>> spread(some)["accuracy"]
        {'mean': 0.625, 'std': 0.1767766952966369, 'min': 0.5, 'max': 0.75}
    """
    values = {name: np.array([float(one[name]) for one in scored]) for name in FIGURES}
    return {
        name: {
            "mean": float(found.mean()),
            "std": float(found.std(ddof=1)),
            "min": float(found.min()),
            "max": float(found.max()),
        }
        for name, found in values.items()
    }


def _record(dataset: Dataset, method: Method) -> dict[str, Any]:
    """Say what all seeds share; each seed's own record says the rest."""
    return {
        "settings": {name: to_plain(stage) for name, stage in method.stages().items()},
        "data": {"source": dataset.source, "fingerprint": dataset.fingerprint(), "rows": dataset.split_sizes()},
        "versions": library_versions(),
    }


def _best(found: Mapping[int, Mapping[str, Any]], by: str) -> int:
    """Return the seed with the best figure on the validation rows; of equal figures the one of the lowest loss."""

    def goodness(number: int) -> tuple[float, float]:
        figures, loss = found[number]["validation"], -float(found[number]["validation"]["log_loss"])
        return loss if by == "loss" else float(figures[by]), loss

    return max(found, key=goodness)


def _line(number: int, metrics: Mapping[str, Any], run: RunFolder, folder: RunFolder) -> dict[str, Any]:
    figures = {name: metrics["validation"][name] for name in FIGURES}
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


def _finish(folder: RunFolder, kept: RunFolder, dataset: Dataset, method: Method, more: Mapping[str, Any]) -> LoopRun:
    """Put the best model and its figures where those of a single run are; the figures last."""
    with storage.staged_folder(folder.bundle) as staged:
        shutil.copytree(kept.bundle, staged, dirs_exist_ok=True)
    answers = folder.predictions("validation")
    with storage.explained(answers, doing="write"):
        storage.write_bytes(answers, kept.predictions("validation").read_bytes())
    storage.write_text(folder.settings, to_toml(method.stages()))
    run = _kept_run(folder, kept, dataset, method, more)
    storage.write_json(folder.metrics, run.metrics)
    return run


def _kept_run(folder: RunFolder, kept: RunFolder, dataset: Dataset, method: Method, more: Mapping[str, Any]) -> LoopRun:
    metrics = {**storage.read_json(kept.metrics), **more}
    return LoopRun(
        folder=folder,
        dataset=with_validation(dataset, method.stages()["split"]),
        validation=Evaluation.from_dict(metrics["validation"]),
        epochs=tuple(EpochScores(**line) for line in metrics["epochs"]),
        best_epoch=metrics["best_epoch"],
        metrics=metrics,
    )
