"""Judged parts: the rows of a folder whose labels can be judged, a batch at a time, as often as they are asked for.

In: a folder that `limbeck labels` made, whole. Out: their labels and probabilities, and the texts of some of them. Rows
that the model learned from are left out. It does not know models, nor how labels are judged.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from limbeck.errors import DataError
from limbeck.scale.marked_parts import MarkedPart, marked_parts
from limbeck.storage import explained
from limbeck.task import Task, task_named

JUDGED_LABELS = b"limbeck.judged_labels"
"""In the metadata of a part: JSON of the task, and of the label names in the order of the probabilities."""
MOST_SHEET_ROWS = 10_000
"""Rows of a sheet where nobody says how many: more than a person reads, and few enough to be held."""
BATCH_ROWS = 16_384


@dataclass(frozen=True, kw_only=True, eq=False)
class JudgedParts:
    """Rows that the model did not learn from; their places count from 0 through all parts.

    Attributes:
        parts: in the order of the rows.
        judged_P: how many such rows each part has.
        learned_rows: rows whose text the model learned from.
        task: what a row has.
        names: the label names, in the order of the probabilities.
    """

    parts: tuple[MarkedPart, ...]
    judged_P: tuple[int, ...]
    learned_rows: int
    task: Task
    names: tuple[str, ...]

    def batches(self, rows: int = BATCH_ROWS) -> Iterator[tuple[np.ndarray, pa.Array]]:
        """Give probabilities, float32 (B, C), and labels as the parts have them, of so many rows at most."""
        for part in self.parts:
            for batch in _batches_of(part.path, ("learned", "label", "probabilities"), rows):
                is_judged = ~_learned(batch)
                if is_judged.any():
                    shares_BC = batch["probabilities"].flatten().to_numpy().reshape(len(is_judged), len(self.names))
                    yield shares_BC[is_judged], batch["label"].filter(pa.array(is_judged))

    def texts_at(self, places: np.ndarray) -> dict[int, tuple[str, str]]:
        """Return id and text of some rows by their places, int64; only parts that hold some are read."""
        places, first = np.unique(places), 0
        found: dict[int, tuple[str, str]] = {}
        for part, judged in zip(self.parts, self.judged_P, strict=True):
            here = places[np.searchsorted(places, first) : np.searchsorted(places, first + judged)]
            if len(here):
                found.update(_texts_of(part.path, here, first))
            first += judged
        return found


def judged_parts(out: Path) -> JudgedParts:
    """Find the rows of a folder whose labels can be judged.

    Raises:
        StorageError: the folder is not whole, or a part cannot be read.
        DataError: it holds no such rows, or the model learned from all of them.
    """
    parts = marked_parts(out, JUDGED_LABELS, holds="labels with their probabilities", command="limbeck labels")
    if not parts:
        raise DataError(f"{out} holds no row whose label could be judged: every row was left out")
    learned_P = [_learned_rows(part.path) for part in parts]
    judged_P = [part.rows - learned for part, learned in zip(parts, learned_P, strict=True)]
    if not sum(judged_P):
        raise DataError(
            f"the model learned from every row of {out}, so its answers tell nothing about their labels: limbeck "
            "labels RUN judges the training rows by models that did not see them"
        )
    said = parts[0].said
    return JudgedParts(
        parts=tuple(parts),
        judged_P=tuple(judged_P),
        learned_rows=sum(learned_P),
        task=task_named(said["task"]),
        names=tuple(said["labels"]),
    )


def _texts_of(part: Path, places: np.ndarray, first: int) -> Iterator[tuple[int, tuple[str, str]]]:
    """Give id and text of some judged rows of a part, by their places; `first` is that of its first one."""
    for batch in _batches_of(part, ("learned", "row_id", "text")):
        judged = np.flatnonzero(~_learned(batch))
        here = places[np.searchsorted(places, first) : np.searchsorted(places, first + len(judged))]
        for place in here:
            row = int(judged[place - first])
            yield int(place), (batch["row_id"][row].as_py(), batch["text"][row].as_py())
        first += len(judged)


def _learned_rows(part: Path) -> int:
    return sum(int(_learned(batch).sum()) for batch in _batches_of(part, ("learned",)))


def _learned(batch: pa.RecordBatch) -> np.ndarray:
    return np.asarray(batch["learned"].to_numpy(zero_copy_only=False))


def _batches_of(part: Path, columns: tuple[str, ...], rows: int = BATCH_ROWS) -> Iterator[pa.RecordBatch]:
    with explained(part, doing="read"), pq.ParquetFile(part) as file:
        yield from file.iter_batches(batch_size=rows, columns=list(columns))
