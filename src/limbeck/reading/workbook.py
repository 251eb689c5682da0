"""XLSX: the first sheet of an Excel workbook, its first row the header.

In: a file. Out: a `RawTable` of strings; what was passed over is noted. It needs openpyxl (the extra `excel`).
Values are what Excel last computed; numbers, truth values and dates are written as texts. It does not know columns.
"""

import warnings
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from itertools import chain, islice
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import ParseError

import pyarrow as pa

from limbeck.errors import DataError, MissingExtraError
from limbeck.progress import Advance
from limbeck.reading.bad_rows import BadRows
from limbeck.reading.columns import shown_names
from limbeck.reading.no_rows import without_no_rows
from limbeck.reading.raw import LISTED_ROWS, RawRows, RawTable, SourceFile
from limbeck.settings import ReadSettings
from limbeck.storage import explained

MAX_UNPACKED_BYTES = 1 << 32
"""A workbook whose parts unpack to more than this is no workbook of texts."""
_DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    ParseError,
    EOFError,
    KeyError,
    IndexError,
    ValueError,
    TypeError,
    AttributeError,
    NotImplementedError,
    RuntimeError,
    OverflowError,
)
"""What openpyxl and the libraries below it raise for files that are not what they should be."""


def read_workbook(source: SourceFile, settings: ReadSettings, bad: BadRows, advance: Advance) -> RawTable:
    """Read the first sheet of a workbook, whose first row with any cell names the columns.

    Raises:
        DataError: it is damaged or no workbook, has no header, or a column is named twice.
        MissingExtraError: openpyxl is not installed.
    """
    del settings  # a workbook says itself how it is encoded
    try:
        import openpyxl
    except ImportError as error:
        raise MissingExtraError(
            'Excel workbooks need openpyxl, which is not installed: pip install "limbeck[excel]", or save it as CSV'
        ) from error
    with explained(source.path, doing="read"):
        try:
            _check_size(source.path)
            # openpyxl leaves a file open that it fails to load, and warns of styles and names, which are no cells.
            with source.path.open("rb") as file, warnings.catch_warnings():
                warnings.filterwarnings("ignore", category=UserWarning)
                book = openpyxl.load_workbook(file, read_only=True, data_only=True)
                try:
                    raw = _read_sheet(book, source, bad)
                finally:
                    book.close()
        except (*_DAMAGED, OSError) as error:
            if isinstance(error, OSError) and error.errno is not None:
                # The disk's fault. openpyxl raises one without a number for a file that has no workbook in it.
                raise
            raise DataError(
                f"{source.name} is not a whole Excel workbook ({type(error).__name__}: {error}): "
                "open it in Excel and save it again, or save the sheet as CSV (UTF-8)"
            ) from error
    advance(source.path.stat().st_size)
    return raw


def _check_size(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        size = sum(part.file_size for part in archive.infolist())
    if size > MAX_UNPACKED_BYTES:
        raise DataError(f"{path} unpacks to {size:,} bytes, more than limbeck reads of a workbook: save it as CSV")


def _read_sheet(book: Any, source: SourceFile, bad: BadRows) -> RawTable:
    if not book.worksheets:
        raise DataError(f"{source.name} has no sheet with cells: a sheet with a header and rows was expected")
    sheet = book.worksheets[0]
    if len(book.sheetnames) > 1:
        rest = shown_names([name for name in book.sheetnames if name != sheet.title])
        what = f"sheet {sheet.title!r} is read, the first of {len(book.sheetnames):,}; not read: {rest}"
        bad.note(what, 1, source.name)
    # What a sheet says of its own size is often wrong.
    sheet.reset_dimensions()
    rows = _filled_rows(sheet)
    written = next((row for row in rows if any(cell.strip() for cell in row)), None)
    if written is None:
        raise DataError(f"{source.name}, sheet {sheet.title!r}, is empty: a header and rows were expected")
    while not written[-1].strip():
        written.pop()
    names = [name.strip() or f"unnamed_{place}" for place, name in enumerate(written, start=1)]
    if twice := [name for name, times in Counter(names).items() if times > 1]:
        raise DataError(f"{source.name}, header: column {shown_names(twice)} is named twice: rename one of them")
    width = len(names)
    found, rows_seen = RawRows(), 0
    found.add({name: pa.array([], pa.large_string()) for name in names}, [], set())
    while chunk := list(islice(rows, LISTED_ROWS)):
        numbers = range(rows_seen + 1, rows_seen + len(chunk) + 1)
        beyond = [number for number, row in zip(numbers, chunk, strict=True) if any(map(str.strip, row[width:]))]
        bad.reject(
            "rows with cells beyond the header",
            beyond,
            lambda row: f"{source.name}, row {row:,}: has a cell beyond the {width} columns that the header names",
        )
        flat = list(chain.from_iterable((*row[:width], *[""] * (width - len(row))) for row in chunk))
        columns = {name: pa.array(flat[place::width], pa.large_string()) for place, name in enumerate(names)}
        dropped = {number - rows_seen - 1 for number in beyond} if bad.skips else set()
        found.add(columns, numbers, dropped)
        rows_seen += len(chunk)
    return without_no_rows(found.finish(source, rows_seen=rows_seen), written, "\0", bad)


def _filled_rows(sheet: Any) -> Iterator[list[str]]:
    """Give the rows up to the last that has any cell; a sheet may have a million empty ones below."""
    waiting = 0
    for row in sheet.iter_rows(values_only=True):
        cells = [_text(value) for value in row]
        if any(cells):
            yield from ([""] for _ in range(waiting))
            waiting = 0
            yield cells
        else:
            waiting += 1


def _text(value: Any) -> str:
    """Write a value as a text: whole numbers without a fraction, truth values as JSON does, dates by ISO 8601."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == time() else value.isoformat(sep=" ")
    if isinstance(value, date | time | timedelta):
        return str(value)
    # Excel writes characters that XML cannot hold as _x000D_.
    return str(value).replace("_x000D_", "\r").encode("utf-8", "replace").decode("utf-8")
