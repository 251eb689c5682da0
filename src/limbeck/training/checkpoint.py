"""Checkpoints: everything that a run needs to go on as if nothing had happened.

    checkpoints/
    ├── step-000123/          weights.safetensors, optimizer.safetensors, state.json, manifest.json
    └── best-002/             weights.safetensors of the best epoch so far, manifest.json

In: tensors and a `Position`. Out: folders that are whole or absent, checked by SHA-256 before they are read; never
pickle. It does not know what is trained. Chance is not saved: the order of rows follows from seed and epoch, and what
is drawn for a micro-batch from seed, step and its number.

Of several processes the first writes and reads them, and gives the others what it read.
"""

import json
import shutil
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from limbeck import storage
from limbeck.errors import BundleError, StorageError
from limbeck.model.weights import write_tensors
from limbeck.progress import SILENT, Progress
from limbeck.training.team import Team

_STEP_PREFIX = "step-"
_BEST_PREFIX = "best-"
_WEIGHTS = "weights.safetensors"
_OPTIMIZER = "optimizer.safetensors"
_STATE = "state.json"


FIRST_CHECKPOINT_S = 20.0
"""Seconds until the first checkpoint within an epoch; each further one comes after twice as long, up to the setting."""


@dataclass(frozen=True, kw_only=True)
class Position:
    """How far a run is.

    Attributes:
        epoch: that is under way, the first being 0.
        update: of this epoch that comes next; as many as there are when only its evaluation is missing.
        step: updates done in all.
        loss_sum: losses of the rows seen in this epoch, added up, in nats.
        rows: rows seen in this epoch.
        best_epoch: the best so far; None before the first evaluation.
        best_figure: its figure.
        best_loss: its validation loss, which decides between equal figures; None in checkpoints of older versions.
        worse_epochs: epochs in a row since then.
        journal_bytes: length of the journal at this moment; what is after it is to be forgotten.
        train_s: seconds of updates so far.
        epoch_s: of these, in this epoch.
    """

    epoch: int = 0
    update: int = 0
    step: int = 0
    loss_sum: float = 0.0
    rows: int = 0
    best_epoch: int | None = None
    best_figure: float | None = None
    best_loss: float | None = None
    worse_epochs: int = 0
    journal_bytes: int = 0
    train_s: float = 0.0
    epoch_s: float = 0.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Snapshot:
    """A checkpoint in memory.

    Attributes:
        position: how far the run is.
        weights: of everything that is trained, by name.
        optimizer: what the optimizer remembers, by quantity and name.
    """

    position: Position
    weights: Mapping[str, Tensor]
    optimizer: Mapping[str, Tensor]


class Checkpoints:
    """The checkpoints of one run.

    Args:
        folder: where they are.
        keep: how many are kept.
    """

    def __init__(self, folder: Path, *, keep: int) -> None:
        self.folder = folder
        self.keep = keep

    def save(self, snapshot: Snapshot) -> Path:
        """Write a checkpoint, then remove those that are no longer needed.

        Raises:
            StorageError: the disk is full or the folder cannot be written; the checkpoints before are left as they are.
        """
        path = self.folder / f"{_STEP_PREFIX}{snapshot.position.step:08d}"
        if path.exists() and _is_whole(path):
            # The run came here a second time, with the same bits.
            return path
        self._remove(path)
        with storage.staged_folder(path) as staged:
            _save_tensors(snapshot.weights, staged / _WEIGHTS)
            _save_tensors(snapshot.optimizer, staged / _OPTIMIZER)
            storage.write_json(staged / _STATE, asdict(snapshot.position))
            storage.write_manifest(staged)
        self._prune()
        return path

    def newest(self, progress: Progress = SILENT) -> Snapshot | None:
        """Read the newest checkpoint that is whole; None when there is none.

        Args:
            progress: is told of each that is damaged and was passed over.

        Raises:
            StorageError: there are checkpoints and none is whole.
        """
        found = self._steps()
        for path in reversed(found):
            try:
                storage.check_manifest(path)
                return Snapshot(
                    position=_position(path),
                    weights=_load_tensors(path / _WEIGHTS),
                    optimizer=_load_tensors(path / _OPTIMIZER),
                )
            except (BundleError, StorageError) as error:
                progress.say(f"passed over a checkpoint: {error}")
        if found:
            raise StorageError(f"no checkpoint in {self.folder} is whole: begin again with --overwrite")
        return None

    def save_best(self, epoch: int, weights: Mapping[str, Tensor]) -> None:
        """Write the weights of the best epoch so far."""
        path = self._best(epoch)
        self._remove(path)
        with storage.staged_folder(path) as staged:
            _save_tensors(weights, staged / _WEIGHTS)
            storage.write_manifest(staged)

    def load_best(self, epoch: int) -> dict[str, Tensor]:
        """Read the weights of an epoch that was the best.

        Raises:
            BundleError: they were changed since they were written.
        """
        storage.check_manifest(self._best(epoch))
        return _load_tensors(self._best(epoch) / _WEIGHTS)

    def _best(self, epoch: int) -> Path:
        return self.folder / f"{_BEST_PREFIX}{epoch + 1:03d}"

    def _steps(self) -> list[Path]:
        return sorted(self.folder.glob(f"{_STEP_PREFIX}*"))

    def _prune(self) -> None:
        """Remove all but the newest checkpoints, and best weights that none of those kept speaks of."""
        steps = self._steps()
        kept, old = steps[-self.keep :], steps[: -self.keep]
        for path in old:
            self._remove(path)
        needed = {self._best(epoch) for path in kept if (epoch := _best_epoch(path)) is not None}
        for path in self.folder.glob(f"{_BEST_PREFIX}*"):
            if path not in needed:
                self._remove(path)
        for path in self.folder.glob(f"{storage.STAGED_PREFIX}*"):
            self._remove(path)

    def _remove(self, path: Path) -> None:
        """Remove a folder: first its name is taken from it, so that half of it is never taken for the whole."""
        if not path.exists():
            return
        with storage.explained(path, doing="remove"):
            if not path.name.startswith(storage.STAGED_PREFIX):
                unnamed = path.with_name(f"{storage.STAGED_PREFIX}removed-{path.name}")
                self._remove(unnamed)
                path = path.replace(unnamed)
            shutil.rmtree(path)


def _is_whole(path: Path) -> bool:
    try:
        storage.check_manifest(path)
    except BundleError:
        return False
    return True


def _best_epoch(path: Path) -> int | None:
    """Return the best epoch that a checkpoint speaks of; to hash it for that would double the time of a save."""
    try:
        return _position(path).best_epoch
    except StorageError:
        return None


def _position(path: Path) -> Position:
    values: Any = storage.read_json(path / _STATE)
    names = {field.name for field in fields(Position)}
    if not isinstance(values, dict) or not names - {"best_loss"} <= values.keys() <= names:
        raise StorageError(f"{path / _STATE} is of another version of limbeck: go on with that, or give --overwrite")
    return Position(**values)


def _save_tensors(tensors: Mapping[str, Tensor], path: Path) -> None:
    ready = {name: values.detach().to("cpu").contiguous() for name, values in tensors.items()}
    try:
        write_tensors(ready, path)
    except StorageError as error:
        raise StorageError(f"{error}. The checkpoint before it is whole: go on with --resume") from error


def _load_tensors(path: Path) -> dict[str, Tensor]:
    try:
        tensors: dict[str, Tensor] = load_file(path)
    except (SafetensorError, OSError) as error:
        raise StorageError(f"cannot read {path}: {error}") from error
    return tensors


class SaveTimes:
    """When to save within an epoch: soon at first, so that a kill loses little, then ever more seldom.

    Args:
        every_s: seconds between two checkpoints in the end; None for none within an epoch.
    """

    def __init__(self, every_s: float | None) -> None:
        self._every_s = every_s
        self._next_s = FIRST_CHECKPOINT_S
        self._saved_s = time.monotonic()

    def is_due(self) -> bool:
        """Tell whether it is time for a checkpoint."""
        if self._every_s is None:
            return False
        return time.monotonic() - self._saved_s >= min(self._next_s, self._every_s)

    def note(self, *, grows: bool = True) -> None:
        """Note that one was saved; the time until the next grows, unless it was saved for another reason."""
        self._saved_s = time.monotonic()
        if grows:
            self._next_s *= 2


class SharedCheckpoints:
    """The checkpoints of one run, for a team.

    Args:
        own: those of a process that is alone.
        team: the processes; only the first touches the disk.
    """

    def __init__(self, own: Checkpoints, team: Team) -> None:
        self._own = own
        self._team = team

    def save(self, snapshot: Snapshot) -> None:
        """Write a checkpoint; the other processes go on meanwhile.

        Raises:
            StorageError: the disk is full or the folder cannot be written.
        """
        if self._team.is_first:
            self._own.save(snapshot)
            self._team.note_saved(f"step {snapshot.position.step:,} in {self._own.folder}")

    def save_best(self, epoch: int, weights: Mapping[str, Tensor]) -> None:
        """Write the weights of the best epoch so far."""
        if self._team.is_first:
            self._own.save_best(epoch, weights)

    def newest(self, progress: Progress = SILENT) -> Snapshot | None:
        """Return the newest checkpoint that is whole; None when there is none.

        Raises:
            StorageError: there are checkpoints and none is whole.
        """
        found = self._own.newest(progress) if self._team.is_first else None
        said = self._team.tell("" if found is None else json.dumps(asdict(found.position)))
        if not said:
            return None
        return Snapshot(
            position=Position(**json.loads(said)),
            weights=self._given(None if found is None else found.weights),
            optimizer=self._given(None if found is None else found.optimizer),
        )

    def load_best(self, epoch: int) -> Mapping[str, Tensor]:
        """Return the weights of an epoch that was the best.

        Raises:
            BundleError: they were changed since they were written.
        """
        return self._given(self._own.load_best(epoch) if self._team.is_first else None)

    def _given(self, tensors: Mapping[str, Tensor] | None) -> Mapping[str, Tensor]:
        """Return the tensors that the first process has."""
        if self._team.size == 1:
            return tensors or {}
        kinds = {name: (list(values.shape), str(values.dtype)) for name, values in (tensors or {}).items()}
        told = json.loads(self._team.tell(json.dumps(kinds)))
        given = {
            name: torch.empty(shape, dtype=getattr(torch, dtype.removeprefix("torch.")))
            for name, (shape, dtype) in told.items()
        }
        for name, values in (tensors or {}).items():
            given[name].copy_(values)
        self._team.copy_first(given.values())
        return given
