"""JSON lines in pieces: cut behind line ends, in columns whose types all lines together decide.

In: a file. Out: its pieces; the rows of some. It does not know which column is which.
"""

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

import pyarrow as pa

from limbeck.errors import DataError
from limbeck.reading.bad_rows import BadRows
from limbeck.reading.compression import open_bytes
from limbeck.reading.cut_file import CutFile, FilePiece
from limbeck.reading.decoding import replaced, text_of
from limbeck.reading.json_files import BYTE_ORDER_MARK, object_chunks
from limbeck.reading.objects import ObjectRows, typed
from limbeck.reading.raw import GATHERED_ROWS, RawTable, SourceFile
from limbeck.settings import ReadSettings
from limbeck.storage import explained

_SHOWN_CHARS = 60


def cut_json_lines(
    source: SourceFile, settings: ReadSettings, rows_per_piece: int, most_pieces: int | None
) -> tuple[CutFile, list[FilePiece]]:
    """Cut a file of JSON lines; every line is parsed, as a column's type is decided by all of its values.

    Raises:
        DataError: it holds something else than objects, one a line.
    """
    counted = ObjectRows(source, settings, BadRows("skip"))
    kinds: dict[str, pa.DataType] = {}
    pieces: list[FilePiece] = []
    # As many lines at a time as are read at a time of a whole file, so that the types are those of a whole file.
    lines_at_a_time = GATHERED_ROWS if most_pieces is None else rows_per_piece
    start = rows = 0
    with explained(source.path, doing="read"), open_bytes(source.path) as content:
        while (most_pieces is None or len(pieces) < most_pieces) and (lines := list(islice(content, lines_at_a_time))):
            gathered: list[dict[str, Any]] = []
            for first in range(0, len(lines), rows_per_piece):
                block = b"".join(lines[first : first + rows_per_piece])
                if not rows:
                    _check_start(block, source, settings)
                with text_of(block, settings.encoding) as text:
                    for _, objects in object_chunks(text, source, BadRows("skip"), counted, _unfollowed):
                        gathered += objects
                stop, seen = start + len(block), counted.rows_seen
                if seen > rows:
                    pieces.append(
                        FilePiece(first=rows + 1, rows=seen - rows, start=start, stop=stop, weight=len(block))
                    )
                start, rows = stop, seen
            kinds = joined_kinds(kinds, _kinds_of(gathered))
    return CutFile(path=source.path, schema=pa.schema(list(kinds.items()))), pieces


def read_json_piece(file: CutFile, piece: FilePiece, settings: ReadSettings, bad: BadRows) -> RawTable:
    """Read some rows of a file of JSON lines."""
    with explained(file.path, doing="read"), open_bytes(file.path) as binary:
        binary.seek(piece.start)
        content = binary.read(piece.stop - piece.start)
    rows = ObjectRows(file.source, settings, bad, file.schema)
    rows.rows_seen = piece.first - 1
    with text_of(content, settings.encoding) as text:
        for numbers, objects in object_chunks(text, file.source, bad, rows, _unfollowed):
            rows.add(objects, numbers)
    return rows.finish()


def joined_kinds(one: Mapping[str, pa.DataType], other: Mapping[str, pa.DataType]) -> dict[str, pa.DataType]:
    """Return the types that hold the values of both: where they differ in more than int and float, text."""
    joined = dict(one)
    for name, kind in other.items():
        known = joined.get(name, pa.null())
        if pa.types.is_null(known) or known == kind:
            joined[name] = kind
        elif not pa.types.is_null(kind):
            joined[name] = pa.float64() if {known, kind} == {pa.int64(), pa.float64()} else pa.large_string()
    return joined


def _kinds_of(objects: Sequence[Mapping[str, Any]]) -> dict[str, pa.DataType]:
    """Return the type of each key's values."""
    names = dict.fromkeys(name for row in objects for name in row)
    found: dict[str, pa.DataType] = {}
    for name in names:
        array = typed([row.get(name) for row in objects])
        kind = pa.large_string() if array is None else array.type
        found = joined_kinds(found, {str(replaced(name)): kind})
    return found


def _check_start(block: bytes, source: SourceFile, settings: ReadSettings) -> None:
    """Refuse a file that begins with something else than an object on one line."""
    with text_of(block, settings.encoding) as text:
        first = next(filter(None, (line.strip().lstrip(BYTE_ORDER_MARK) for line in text)), "")
    if first and (first[0] != "{" or first == "{"):
        raise DataError(
            f"{source.name} does not hold one JSON object a line ({first[:_SHOWN_CHARS]!r}), so it cannot be cut: "
            "write each row on one line (jq -c '.[]' of an array), or let --output FILE read it whole"
        )


def _unfollowed(done: int, note: str = "") -> None:
    pass
