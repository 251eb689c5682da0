"""Text files: one row a line, `text;label` or a text alone.

In: a file, decoded as the settings say. Out: a `RawTable` with text, and label where there is one.
It does not know other formats.
"""

from dataclasses import replace
from itertools import islice

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from limbeck.data.bad_rows import BadRows
from limbeck.data.decoding import CellStrings, open_text, position_of
from limbeck.data.raw import RawRows, RawTable, SourceFile
from limbeck.errors import DataError
from limbeck.progress import Advance
from limbeck.settings import ReadSettings

CHUNK_ROWS = 20_000
MAX_LABEL_CHARS = 64


def read_lines(source: SourceFile, settings: ReadSettings, bad: BadRows, advance: Advance) -> RawTable:
    r"""Read a `.txt` file: one row a line, `text;label` split at the last semicolon, or a text alone.

    Under labels="required" every line is `text;label`. Otherwise a line is a text alone, unless the file is plainly
    labelled: every line ends in `;label`, where the label is one of `label_names` if those are given, or else has no
    white space at its ends, at most 64 characters, and there are at least twice as many lines as labels. So a list of
    texts may hold semicolons, and a labelled file may be given where labels are not looked at.

    A row's number is its line's. Blank lines hold no row among `text;label` lines, which is noted; among texts alone
    they are rows with an empty text. At the end of the file they are neither.

    Raises:
        DataError: labels are required and no line has one.
    """
    lines = _read_line_column(source, settings, bad, advance)
    is_blank = pc.equal(lines.table["line"], "")
    written = lines.table["line"].filter(pc.invert(is_blank))
    found = pc.extract_regex(written, r"(?s)^(?P<text>.*);(?P<label>[^;]*)$")
    if not _are_labelled(found, settings):
        if settings.labels == "required" and len(written):
            raise DataError(f"{source.name}: no line ends in ;label: lines such as 'a text;its label' were expected")
        return replace(lines, table=lines.table.rename_columns(["text"]))
    blank = np.flatnonzero(np.asarray(is_blank)).tolist()
    bad.mend("blank lines, which hold no row", blank, lambda row: f"{source.name}, line {lines.numbers[row].as_py():,}")
    text = pc.if_else(pc.is_valid(found), pc.struct_field(found, "text"), written)
    label = pc.if_else(pc.is_valid(found), pc.struct_field(found, "label"), None)
    return replace(
        lines,
        table=pa.table({"text": text, "label": label}),
        numbers=lines.numbers.filter(pc.invert(is_blank).combine_chunks()),
    )


def _read_line_column(source: SourceFile, settings: ReadSettings, bad: BadRows, advance: Advance) -> RawTable:
    """Read every line up to the last that is not blank into one column, `line`."""
    cells = CellStrings(source.name, settings.encoding, bad)
    rows, rows_seen, waiting, position = RawRows(), 0, 0, 0
    rows.add({"line": pa.array([], pa.large_string())}, [], set())
    with open_text(source.path, settings.encoding) as file:
        while lines := [line.rstrip("\r\n") for line in islice(file, CHUNK_ROWS)]:
            blank = next((place for place, line in enumerate(reversed(lines)) if line), len(lines))
            if blank < len(lines):
                lines = [""] * waiting + lines[: len(lines) - blank]
                numbers = range(rows_seen + 1, rows_seen + len(lines) + 1)
                arrays, dropped = cells.convert({"line": lines}, numbers)
                rows.add(arrays, numbers, dropped)
                rows_seen, waiting = rows_seen + len(lines), 0
            waiting += blank
            here = position_of(file)
            advance(here - position)
            position = here
    return rows.finish(source, rows_seen=rows_seen)


def _are_labelled(found: pa.ChunkedArray, settings: ReadSettings) -> bool:
    """Tell whether lines, split at their last semicolons, are `text;label` lines."""
    matched = pc.is_valid(found)
    if settings.labels == "required":
        return bool(pc.any(matched).as_py())
    if not len(found) or not pc.all(matched).as_py():
        return False
    distinct = pc.unique(pc.struct_field(found, "label"))
    if settings.label_names is not None:
        return bool(pc.all(pc.is_in(distinct, value_set=pa.array(settings.label_names, pa.large_string()))).as_py())
    return len(found) >= 2 * len(distinct) and all(_looks_like_label(name) for name in distinct.to_pylist())


def _looks_like_label(name: str) -> bool:
    return 0 < len(name) <= MAX_LABEL_CHARS and name == name.strip()
