"""The journal of a run: one line of JSON a step and an epoch, as it goes; and the table of epochs.

In: plain values. Out: `metrics.jsonl`, and the epochs read back from it; and events for TensorBoard made of it, anew
whenever a run goes on, as the journal stays the truth. It does not know what is trained.
"""

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Self

from limbeck import os_files, storage
from limbeck.errors import MissingExtraError, StorageError
from limbeck.settings import TaskKind
from limbeck.training.team import Team

TABLE_HEAD = ("Epoch", "Training Loss", "Validation Loss", "Accuracy", "F1 weighted", "F1 macro")


@dataclass(frozen=True, kw_only=True)
class EpochLine:
    """One line of the table of epochs: what every training has.

    Attributes:
        epoch: its number, from 1.
        train_loss: mean loss of the training rows while they were trained on, in nats; with dropout, and as the
            objective has it (weights, smoothing).
        validation_loss: mean loss of the validation rows, in nats.
        seconds: of training and evaluating this epoch.
    """

    epoch: int
    train_loss: float
    validation_loss: float
    seconds: float

    head: ClassVar[tuple[str, ...]] = ("Epoch", "Training Loss", "Validation Loss")

    def cells(self) -> list[str]:
        """Return the line's cells, under `head`."""
        return [str(self.epoch), f"{self.train_loss:.4f}", f"{self.validation_loss:.4f}"]


@dataclass(frozen=True, kw_only=True)
class EpochScores(EpochLine):
    """One line of the table of epochs of a classifier; its validation loss is the log loss.

    Attributes:
        accuracy: on the validation rows, 0 to 1, like the two that follow.
        f1_weighted: mean F1 of the classes, weighted by their rows.
        f1_macro: plain mean F1 of the classes.
    """

    accuracy: float
    f1_weighted: float
    f1_macro: float

    head: ClassVar[tuple[str, ...]] = TABLE_HEAD

    def cells(self) -> list[str]:
        """Return the line's cells, under `TABLE_HEAD`."""
        return [*super().cells(), *(f"{value:.4f}" for value in (self.accuracy, self.f1_weighted, self.f1_macro))]


@dataclass(frozen=True, kw_only=True)
class LabelSetScores(EpochLine):
    """One line of the table of epochs where a row has any number of labels; its validation loss is the mean of theirs.

    Each label is given from a threshold on that was chosen on other validation rows.

    Attributes:
        f1_micro: F1 of all labels of all validation rows together, 0 to 1, like the two that follow.
        f1_weighted: mean F1 of the labels, weighted by their rows.
        f1_macro: plain mean F1 of the labels.
    """

    f1_micro: float
    f1_weighted: float
    f1_macro: float

    head: ClassVar[tuple[str, ...]] = (*EpochLine.head, "F1 micro", "F1 weighted", "F1 macro")

    def cells(self) -> list[str]:
        """Return the line's cells, under `head`."""
        return [*super().cells(), *(f"{value:.4f}" for value in (self.f1_micro, self.f1_weighted, self.f1_macro))]


@dataclass(frozen=True, kw_only=True)
class OrderedScores(EpochLine):
    """One line of the table of epochs of ordered classes, each row answered by its median class.

    Attributes:
        quadratic_kappa: on the validation rows, at most 1.
        mae: mean distance from the true class, in steps.
        accuracy: share of rows that are right.
    """

    quadratic_kappa: float
    mae: float
    accuracy: float

    head: ClassVar[tuple[str, ...]] = (*EpochLine.head, "Quadratic kappa", "Steps off", "Accuracy")

    def cells(self) -> list[str]:
        """Return the line's cells, under `head`."""
        return [*super().cells(), *(f"{value:.4f}" for value in (self.quadratic_kappa, self.mae, self.accuracy))]


@dataclass(frozen=True, kw_only=True)
class NumberScores(EpochLine):
    """One line of the table of epochs of numbers; losses are in squares of the training rows' standard deviation.

    Attributes:
        pearson: correlation on the validation rows; 0 where all answers are equal.
        mae: mean absolute error, in the numbers' unit.
        rmse: root of the mean squared error.
    """

    pearson: float
    mae: float
    rmse: float

    head: ClassVar[tuple[str, ...]] = (*EpochLine.head, "Pearson", "Mean error", "RMSE")

    def cells(self) -> list[str]:
        """Return the line's cells, under `head`."""
        return [*super().cells(), *(f"{value:.4g}" for value in (self.pearson, self.mae, self.rmse))]


EPOCH_LINES: dict[TaskKind, type[EpochLine]] = {
    "single": EpochScores,
    "multi": LabelSetScores,
    "ordinal": OrderedScores,
    "regression": NumberScores,
}
"""What a line of the table of epochs says of each shape of answer."""

AfterEpoch = Callable[[EpochLine], None]
"""Is told of every epoch; what it raises ends the training."""


class Journal:
    """An append-only file of lines, opened at the length where the run goes on.

    Args:
        path: of the file.
        keep_bytes: what is after this is of a run that was interrupted, and will be written again.

    Raises:
        StorageError: the file is shorter, or cannot be written.
    """

    def __init__(self, path: Path, *, keep_bytes: int = 0) -> None:
        self._path = path
        with storage.explained(path, doing="write"):
            found = path.stat().st_size if path.exists() else 0
            if found < keep_bytes:
                raise StorageError(
                    f"{path} has {found:,} bytes, and {keep_bytes:,} were written by the last checkpoint: it was "
                    "removed or changed since. Put it back, or begin again with --overwrite"
                )
            self._file = path.open("ab")
            self._file.truncate(keep_bytes)
            self._file.seek(keep_bytes)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def write(self, what: str, values: Mapping[str, Any]) -> None:
        """Append one line.

        Raises:
            StorageError: the disk is full.
        """
        line = json.dumps({"what": what, **values}, ensure_ascii=False, allow_nan=False) + "\n"
        with storage.explained(self._path, doing="write"):
            self._file.write(line.encode())
            self._file.flush()

    def sync(self) -> int:
        """Make what was written durable; return the length in bytes."""
        with storage.explained(self._path, doing="write"):
            os_files.flush(self._file.fileno())
            return self._file.tell()


class Unwritten(Journal):
    """The journal of a process whose team's first process writes it."""

    def __init__(self) -> None:
        """Open nothing."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close nothing."""

    def write(self, what: str, values: Mapping[str, Any]) -> None:
        """Do nothing."""

    def sync(self) -> int:
        """Do nothing."""
        return 0


def open_journal(path: Path, keep_bytes: int, team: Team) -> Journal:
    """Open the journal of a run; in all but the first process one that writes nothing."""
    return Journal(path, keep_bytes=keep_bytes) if team.is_first else Unwritten()


def read_epochs(path: Path, line_type: type[EpochLine] = EpochScores) -> list[EpochLine]:
    """Return the epochs of a journal, in order.

    Raises:
        StorageError: it cannot be read, or a line of it is damaged.
    """
    with storage.explained(path, doing="read"):
        lines = path.read_text("utf-8").splitlines()
    known = {field.name for field in fields(line_type)}
    values = [_parsed(line, path, number) for number, line in enumerate(lines, start=1)]
    return [
        line_type(**{key: value for key, value in line.items() if key in known})
        for line in values
        if line["what"] == "epoch"
    ]


def _parsed(line: str, path: Path, number: int) -> dict[str, Any]:
    try:
        values: Any = json.loads(line)
    except ValueError:
        values = None
    if not isinstance(values, dict) or "what" not in values:
        raise StorageError(f"{path}, line {number}, is damaged: put it back, or begin again with --overwrite")
    return values


def epoch_values(line: EpochLine) -> dict[str, Any]:
    """Return an epoch's line as plain values."""
    return asdict(line)


def epoch_line(line: EpochLine) -> str:
    """Return an epoch in one line of words, for a log."""
    return ", ".join(f"{name} {cell}" for name, cell in zip(line.head, line.cells(), strict=True))


_OF_A_STEP = ("loss", "learning_rate", "gradient_norm")


class Events:
    """Writes what is new in a journal as events.

    Args:
        journal: to read.
        folder: to write; what is in it is removed first.

    Raises:
        MissingExtraError: tensorboardX is absent.
        StorageError: the folder cannot be written.
    """

    def __init__(self, journal: Path, folder: Path) -> None:
        try:
            from tensorboardX import SummaryWriter
        except ImportError as error:
            raise MissingExtraError('events need tensorboardX: pip install "limbeck[tensorboard]"') from error
        with storage.explained(folder, doing="write"):
            shutil.rmtree(folder, ignore_errors=True)
            self._writer = SummaryWriter(str(folder))
        self._journal = journal
        self._read_bytes = 0

    def update(self) -> None:
        """Write the lines that the journal has gained."""
        with storage.explained(self._journal, doing="read"), self._journal.open("rb") as file:
            file.seek(self._read_bytes)
            content = file.read()
        whole = content[: content.rfind(b"\n") + 1]
        self._read_bytes += len(whole)
        for line in whole.splitlines():
            values = json.loads(line)
            if values["what"] == "step":
                for name in _OF_A_STEP:
                    self._writer.add_scalar(f"step/{name}", values[name], values["step"])
            elif values["what"] == "epoch":
                for name, value in values.items():
                    if name not in ("what", "epoch"):
                        self._writer.add_scalar(f"epoch/{name}", value, values["epoch"])
        with storage.explained(self._journal, doing="write"):
            self._writer.flush()

    def close(self) -> None:
        """Write what is left and let go of the file."""
        self.update()
        self._writer.close()
