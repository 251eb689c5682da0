"""Rows of a table of text that are none: empty cells only, the header again, several rows in one cell.

In: the rows of one file as they were parsed. Out: the same without them, each kind counted or refused.
Nameless columns without any cell, which spreadsheets write, go too. It does not know what the columns mean.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import reduce

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from limbeck.data.names import name_key
from limbeck.reading.bad_rows import BadRows
from limbeck.reading.decoding import replaced
from limbeck.reading.file_rows import is_true
from limbeck.reading.raw import RawTable

_LINE_END = re.compile(r"\r\n|\n|\r")


def without_no_rows(raw: RawTable, written: Sequence[str], separator: str, bad: BadRows) -> RawTable:
    """Return the table without rows that are none.

    Args:
        raw: the rows; strings.
        written: the header's cells as written.
        separator: between cells.
        bad: takes faults and counts.
    """
    if raw.table.num_columns < 2 or not raw.table.num_rows:
        return raw
    if separator == "\t":
        raw = _without_nulls(raw, bad)
    raw = _without_blanks(raw, bad)
    raw = _without_headers(raw, written, bad)
    raw = _without_swallowed(raw, separator, bad)
    return _without_columns(raw, written, bad)


def _without_nulls(raw: RawTable, bad: BadRows) -> RawTable:
    r"""Make cells `\N`, which databases write into files of tabs where a value is missing, empty."""
    nulls = {name: pc.equal(raw.table[name], r"\N") for name in raw.table.column_names}
    places = np.flatnonzero(reduce(np.logical_or, map(is_true, nulls.values()))).tolist()
    if not places:
        return raw
    bad.mend(
        r"rows with a cell \N, as databases write a missing value, read as empty",
        places,
        lambda place: _place(raw, place),
    )
    columns = {name: pc.if_else(null, "", raw.table[name]) for name, null in nulls.items()}
    kinds = {name: column.cast(pa.large_string()) for name, column in columns.items()}
    return replace(raw, table=pa.table(kinds))


def _without_blanks(raw: RawTable, bad: BadRows) -> RawTable:
    blank = np.ones(raw.table.num_rows, bool)
    for column in raw.table.columns:
        blank &= is_true(_is_blank(column))
        if not blank.any():
            return raw
    places = np.flatnonzero(blank).tolist()
    bad.mend("rows of empty cells only, passed over", places, lambda place: _place(raw, place))
    return _kept(raw, ~blank)


def _without_headers(raw: RawTable, written: Sequence[str], bad: BadRows) -> RawTable:
    keys = [name_key(str(replaced(name))) for name in written]
    last = pc.utf8_lower(pc.utf8_trim_whitespace(raw.table.column(raw.table.num_columns - 1)))
    alike = pc.equal(last, pa.scalar(str(replaced(written[-1])).strip().lower(), pa.large_string()))
    places = [
        place
        for place in np.flatnonzero(is_true(alike)).tolist()
        if any(keys) and [name_key(column[place].as_py()) for column in raw.table.columns] == keys
    ]
    bad.reject(
        "rows that repeat the header",
        places,
        lambda place: (
            f"{_place(raw, place)}: repeats the header, as where files were laid end to end: take the row out"
        ),
    )
    return _without(raw, places, bad)


def _without_swallowed(raw: RawTable, separator: str, bad: BadRows) -> RawTable:
    """Find records that hold several lines, each with as many separators as a row has.

    Where the values that such lines would give a column stand in that column elsewhere too, as labels do, the lines are
    rows that a double quote swallowed. Else it is noted only: a text may have such lines.
    """
    table = raw.table
    breaks = _any(table, lambda column: pc.match_substring_regex(column, "[\r\n]"))
    if not breaks.any():
        return raw
    suspects = np.flatnonzero(breaks & _any(table, lambda column: pc.match_substring(column, separator))).tolist()
    width = table.num_columns
    found: dict[int, list[list[str]]] = {}
    cells = zip(*(column.to_pylist() for column in table.take(pa.array(suspects, pa.int64())).columns), strict=True)
    for place, record in zip(suspects, cells, strict=True):
        lines = [line.split(separator) for line in _LINE_END.split(separator.join(record))]
        if all(len(line) == width for line in lines):
            found[place] = lines
    rows = _hold_rows(found, table)
    # A space after the comma is prose.
    for place in found.keys() - set(rows):
        if any(cell[:1] == " " for line in found[place] for cell in line):
            del found[place]
    texts = sorted(found.keys() - rows)

    def describe(place: int) -> str:
        return (
            f"{_place(raw, place)}: holds {len(found[place]):,} lines that look like rows, in double quotes "
            f"({separator.join(found[place][1])[:60]!r} is the second): "
            "double the quotes that belong to the texts, or write a cell of several lines otherwise"
        )

    # Left out, each of the lines counts: that many rows are not read.
    counted = [place for place in rows for _ in found[place]] if bad.skips else rows
    bad.reject("rows in a cell whose double quotes swallow rows", counted, describe)
    bad.mend("texts with line ends and separators like those of rows, kept", texts, lambda place: _place(raw, place))
    return _without(raw, rows, bad)


def _hold_rows(found: Mapping[int, Sequence[Sequence[str]]], table: pa.Table) -> list[int]:
    """Return the records of which all lines have, in one column at least, values that this column has in the table."""
    rows: set[int] = set()
    for index, column in enumerate(table.columns if found else ()):
        values = {place: {line[index].strip('"') for line in lines} for place, lines in found.items()}
        asked = pa.array(sorted(set().union(*values.values())), pa.large_string())
        known = set(asked.filter(pc.is_in(asked, value_set=column.combine_chunks())).to_pylist()) - {""}
        rows.update(place for place, cells in values.items() if cells <= known)
    return sorted(rows)


def _without_columns(raw: RawTable, written: Sequence[str], bad: BadRows) -> RawTable:
    """Take off the last columns as long as they have neither a name nor any cell."""
    table = raw.table
    width = table.num_columns
    while width > 1 and not written[width - 1].strip() and pc.all(_is_blank(table.column(width - 1))).as_py():
        width -= 1
    if width == table.num_columns:
        return raw
    bad.note("columns without a name and without any cell, passed over", table.num_columns - width, raw.name)
    return replace(raw, table=table.select(list(range(width))))


def _is_blank(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.or_(pc.equal(pc.binary_length(column), 0), pc.utf8_is_space(column))


def _any(table: pa.Table, test: Callable[[pa.ChunkedArray], pa.ChunkedArray]) -> np.ndarray:
    return reduce(np.logical_or, (is_true(test(column)) for column in table.columns))


def _place(raw: RawTable, place: int) -> str:
    return f"{raw.name}, row {raw.numbers[place].as_py():,}"


def _without(raw: RawTable, places: Sequence[int], bad: BadRows) -> RawTable:
    if not places or not bad.skips:
        return raw
    keep = np.ones(raw.table.num_rows, bool)
    keep[list(places)] = False
    return _kept(raw, keep)


def _kept(raw: RawTable, keep: np.ndarray) -> RawTable:
    chosen = pa.array(keep)
    return replace(raw, table=raw.table.filter(chosen), numbers=raw.numbers.filter(chosen))
