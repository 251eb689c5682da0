"""CSV and TSV: rows separated by line ends, cells by one character.

In: a file, decoded as the settings say. Out: a `RawTable` of strings, read in chunks so that memory stays bounded.
It does not know which column is the text, but for telling a header from a row.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import BinaryIO, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from limbeck.errors import DataError
from limbeck.progress import Advance
from limbeck.reading.bad_rows import BadRows
from limbeck.reading.columns import has_text_column, has_usual_name, looks_like_row, say_no_header, shown_names
from limbeck.reading.compression import inner_suffix
from limbeck.reading.decoding import CellStrings, check_encoding, open_text, position_of, replaced, suggest_encoding
from limbeck.reading.dialect import (
    BLOCK_BYTES,
    Broken,
    Dialect,
    Records,
    find_dialect,
    has_plain_lines,
    has_plain_quotes,
)
from limbeck.reading.no_rows import without_no_rows
from limbeck.reading.raw import LISTED_ROWS, RawRows, RawTable, SourceFile
from limbeck.settings import ReadSettings
from limbeck.storage import explained

SEPARATOR_OF = {".csv": ",", ".tsv": "\t", ".tab": "\t", ".txt": "\t", "": "\t"}
MAX_LABEL_CHARS = 64
_LAYOUT_ROWS = 1_000
"""So many rows are looked at to tell a file without a header from one with."""


def read_delimited(source: SourceFile, settings: ReadSettings, bad: BadRows, advance: Advance) -> RawTable:
    r"""Read a CSV or TSV file whose first line names the columns.

    Quotes are those of RFC 4180: a cell in double quotes may hold separators and line ends, a quote in it is doubled.
    In a file of tabs whose quotes are not meant so, they are characters. A `.csv` whose header has no comma but
    semicolons, tabs or bars is separated by those, as spreadsheets write it in many countries. What is not said plainly
    by the file is noted: see `find_dialect`. Blank lines hold no row, unless there is one column only, where they are
    an empty cell; nor do rows of empty cells.

    A file without a header is read where its layout is plain: two columns, of which one has few, short values that
    recur, the first line's among them.

    Raises:
        DataError: no header, or a column named twice.
    """
    dialect = find_dialect(source.path, settings.encoding, usual_separator(source.path))
    for note in dialect.notes:
        bad.note(note, 1, source.name)
    with open_text(source.path, settings.encoding, newline=dialect.newline) as file:
        records = Records(file, dialect)
        waiting = iter(records)
        header = find_head(waiting, records, source, settings, bad)
        if check_encoding(settings.encoding) == "utf-8" and dialect.is_usual:
            clean = read_clean(
                source.path,
                header.names,
                header_lines=header.lines,
                separator=dialect.separator,
                quoted=dialect.quotes != "none",
                advance=advance,
            )
            if clean is not None:
                whole = RawRows()
                whole.add({name: clean[name] for name in header.names}, range(1, len(clean) + 1), set())
                raw = whole.finish(source, rows_seen=len(clean))
                return without_no_rows(raw, header.written, dialect.separator, bad)
        cells = CellStrings(source.name, settings.encoding, bad)
        rows, rows_seen, position = RawRows(), 0, 0
        rows.add({name: pa.array([], pa.large_string()) for name in header.names}, [], set())
        for chunk in row_chunks(chain(header.first, waiting), records, header, source, bad):
            rows_seen = chunk.rows_seen
            flat = list(chain.from_iterable(chunk.rows))
            columns = {name: flat[place :: len(header.names)] for place, name in enumerate(header.names)}
            arrays, dropped = cells.convert(columns, chunk.numbers)
            rows.add(arrays, chunk.numbers, dropped)
            here = position_of(file)
            advance(here - position)
            position = here
    if records.marks:
        told = "byte-order marks at the start of lines, where files were laid end to end, taken off"
        bad.note(told, records.marks, source.name)
    return without_no_rows(rows.finish(source, rows_seen=rows_seen), header.written, dialect.separator, bad)


def usual_separator(path: Path) -> str:
    """Return what stands between cells where a file is named so."""
    return SEPARATOR_OF.get(inner_suffix(path), ",")


class TableHead(NamedTuple):
    """The names of the columns, the cells as written, the lines before the first row, a first line that is a row."""

    names: list[str]
    written: list[str]
    lines: int
    first: list[list[str]]


class RowChunk(NamedTuple):
    """Some rows that have as many cells as the header, their numbers, and how many rows were seen by now."""

    rows: list[list[str]]
    numbers: list[int]
    rows_seen: int


def row_chunks(
    waiting: Iterable[list[str] | Broken],
    records: Records,
    header: TableHead,
    source: SourceFile,
    bad: BadRows,
    rows_before: int = 0,
) -> Iterator[RowChunk]:
    """Give the rows in chunks; ragged rows and those that cannot be read go to `bad`.

    In a file of one column blank lines are rows if any row follows them, so they wait for one. The first row has the
    number after `rows_before`.
    """
    width = len(header.names)
    rows: list[list[str]] = []
    numbers: list[int] = []
    number, blank = rows_before, 0
    for record in waiting:
        if not record:
            blank += width == 1
            continue
        if blank:
            rows += [[""]] * blank
            numbers += range(number + 1, number + blank + 1)
            number, blank = number + blank, 0
        number += 1
        # Left out, each line counts.
        lines = [number] * (records.lines_of_record if bad.skips else 1)
        if isinstance(record, Broken):
            _report_broken(lines, record, source, bad)
        elif len(record) == width:
            rows.append(record)
            numbers.append(number)
        elif not any(map(str.strip, record)):
            bad.mend("rows of empty cells only, passed over", [number], lambda row: f"{source.name}, row {row:,}")
        elif len(record) > width and not any(map(str.strip, record[width:])):
            told = "empty cells beyond those that the header names, passed over"
            bad.mend(told, [number], lambda row: f"{source.name}, row {row:,}")
            rows.append(record[:width])
            numbers.append(number)
        else:
            _report_ragged(lines, record, width, source, bad)
        if len(rows) >= LISTED_ROWS:
            yield RowChunk(rows, numbers, number)
            rows, numbers = [], []
    yield RowChunk(rows, numbers, number)


def _report_ragged(lines: list[int], record: list[str], width: int, source: SourceFile, bad: BadRows) -> None:
    if width == 1:
        bad.hint(
            "A file with one text per line, without quotes, is read as such when its name ends in .txt "
            "(take its first line out)."
        )
    bad.reject(
        "rows with another number of cells than the header",
        lines,
        lambda row: (
            f"{source.name}, row {row:,}: has {len(record)} cells where the header names {width}: "
            f"{replaced(', '.join(record)[:60])!r}; a separator inside a text needs double quotes around the text"
            + (" (a file of one text per line is named .txt)" if width == 1 else "")
        ),
    )


def _report_broken(lines: list[int], record: Broken, source: SourceFile, bad: BadRows) -> None:
    bad.reject(record.kind, lines, lambda row: f"{source.name}, row {row:,}: {record.detail}")


def find_head(
    waiting: Iterator[list[str] | Broken], records: Records, source: SourceFile, settings: ReadSettings, bad: BadRows
) -> TableHead:
    """Read the column names; a name that is empty, as pandas writes for its index, becomes `unnamed_1`.

    Raises:
        DataError: there is none, or it cannot be read, or it names a column twice.
    """
    to_pass = records.dialect.sep_lines
    written: list[str] | Broken | None = None
    before = 0
    while not written or to_pass >= 0:
        before = records.lines_read
        written = next(waiting, None)
        if written is None:
            raise DataError(f"{source.name} is empty: a header line that names the columns, and rows, were expected")
        to_pass -= bool(written)
    if isinstance(written, Broken):
        raise DataError(f"{source.name}, header: {written.detail}")
    written = [name.replace("\ufeff", "") for name in written]
    names = [name.strip() or f"unnamed_{place}" for place, name in enumerate(written, start=1)]
    if any(replaced(name) != name for name in names):
        return TableHead(_mended(names, source, settings.encoding, bad), written, records.lines_read, [])
    if not has_text_column(names, settings) and not has_usual_name(names):
        label = (
            None if settings.text_column or settings.label_column else _label_of_rows(source, settings, records.dialect)
        )
        if label is not None:
            names = ["label", "text"] if label == 0 else ["text", "label"]
            bad.note(
                f"files without a header, their first line read as a row: column {label + 1} as the label, "
                f"column {2 - label} as the text",
                1,
                source.name,
            )
            return TableHead(names, names, before, [written])
        if looks_like_row(names):
            raise DataError(f"{source.name} has no text column: {say_no_header(names, records.dialect.separator)}")
        bad.hint(f"If the first line of {source.name} is a row, write a line with the names of the columns above it.")
    counts = Counter(names)
    if twice := [name for name, times in counts.items() if times > 1]:
        raise DataError(f"{source.name}, header: column {shown_names(twice)} is named twice: rename one of them")
    return TableHead(names, written, records.lines_read, [])


def has_plain_layout(source: SourceFile, settings: ReadSettings) -> bool:
    """Tell whether a file of tabs is plainly a label and a text per line, without a header."""
    return _label_of_rows(source, settings, find_dialect(source.path, settings.encoding, "\t")) is not None


def _label_of_rows(source: SourceFile, settings: ReadSettings, dialect: Dialect) -> int | None:
    """Return which of two columns is plainly a label in a file without a header; None where it is not plain.

    It has short values, each in two rows on average at least, and the first line's recurs, as no name would.
    """
    with open_text(source.path, settings.encoding, newline=dialect.newline) as file:
        records = (record for record in Records(file, dialect) if record and not isinstance(record, Broken))
        rows = list(islice(records, dialect.sep_lines, dialect.sep_lines + _LAYOUT_ROWS))
    if any(len(row) != len(rows[0]) for row in rows) or len(rows[0]) != len(("label", "text")):
        return None
    distinct = [set(column) for column in zip(*rows, strict=True)]
    plain = [
        place
        for place, values in enumerate(distinct)
        if len(values) * 2 <= len(rows)
        and len(values) < len(distinct[1 - place])
        and all(0 < len(value.strip()) <= MAX_LABEL_CHARS for value in values)
        and any(row[place] == rows[0][place] for row in rows[1:])
    ]
    return plain[0] if len(plain) == 1 else None


def _mended(names: list[str], source: SourceFile, encoding: str, bad: BadRows) -> list[str]:
    """Tell of names with undecodable bytes, which get U+FFFD, and their place too where they then look the same.

    Raises:
        DataError: another encoding fits, and nobody asked to keep such bytes.
    """
    mended = [str(replaced(name)) for name in names]
    looks = Counter(mended)
    mended = [name if looks[name] == 1 else f"{name} ({place})" for place, name in enumerate(mended, start=1)]
    shown = shown_names([new for new, old in zip(mended, names, strict=True) if replaced(old) != old])
    told = f"{source.name}, header: column names ({shown}) have bytes that are not {encoding}"
    if bad.policy != "keep-replacement" and (found := suggest_encoding(source.path, encoding)) is not None:
        raise DataError(f"{told}; the bytes of the file fit {found}: try --encoding {found}")
    if bad.policy == "error":
        bad.refuse(told)
    bad.mend("column names with undecodable bytes, kept with U+FFFD", [0], lambda _: f"{source.name}: {shown}")
    return mended


def read_clean(
    path: Path, header: Sequence[str], *, header_lines: int, separator: str, quoted: bool = True, advance: Advance
) -> pa.Table | None:
    """Return the rows as a table of strings, or None when a row might be at fault.

    Args:
        path: a UTF-8 file.
        header: the column names.
        header_lines: how many lines stand before the first row.
        separator: between cells.
        quoted: whether cells may be in double quotes.
        advance: told the bytes read.
    """
    # One column is left to the careful road: there a blank line is a row.
    if len(header) < 2 or not (has_plain_quotes(path, separator) if quoted else has_plain_lines(path)):
        return None
    size_bytes = path.stat().st_size
    with explained(path, doing="read"):
        table = parse_clean(path, header, header_lines=header_lines, separator=separator, quoted=quoted)
    if table is not None:
        advance(size_bytes)
    return table


def parse_clean(
    content: Path | BinaryIO, header: Sequence[str], *, header_lines: int, separator: str, quoted: bool
) -> pa.Table | None:
    """Return rows whose quotes are plain as a table of strings, or None when a row might be at fault."""
    kinds = {name: pa.large_string() for name in header}
    try:
        table = pa.csv.read_csv(
            content,
            read_options=pa.csv.ReadOptions(
                column_names=list(header), skip_rows=header_lines, block_size=BLOCK_BYTES, use_threads=False
            ),
            parse_options=pa.csv.ParseOptions(
                delimiter=separator, quote_char='"' if quoted else False, newlines_in_values=quoted
            ),
            convert_options=pa.csv.ConvertOptions(column_types=kinds, null_values=[], strings_can_be_null=False),
        )
    except pa.ArrowInvalid:
        # Ragged rows, bytes that are no UTF-8, a cell larger than a block: the careful road says which.
        return None
    # A mark in the middle, where files were joined: the careful road takes it off.
    return None if pc.any(pc.starts_with(table[0], "\ufeff")).as_py() else table
