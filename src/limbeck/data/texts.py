"""Texts in whatever holds them become a list of strings; two texts of a row become a pair.

In: a list, a NumPy array, an Arrow array, a pandas or polars Series, or a table of one column or of two. Out: a list of
`str`, or of `TextPair`.
It imports none of those libraries: what a container can do tells what it is. Labels are not its business.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from limbeck.data.text_pairs import TextPair, are_pairs
from limbeck.errors import DataError, FaultLog, SettingsError

_TAKEN = "a list, a NumPy array, an Arrow array, a pandas or polars Series, or a table of one column"
FIRST_SECOND = ("first", "second")
"""What the two texts of a pair are called where they have no names."""
_LABEL_NAMES = frozenset(("label", "labels", "label_name", "target", "class", "y"))
"""A table with such a column holds texts and their labels, not two texts."""
_SHOWN_CHARS = 40


def as_texts(texts: Any, *, where: str) -> list[str]:
    """Return the texts of any container, in their order.

    Args:
        texts: a list or tuple of strings, a NumPy array (N,) or (N, 1), an Arrow array, a pandas, polars or Hugging
            Face column, or a table of any of these with one column.
            Of pairs: a list of tuples (first, second), an array (N, 2), or a table of two columns.
        where: who asks, for messages: "predict()".

    Raises:
        SettingsError: it is one string, a table of more columns, or nothing that has rows in an order.
        DataError: gathers every row that is not a string; or some rows are pairs, others not.

    Example:
        >>> as_texts(np.array([["i feel fine"]], dtype=object), where="predict()")
        ['i feel fine']
    """
    if isinstance(texts, str):
        raise SettingsError(f"{where} takes a list of texts; for one text give [text]")
    rows = _two_columns(texts, where) or rows_in(texts, where=where)
    rows = [TextPair(*row) if _is_pair(row) else row for row in rows]
    if wrong := [place for place, text in enumerate(rows) if not isinstance(text, str)]:
        if all(isinstance(rows[place], bytes | bytearray) for place in wrong):
            raise DataError(
                f"{where} was given {len(wrong):,} texts that are bytes, first {_excerpt(rows[wrong[0]])} (text "
                f'{wrong[0]}): decode them, text.decode("utf-8"), or load_files(…, encoding="utf-8")'
            )
        faults = FaultLog()
        faults.extend(
            f"text {place}: {_excerpt(rows[place])} is of type {type(rows[place]).__name__}, not a string"
            for place in wrong
        )
        faults.raise_as(DataError, what=f"{where} was given texts that are none", todo="replace or drop these rows")
    are_pairs(rows)
    return rows


def pair_names(texts: Any) -> tuple[str, str]:
    """Return what the two texts of a pair are called: the names of a table's two columns, else first and second."""
    names = _column_names(texts)
    if names is None or len(names) != len(FIRST_SECOND) or not all(isinstance(name, str) and name for name in names):
        return FIRST_SECOND
    return names[0], names[1]


def _is_pair(row: Any) -> bool:
    return isinstance(row, tuple) and len(row) == len(FIRST_SECOND) and all(isinstance(one, str) for one in row)


def _two_columns(texts: Any, where: str) -> list[Any] | None:
    """Return the rows of a table or an array of two columns of texts; None of anything else."""
    if isinstance(texts, np.ndarray):
        rows = [tuple(row) for row in texts.tolist()] if texts.ndim == 2 and texts.shape[1] == 2 else []
        return rows if all(map(_is_pair, rows)) else None
    names = _column_names(texts)
    if names is None or len(names) != len(FIRST_SECOND) or not _LABEL_NAMES.isdisjoint(map(str, names)):
        return None
    first, second = (rows_in(texts[name], where=where) for name in names)
    return list(zip(first, second, strict=True))


def _excerpt(text: Any) -> str:
    """Show something that is no text, shortened."""
    cut = text[:_SHOWN_CHARS] if isinstance(text, bytes | bytearray) else text
    return repr(cut) if len(repr(cut)) <= _SHOWN_CHARS * 2 else f"{repr(cut)[:_SHOWN_CHARS]}…"


def rows_in(values: Any, *, where: str, what: str = "texts") -> list[Any]:
    """Return what stands in the rows of any container, in their order; nothing is checked.

    Raises:
        SettingsError: it is a table of several columns, or nothing that has rows in an order.
    """
    if isinstance(values, list | tuple):
        return list(values)
    if isinstance(values, np.ndarray):
        return _array_rows(values, where, what)
    if (names := _column_names(values)) is not None:
        if len(names) != 1:
            raise SettingsError(
                f"{where} takes one column of {what}, and the table has {len(names)} "
                f"({', '.join(map(repr, names[:10]))}): name one of them, table[column]"
            )
        return rows_in(values[names[0]], where=where, what=what)
    # Arrow's name for it, then that of pandas and polars.
    for method in ("to_pylist", "to_list"):
        if hasattr(values, method):
            rows: list[Any] = getattr(values, method)()
            return rows
    if isinstance(values, Sequence) and not isinstance(values, str | bytes):
        return list(values)
    raise SettingsError(f"{where} takes {what} in {_TAKEN}, not {_spoken(values)}")


def _array_rows(values: np.ndarray, where: str, what: str) -> list[Any]:
    if values.ndim != 1 and not (values.ndim == 2 and values.shape[1] == 1):
        raise SettingsError(
            f"{where} takes {what} in an array of shape (N,) or (N, 1), not {values.shape}: one per row was expected"
        )
    rows: list[Any] = values.ravel().tolist()
    return rows


def _column_names(texts: Any) -> list[Any] | None:
    """Return the names of a table's columns; None when it is no table."""
    if hasattr(texts, "column_names"):
        return list(texts.column_names)
    return list(texts.columns) if hasattr(texts, "columns") else None


def _spoken(texts: Any) -> str:
    kind = type(texts).__name__
    if isinstance(texts, Mapping):
        return f"a {kind}: give one of its values"
    return f"a {kind}" + (": give list(...) of it" if hasattr(texts, "__iter__") else "")
