"""One file's rows, checked: texts that are texts, splits that have a name, row ids where they were given.

In: a `RawTable` and the settings. Out: a `FileRows`, whose label column is still as it was written.
It does not know what labels mean, nor the other files.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from limbeck.data.names import name_key, shown
from limbeck.data.text_pairs import PAIR_MARK
from limbeck.errors import DataError
from limbeck.reading.bad_rows import BadRows, place_of
from limbeck.reading.columnar import as_strings_only, is_bytes, is_text, mend_utf8
from limbeck.reading.columns import ColumnNames, find_columns, say_choice, shown_names
from limbeck.reading.raw import RawTable
from limbeck.reading.split_names import SPLIT_WORDS
from limbeck.settings import ReadSettings


@dataclass(frozen=True, kw_only=True)
class FileRows:
    """One file's rows with their columns told apart.

    Shapes: R rows.

    Attributes:
        raw: what the file gave beside its rows, which are let go.
        columns: the file's own names of the columns.
        numbers: int64 (R,), row numbers in the file.
        text: large_string (R,); of a pair the first text until both are checked, then both (`text_pairs`).
        second: large_string (R,), the second text of a pair until both are checked; else None.
        split: string (R,).
        label: (R,) as written; null where there is none.
        label_index: (R,) the integers that `label` names, or None.
        row_id: large_string (R,), or None.
        others: every other column, R rows, under the names that they are kept by.
    """

    raw: RawTable
    columns: ColumnNames
    numbers: pa.Array
    text: pa.Array
    second: pa.Array | None
    split: pa.Array
    label: pa.Array
    label_index: pa.Array | None
    row_id: pa.Array | None
    others: pa.Table

    def __len__(self) -> int:
        return len(self.numbers)

    def keep(self, mask: np.ndarray) -> "FileRows":
        """Return the rows at which the mask, bool (R,), is true."""
        if mask.all():
            return self
        chosen = pa.array(mask)
        return replace(
            self,
            numbers=self.numbers.filter(chosen),
            text=self.text.filter(chosen),
            second=None if self.second is None else self.second.filter(chosen),
            split=self.split.filter(chosen),
            label=self.label.filter(chosen),
            label_index=None if self.label_index is None else self.label_index.filter(chosen),
            row_id=None if self.row_id is None else self.row_id.filter(chosen),
            others=self.others.filter(chosen),
        )

    def odd_cells(self, column: str) -> Mapping[int, str]:
        """Return row number → what stands there, for cells of a column of texts that are no text."""
        return self.raw.odd.get(column, {})

    def place(self, position: int, column: str) -> str:
        """Say where a row stands."""
        return place_of(self.raw.name, self.numbers[position].as_py(), column, self.raw.files)


_EMPTY = "rows with an empty text"
EMPTY_FAULTS = ("rows without a text", _EMPTY, "rows with a NUL character")
"""Faults of texts that an audit wants to see rather than lose."""


def check_rows(raw: RawTable, settings: ReadSettings, bad: BadRows) -> FileRows:
    """Tell a file's columns apart and check its texts, splits and row ids.

    Raises:
        DataError: a column that is needed is missing or holds no text, or there are no rows.
    """
    if raw.rows_seen == 0:
        names = raw.table.column_names
        header = f", only a header ({shown_names(names)})" if names else ""
        raise DataError(f"{raw.name} has no rows{header}: at least one row was expected")
    names = raw.table.column_names
    columns = find_columns(names, settings, file=raw.name, split=raw.split)
    if (choice := say_choice(columns, names, settings)) is not None:
        bad.note(choice, 1, raw.name)
    raw = _with_decoded_bytes(raw, columns, bad)
    part = FileRows(
        raw=replace(raw, table=raw.table.schema.empty_table(), numbers=raw.numbers.slice(0, 0)),
        columns=columns,
        numbers=raw.numbers,
        text=_strings(raw, columns.text),
        second=None if columns.second is None else _strings(raw, columns.second),
        split=_splits(raw, columns.split),
        label=_labels(raw.table, columns),
        label_index=None if columns.label_index is None else _flat(raw.table[columns.label_index]),
        row_id=_row_ids(raw, columns.row_id),
        others=raw.table.select(list(columns.others)).rename_columns(list(columns.others.values())),
    )
    part = _with_pairs(part, bad) if columns.second else _with_texts(part, bad)
    if part.row_id is not None:
        empty = is_true(pc.equal(pc.fill_null(part.row_id, ""), ""))
        fault = RowFault("rows without a row id", empty, lambda _: "is empty: a row id was expected")
        part = reject_rows(part, [fault], column="row_id", bad=bad)
    if columns.split:
        empty = is_true(pc.equal(part.split, ""))
        fault = RowFault("rows without a split", empty, lambda _: "is empty: the name of a split was expected")
        part = reject_rows(part, [fault], column="split", bad=bad)
    return part


class RowFault(NamedTuple):
    """One kind of fault in a column: what it is called in the plural, the rows, bool (R,), and what is wrong there."""

    kind: str
    mask: np.ndarray
    detail: Callable[[int], str]


def reject_rows(part: FileRows, faults: Sequence[RowFault], *, column: str, bad: BadRows) -> FileRows:
    """Report rows at fault, and return the part without them where the policy leaves them out.

    A row that has several faults counts under the first.
    """
    seen = np.zeros(len(part), bool)
    for fault in faults:
        positions = np.flatnonzero(fault.mask & ~seen).tolist()
        bad.reject(fault.kind, positions, partial(_describe, part, column, fault))
        seen |= fault.mask
    return part.keep(~seen) if bad.skips else part


def _describe(part: FileRows, column: str, fault: RowFault, position: int) -> str:
    return f"{part.place(position, column)}: {fault.detail(position)}"


def _with_texts(part: FileRows, bad: BadRows) -> FileRows:
    """Check one text per row."""
    part = _rejected(part, _text_faults(part, part.text, part.columns.text), part.columns.text, bad)
    return replace(part, text=pc.fill_null(part.text, "")) if bad.keeps_empty else part


def _with_pairs(part: FileRows, bad: BadRows) -> FileRows:
    """Check two texts per row, of which one may be empty, and make them one string."""
    first, second = part.columns.text, str(part.columns.second)
    faults = _text_faults(part, part.text, first)
    part = _rejected(part, [fault for fault in faults if fault.kind != _EMPTY], first, bad)
    faults = _text_faults(part, part.second, second)
    part = _rejected(part, [fault for fault in faults if fault.kind != _EMPTY], second, bad)
    if bad.keeps_empty:
        part = replace(part, text=pc.fill_null(part.text, ""), second=pc.fill_null(part.second, ""))
    without = _is_empty(part.text) & _is_empty(part.second)
    fault = RowFault(_EMPTY, without, lambda _: f"is empty, and so is {second!r}: a text was expected in one of them")
    part = _rejected(part, [fault], first, bad)
    half = np.flatnonzero(_is_empty(part.text) ^ _is_empty(part.second)).tolist()
    if half:
        bad.note("pairs of which one text is empty, kept", len(half), part.place(half[0], f"{first},{second}"))
    joined = pc.binary_join_element_wise(part.text, part.second, pa.scalar(PAIR_MARK, pa.large_string()))
    is_odd = is_true(pc.not_equal(pc.find_substring(joined, PAIR_MARK), pc.binary_length(part.text)))
    fault = RowFault(
        "pairs whose first text holds [SEP]",
        is_odd,
        lambda _: f"holds {PAIR_MARK.strip()} as a word, which limbeck writes between two texts: write it otherwise",
    )
    return reject_rows(replace(part, text=joined, second=None), [fault], column=first, bad=bad)


def _rejected(part: FileRows, faults: list[RowFault], column: str, bad: BadRows) -> FileRows:
    """Report rows whose text is at fault; an audit keeps those without a text."""
    counted = [fault for fault in faults if not (bad.keeps_empty and fault.kind in EMPTY_FAULTS)]
    return reject_rows(part, counted, column=column, bad=bad)


def _is_empty(text: pa.Array) -> np.ndarray:
    """Tell which texts are empty or only white space, bool (R,)."""
    return is_true(pc.or_(pc.equal(pc.binary_length(text), 0), pc.utf8_is_space(text)))


def _text_faults(part: FileRows, text: pa.Array, column: str) -> list[RowFault]:
    odd = part.odd_cells(column)
    return [
        RowFault(
            "rows without a text",
            is_true(text.is_null()),
            lambda row: f"is missing: a text was expected{_said_otherwise(part, column, row)}",
        ),
        RowFault(
            _EMPTY,
            _is_empty(text),
            lambda _: "is empty or only white space: a text was expected",
        ),
        RowFault(
            "rows with a NUL character",
            is_true(pc.match_substring(text, "\0")),
            lambda _: "holds a NUL character: the file may be binary, damaged, or in another encoding such as utf-16",
        ),
        RowFault(
            "rows with something else than a text",
            np.isin(np.asarray(part.numbers), list(odd)),
            lambda position: f"is {odd[part.numbers[position].as_py()]} where a text was expected; write it in quotes",
        ),
    ]


def _said_otherwise(part: FileRows, column: str, row: int) -> str:
    """Name the column of the same name in another spelling, where it has a cell in this row."""
    key = name_key(column)
    for name in part.others.column_names:
        if name_key(name) == key and part.others[name][row].is_valid:
            return f"; it stands under {shown(name)}: write the name alike in every row"
    return ""


def _with_decoded_bytes(raw: RawTable, columns: ColumnNames, bad: BadRows) -> RawTable:
    """Read columns of bytes as UTF-8 where texts or names are expected: Impala, old Spark and Hive write such files."""
    for name in filter(
        None, (columns.text, columns.second, columns.label, columns.split, columns.row_id, *columns.indicators)
    ):
        column = raw.table[name]
        kind = column.type
        if pa.types.is_dictionary(kind) and is_bytes(kind.value_type):
            column = _flat(column)
            try:
                names = column.dictionary.cast(pa.large_string())
                column = pa.DictionaryArray.from_arrays(column.indices, names)
            except pa.ArrowInvalid:
                column = column.dictionary_decode()
            place = raw.table.column_names.index(name)
            raw = replace(raw, table=raw.table.set_column(place, name, column))
        elif not is_bytes(kind):
            continue
        bad.note("columns of bytes, read as UTF-8", 1, f"{raw.name}, column {name!r}")
        if is_bytes(column.type):
            table, numbers = mend_utf8(raw.table, raw.numbers, name, raw.name, bad)
            raw = replace(raw, table=table, numbers=numbers)
    return raw


def _strings(raw: RawTable, name: str) -> pa.Array:
    """Return the text column as strings.

    Raises:
        DataError: it holds something else.
    """
    column = _flat(raw.table[name])
    kind = column.type
    if pa.types.is_dictionary(kind):
        column, kind = column.dictionary_decode(), kind.value_type
    if pa.types.is_null(kind):
        return column.cast(pa.large_string())
    if not is_text(kind):
        raise DataError(
            f"{raw.name}: column {name!r} holds {kind}, where texts were expected; "
            "if another column holds the texts, name it (--text-column)"
        )
    return column.cast(pa.large_string())


def _labels(table: pa.Table, columns: ColumnNames) -> pa.Array:
    """Return the label column, or one object of the columns that hold a label each."""
    if columns.indicators:
        return pa.StructArray.from_arrays([_flat(table[name]) for name in columns.indicators], columns.indicators)
    return pa.nulls(table.num_rows) if columns.label is None else _flat(table[columns.label])


def _splits(raw: RawTable, name: str | None) -> pa.Array:
    """Return the split of each row: the file's own, or its column's with the usual words made one."""
    if name is None:
        return pa.array([raw.split], pa.string()).take(pa.array(np.zeros(raw.table.num_rows, np.int32)))
    column = as_strings_only(_flat(raw.table[name]), where=f"{raw.name}: column {name!r}")
    encoded = column.dictionary_encode()
    words = [word.strip() for word in encoded.dictionary.to_pylist()]
    usual = pa.array([SPLIT_WORDS.get(word.lower(), word) for word in words], pa.string())
    return pc.fill_null(usual.take(encoded.indices), "")


def _row_ids(raw: RawTable, name: str | None) -> pa.Array | None:
    return None if name is None else as_strings_only(_flat(raw.table[name]), where=f"{raw.name}: column {name!r}")


def _flat(column: pa.ChunkedArray) -> pa.Array:
    """Return one array; dictionaries of several chunks become one."""
    is_dictionary = pa.types.is_dictionary(column.type)
    return column.unify_dictionaries().combine_chunks() if is_dictionary else column.combine_chunks()


def is_true(mask: pa.Array) -> np.ndarray:
    """Return a mask as bool (R,); null is false."""
    is_set: np.ndarray = np.asarray(pc.fill_null(mask, False))
    return is_set
