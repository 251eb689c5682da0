"""Objects in memory become a `Dataset`: lists, DataFrames of pandas and polars, Arrow tables.

In: the object, and options by keyword. Out: a `Dataset`; columns, labels and faults are treated as those of a file.
It imports neither pandas nor polars: what an object can do is enough. One odd column hinders no other.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np
import pyarrow as pa

from limbeck.data.dataset import Dataset
from limbeck.data.text_pairs import TextPair
from limbeck.data.texts import FIRST_SECOND, rows_in
from limbeck.errors import DataError, FaultLog, SettingsError
from limbeck.reading.assembly import assemble
from limbeck.reading.bad_rows import BadRows
from limbeck.reading.columnar import raw_table
from limbeck.reading.decoding import replaced
from limbeck.reading.known_layouts import as_meant
from limbeck.reading.objects import as_strings, typed
from limbeck.reading.read import ListOptions, ReadOptions, said_in_python, settings_with, wrong_object
from limbeck.setting_tables import check_keys, said_names
from limbeck.settings import ReadSettings

if TYPE_CHECKING:
    import pandas as pd

_TABLE = "the table"
_LIST = "the list"


def from_lists(
    texts: Any, labels: Any = None, settings: ReadSettings | None = None, **options: Unpack[ListOptions]
) -> Dataset:
    """Make a dataset of texts and their labels, each in a list or anything that has rows in an order.

    Args:
        texts: N strings; or N pairs of strings, (first, second), which a model reads together.
        labels: N names or integers; without this argument no text has a label. Where some texts have none (None),
            give `settings=ReadSettings(labels="optional")`.
        settings: as for a file.
        **options: label_names, the names of integers in their order, and on_bad_row, as for a file.

    Raises:
        DataError: there are more or fewer labels than texts, or rows are at fault.
        SettingsError: one of them is no list, or an option is wrong.

    Example:
        >>> from_lists(["i feel fine", "i am angry"], ["joy", "anger"])
        Dataset of 2 rows: train 2
        labels: anger, joy
    """
    check_keys(options, ListOptions.__annotations__, where="from_lists")
    settings = settings_with(options, settings, where="from_lists")
    columns: dict[str, Sequence[Any]] = _text_columns(_cells_in(texts, "texts"))
    names = tuple(columns)
    if labels is None:
        settings = replace(settings, labels="ignored")
    else:
        columns["label"] = _cells_in(labels, "labels")
        if len(columns["label"]) != (rows := len(columns[names[0]])):
            raise DataError(
                f"from_lists was given {rows:,} texts and {len(columns['label']):,} labels: one label "
                "per text was expected, None for a text that has none"
            )
    arrays: dict[str, pa.Array] = {}
    odd: dict[str, dict[int, str]] = {}
    for name, cells in columns.items():
        array = typed(cells)
        arrays[name], odd[name] = _as_text(cells) if array is None else (array, {})
    settings = replace(settings, text_column=said_names(names), label_column=None if labels is None else "label")
    return _dataset_of(pa.table(arrays), odd, settings, name=_LIST)


def from_arrow(table: Any, settings: ReadSettings | None = None, **options: Unpack[ReadOptions]) -> Dataset:
    """Make a dataset of an Arrow table; its columns are found as those of a file are.

    Args:
        table: a table, a record batch, or a frame that can be read as Arrow (`__arrow_c_stream__`, as polars').
        settings: as for a file.
        **options: the same by keyword (`ReadSettings`).

    Raises:
        DataError: a column is missing, or rows are at fault.
        SettingsError: it is no table, or an option is wrong.

    Example:
        >>> import pyarrow as pa
        >>> from_arrow(pa.table({"text": ["i feel fine", "i am angry"], "label": ["joy", "anger"]}))
        Dataset of 2 rows: train 2
        labels: anger, joy
    """
    if not isinstance(table, pa.Table):
        if not (isinstance(table, pa.RecordBatch) or hasattr(table, "__arrow_c_stream__")):
            raise wrong_object(table, where="from_arrow", takes="an Arrow table")
        table = pa.table(table)
    return _dataset_of(table, {}, settings_with(options, settings, where="from_arrow"))


def from_polars(frame: Any, settings: ReadSettings | None = None, **options: Unpack[ReadOptions]) -> Dataset:
    """Make a dataset of a polars DataFrame; its columns are found as those of a file are.

    Args:
        frame: a DataFrame of polars; collect a LazyFrame first.
        settings: as for a file.
        **options: the same by keyword (`ReadSettings`).

    Raises:
        DataError: a column is missing, or rows are at fault.
        SettingsError: it is no DataFrame of polars, or an option is wrong.

    Example:
        >>> import polars
        >>> from_polars(polars.DataFrame({"text": ["so happy"], "label": ["joy"]})).label_names
        ('joy',)
    """
    if hasattr(frame, "collect") and not hasattr(frame, "to_arrow"):
        raise SettingsError("from_polars takes a DataFrame, not a LazyFrame: give frame.collect()")
    if not (hasattr(frame, "to_arrow") and hasattr(frame, "columns")):
        raise wrong_object(frame, where="from_polars", takes="a DataFrame of polars")
    return _dataset_of(frame.to_arrow(), {}, settings_with(options, settings, where="from_polars"))


def from_pandas(frame: Any, settings: ReadSettings | None = None, **options: Unpack[ReadOptions]) -> Dataset:
    """Make a dataset of a pandas DataFrame; its columns are found as those of a file are, its index is left out.

    Args:
        frame: the DataFrame.
        settings: as for a file.
        **options: the same by keyword (`ReadSettings`).

    Raises:
        DataError: a column is missing, or rows are at fault.
        SettingsError: it is no DataFrame, or an option is wrong.

    Example:
        >>> import pandas as pd
        >>> from_pandas(pd.DataFrame({"text": ["i feel fine", "i am angry"], "label": ["joy", "anger"]}))
        Dataset of 2 rows: train 2
        labels: anger, joy
    """
    if not (hasattr(frame, "iloc") and hasattr(frame, "columns")):
        raise wrong_object(frame, where="from_pandas", takes="a DataFrame of pandas")
    table, odd = _table_of_frame(frame)
    return _dataset_of(table, odd, settings_with(options, settings, where="from_pandas"))


def _dataset_of(
    table: pa.Table, odd: Mapping[str, Mapping[int, str]], settings: ReadSettings, name: str = _TABLE
) -> Dataset:
    bad = BadRows(settings.on_bad_row)
    with said_in_python():
        try:
            raw = raw_table(table, name=name, split="train", bad=bad)
            raw = as_meant(replace(raw, odd=odd), settings, bad, for_spreadsheets=False)
            return assemble([raw], settings, bad, name)
        except (pa.ArrowException, UnicodeError) as error:
            raise DataError(f"{name} is damaged, or holds what Arrow cannot convert: {error}") from error


def _text_columns(cells: Sequence[Any]) -> dict[str, Sequence[Any]]:
    """Return texts as a column, or pairs as two.

    Raises:
        DataError: some rows are pairs, others not; gathers the others.
    """
    cells = [(cell.first, cell.second) if isinstance(cell, TextPair) else cell for cell in cells]
    if not any(isinstance(cell, tuple) for cell in cells):
        return {"text": cells}
    faults = FaultLog()
    faults.extend(
        f"text {place}: {str(cell)[:40]!r}, where a pair was expected"
        for place, cell in enumerate(cells)
        if not (isinstance(cell, tuple) and len(cell) == len(FIRST_SECOND))
    )
    faults.raise_as(
        DataError, what="from_lists was given pairs of texts, and other things", todo="give (first, second)"
    )
    return dict(zip(FIRST_SECOND, map(list, zip(*cells, strict=True)), strict=True))


def _table_of_frame(frame: "pd.DataFrame") -> tuple[pa.Table, dict[str, dict[int, str]]]:
    """Return a frame's columns as an Arrow table, its index left out.

    A column of mixed kinds is text, as in JSON: the second value holds column → row number → what is no text there.
    """
    names = [str(replaced(str(name))) for name in frame.columns]
    arrays: list[pa.Array] = []
    odd: dict[str, dict[int, str]] = {}
    for place, name in enumerate(names):
        column = frame.iloc[:, place]
        array = _typed_array(column)
        if array is None:
            array, odd[name] = _as_text(_cells(column))
        arrays.append(array)
    return pa.Table.from_arrays(arrays, names=names), odd


def _typed_array(column: "pd.Series[Any]") -> pa.Array | None:
    """Return a column in the one type of its cells; None where there is none."""
    if column.dtype == object:
        return typed(_cells(column))
    try:
        array = pa.array(column, from_pandas=True)
    except (pa.ArrowException, TypeError, ValueError, OverflowError):
        # ValueError and OverflowError are Arrow's words for strings and numbers that it cannot hold.
        return None
    array = array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array
    # What Arrow stores for pandas' own types (periods as numbers) is not what a reader sees.
    return None if isinstance(array.type, pa.BaseExtensionType) else array


def _as_text(cells: Sequence[Any]) -> tuple[pa.Array, dict[int, str]]:
    strings, odd = as_strings(cells, range(1, len(cells) + 1))
    # Halves of surrogate pairs stay in as bytes that are no UTF-8, which are met by row as in any file.
    content = [None if cell is None else cell.encode("utf-8", "surrogatepass") for cell in strings]
    return pa.array(content, pa.large_binary()).view(pa.large_string()), odd


def _cells_in(values: Any, what: str) -> list[Any]:
    """Return what stands in a list of any kind; of a pandas Series as of a column of a DataFrame."""
    if hasattr(values, "iloc") and hasattr(values, "isna") and not hasattr(values, "columns"):
        return _cells(values)
    if isinstance(values, str):
        raise SettingsError(f"from_lists takes {what} in a list, not one string: give [{values[:20]!r}]")
    return rows_in(values, where="from_lists()", what=what)


def _cells(column: "pd.Series[Any]") -> list[Any]:
    """Return a column's cells as Python has them; None where one is missing."""
    missing = np.asarray(column.isna())
    return [
        None if is_missing else cell.item() if isinstance(cell, np.generic) else cell
        for cell, is_missing in zip(column, missing, strict=True)
    ]
