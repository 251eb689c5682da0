"""JSONL and JSON: objects with keys become rows with columns.

In: a file, decoded as the settings say. Out: a `RawTable`. JSONL is read in chunks; a JSON file is parsed whole.
It does not know which column is the text.
"""

import json
from collections.abc import Iterator
from itertools import islice
from typing import Any, TextIO

from limbeck.data.bad_rows import BadRows
from limbeck.data.decoding import open_text, position_of
from limbeck.data.objects import ObjectRows, kind_of
from limbeck.data.raw import RawTable, SourceFile
from limbeck.errors import DataError
from limbeck.progress import Advance
from limbeck.settings import ReadSettings

CHUNK_ROWS = 20_000


def read_json_lines(source: SourceFile, settings: ReadSettings, bad: BadRows, advance: Advance) -> RawTable:
    """Read a JSONL file: one object a line. Blank lines hold no row.

    Raises:
        DataError: the file holds nothing.
    """
    rows_of_file = ObjectRows(source, settings, bad)
    with open_text(source.path, settings.encoding) as file:
        for numbers, objects in _object_chunks(file, source, bad, rows_of_file, advance):
            rows_of_file.add(objects, numbers)
    if not rows_of_file.rows_seen:
        raise DataError(f"{source.name} is empty: one JSON object a line was expected")
    return rows_of_file.finish()


def read_json(source: SourceFile, settings: ReadSettings, bad: BadRows, advance: Advance) -> RawTable:
    """Read a JSON file: an array of objects, or an object of columns (lists, or pandas' objects of row → value).

    Raises:
        DataError: the file is not JSON, or holds something else.
    """
    with open_text(source.path, settings.encoding) as file:
        content = file.read()
    advance(source.path.stat().st_size)
    if not content.strip():
        raise DataError(f"{source.name} is empty: a JSON array of objects was expected")
    try:
        value = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{source.name} is not valid JSON: {error}{_lines_hint(content)}") from error
    rows_of_file = ObjectRows(source, settings, bad)
    rows = _rows_of_columns(value, source) if isinstance(value, dict) else value
    if not isinstance(rows, list):
        raise DataError(
            f"{source.name} holds {kind_of(rows)}: an array of objects, or an object of columns, was expected"
        )
    for start in range(0, len(rows), CHUNK_ROWS):
        chunk = rows[start : start + CHUNK_ROWS]
        numbers = range(start + 1, start + len(chunk) + 1)
        good = [place for place, row in enumerate(chunk) if isinstance(row, dict)]
        wrong = [place for place, row in enumerate(chunk) if not isinstance(row, dict)]
        _report_kind(source, bad, [numbers[place] for place in wrong], [chunk[place] for place in wrong])
        rows_of_file.add([chunk[place] for place in good], [numbers[place] for place in good])
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
            if not line.strip():
                continue
            rows_of_file.rows_seen += 1
            number = rows_of_file.rows_seen
            try:
                value = json.loads(line)
            except (ValueError, RecursionError) as error:
                _report_syntax(source, bad, number, f"{error}: {line.strip()[:60]!r}")
                continue
            if isinstance(value, dict):
                numbers.append(number)
                objects.append(value)
            else:
                _report_kind(source, bad, [number], [value])
        here = position_of(file)
        advance(here - position)
        position = here
        yield numbers, objects


def _report_syntax(source: SourceFile, bad: BadRows, number: int, detail: str) -> None:
    shown = detail.encode("utf-8", "replace").decode("utf-8")
    bad.reject(
        "lines that are not valid JSON", [number], lambda row: f"{source.name}, row {row:,}: not valid JSON: {shown}"
    )


def _report_kind(source: SourceFile, bad: BadRows, numbers: list[int], values: list[Any]) -> None:
    kinds = dict(zip(numbers, map(kind_of, values), strict=True))
    bad.reject(
        "rows that are not a JSON object",
        numbers,
        lambda row: f'{source.name}, row {row:,}: is {kinds[row]} where an object such as {{"text": …}} was expected',
    )


def _rows_of_columns(columns: dict[str, Any], source: SourceFile) -> list[dict[str, Any]]:
    """Turn an object of columns into rows.

    Raises:
        DataError: a value is no column, or the columns are not of one length.
    """
    sizes = {name: len(column) for name, column in columns.items() if isinstance(column, list | dict)}
    if len(sizes) < len(columns):
        odd = next(name for name in columns if name not in sizes)
        raise DataError(
            f"{source.name}: key {odd!r} holds {kind_of(columns[odd])}; in an object of columns each holds a list. "
            "An array of objects is read too; for one object a line name the file .jsonl"
        )
    if len(set(sizes.values())) > 1:
        raise DataError(
            f"{source.name}: the columns are not equally long: {', '.join(f'{k} {v:,}' for k, v in sizes.items())}"
        )
    lists = [list(column.values()) if isinstance(column, dict) else column for column in columns.values()]
    return [dict(zip(columns, row, strict=True)) for row in zip(*lists, strict=True)]


def _lines_hint(content: str) -> str:
    lines = content.lstrip().split("\n", 2)
    if len(lines) > 1 and lines[0].rstrip().endswith("}") and lines[1].lstrip().startswith("{"):
        return ". It looks like one object a line: name the file .jsonl"
    return ""
