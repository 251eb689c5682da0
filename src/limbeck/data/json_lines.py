"""JSONL and JSON: objects with keys become rows with columns.

In: a file, decoded as the settings say. Out: a `RawTable`. JSONL is read in chunks; a JSON file is parsed whole.
It does not know which column is the text.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import Any, TextIO

import numpy as np
import pyarrow as pa

from limbeck.data.bad_rows import BadRows
from limbeck.data.decoding import CellStrings, open_text, position_of
from limbeck.data.raw import RawTable, SourceFile
from limbeck.errors import DataError
from limbeck.progress import Advance
from limbeck.settings import ReadSettings

CHUNK_ROWS = 20_000
_EXACT_FLOAT = 2**53
"""Whole numbers up to this are exact in a float."""


def read_json_lines(source: SourceFile, settings: ReadSettings, bad: BadRows, advance: Advance) -> RawTable:
    """Read a JSONL file: one object a line. Blank lines hold no row.

    Raises:
        DataError: the file holds nothing.
    """
    builder = _Builder(source, settings, bad)
    with open_text(source.path, settings.encoding) as file:
        for numbers, objects in _object_chunks(file, source, bad, builder, advance):
            builder.add(objects, numbers)
    if not builder.rows_seen:
        raise DataError(f"{source.path} is empty: one JSON object a line was expected")
    return builder.finish()


def read_json(source: SourceFile, settings: ReadSettings, bad: BadRows, advance: Advance) -> RawTable:
    """Read a JSON file: an array of objects, or an object of columns (lists, or pandas' objects of row → value).

    Raises:
        DataError: the file is not JSON, or holds something else.
    """
    with open_text(source.path, settings.encoding) as file:
        content = file.read()
    advance(source.path.stat().st_size)
    if not content.strip():
        raise DataError(f"{source.path} is empty: a JSON array of objects was expected")
    try:
        value = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{source.path} is not valid JSON: {error}{_lines_hint(content)}") from error
    builder = _Builder(source, settings, bad)
    rows = _rows_of_columns(value, source) if isinstance(value, dict) else value
    if not isinstance(rows, list):
        raise DataError(
            f"{source.path} holds {_kind_of(rows)}: an array of objects, or an object of columns, was expected"
        )
    for start in range(0, len(rows), CHUNK_ROWS):
        chunk = rows[start : start + CHUNK_ROWS]
        numbers = range(start + 1, start + len(chunk) + 1)
        good = [place for place, row in enumerate(chunk) if isinstance(row, dict)]
        wrong = [place for place, row in enumerate(chunk) if not isinstance(row, dict)]
        _report_kind(source, bad, [numbers[place] for place in wrong], [chunk[place] for place in wrong])
        builder.add([chunk[place] for place in good], [numbers[place] for place in good])
    builder.rows_seen = len(rows)
    return builder.finish()


def _object_chunks(
    file: TextIO, source: SourceFile, bad: BadRows, builder: "_Builder", advance: Advance
) -> Iterator[tuple[list[int], list[dict[str, Any]]]]:
    """Give row numbers and objects in chunks; lines that are no object go to `bad`."""
    position = 0
    while lines := list(islice(file, CHUNK_ROWS)):
        numbers: list[int] = []
        objects: list[dict[str, Any]] = []
        for line in lines:
            if not line.strip():
                continue
            builder.rows_seen += 1
            number = builder.rows_seen
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
        "lines that are not valid JSON", [number], lambda row: f"{source.path}, row {row:,}: not valid JSON: {shown}"
    )


def _report_kind(source: SourceFile, bad: BadRows, numbers: list[int], values: list[Any]) -> None:
    kinds = dict(zip(numbers, map(_kind_of, values), strict=True))
    bad.reject(
        "rows that are not a JSON object",
        numbers,
        lambda row: f'{source.path}, row {row:,}: is {kinds[row]} where an object such as {{"text": …}} was expected',
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
            f"{source.path}: key {odd!r} holds {_kind_of(columns[odd])}; in an object of columns each holds a list. "
            "An array of objects is read too; for one object a line name the file .jsonl"
        )
    if len(set(sizes.values())) > 1:
        raise DataError(
            f"{source.path}: the columns are not equally long: {', '.join(f'{k} {v:,}' for k, v in sizes.items())}"
        )
    lists = [list(column.values()) if isinstance(column, dict) else column for column in columns.values()]
    return [dict(zip(columns, row, strict=True)) for row in zip(*lists, strict=True)]


class _Builder:
    """Gathers objects, chunk by chunk, into Arrow columns."""

    def __init__(self, source: SourceFile, settings: ReadSettings, bad: BadRows) -> None:
        self._source = source
        self._cells = CellStrings(str(source.path), settings.encoding, bad)
        self._chunks: list[pa.Table] = []
        self._numbers: list[pa.Array] = []
        self._odd: dict[str, dict[int, str]] = {}
        self.rows_seen = 0

    def add(self, objects: Sequence[Mapping[str, Any]], numbers: Sequence[int]) -> None:
        """Add one chunk of objects with their row numbers."""
        if not objects:
            return
        strings: dict[str, list[str | None]] = {}
        arrays: dict[str, pa.Array] = {}
        names = dict.fromkeys(chain.from_iterable(objects))
        for name in names:
            values = [row.get(name) for row in objects]
            typed = _typed(values)
            if typed is None:
                strings[name] = self._as_strings(name, values, numbers)
            else:
                arrays[name] = typed
        converted, dropped = self._cells.convert(strings, numbers)
        table = pa.table({name: converted.get(name, arrays.get(name)) for name in names})
        kept = pa.array(numbers, pa.int64())
        if dropped:
            keep = pa.array(np.isin(np.arange(len(objects)), sorted(dropped), invert=True))
            table, kept = table.filter(keep), kept.filter(keep)
        self._chunks.append(table)
        self._numbers.append(kept)

    def finish(self) -> RawTable:
        """Return the rows gathered; a column whose type differs between chunks becomes text."""
        names = dict.fromkeys(chain.from_iterable(chunk.column_names for chunk in self._chunks))
        columns = {name: self._column(name) for name in names}
        return RawTable(
            name=str(self._source.path),
            split=self._source.split,
            table=pa.table(columns),
            numbers=pa.chunked_array(self._numbers, pa.int64()).combine_chunks(),
            rows_seen=self.rows_seen,
            odd=self._odd,
        )

    def _column(self, name: str) -> pa.ChunkedArray:
        parts = [
            chunk[name] if name in chunk.column_names else pa.chunked_array([pa.nulls(chunk.num_rows)])
            for chunk in self._chunks
        ]
        kinds = {part.type for part in parts if not pa.types.is_null(part.type)}
        if kinds <= {pa.int64(), pa.float64()} or len(kinds) == 1:
            kind = pa.float64() if len(kinds) > 1 else next(iter(kinds), pa.null())
            return pa.chunked_array(chain.from_iterable(part.cast(kind).chunks for part in parts), kind)
        texts = []
        for part, numbers in zip(parts, self._numbers, strict=True):
            if pa.types.is_null(part.type) or pa.types.is_large_string(part.type):
                texts.append(part.cast(pa.large_string()))
            else:
                texts.append(
                    pa.chunked_array([self._as_strings(name, part.to_pylist(), numbers.to_pylist())], pa.large_string())
                )
        return pa.chunked_array(chain.from_iterable(part.chunks for part in texts), pa.large_string())

    def _as_strings(self, name: str, values: Sequence[Any], numbers: Sequence[int]) -> list[str | None]:
        """Keep strings as they are and write anything else as JSON, remembering where."""
        strings: list[str | None] = []
        for value, number in zip(values, numbers, strict=True):
            if value is None or isinstance(value, str):
                strings.append(value)
            else:
                written = json.dumps(value, ensure_ascii=False, default=str)
                self._odd.setdefault(name, {})[number] = f"{_kind_of(value)} ({written[:40]})"
                strings.append(written)
        return strings


def _typed(values: Sequence[Any]) -> pa.Array | None:
    """Return an Arrow array of numbers, truth values, lists or nulls; None when it takes strings to hold the values."""
    kinds = {type(value) for value in values} - {type(None)}
    if not kinds:
        return pa.nulls(len(values))
    if kinds == {bool}:
        return pa.array(values, pa.bool_())
    if kinds == {int} and all(value is None or -(2**63) <= value < 2**63 for value in values):
        return pa.array(values, pa.int64())
    if kinds == {float} or (
        kinds == {int, float} and all(abs(value) <= _EXACT_FLOAT for value in values if type(value) is int)
    ):
        return pa.array(values, pa.float64())
    if kinds <= {list, dict}:
        try:
            return pa.array(values)
        except (pa.ArrowException, UnicodeError, OverflowError):
            return None
    return None


def _kind_of(value: Any) -> str:
    """Say what a JSON value is."""
    if isinstance(value, bool):
        return "true or false"
    kinds = {dict: "an object", list: "an array", str: "a text", int: "a number", float: "a number", type(None): "null"}
    return kinds.get(type(value), type(value).__name__)


def _lines_hint(content: str) -> str:
    lines = content.lstrip().split("\n", 2)
    if len(lines) > 1 and lines[0].rstrip().endswith("}") and lines[1].lstrip().startswith("{"):
        return ". It looks like one object a line: name the file .jsonl"
    return ""
