"""JSONL and JSON: objects with keys become rows with columns.

In: a file, decoded as the settings say. Out: a `RawTable`. JSONL is read in chunks; a JSON file is parsed whole.
It does not know which column is the text.
"""

from collections.abc import Iterator
from itertools import chain, islice
from typing import Any, TextIO

from limbeck.data.bad_rows import BadRows
from limbeck.data.decoding import open_text, position_of
from limbeck.data.json_shapes import rows_of
from limbeck.data.json_values import doubled_key, explain, is_python_notation, parse_json
from limbeck.data.names import shown
from limbeck.data.objects import ObjectRows, kind_of
from limbeck.data.raw import RawTable, SourceFile
from limbeck.errors import DataError
from limbeck.progress import Advance
from limbeck.settings import ReadSettings

CHUNK_ROWS = 20_000
BYTE_ORDER_MARK = "\ufeff"


def read_json_lines(source: SourceFile, settings: ReadSettings, bad: BadRows, advance: Advance) -> RawTable:
    """Read a JSONL file: one object per line; blank lines and byte-order marks hold no row.

    Raises:
        DataError: the file holds nothing, or something that is not one object a line.
    """
    if _is_one_value(source, settings):
        bad.note("files named as JSON lines that hold one JSON value, read as .json", 1, source.name)
        return read_json(source, settings, bad, advance)
    rows_of_file = ObjectRows(source, settings, bad)
    with open_text(source.path, settings.encoding) as file:
        for numbers, objects in _object_chunks(file, source, bad, rows_of_file, advance):
            rows_of_file.add(objects, numbers)
    if not rows_of_file.rows_seen:
        raise DataError(f"{source.name} is empty: one JSON object a line was expected")
    return rows_of_file.finish()


def read_json(source: SourceFile, settings: ReadSettings, bad: BadRows, advance: Advance) -> RawTable:
    """Read a JSON file: an array of objects, or another shape in which pandas writes tables (see `json_shapes`).

    Raises:
        DataError: the file is not JSON, or holds something else.
    """
    content = _content(source, settings)
    advance(source.path.stat().st_size)
    if not content.strip():
        raise DataError(f"{source.name} is empty: a JSON array of objects was expected")
    try:
        value = parse_json(content)
    except (ValueError, RecursionError) as error:
        detail = _encodable(explain(error, content))
        raise DataError(f"{source.name} is not valid JSON: {detail}{_lines_hint(content)}") from error
    rows = rows_of(value, source.name, settings, bad)
    rows_of_file = ObjectRows(source, settings, bad)
    for start in range(0, len(rows), CHUNK_ROWS):
        objects: list[dict[str, Any]] = []
        numbers: list[int] = []
        for number, row in enumerate(rows[start : start + CHUNK_ROWS], start + 1):
            if _is_row(row, number, source, bad):
                objects.append(row)
                numbers.append(number)
        rows_of_file.add(objects, numbers)
    rows_of_file.rows_seen = len(rows)
    return rows_of_file.finish()


def _object_chunks(
    file: TextIO, source: SourceFile, bad: BadRows, rows_of_file: ObjectRows, advance: Advance
) -> Iterator[tuple[list[int], list[dict[str, Any]]]]:
    """Give row numbers and objects in chunks; lines that are no object go to `bad`."""
    position = 0
    while lines := list(islice(file, CHUNK_ROWS)):
        numbers: list[int] = []
        objects: list[dict[str, Any]] = []
        for line in lines:
            written = line.lstrip(BYTE_ORDER_MARK)
            if not written.strip():
                continue
            rows_of_file.rows_seen += 1
            number = rows_of_file.rows_seen
            try:
                value = parse_json(written)
            except (ValueError, RecursionError) as error:
                _report_syntax(source, bad, number, f"{explain(error, written)}: {written.strip()[:60]!r}")
                continue
            if _is_row(value, number, source, bad):
                numbers.append(number)
                objects.append(value)
        here = position_of(file)
        advance(here - position)
        position = here
        yield numbers, objects


def _is_one_value(source: SourceFile, settings: ReadSettings) -> bool:
    """Tell from the first line whether a file of lines holds one JSON array, or one object over several lines.

    Raises:
        DataError: its lines are Python notation, texts of JSON, or parts of an array that cannot be read.
    """
    with open_text(source.path, settings.encoding) as file:
        written = (line.strip().lstrip(BYTE_ORDER_MARK) for line in file)
        first, second = islice(chain(filter(None, written), ("", "")), 2)
    name = source.name
    if is_python_notation(first):
        raise DataError(
            f"{name} is Python notation (single quotes), not JSON: write each row with json.dumps: {first[:60]!r}"
        )
    try:
        value = parse_json(first)
    except (ValueError, RecursionError):
        value = None
        starts = first.startswith("[") or (first.startswith("{") and not second.startswith("{"))
    else:
        starts = isinstance(value, list) and not second
    if isinstance(value, str) and value.lstrip().startswith("{"):
        raise DataError(
            f"{name} holds a text that holds JSON in each line, written as JSON twice: write each object once"
        )
    if not starts:
        return False
    content = _content(source, settings)
    try:
        return isinstance(parse_json(content), list | dict)
    except (ValueError, RecursionError) as error:
        if first.startswith("["):
            detail = _encodable(explain(error, content))
            raise DataError(f"{name} starts as a JSON array, but it is not valid JSON: {detail}") from error
    if first == "{":
        raise DataError(f"{name} holds objects of several lines: write each on one line (jq -c . FILE)")
    return False


def _content(source: SourceFile, settings: ReadSettings) -> str:
    with open_text(source.path, settings.encoding) as file:
        return file.read()


def _is_row(value: Any, number: int, source: SourceFile, bad: BadRows) -> bool:
    """Tell whether a value is an object in which no key stands twice; if not, it goes to `bad`."""
    where = f"{source.name}, row {number:,}"
    if not isinstance(value, dict):
        message = f'{where}: is {kind_of(value)} where an object such as {{"text": …}} was expected'
        bad.reject("rows that are not a JSON object", [number], lambda _: message)
        return False
    if (key := doubled_key(value)) is not None:
        told = f"{where}: the key {shown(key[:60])} stands twice in one object: keep one of its values"
        bad.reject("rows in which a key stands twice", [number], lambda _: _encodable(told))
        return False
    return True


def _report_syntax(source: SourceFile, bad: BadRows, number: int, detail: str) -> None:
    message = f"{source.name}, row {number:,}: not valid JSON: {_encodable(detail)}"
    bad.reject("lines that are not valid JSON", [number], lambda _: message)


def _encodable(detail: str) -> str:
    """Return words for a message: without halves of surrogate pairs."""
    return detail.encode("utf-8", "replace").decode("utf-8")


def _lines_hint(content: str) -> str:
    lines = content.lstrip().split("\n", 2)
    if len(lines) > 1 and lines[0].rstrip().endswith("}") and lines[1].lstrip().startswith("{"):
        return ". It looks like one object a line: name the file .jsonl"
    return ""
