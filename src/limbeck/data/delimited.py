"""CSV and TSV: rows separated by line ends, cells by one character.

In: a file, decoded as the settings say. Out: a `RawTable` of strings, read in chunks so that memory stays bounded.
It does not know which column is the text.
"""

import csv
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain, islice
from typing import NamedTuple, TextIO

import pyarrow as pa

from limbeck.data.bad_rows import BadRows
from limbeck.data.clean_csv import read_clean
from limbeck.data.decoding import CellStrings, check_encoding, open_text, position_of, replaced
from limbeck.data.raw import RawRows, RawTable, SourceFile
from limbeck.errors import DataError
from limbeck.progress import Advance
from limbeck.settings import ReadSettings

CHUNK_ROWS = 2_000
"""Rows held as Python lists at a time; larger chunks are slower, as the garbage collector looks at each list."""
MAX_CELL_CHARS = 1 << 24
"""A cell longer than this is a quote that was never closed, not a text."""
SEPARATORS = {".csv": ",", ".tsv": "\t", ".tab": "\t"}


def read_delimited(source: SourceFile, settings: ReadSettings, bad: BadRows, advance: Advance) -> RawTable:
    r"""Read a CSV or TSV file whose first line names the columns.

    Quotes are those of RFC 4180: a cell in double quotes may hold separators and line ends, a quote in it is doubled.
    A `.csv` whose header has no comma but semicolons or tabs is separated by those, as spreadsheets write it in many
    countries. Blank lines hold no row, unless there is one column only, where they are an empty cell.

    Raises:
        DataError: no header, a column named twice, or a quote that is never closed.
    """
    with open_text(source.path, settings.encoding) as file:
        _allow_long_cells()
        separator = _separator(file, SEPARATORS.get(source.path.suffix.lower(), ","))
        lines = csv.reader(file, delimiter=separator, strict=True)
        header = _header(lines, source, settings.encoding, bad)
        if check_encoding(settings.encoding) == "utf-8":
            clean = read_clean(source.path, header, header_lines=lines.line_num, separator=separator, advance=advance)
            if clean is not None:
                rows = RawRows()
                rows.add({name: clean[name] for name in header}, range(1, len(clean) + 1), set())
                return rows.finish(source, rows_seen=len(clean))
        cells = CellStrings(source.name, settings.encoding, bad)
        rows, rows_seen, position = RawRows(), 0, 0
        rows.add({name: pa.array([], pa.large_string()) for name in header}, [], set())
        for chunk in _chunks(lines, len(header), source, bad):
            rows_seen += chunk.rows_seen
            flat = list(chain.from_iterable(chunk.rows))
            columns = {name: flat[place :: len(header)] for place, name in enumerate(header)}
            arrays, dropped = cells.convert(columns, chunk.numbers)
            rows.add(arrays, chunk.numbers, dropped)
            here = position_of(file)
            advance(here - position)
            position = here
    return rows.finish(source, rows_seen=rows_seen)


class _Chunk(NamedTuple):
    """Some rows that have as many cells as the header, their numbers, and how many rows there were with the others."""

    rows: list[list[str]]
    numbers: Sequence[int]
    rows_seen: int


def _chunks(lines: Iterator[list[str]], width: int, source: SourceFile, bad: BadRows) -> Iterator[_Chunk]:
    """Give the rows in chunks; ragged rows and rows with wrong quotes go to `bad`."""
    first, waiting = 1, 0
    while True:
        rows: list[list[str]] = []
        wrong_quote: str | None = None
        try:
            # extend keeps what was read before an error, so a fault in one row loses no other.
            rows.extend(islice(lines, CHUNK_ROWS))
        except csv.Error as error:
            wrong_quote = str(error)
        if not rows and wrong_quote is None:
            return
        numbers: Sequence[int] = range(first, first + len(rows))
        good = rows
        if waiting or set(map(len, rows)) != {width}:
            rows, waiting = _without_blanks(rows, waiting, width, goes_on=wrong_quote is not None)
            good = [row for row in rows if len(row) == width]
            numbers = [first + place for place, row in enumerate(rows) if len(row) == width]
            _report_ragged(rows, first, width, source, bad)
        if wrong_quote is not None:
            _report_quote(first + len(rows), wrong_quote, source, bad)
        rows_seen = len(rows) + (wrong_quote is not None)
        first += rows_seen
        yield _Chunk(good, numbers, rows_seen)


def _without_blanks(rows: list[list[str]], waiting: int, width: int, *, goes_on: bool) -> tuple[list[list[str]], int]:
    """Take blank lines out of a chunk; of one column they are rows if any row follows them, so they wait for one.

    Args:
        rows: as read; a blank line is a row without cells.
        waiting: blank lines that wait from before.
        width: number of columns.
        goes_on: whether a row that is not here follows.

    Returns:
        the rows, and how many blank lines wait now.
    """
    if width > 1:
        return [row for row in rows if row], 0
    blank = 0 if goes_on else next((place for place, row in enumerate(reversed(rows)) if row), len(rows))
    written = [row or [""] for row in rows[: len(rows) - blank]]
    if not written and not goes_on:
        return [], waiting + blank
    return [[""]] * waiting + written, blank


def _report_ragged(rows: list[list[str]], first: int, width: int, source: SourceFile, bad: BadRows) -> None:
    bad.reject(
        "rows with another number of cells than the header",
        [place for place, row in enumerate(rows) if len(row) != width],
        lambda place: (
            f"{source.name}, row {first + place:,}: has {len(rows[place])} cells where the header names {width}: "
            f"{replaced(', '.join(rows[place])[:60])!r}; a separator inside a text needs double quotes around the text"
        ),
    )


def _report_quote(number: int, error: str, source: SourceFile, bad: BadRows) -> None:
    """Tell a quote that swallows the rest of the file, which nobody may skip, from one that spoils its own row."""
    if "unexpected end" in error or "field limit" in error:
        raise DataError(
            f"{source.name}, row {number:,}: a double quote that opens here is never closed, "
            "so the rest of the file would be one cell: close it, or double it if it belongs to the text"
        )
    bad.reject(
        "rows with a stray double quote",
        [number],
        lambda row: (
            f"{source.name}, row {row:,}: a closing double quote is followed by other characters ({error}): "
            "double the quotes that belong to the text"
        ),
    )


def _header(lines: Iterator[list[str]], source: SourceFile, encoding: str, bad: BadRows) -> list[str]:
    """Read the column names; a name that is empty, as pandas writes for its index, becomes `unnamed_1`."""
    try:
        header = next(lines, None)
        while header == []:
            header = next(lines, None)
    except csv.Error as error:
        raise DataError(f"{source.name}, header: the quotes are wrong ({error}): correct the first line") from error
    if header is None:
        raise DataError(f"{source.name} is empty: a header line that names the columns, and rows, were expected")
    names = [name.strip() or f"unnamed_{place}" for place, name in enumerate(header, start=1)]
    intact = Counter(name for name in names if replaced(name) == name)
    if twice := [name for name, times in intact.items() if times > 1]:
        raise DataError(
            f"{source.name}, header: column {', '.join(map(repr, twice))} is named twice: rename one of them"
        )
    return names if len(names) == intact.total() else _mended(names, source, encoding, bad)


def _mended(names: list[str], source: SourceFile, encoding: str, bad: BadRows) -> list[str]:
    """Tell of names with undecodable bytes, which get U+FFFD, and their place too where they then look the same."""
    mended = [str(replaced(name)) for name in names]
    looks = Counter(mended)
    mended = [name if looks[name] == 1 else f"{name} ({place})" for place, name in enumerate(mended, start=1)]
    shown = [new for new, old in zip(mended, names, strict=True) if replaced(old) != old]
    if bad.policy == "error":
        bad.refuse(f"{source.name}, header: column names {shown} have bytes that are not {encoding}")
    bad.mend("column names with undecodable bytes, kept with U+FFFD", [0], lambda _: f"{source.name}: {shown}")
    return mended


def _separator(file: TextIO, usual: str) -> str:
    """Look at the first line that holds anything, then go back to where it began."""
    start = file.tell()
    line = next((line for line in iter(file.readline, "") if line.strip()), "")
    file.seek(start)
    if usual == "," and "," not in line:
        return next((other for other in (";", "\t") if other in line), usual)
    return usual


def _allow_long_cells() -> None:
    """Raise the csv module's limit, which is one for the whole process, and never lower it."""
    csv.field_size_limit(max(csv.field_size_limit(), min(MAX_CELL_CHARS, sys.maxsize)))
