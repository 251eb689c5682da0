"""Run unit: one unit becomes one part, whole or absent.

In: a `Unit`, opened work, a folder. Out: the part in that folder, and a `PartRecord` that says what it holds. Its rows
alone are read, and answered piece by piece as the command for one file does, to the same bits. It knows no kind of work
and no engine of distribution: whoever calls it, on whatever machine, how often ever, the part is the same.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from limbeck.data.dataset import Dataset
from limbeck.evaluation.prediction_files import write_tables
from limbeck.inference.long_answers import PIECE_ROWS
from limbeck.inference.predictor import others_of
from limbeck.reading.columns import find_columns
from limbeck.reading.pieces import PieceRows, dataset_of_piece
from limbeck.scale.opened_work import OpenedWork
from limbeck.scale.part_record import PartRecord
from limbeck.scale.unit import Unit
from limbeck.storage import sha256_of


def run_unit(
    unit: Unit, opened: OpenedWork, out: Path, *, tell: Callable[[int], object] = lambda rows: None
) -> PartRecord:
    """Answer a unit's rows and write its part.

    Args:
        unit: which rows.
        opened: the work, opened as the unit says.
        out: the folder of the parts.
        tell: is told how many more rows were answered.

    Raises:
        DataError: rows are at fault, with file, row and column, or the file was changed.
        StorageError: the file cannot be read, or the part not be written; what stood there before still stands.
    """
    return write_unit_part(unit, read_rows_of(unit), opened, out, tell=tell)


def read_rows_of(unit: Unit) -> PieceRows:
    """Read a unit's rows.

    Raises:
        DataError: rows are at fault, with file, row and column, or the file was changed.
        StorageError: the file cannot be read.
    """
    unit.file.require_unchanged()
    found = dataset_of_piece(unit.file.cut, unit.piece, unit.answering.reading)
    unit.file.require_unchanged()
    return found


def write_unit_part(
    unit: Unit, read: PieceRows, opened: OpenedWork, out: Path, *, tell: Callable[[int], object]
) -> PartRecord:
    """Answer the rows that were read of a unit, and write its part.

    Raises:
        DataError: such rows cannot be answered.
        StorageError: the part cannot be written.
    """
    started = time.perf_counter()
    if read.dataset is None:
        return PartRecord(unit=unit.name, part=None, rows=0, left_out=unit.piece.rows, notes=read.notes)
    dataset = _with_prefix(read.dataset, unit)
    columns = find_columns(
        unit.file.cut.schema.names, unit.answering.reading, file=str(unit.file.cut.path), split="train"
    )
    others = others_of(dataset, with_split=columns.split is not None)
    counts = {"count_cut": 0, "count_unread": 0}

    def tables() -> Iterator[pa.Table]:
        for start in range(0, len(dataset), PIECE_ROWS):
            rows = range(start, min(start + PIECE_ROWS, len(dataset)))
            # Of all rows, so that every piece has the same columns.
            own = None if others is None else others.slice(start, len(rows))
            found = opened.answer(dataset.select(rows), own)
            for name in counts:
                counts[name] += getattr(found, name)
            yield found.table
            tell(len(rows))

    part = out / unit.part_name
    write_tables(part, opened.joined(tables()))
    return PartRecord(
        unit=unit.name,
        part=part.name,
        rows=len(dataset),
        left_out=unit.piece.rows - len(dataset),
        **counts,
        sha256=sha256_of(part),
        size_bytes=part.stat().st_size,
        seconds=round(time.perf_counter() - started, 3),
        notes=read.notes,
    )


def _with_prefix(dataset: Dataset, unit: Unit) -> Dataset:
    """Return the rows with ids that differ from those of other files; ids of the rows' own stay as they are."""
    if not unit.file.row_prefix:
        return dataset
    kind = pa.large_string()
    ids = pc.binary_join_element_wise(
        pa.scalar(unit.file.row_prefix, kind), dataset.table["row_id"], pa.scalar("", kind)
    )
    return replace(dataset, table=dataset.table.set_column(0, "row_id", ids))
