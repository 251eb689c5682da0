"""Checkpoints of several processes: the first writes and reads them, and gives the others what it read.

In: `Checkpoints` and a team. Out: the same snapshot in every process. It does not know what is trained.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict

import torch
from torch import Tensor

from limbeck.progress import SILENT, Progress
from limbeck.training.checkpoint import Checkpoints, Position, Snapshot
from limbeck.training.team import Team


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
