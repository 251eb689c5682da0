"""Rater lists: the numbers that several people gave each row, beside the one that it is labelled with.

In: a column of a dataset, a list of numbers in each row, or such a list in JSON in a cell. Out: an array, NaN where a
rater gave none. It does not know who rated what, nor how well people agree.
"""

import json
import math
from typing import Any

import numpy as np
import pyarrow as pa

from limbeck.data.dataset import CORE_SCHEMA, Dataset
from limbeck.errors import DataError, FaultLog

_SHOWN_CHARS = 60


def ratings_in(dataset: Dataset, column: str) -> np.ndarray:
    """Return the ratings of each row, float64 (N, R), R being those of the row that has the most.

    Raises:
        DataError: there is no such column, or (gathered) rows hold something else than a list of numbers.
    """
    others = [name for name in dataset.table.column_names if name not in CORE_SCHEMA.names]
    if column not in others:
        raise DataError(
            f"{dataset.source} has no column {column!r} of ratings; beside texts and labels it has "
            f"{', '.join(others) or 'no column'}"
        )
    values = dataset.table[column]
    is_text = pa.types.is_string(values.type) or pa.types.is_large_string(values.type)
    faults = FaultLog()
    lists: list[list[float]] = []
    for row_id, value in zip(dataset.row_ids, values.to_pylist(), strict=True):
        ratings = _numbers_in(_parsed(value) if is_text else value)
        lists.append(ratings or [])
        if ratings is None:
            faults.add(f"row {row_id}: column {column!r} holds {str(value)[:_SHOWN_CHARS]!r}")
    faults.raise_as(
        DataError,
        what=f"the ratings of {dataset.source} cannot be read",
        todo="A list of numbers was expected in each row, one per rater; in JSON where cells are texts: [2, 3, -1].",
    )
    found_NR = np.full((len(lists), max(map(len, lists), default=0)), np.nan)
    for row, ratings in enumerate(lists):
        found_NR[row, : len(ratings)] = ratings
    return found_NR


def _parsed(cell: str | None) -> Any:
    """Return what a cell says in JSON; the cell itself where it says nothing."""
    if cell is None or not cell.strip():
        return None
    try:
        return json.loads(cell)
    except ValueError:
        return cell


def _numbers_in(value: Any) -> list[float] | None:
    """Return the numbers of a list, without those that are missing; None where it is no list of numbers."""
    if value is None:
        return []
    if not isinstance(value, list) or not all(
        one is None or (isinstance(one, int | float) and not isinstance(one, bool)) for one in value
    ):
        return None
    return [float(one) for one in value if one is not None and math.isfinite(one)]
