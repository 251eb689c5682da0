"""Pieces of a file: cut where rows begin, and each read as the whole file is.

In: a Parquet, CSV, TSV or JSON lines file that may be larger than memory, the last three also as .gz or .zst. Out: a
`CutFile` with its pieces, and of pieces that follow each other a `Dataset` in which every row has the number that it
has in the file. A file is looked at as a whole once, when it is cut: what a piece alone does not tell, such as the type
of a column, stands in the `CutFile`. It does not know what the pieces are for.
"""

from dataclasses import dataclass, replace
from pathlib import Path

from limbeck.data.dataset import Dataset, ReadNote
from limbeck.errors import DataError
from limbeck.reading.assembly import assemble, check_wide, hint_encoding
from limbeck.reading.bad_rows import BadRows
from limbeck.reading.columns import find_columns
from limbeck.reading.compression import CODECS, inner_suffix
from limbeck.reading.cut_file import CutFile, FilePiece
from limbeck.reading.decoding import check_encoding
from limbeck.reading.formats import check_signature
from limbeck.reading.known_layouts import as_meant
from limbeck.reading.pieces_delimited import cut_delimited, read_delimited_piece
from limbeck.reading.pieces_json import cut_json_lines, read_json_piece
from limbeck.reading.pieces_parquet import cut_parquet, read_parquet_piece
from limbeck.reading.raw import RawTable, SourceFile
from limbeck.settings import ReadSettings

_PARQUET = ".parquet"
_CUTS = {
    _PARQUET: cut_parquet,
    **dict.fromkeys((".csv", ".tsv", ".tab"), cut_delimited),
    **dict.fromkeys((".jsonl", ".ndjson"), cut_json_lines),
}
CUT_SUFFIXES = tuple(_CUTS)
"""Of files that can be cut; all but Parquet also with .gz or .zst behind."""
_ESCAPED = ("utf-7", "hz", "iso2022", "utf-16", "utf-32")
"""Codecs in which a byte of a line end or a quote may be part of something else."""


@dataclass(frozen=True, kw_only=True)
class PieceRows:
    """The rows of a piece.

    Attributes:
        dataset: the rows; None where all of them were left out.
        notes: what reading left out or changed.
    """

    dataset: Dataset | None
    notes: tuple[ReadNote, ...]


def can_be_cut(path: Path) -> bool:
    """Tell by a file's name whether it is of a format that can be cut."""
    return inner_suffix(path) in _CUTS and (path.suffix.lower() not in CODECS or inner_suffix(path) != _PARQUET)


def cut_file(
    path: Path, settings: ReadSettings, *, rows_per_piece: int, most_pieces: int | None = None
) -> tuple[CutFile, list[FilePiece]]:
    """Cut a file into pieces of so many rows; it has none where it has no rows.

    Args:
        path: the file.
        settings: how it is read.
        rows_per_piece: how many rows a piece has, but for the last; of JSON lines how many lines.
        most_pieces: look at the beginning of the file alone; at all of it when not given.

    Raises:
        DataError: it is of another format, cannot be cut, or has no column of texts.
        StorageError: it cannot be read.
    """
    source = SourceFile(path=path, name=str(path), split="train")
    suffix = inner_suffix(path)
    if not can_be_cut(path):
        raise DataError(f"{path} cannot be cut into pieces: {', '.join(CUT_SUFFIXES)} can, all but Parquet also as .gz")
    if path.suffix.lower() not in CODECS:
        check_signature(path)
    if suffix != _PARQUET:
        if check_encoding(settings.encoding).startswith(_ESCAPED):
            raise DataError(f"{path} cannot be cut into pieces as {settings.encoding}: write it as utf-8")
        check_wide(source, settings)
    file, pieces = _CUTS[suffix](source, settings, rows_per_piece, most_pieces)
    if pieces:
        find_columns(file.schema.names, settings, file=source.name, split=source.split)
    return file, pieces


def dataset_of_piece(file: CutFile, piece: FilePiece, settings: ReadSettings) -> PieceRows:
    """Read some rows of a file as `limbeck.read` reads all of them; a row's number is that in the file.

    Raises:
        DataError: rows are at fault, with file, row and column, or the file is not the one that was cut.
        StorageError: the file cannot be read.
    """
    bad = BadRows(settings.on_bad_row)
    source = file.source
    raw = _read(file, piece, settings, bad)
    if bad.faults.count:
        hint_encoding(source, settings, bad)
    if (found := raw.rows_seen - piece.first + 1) != piece.rows:
        raise DataError(
            f"{source.name} was changed while it was read: rows {piece.first:,} to {piece.last:,} were expected, and "
            f"{found:,} found"
        )
    is_text = inner_suffix(file.path) in (".csv", ".tsv", ".tab")
    raw = as_meant(replace(raw, notes=()), settings, bad, for_spreadsheets=is_text)
    names = [name for name in file.schema.names if name in raw.table.column_names]
    if names != raw.table.column_names and len(names) == raw.table.num_columns:
        raw = replace(raw, table=raw.table.select(names))
    try:
        dataset = assemble([raw], settings, bad, source.name)
    except DataError:
        if bad.faults.count or not bad.skips:
            raise
        return PieceRows(dataset=None, notes=bad.notes())
    return PieceRows(dataset=dataset, notes=dataset.notes)


def _read(file: CutFile, piece: FilePiece, settings: ReadSettings, bad: BadRows) -> RawTable:
    suffix = inner_suffix(file.path)
    if suffix == _PARQUET:
        return read_parquet_piece(file, piece, bad)
    if suffix in (".jsonl", ".ndjson"):
        return read_json_piece(file, piece, settings, bad)
    return read_delimited_piece(file, piece, settings, bad)
