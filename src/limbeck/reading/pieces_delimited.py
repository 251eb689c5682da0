"""Tables of text in pieces: CSV and TSV, cut behind line ends that stand outside quotes.

In: a file. Out: its pieces; the rows of some. A file whose quotes are not those of plain CSV cannot be cut: where a row
ends is known there only to who read all before it. It does not know which column is which.
"""

import io
from collections.abc import Iterator
from itertools import islice
from typing import BinaryIO

import numpy as np
import pyarrow as pa

from limbeck.errors import DataError
from limbeck.reading.bad_rows import BadRows
from limbeck.reading.compression import open_bytes
from limbeck.reading.cut_file import CutFile, FilePiece
from limbeck.reading.decoding import CellStrings, check_encoding, open_text, text_of
from limbeck.reading.delimited import find_head, parse_clean, row_chunks, usual_separator
from limbeck.reading.dialect import BLOCK_BYTES, Records, find_dialect, has_plain_quotes
from limbeck.reading.no_rows import without_no_rows
from limbeck.reading.raw import RawRows, RawTable, SourceFile
from limbeck.settings import ReadSettings
from limbeck.storage import explained

_FEED, _RETURN, _QUOTE = b"\n", ord("\r"), ord('"')
_MARK = b"\xef\xbb\xbf"
_WHAT_ELSE = "so it cannot be cut: save it as Parquet, or let --output FILE read it whole"


def cut_delimited(
    source: SourceFile, settings: ReadSettings, rows_per_piece: int, most_pieces: int | None
) -> tuple[CutFile, list[FilePiece]]:
    """Cut a table of text.

    Raises:
        DataError: it has no header, or it cannot be cut; says why, and what to do.
    """
    dialect = find_dialect(source.path, settings.encoding, usual_separator(source.path))
    if dialect.newline != "\n":
        raise DataError(f"{source.name} ends its lines in carriage returns, {_WHAT_ELSE}")
    is_quoted = dialect.quotes != "none"
    if not dialect.is_usual or (is_quoted and not has_plain_quotes(source.path, dialect.separator)):
        raise DataError(f"{source.name} has double quotes that are not those of plain CSV, {_WHAT_ELSE}")
    bad = BadRows("error")
    with open_text(source.path, settings.encoding, newline=dialect.newline) as file:
        records = Records(file, dialect)
        head = find_head(iter(records), records, source, settings, bad)
    bad.raise_gathered(source.name)
    if not head.written[-1].strip():
        raise DataError(f"{source.name} has a last column without a name: give it one in the first line")
    with explained(source.path, doing="read"), open_bytes(source.path) as content:
        start = _start_of_rows(content, head.lines)
        found = _cut(content, start, rows_per_piece, is_quoted=is_quoted, blanks_count=len(head.names) == 1)
        pieces = list(islice(found, most_pieces))
    schema = pa.schema([(name, pa.large_string()) for name in head.names])
    return CutFile(path=source.path, schema=schema, dialect=dialect, head=head), pieces


def read_delimited_piece(file: CutFile, piece: FilePiece, settings: ReadSettings, bad: BadRows) -> RawTable:
    """Read some rows of a table of text."""
    dialect, head, source = file.dialect, file.head, file.source
    if dialect is None or head is None:
        raise ValueError("a table of text is read by its dialect and its header")
    with explained(file.path, doing="read"), open_bytes(file.path) as binary:
        binary.seek(piece.start)
        content = binary.read(piece.stop - piece.start)
    rows, rows_seen, clean = RawRows(), piece.first - 1, None
    # One column is left to the careful road: there a blank line is a row.
    if check_encoding(settings.encoding) == "utf-8" and len(head.names) > 1:
        quoted = dialect.quotes != "none"
        clean = parse_clean(io.BytesIO(content), head.names, header_lines=0, separator=dialect.separator, quoted=quoted)
    if clean is not None:
        rows_seen += len(clean)
        rows.add({name: clean[name] for name in head.names}, range(piece.first, rows_seen + 1), set())
    else:
        cells = CellStrings(source.name, settings.encoding, bad)
        rows.add({name: pa.array([], pa.large_string()) for name in head.names}, [], set())
        with text_of(content, settings.encoding, newline=dialect.newline) as text:
            records = Records(text, dialect)
            for chunk in row_chunks(records, records, head, source, bad, piece.first - 1):
                rows_seen = chunk.rows_seen
                columns = {name: [row[place] for row in chunk.rows] for place, name in enumerate(head.names)}
                arrays, dropped = cells.convert(columns, chunk.numbers)
                rows.add(arrays, chunk.numbers, dropped)
    raw = rows.finish(source, rows_seen=rows_seen)
    return without_no_rows(raw, head.written, dialect.separator, bad)


def _start_of_rows(content: BinaryIO, header_lines: int) -> int:
    """Return the first byte behind the header."""
    start = 0
    for _ in range(header_lines):
        start += len(content.readline())
    if not header_lines:
        start = len(_MARK) if content.read(len(_MARK)) == _MARK else 0
    return start


def _cut(
    content: BinaryIO, start: int, rows_per_piece: int, *, is_quoted: bool, blanks_count: bool
) -> Iterator[FilePiece]:
    """Give pieces of so many rows, each of which ends behind a line that is not blank.

    Args:
        content: the file.
        start: its first row's first byte.
        rows_per_piece: how many rows a piece has, but for the last.
        is_quoted: whether line ends inside double quotes end no row.
        blanks_count: whether a blank line is a row where another row follows: of one column it is an empty cell.
    """
    content.seek(start)
    first, begin, line_start, position = 1, start, start, start
    lines = filled = rows = opened = before = 0
    while block := content.read(BLOCK_BYTES):
        signs = np.frombuffer(block, np.uint8)
        feeds = np.flatnonzero(signs == ord(_FEED))
        if is_quoted:
            quotes = np.flatnonzero(signs == _QUOTE)
            feeds = feeds[(np.searchsorted(quotes, feeds) + opened) % 2 == 0]
            opened = (opened + len(quotes)) % 2
        ends = feeds + position
        lengths = np.diff(ends, prepend=line_start - 1) - 1
        last_signs = np.where(feeds > 0, signs[feeds - 1], before)
        places = np.flatnonzero((lengths > 1) | ((lengths == 1) & (last_signs != _RETURN)))
        rows_at = lines + places + 1 if blanks_count else filled + np.arange(1, len(places) + 1)
        while (place := int(np.searchsorted(rows_at, first - 1 + rows_per_piece))) < len(places):
            rows = int(rows_at[place])
            stop = int(ends[places[place]]) + 1
            yield _piece(first, rows, begin, stop)
            first, begin = rows + 1, stop
        lines, filled = lines + len(ends), filled + len(places)
        rows = int(rows_at[-1]) if len(places) else rows
        line_start = int(ends[-1]) + 1 if len(ends) else line_start
        position += len(block)
        before = block[-1]
    if position - line_start > 1 or (position - line_start == 1 and before != _RETURN):
        rows = (lines if blanks_count else filled) + 1
    if rows >= first:
        yield _piece(first, rows, begin, position)


def _piece(first: int, last: int, start: int, stop: int) -> FilePiece:
    return FilePiece(first=first, rows=last - first + 1, start=start, stop=stop, weight=stop - start)
