"""The folder of a sweep, held by one process.

In: a path. Out: places in it. It does not know how settings are chosen.
"""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from limbeck import storage
from limbeck.errors import FaultLog, SettingsError
from limbeck.methods.knobs import Knob
from limbeck.runs.run_record import differences
from limbeck.settings import to_plain

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
    with storage.lock(path):
        yield folder
