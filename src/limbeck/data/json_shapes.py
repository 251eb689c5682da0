"""The shapes of a whole JSON file: which of its values is a row.

In: the value that a file holds. Out: a list of rows, or one error that says where the rows are.
How a shape other than an array of objects was understood is a note. It does not know files nor kinds of cells.
"""

from collections.abc import Sequence
from typing import Any

from limbeck.data.bad_rows import BadRows
from limbeck.data.columns import has_text_column
from limbeck.data.json_values import doubled_key
from limbeck.data.names import shown
from limbeck.data.objects import kind_of
from limbeck.errors import DataError
from limbeck.settings import ReadSettings

_SHOWN_KEYS = 5


def rows_of(value: Any, name: str, settings: ReadSettings, bad: BadRows) -> list[Any]:
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
    if value and all(_is_label_studio(row) for row in value):
        raise DataError(
            f"{name} is an export of Label Studio as JSON: its texts are in data, its labels in "
            "annotations → result → value → choices. Export it as JSON-MIN or CSV, which limbeck reads"
        )
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


def _is_label_studio(row: Any) -> bool:
    return (
        isinstance(row, dict)
        and isinstance(row.get("data"), dict)
        and bool(row.keys() & {"annotations", "completions"})
    )
