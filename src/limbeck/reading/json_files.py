"""JSON: one object per line, or one value that holds all rows in one of the shapes that programs write.

In: a file. Out: a `RawTable`; what is no JSON, or no row, is a fault with its line and column.
ColumnNames are joined by key, never by place. It does not know labels.
"""

import json
import re
from collections.abc import Iterator, Sequence
from itertools import chain, islice
from typing import Any, TextIO

from limbeck.data.names import shown
from limbeck.errors import DataError
from limbeck.progress import Advance
from limbeck.reading.bad_rows import BadRows
from limbeck.reading.columns import has_text_column
from limbeck.reading.decoding import open_text, position_of
from limbeck.reading.label_studio import is_label_studio, rows_of_tasks
from limbeck.reading.objects import ObjectRows, kind_of
from limbeck.reading.raw import GATHERED_ROWS, RawTable, SourceFile
from limbeck.settings import ReadSettings

BYTE_ORDER_MARK = "\ufeff"


def read_json_lines(source: SourceFile, settings: ReadSettings, bad: BadRows, advance: Advance) -> RawTable:
    """Read a JSONL file: one object per line; blank lines and byte-order marks hold no row.

    Raises:
        DataError: the file holds nothing, or something that is not one object a line.
    """
    if _is_one_value(source, settings):
        bad.note("files named as JSON lines that hold one JSON value, read as .json", 1, source.name)
        return read_json_file(source, settings, bad, advance)
    rows_of_file = ObjectRows(source, settings, bad)
    with open_text(source.path, settings.encoding) as file:
        for numbers, objects in object_chunks(file, source, bad, rows_of_file, advance):
            rows_of_file.add(objects, numbers)
    if not rows_of_file.rows_seen:
        raise DataError(f"{source.name} is empty: one JSON object a line was expected")
    return rows_of_file.finish()


def read_json_file(source: SourceFile, settings: ReadSettings, bad: BadRows, advance: Advance) -> RawTable:
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
    rows = json_rows(value, source.name, settings, bad)
    rows_of_file = ObjectRows(source, settings, bad)
    for start in range(0, len(rows), GATHERED_ROWS):
        objects: list[dict[str, Any]] = []
        numbers: list[int] = []
        for number, row in enumerate(rows[start : start + GATHERED_ROWS], start + 1):
            if _is_row(row, number, source, bad):
                objects.append(row)
                numbers.append(number)
        rows_of_file.add(objects, numbers)
    rows_of_file.rows_seen = len(rows)
    return rows_of_file.finish()


def object_chunks(
    file: TextIO, source: SourceFile, bad: BadRows, rows_of_file: ObjectRows, advance: Advance
) -> Iterator[tuple[list[int], list[dict[str, Any]]]]:
    """Give row numbers and objects in chunks; lines that are no object go to `bad`."""
    position = 0
    while lines := list(islice(file, GATHERED_ROWS)):
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


_SHOWN_KEYS = 5


def json_rows(value: Any, name: str, settings: ReadSettings, bad: BadRows) -> list[Any]:
    """Return the rows of an array of objects, or of any shape in which pandas writes a table.

    Args:
        value: what the file holds.
        name: what messages call the file.
        settings: may name the text column, which tells rows from columns.
        bad: takes the note of how the file was understood.

    Raises:
        DataError: it holds something else; says where the rows seem to be.
    """
    if isinstance(value, dict):
        rows, how = _rows_of_object(value, name, settings)
        if how is not None:
            bad.note(f"JSON files read as {how}", 1, name)
        return rows
    if not isinstance(value, list):
        raise DataError(f"{name} holds {kind_of(value)}: an array of objects, or an object of columns, was expected")
    if value and all(isinstance(row, list) for row in value):
        raise DataError(
            f"{name} is an array of arrays, which names no columns (pandas: orient='values'): "
            "write an array of objects (orient='records')"
        )
    if is_label_studio(value):
        bad.note("JSON files read as an export of Label Studio, a row for each task", 1, name)
        return rows_of_tasks(value, name)
    return value


def _rows_of_object(value: dict[str, Any], name: str, settings: ReadSettings) -> tuple[list[Any], str | None]:
    """Return the rows of an object, and how it was understood where that is not plain."""
    if len(value) == 0:
        raise DataError(f"{name} is an empty object: an array of objects was expected")
    if (key := doubled_key(value)) is not None:
        raise DataError(f"{name}: the key {shown(key)} stands twice in one object, so one value would be lost")
    data = value.get("data")
    if value.keys() <= {"columns", "index", "data"} and isinstance(value.get("columns"), list):
        return _rows_of_split(value["columns"], data, name), "columns and data (pandas' orient='split')"
    if value.keys() == {"schema", "data"} and isinstance(data, list):
        return data, "schema and data (pandas' orient='table')"
    outer = has_text_column(list(value), settings)
    inner = all(isinstance(row, dict) and has_text_column(list(row), settings) for row in value.values())
    if inner and outer:
        raise DataError(
            f"{name} is an object of objects, and its rows could be either: write an array of objects "
            "(pandas: orient='records')"
        )
    if inner:
        return list(value.values()), "one object per row key (pandas' orient='index')"
    if not outer and (key := _key_of_rows(value)) is not None:
        raise DataError(f"{name}: the rows seem to be under the key {shown(key)}: save that array alone")
    return _rows_of_columns(value, name), None


def _rows_of_columns(columns: dict[str, Any], name: str) -> list[dict[str, Any]]:
    """Turn an object of columns into rows: lists by place, objects by their keys.

    Raises:
        DataError: a value is no column, or the columns are not of the same rows.
    """
    odd = next((key for key, column in columns.items() if not isinstance(column, list | dict)), None)
    if odd is not None:
        raise DataError(
            f"{name}: key {shown(odd)} holds {kind_of(columns[odd])}; in an object of columns each holds a list. "
            "An array of objects is read too; for one object a line name the file .jsonl"
        )
    first, *others = columns
    if len({isinstance(column, dict) for column in columns.values()}) > 1:
        kinds = ", ".join(f"{shown(key)} {kind_of(column)}" for key, column in columns.items())
        raise DataError(f"{name}: the columns are not written alike, so rows cannot be joined: {kinds}")
    if isinstance(columns[first], list):
        if len({len(column) for column in columns.values()}) > 1:
            sizes = ", ".join(f"{shown(key)} {len(column):,}" for key, column in columns.items())
            raise DataError(f"{name}: the columns are not equally long: {sizes}")
        return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    for other in others:
        if lacking := columns[first].keys() ^ columns[other].keys():
            keys = ", ".join(map(shown, sorted(lacking)[:_SHOWN_KEYS]))
            raise DataError(
                f"{name}: columns {shown(first)} and {shown(other)} do not have the same rows: {len(lacking):,} "
                f"row keys stand in one of them only ({keys}); write null where a value is missing"
            )
    return [{key: column[row] for key, column in columns.items()} for row in columns[first]]


def _rows_of_split(columns: Sequence[Any], data: Any, name: str) -> list[dict[str, Any]]:
    names = list(map(str, columns))
    if len(set(names)) < len(names):
        raise DataError(f"{name}: a column is named twice in 'columns': {', '.join(map(shown, names[:20]))}")
    if not isinstance(data, list) or any(not isinstance(row, list) or len(row) != len(names) for row in data):
        raise DataError(
            f"{name}: 'data' was expected to hold an array of {len(names)} values per row, one per name in 'columns'"
        )
    return [dict(zip(names, row, strict=True)) for row in data]


def _key_of_rows(value: dict[str, Any]) -> str | None:
    """Return the key that holds an array of objects."""
    for key, column in value.items():
        if isinstance(column, list) and column and all(isinstance(row, dict) for row in column):
            return key
    return None


_PYTHON_NOTATION = re.compile(r"\s*\[?\s*\{\s*'")
_RAW_SIGNS = {"\t": "a raw tab", "\n": "a line end", "\r": "a carriage return"}


class _DoubledObject(dict[str, Any]):
    """An object in which a key stands twice; the last value is kept, as `json` does."""

    def __init__(self, pairs: Sequence[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        names = [name for name, _ in pairs]
        self.key = next(name for place, name in enumerate(names) if name in names[:place])


def parse_json(text: str) -> Any:
    """Parse a JSON text; see `doubled_key` for what it remembers.

    Raises:
        ValueError: it is not JSON.
        RecursionError: it is nested too deeply.
    """
    return _DECODER.decode(text)


def doubled_key(value: Any) -> str | None:
    """Return a key that stands twice in one object, at any depth; None where there is none."""
    waiting = [value]
    while waiting:
        found = waiting.pop()
        if isinstance(found, _DoubledObject):
            return found.key
        inner = found.values() if isinstance(found, dict) else found if isinstance(found, list) else ()
        waiting.extend(item for item in inner if isinstance(item, dict | list))
    return None


def is_python_notation(text: str) -> bool:
    """Tell whether a text starts as Python prints a dictionary: in single quotes."""
    return _PYTHON_NOTATION.match(text) is not None


def explain(error: Exception, text: str) -> str:
    """Say what is wrong with a text that is not JSON, and how JSON writes it."""
    if isinstance(error, json.JSONDecodeError) and error.msg.startswith("Invalid control character"):
        sign = text[error.pos]
        named = _RAW_SIGNS.get(sign, f"the control character {sign!a}")
        return f"{named} inside a text at character {error.colno:,}: JSON writes it as {json.dumps(sign)[1:-1]}"
    if is_python_notation(text):
        return "it is Python notation (single quotes): write it with json.dumps, in double quotes"
    if isinstance(error, json.JSONDecodeError):
        before = text[: error.pos].rstrip()
        if before.endswith(",") and text[error.pos : error.pos + 1] in ("]", "}"):
            return (
                f"a comma stands after the last value, before line {error.lineno:,} column {error.colno:,}: take it out"
            )
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    return str(error)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    return found if len(found) == len(pairs) else _DoubledObject(pairs)


_DECODER = json.JSONDecoder(object_pairs_hook=_object)
