"""The folder of a sweep, held by one process, and what the sweep found, as values and as files.

In: a path; the facts of trials. Out: places in it; sweep.json, sweep.csv, best.toml. It does not know how settings are
chosen.
"""

import csv
import io
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from limbeck import storage
from limbeck.display.tables import Table
from limbeck.display.views import View
from limbeck.errors import FaultLog, SettingsError
from limbeck.folder_lock import lock
from limbeck.methods.knobs import Knob
from limbeck.runs.run_record import differences
from limbeck.setting_tables import to_plain
from limbeck.settings import BestBy

_FREE = ("budget_minutes", "most_trials")
"""What may change when a sweep goes on."""


@dataclass(frozen=True)
class SweepFolder:
    """The places inside a sweep's folder."""

    path: Path

    @property
    def journal(self) -> Path:
        """Optuna's."""
        return self.path / "sweep.jsonl"

    @property
    def record(self) -> Path:
        """What all trials share."""
        return self.path / "sweep-record.json"

    @property
    def trials(self) -> Path:
        """The folder of run folders."""
        return self.path / "trials"

    def claim(self, base: Any, knobs: Sequence[Knob], settings: Any, fingerprint: Any) -> None:
        """Write what the sweep is of, or refuse to go on with another.

        Raises:
            SettingsError: gathers what differs.
        """
        record = {
            "settings": {name: to_plain(stage) for name, stage in base.stages().items()},
            "search": {knob.name: asdict(knob) for knob in knobs},
            "sweep": {key: value for key, value in asdict(settings).items() if key not in _FREE},
            "data": {"fingerprint": fingerprint},
        }
        if not self.record.exists():
            storage.write_json(self.record, record)
            return
        faults = FaultLog()
        before = storage.read_json(self.record)
        for part, values in record.items():
            faults.extend(differences(before.get(part), values, part))
        faults.raise_as(
            SettingsError,
            what=f"{self.path} holds another sweep than the one to go on with",
            todo="give the settings and the data that it began with, or choose another --out",
        )

    def keep_only(self, place: str) -> None:
        """Remove the models and checkpoints of all trials that ended but the best; their figures stay."""
        if not self.trials.is_dir():
            return
        with storage.explained(self.trials, doing="clear"):
            for run in self.trials.iterdir():
                if run.name != place:
                    for part in ("bundle", "checkpoints"):
                        shutil.rmtree(run / part, ignore_errors=True)


@contextmanager
def opened_sweep(path: Path, *, resume: bool) -> Iterator[SweepFolder]:
    """Hold a sweep's folder for this process.

    Raises:
        SettingsError: it holds a sweep and `resume` is not given, or files that are not a sweep's.
        LockedError: another process works in it.
    """
    folder = SweepFolder(path)
    names = {item.name for item in path.iterdir()} if path.is_dir() else set()
    if folder.journal.name in names and not resume:
        raise SettingsError(f"{path} holds a sweep: give --resume to go on with it, or choose another --out")
    if names - {storage.LOCK_NAME} and folder.record.name not in names:
        raise SettingsError(f"{path} holds files that are not a sweep's: choose another --out")
    with lock(path):
        yield folder


@dataclass(frozen=True, kw_only=True)
class TrialFacts:
    """One trial.

    Attributes:
        number: from 0, in the order of their beginning.
        ended_early: whether it was ended before its last epoch.
        figure: on the validation rows, at its best epoch; None when it failed.
        failed: why it failed; None when it did not.
        epochs: that it trained; None for a probe.
        seconds: that it took.
        values: of the settings that are varied.
        folder: its run folder, within the sweep's.
    """

    number: int
    ended_early: bool
    figure: float | None
    epochs: int | None
    seconds: float
    values: Mapping[str, Any]
    folder: str
    failed: str | None = None


@dataclass(frozen=True, kw_only=True, repr=False)
class Sweep(View):
    """What came out of a sweep.

    Attributes:
        by: the figure that was looked at.
        budget_minutes: of trials.
        trials: in the order of their beginning.
    """

    by: BestBy
    budget_minutes: float
    trials: tuple[TrialFacts, ...]

    def _lines(self) -> tuple[str, str]:
        best = self.best
        values = "" if best is None else ", ".join(f"{name} {_brief(value)}" for name, value in best.values.items())
        failed = f", {len(self.failed)} failed" if self.failed else ""
        trials = "trial" if len(self.trials) == 1 else "trials"
        return (
            f"Sweep of {len(self.trials)} {trials}{failed}, judged by {self.by} on validation",
            "no trial ended" if best is None else f"best: {self.by} {best.figure:.4f}, trial {best.number}: {values}",
        )

    def _tables(self) -> Iterator[Table]:
        names = list(self.trials[0].values) if self.trials else []
        yield Table(
            title="Trials, the best first",
            header=("trial", self.by, "epochs", "seconds", *names),
            rows=tuple(
                (
                    f"{one.number}{' (as given)' if one.number == 0 else ''}",
                    f"{one.figure:.4f}",
                    "–" if one.epochs is None else str(one.epochs),
                    f"{one.seconds:,.0f}",
                    *(_brief(one.values[name]) for name in names),
                )
                for one in self.ordered
            ),
        )

    @property
    def best(self) -> TrialFacts | None:
        """The best trial, the first of equals; one that was ended early counts only where none was not."""
        return self.ordered[0] if self.ordered else None

    @property
    def ordered(self) -> list[TrialFacts]:
        """The trials that did not fail, the best first, those that were ended early last."""
        sign = -1 if self.by == "loss" else 1
        figures = [
            (trial.ended_early, -sign * trial.figure, trial) for trial in self.trials if trial.figure is not None
        ]
        return [trial for *_, trial in sorted(figures, key=lambda one: one[:2])]

    @property
    def failed(self) -> list[TrialFacts]:
        """The trials that failed."""
        return [trial for trial in self.trials if trial.failed is not None]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "by": self.by,
            "budget_minutes": self.budget_minutes,
            "seconds": round(sum(trial.seconds for trial in self.trials), 1),
            "best": None if self.best is None else asdict(self.best),
            "trials": [asdict(trial) for trial in self.trials],
        }


def _brief(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def write_sweep(sweep: Sweep, folder: SweepFolder, best_toml: str) -> None:
    """Write `best.toml`, `sweep.csv` and `sweep.json`, the last one last."""
    storage.write_text(folder.path / "best.toml", best_toml)
    text = io.StringIO()
    names = list(sweep.trials[0].values)
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["trial", sweep.by, "ended_early", "failed", "epochs", "seconds", *names])
    for trial in sweep.trials:
        own = [trial.values[name] for name in names]
        failed = trial.failed is not None
        writer.writerow([trial.number, trial.figure, trial.ended_early, failed, trial.epochs, trial.seconds, *own])
    storage.write_text(folder.path / "sweep.csv", text.getvalue())
    storage.write_json(folder.path / "sweep.json", sweep.to_dict())
