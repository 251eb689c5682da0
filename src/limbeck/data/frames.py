"""DataFrames become Arrow tables, column by column: one odd column hinders no other.

In: a pandas DataFrame. Out: a table, and what stands in cells that are no text in columns of texts.
It imports no pandas: what a frame can do is enough. It does not know which column is the text.
"""

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from limbeck.data.decoding import replaced
from limbeck.data.objects import as_strings, typed

if TYPE_CHECKING:
    import pandas as pd


def table_of_frame(frame: "pd.DataFrame") -> tuple[pa.Table, dict[str, dict[int, str]]]:
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
            array, odd[name] = _as_text(column)
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


def _as_text(column: "pd.Series[Any]") -> tuple[pa.Array, dict[int, str]]:
    cells = _cells(column)
    strings, odd = as_strings(cells, range(1, len(cells) + 1))
    # Halves of surrogate pairs stay in as bytes that are no UTF-8, which are met by row as in any file.
    content = [None if cell is None else cell.encode("utf-8", "surrogatepass") for cell in strings]
    return pa.array(content, pa.large_binary()).view(pa.large_string()), odd


def _cells(column: "pd.Series[Any]") -> list[Any]:
    """Return a column's cells as Python has them; None where one is missing."""
    missing = np.asarray(column.isna())
    return [
        None if is_missing else cell.item() if isinstance(cell, np.generic) else cell
        for cell, is_missing in zip(column, missing, strict=True)
    ]
