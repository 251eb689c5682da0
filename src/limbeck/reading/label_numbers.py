"""Labels that are numbers: a column of numbers, or of texts that hold one each, becomes float64.

In: every file's `FileRows` with its label column as written. Out: the parts with a number per row, null where there is
none. It does not know names.
"""

from collections.abc import Sequence
from dataclasses import replace
from math import isfinite

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from limbeck.data.dataset import UNLABELLED_SPLIT
from limbeck.errors import DataError, SettingsError
from limbeck.reading.bad_rows import BadRows
from limbeck.reading.columnar import is_text
from limbeck.reading.file_rows import FileRows, RowFault, is_true, reject_rows
from limbeck.reading.label_map import LabelMap
from limbeck.settings import ReadSettings
from limbeck.task import REGRESSION


def map_numbers(parts: Sequence[FileRows], settings: ReadSettings, bad: BadRows) -> LabelMap:
    """Read every label as a number; where they lie is noted.

    Raises:
        DataError: a column holds what is no number.
        SettingsError: label names were given.
    """
    if settings.label_names is not None:
        raise SettingsError("--label-names mean nothing for --task regression: labels are numbers")
    found = [_numbers_of(part, settings, bad) for part in parts]
    known = np.concatenate([np.asarray(part.label.drop_null(), np.float64) for part in found])
    if len(known):
        where = f"from {known.min():g} to {known.max():g}, mean {known.mean():.3g}"
        bad.note("each label is read as a number (regression)", len(known), where)
    return LabelMap(names=(), parts=tuple(found), task=REGRESSION)


def _numbers_of(part: FileRows, settings: ReadSettings, bad: BadRows) -> FileRows:
    place = part.columns.label_place
    values, odd = _values_of(part)

    def said(row: int) -> str:
        cell = part.label[row].as_py()
        point = "; write a decimal point" if isinstance(cell, str) and "," in cell else ""
        return f"is {str(cell)[:100]!r}, where a number was expected{point}"

    faults = [RowFault("rows whose label is no number", odd, said)]
    missing = np.isnan(values) & ~odd
    if settings.labels == "required":
        unlabelled = missing & ~is_true(pc.equal(part.split, UNLABELLED_SPLIT))
        faults.append(RowFault("rows without a label", unlabelled, lambda _: "has no label: a number was expected"))
    numbers = replace(part, label=pa.array(values, pa.float64(), mask=missing), label_index=None)
    return reject_rows(numbers, faults, column=place, bad=bad)


def _values_of(part: FileRows) -> tuple[np.ndarray, np.ndarray]:
    """Return the numbers, float64 (R,), NaN where there is none, and which cells hold something else, bool (R,).

    Raises:
        DataError: the column holds no numbers.
    """
    label, kind = part.label, part.label.type
    if pa.types.is_dictionary(kind):
        label, kind = label.dictionary_decode(), kind.value_type
    if pa.types.is_null(kind):
        return np.full(len(part), np.nan), np.zeros(len(part), bool)
    if is_text(kind):
        meant = {cell: number_in(cell) for cell in pc.unique(label.drop_null()).to_pylist()}
        cells = label.to_pylist()
        odd = np.array([cell is not None and bool(cell.strip()) and meant[cell] is None for cell in cells], bool)
        numbers = [None if cell is None else meant[cell] for cell in cells]
        return np.array([np.nan if number is None else number for number in numbers], np.float64), odd
    if pa.types.is_boolean(kind) or not (
        pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    ):
        raise DataError(
            f"{part.raw.name}: column {part.columns.label_place!r} holds {kind}, where a number per row was expected "
            "(--task regression); if another column holds the labels, name it (--label-column)"
        )
    values = np.array(label.cast(pa.float64()).fill_null(np.nan), np.float64)
    return values, np.isinf(values)


def number_in(cell: str) -> float | None:
    """Return the number that a text holds; None where it holds none.

    Example:
        >>> number_in(" -1.5"), number_in("1e3"), number_in("1,5"), number_in("nan")
        (-1.5, 1000.0, None, None)
    """
    try:
        value = float(cell)
    except ValueError:
        return None
    return value if isfinite(value) and "_" not in cell else None
