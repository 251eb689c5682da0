"""Unit planning: files become units, by what this machine answers in a minute.

In: files, opened work, settings. Out: a `UnitPlan`. Each file is looked at once: its SHA-256, its columns, where its
rows begin. How many tokens a row has is estimated from the beginning of some files. It does not know who computes.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa

from limbeck.errors import DataError, FaultLog
from limbeck.inference.long_answers import PIECE_ROWS
from limbeck.progress import Progress
from limbeck.reading.columns import find_columns
from limbeck.reading.compression import inner_suffix
from limbeck.reading.cut_file import CutFile, FilePiece
from limbeck.reading.pieces import cut_file, dataset_of_piece
from limbeck.reading.pieces_json import joined_kinds
from limbeck.scale.input_files import FoundFiles
from limbeck.scale.opened_work import OpenedWork
from limbeck.scale.scale_settings import PartFormat
from limbeck.scale.unit import Answering, InputFile, known_by
from limbeck.scale.unit_plan import UnitPlan
from limbeck.scale.work import Work
from limbeck.settings import ReadSettings
from limbeck.storage import explained

UNIT_S = 60.0
"""Seconds that a unit should take."""
MOST_UNIT_ROWS = 200_000
"""Rows of a unit are held in memory, so there are no more than these, however fast the machine is."""
_SAMPLE_ROWS, _SAMPLE_FILES = 256, 3
_LEAST_S, _FIRST_TEXTS = 0.5, 16
_ROOM = 1.5
"""A unit may be longer by half than it should be, rather than leave a short one behind."""


@dataclass(frozen=True, kw_only=True)
class Pace:
    """How much there is to compute in a file's bytes, and how fast it is computed.

    Attributes:
        tokens_per_byte: of a piece's weight.
        tokens_per_row: read of a text.
        tokens_per_s: of all workers together.
    """

    tokens_per_byte: float
    tokens_per_row: float
    tokens_per_s: float


def make_plan(
    found: FoundFiles,
    opened: OpenedWork,
    answering: Answering,
    unit_tokens: int | None,
    workers: int,
    progress: Progress,
) -> UnitPlan:
    """Plan units.

    Args:
        found: the files.
        opened: what is done with them.
        answering: what answers depend on.
        unit_tokens: tokens, about, after which a unit ends; what a worker answers in `UNIT_S` when not given.
        workers: how many there are.
        progress: is told of bytes looked at.

    Raises:
        DataError: files are at fault, or their columns differ; gathers them.
        StorageError: a file cannot be read.
    """
    pace = measure_pace(found.paths, opened, answering.reading)
    wanted = unit_tokens or max(1.0, pace.tokens_per_s / workers * UNIT_S)
    rows_per_piece = _rows_per_piece(wanted / max(1.0, pace.tokens_per_row))
    files: list[InputFile] = []
    pieces: list[tuple[int, FilePiece]] = []
    empty: dict[str, str] = {}
    faults = FaultLog()
    with explained(found.paths[0], doing="read"):
        sizes = [path.stat().st_size for path in found.paths]
    with progress.track("planning", total=sum(sizes), unit="bytes") as advance:
        for path, size_bytes in zip(found.paths, sizes, strict=True):
            try:
                file, cut = _looked_at(path, answering.reading, rows_per_piece)
            except DataError as error:
                faults.add(str(error))
                continue
            advance(size_bytes)
            if not cut:
                empty[str(path.absolute())] = file.sha256
                continue
            pieces += [(len(files), unit) for unit in joined_pieces(cut, wanted / pace.tokens_per_byte)]
            files.append(file)
    if files:
        files, differing = _of_one_schema(files, found, answering.reading)
        faults.extend(differing)
    faults.raise_as(DataError, what="the files cannot be answered together", todo="Correct them, or give fewer files.")
    if not files:
        raise DataError(f"{found.paths[0]}{' and the other files' if len(found.paths) > 1 else ''} hold no rows")
    return UnitPlan(
        model=opened.made_with.model,
        answering=answering,
        files=tuple(files),
        pieces=tuple(pieces),
        empty=empty,
        tokens_per_s=round(pace.tokens_per_s, 1),
    )


def answering_by(opened: OpenedWork, work: Work, reading: ReadSettings, part_format: PartFormat) -> Answering:
    """Return what answers depend on, the engine that was opened among it."""
    by = opened.made_with
    return Answering(
        bundle=by.bundle,
        engine=by.engine,
        build=by.build,
        device=by.device,
        reading=reading,
        part_format=part_format,
        work=work,
    )


def measure_pace(paths: Sequence[Path], opened: OpenedWork, reading: ReadSettings) -> Pace:
    """Read and answer the beginning of some files.

    Raises:
        DataError: none of them has a row that can be read; says what is wrong with the first.
    """
    texts: list[str] = []
    weight = 0.0
    problem: DataError | None = None
    chosen = dict.fromkeys((0, len(paths) // 2, len(paths) - 1))
    for path in [paths[place] for place in chosen][:_SAMPLE_FILES]:
        try:
            sampled, size = _sampled(path, reading)
        except DataError as error:
            problem = problem or error
            continue
        texts += sampled
        weight += size
    if not texts:
        if problem is not None:
            raise problem
        return Pace(tokens_per_byte=1.0, tokens_per_row=1.0, tokens_per_s=1.0)
    tokens = opened.count_tokens(texts)
    return Pace(
        tokens_per_byte=tokens / max(1.0, weight),
        tokens_per_row=tokens / len(texts),
        tokens_per_s=_tokens_per_s(opened, texts),
    )


def _sampled(path: Path, reading: ReadSettings) -> tuple[list[str], float]:
    """Return the first texts of a file, and how much of its weight is theirs."""
    with explained(path, doing="read"):
        if not path.stat().st_size:
            return [], 0.0
    file, pieces = cut_file(path, reading, rows_per_piece=_SAMPLE_ROWS, most_pieces=1)
    if not pieces:
        return [], 0.0
    # What is at fault is found out later, with its rows; here some texts are enough.
    found = dataset_of_piece(file, pieces[0], replace(reading, on_bad_row="skip"))
    if found.dataset is None:
        raise DataError(f"{path} cannot be read: {found.notes[0]}")
    return found.dataset.texts, pieces[0].weight * len(found.dataset) / pieces[0].rows


def _tokens_per_s(opened: OpenedWork, texts: Sequence[str]) -> float:
    """Answer some texts, more and more of them until it takes long enough to be measured."""
    opened.compute(texts[:_FIRST_TEXTS])
    taken, spent_s = 0, 0.0
    while spent_s < _LEAST_S and taken < len(texts):
        taken = min(len(texts), max(_FIRST_TEXTS, 4 * taken))
        started = time.perf_counter()
        opened.compute(texts[:taken])
        spent_s = time.perf_counter() - started
    return opened.count_tokens(texts[:taken]) / max(spent_s, 1e-6)


def _rows_per_piece(unit_rows: float) -> int:
    """Return into how many rows files are cut at first: as many as are answered at a time, or less for slow models."""
    rows = PIECE_ROWS
    while rows > 1 and rows > unit_rows:
        rows //= 2
    return rows


def joined_pieces(pieces: Sequence[FilePiece], wanted: float) -> Iterator[FilePiece]:
    """Join pieces until each has about the weight that is wanted."""
    current: FilePiece | None = None
    for piece in pieces:
        if current is None:
            current = piece
        elif current.weight + piece.weight > wanted * _ROOM or current.rows + piece.rows > MOST_UNIT_ROWS:
            yield current
            current = piece
        else:
            current = current.with_next(piece)
        if current.weight >= wanted:
            yield current
            current = None
    if current is not None:
        yield current


def _looked_at(path: Path, reading: ReadSettings, rows_per_piece: int) -> tuple[InputFile, list[FilePiece]]:
    with explained(path, doing="read"):
        stat = path.stat()
    if stat.st_size:
        cut, pieces = cut_file(path.absolute(), reading, rows_per_piece=rows_per_piece)
    else:
        # Spark writes an empty file for each part without rows.
        cut, pieces = CutFile(path=path, schema=pa.schema([])), []
    known = known_by(path)
    file = InputFile(cut=cut, size_bytes=stat.st_size, mtime_ns=stat.st_mtime_ns, sha256=known, row_prefix="")
    return file, pieces


def _of_one_schema(
    files: Sequence[InputFile], found: FoundFiles, reading: ReadSettings
) -> tuple[list[InputFile], list[str]]:
    """Give all files the same columns in the same order, and row ids that differ; say which files have others."""
    first = files[0].cut
    suffix = inner_suffix(first.path)
    is_json = suffix in (".jsonl", ".ndjson")
    schema, faults = first.schema, []
    kinds = {field.name: field.type for field in schema}
    for cut in (file.cut for file in files):
        theirs = {field.name: field.type for field in cut.schema}
        if inner_suffix(cut.path) != suffix:
            faults.append(f"{cut.path} is of another format than {first.path}")
        elif is_json:
            kinds = joined_kinds(kinds, theirs)
        elif theirs != kinds:
            faults.append(f"{cut.path} {_differing(theirs, kinds)} {first.path}")
    schema = pa.schema(list(kinds.items()))
    columns = find_columns(schema.names, reading, file=str(first.path), split="train")
    above = found.above.absolute() if len(found.paths) > 1 and columns.row_id is None else None
    return [
        replace(
            file,
            cut=replace(file.cut, schema=schema),
            row_prefix="" if above is None else f"{_within(file.cut.path, above)}:",
        )
        for file in files
    ], faults


def _within(path: Path, above: Path) -> str:
    return path.relative_to(above).as_posix() if path.is_relative_to(above) else path.as_posix()


def _differing(theirs: dict[str, pa.DataType], kinds: dict[str, pa.DataType]) -> str:
    """Say how columns differ from those of the first file."""
    if missing := [name for name in kinds if name not in theirs]:
        return f"has no column {missing[0]!r}, unlike"
    if more := [name for name in theirs if name not in kinds]:
        return f"has a column {more[0]!r}, unlike"
    name = next(name for name, kind in theirs.items() if kind != kinds[name])
    return f"has {theirs[name]} in column {name!r}, and not {kinds[name]} as"
