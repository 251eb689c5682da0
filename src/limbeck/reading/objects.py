"""JSON objects with keys of any kind become columns, each of one type.

In: objects as Python has them, chunk by chunk. Out: a `RawTable`; a column of mixed kinds is text, with what was no
text remembered. It does not know files.
"""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from itertools import chain
from math import isfinite
from typing import Any

import pyarrow as pa

from limbeck.reading.bad_rows import BadRows
from limbeck.reading.columnar import EXACT_FLOAT
from limbeck.reading.decoding import CellStrings, is_broken, replaced
from limbeck.reading.raw import RawRows, RawTable, SourceFile
from limbeck.settings import ReadSettings

_KEYS = "(the keys)"
"""What messages call the column that a fault in an object's keys is in."""


class ObjectRows:
    """Gathers objects, chunk by chunk, into Arrow columns.

    Args:
        source: the file.
        settings: how it is read.
        bad: takes what is at fault.
        kinds: the columns that there are to be, and their types, where the objects are a piece of a file that was
            looked at as a whole; found from the values when not given.
    """

    def __init__(
        self, source: SourceFile, settings: ReadSettings, bad: BadRows, kinds: pa.Schema | None = None
    ) -> None:
        self._kinds = None if kinds is None else {field.name: field.type for field in kinds}
        self._source = source
        self._cells = CellStrings(source.name, settings.encoding, bad)
        self._rows = RawRows()
        self._odd: dict[str, dict[int, str]] = {}
        self.rows_seen = 0

    def add(self, objects: Sequence[Mapping[str, Any]], numbers: Sequence[int]) -> None:
        """Add one chunk of objects with their row numbers."""
        if not objects:
            return
        strings: dict[str, list[str | None]] = {}
        arrays: dict[str, pa.Array] = {}
        names = dict.fromkeys(chain.from_iterable(objects))
        if any(map(is_broken, names)):
            strings[_KEYS] = [next(filter(is_broken, row), None) for row in objects]
            objects = [{str(replaced(key)): value for key, value in row.items()} for row in objects]
            names = dict.fromkeys(chain.from_iterable(objects))
        for name in names:
            values = [row.get(name) for row in objects]
            array = typed(values) if self._kinds is None else _array_of(values, self._kinds[name])
            if array is None:
                strings[name] = self._as_strings(name, values, numbers)
            else:
                arrays[name] = array
        converted, dropped = self._cells.convert(strings, numbers)
        converted.pop(_KEYS, None)
        self._rows.add({name: converted.get(name, arrays.get(name)) for name in names}, numbers, dropped)

    def finish(self) -> RawTable:
        """Return the rows gathered; a column whose type differs between chunks becomes text."""
        names = self._kinds or dict.fromkeys(chain.from_iterable(chunk.column_names for chunk in self._rows.tables))
        table = pa.table({name: self._column(name) for name in names})
        return dataclasses.replace(
            self._rows.finish(self._source, rows_seen=self.rows_seen, table=table), odd=self._odd
        )

    def _column(self, name: str) -> pa.ChunkedArray:
        parts = [
            chunk[name] if name in chunk.column_names else pa.chunked_array([pa.nulls(chunk.num_rows)])
            for chunk in self._rows.tables
        ]
        if self._kinds is not None:
            kind = self._kinds[name]
            known = (
                pa.chunked_array([pa.nulls(len(part), kind)]) if pa.types.is_null(part.type) else part for part in parts
            )
            return pa.chunked_array(chain.from_iterable(part.chunks for part in known), kind)
        kinds = {part.type for part in parts if not pa.types.is_null(part.type)}
        if kinds <= {pa.int64(), pa.float64()} or len(kinds) == 1:
            kind = pa.float64() if len(kinds) > 1 else next(iter(kinds), pa.null())
            return pa.chunked_array(chain.from_iterable(part.cast(kind).chunks for part in parts), kind)
        texts = []
        for part, numbers in zip(parts, self._rows.numbers, strict=True):
            if pa.types.is_null(part.type) or pa.types.is_large_string(part.type):
                texts.append(part.cast(pa.large_string()))
            else:
                strings = self._as_strings(name, part.to_pylist(), numbers.to_pylist())
                texts.append(pa.chunked_array([strings], pa.large_string()))
        return pa.chunked_array(chain.from_iterable(part.chunks for part in texts), pa.large_string())

    def _as_strings(self, name: str, values: Sequence[Any], numbers: Sequence[int]) -> list[str | None]:
        strings, odd = as_strings(values, numbers)
        if odd:
            self._odd.setdefault(name, {}).update(odd)
        return strings


def as_strings(values: Sequence[Any], numbers: Sequence[int]) -> tuple[list[str | None], dict[int, str]]:
    """Keep strings as they are and write anything else as JSON; return them, and row number → what is no string.

    NaN and infinities, which are how libraries write a missing value into JSON, are missing here too.
    """
    strings: list[str | None] = []
    odd: dict[int, str] = {}
    for value, number in zip(values, numbers, strict=True):
        if value is None or isinstance(value, str):
            strings.append(value)
        elif isinstance(value, float) and not isfinite(value):
            strings.append(None)
        else:
            written = json.dumps(value, ensure_ascii=False, default=str)
            odd[number] = f"{kind_of(value)} ({written[:40]})"
            strings.append(written)
    return strings, odd


def _array_of(values: Sequence[Any], kind: pa.DataType) -> pa.Array | None:
    """Return an array of a known type; None for texts, of which some may be none."""
    return None if pa.types.is_large_string(kind) else pa.array(values, kind)


def typed(values: Sequence[Any]) -> pa.Array | None:
    """Return an Arrow array of numbers, truth values, lists or nulls; None when it takes strings to hold the values."""
    kinds = {type(value) for value in values} - {type(None)}
    if not kinds:
        return pa.nulls(len(values))
    # Arrow would make one type of true and 1, and round whole numbers that are too large for a float.
    if str in kinds or (bool in kinds and len(kinds) > 1) or (kinds == {int, float} and _too_large(values)):
        return None
    try:
        return pa.array(values)
    except (pa.ArrowException, UnicodeError, OverflowError):
        return None


def _too_large(values: Sequence[Any]) -> bool:
    return any(isinstance(value, int) and abs(value) > EXACT_FLOAT for value in values)


def kind_of(value: Any) -> str:
    """Say what a JSON value is."""
    if isinstance(value, bool):
        return "true or false"
    kinds = {dict: "an object", list: "an array", str: "a text", int: "a number", float: "a number", type(None): "null"}
    return kinds.get(type(value), type(value).__name__)
