"""Files of plain text: a text per line, `text;label` lines, and folders with a file per text and a folder per label.

In: a file, or a `LabelFolders`. Out: a `RawTable`. It does not know which files and folders there are.
"""

from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from limbeck.errors import DataError
from limbeck.progress import Advance
from limbeck.reading.bad_rows import BadRows
from limbeck.reading.columns import has_text_column
from limbeck.reading.decoding import CellStrings, check_encoding, decode_marked, open_text, position_of
from limbeck.reading.delimited import MAX_LABEL_CHARS, has_plain_layout, read_delimited
from limbeck.reading.folders import LabelFolders, text_files
from limbeck.reading.raw import GATHERED_ROWS, RawRows, RawTable, SourceFile
from limbeck.settings import ReadSettings
from limbeck.storage import explained

_LOOKED_AT = 10_000
"""So many lines tell a table of tabs from a list of texts."""
_TABLE_SHARE = 0.9
_SEMICOLON = r"(?s)^(?P<text>.*);(?P<label>[^;]*)$"
_FASTTEXT = r"(?s)^\s*(?P<label>__label__\S+(?:[\s,]+__label__\S+)*)(?:[\s,]+(?P<text>.*))?$"
_FASTTEXT_MARK = "__label__"


def read_lines(source: SourceFile, settings: ReadSettings, bad: BadRows, advance: Advance) -> RawTable:
    r"""Read a `.txt` file: one row per line, `text;label` split at the last semicolon, or a text alone.

    A file is labelled when every line ends in `;label`, and what stands there looks like labels: one of `label_names`
    if those are given, or else at most 64 characters without a tab or white space at the ends. Where labels need not
    be there, or have white space at their ends, there must also be at least twice as many lines as labels. So a list of
    texts may hold semicolons, and a labelled file may be given where labels are not looked at. It is never judged line
    by line.

    Two other forms are read as what they are, and noted: a table of tabs, and fastText's `__label__name text`.

    A row's number is its line's. Blank lines hold no row among labelled lines, which is noted; among texts alone they
    are rows with an empty text. At the end of the file they are neither.

    Raises:
        DataError: labels are required and not every line has one.
    """
    if _is_table(source, settings):
        bad.note("text files (.txt) that hold a table of tabs, read as tab-separated", 1, source.name)
        return read_delimited(source, settings, bad, advance)
    lines = _read_line_column(source, settings, bad, advance)
    is_blank = pc.equal(lines.table["line"], "")
    written = lines.table["line"].filter(pc.invert(is_blank))
    is_fasttext = bool(len(written)) and 2 * _count(pc.match_substring_regex(written, _FASTTEXT)) > len(written)
    found = pc.extract_regex(written, _FASTTEXT if is_fasttext else _SEMICOLON)
    if not (is_fasttext or _are_labelled(found, settings)):
        if settings.labels == "required" and len(written):
            raise DataError(_unlabelled(source.name, found, lines.numbers.filter(pc.invert(is_blank).combine_chunks())))
        return replace(lines, table=lines.table.rename_columns(["text"]))
    blank = np.flatnonzero(np.asarray(is_blank)).tolist()
    bad.mend("blank lines, which hold no row", blank, lambda row: f"{source.name}, line {lines.numbers[row].as_py():,}")
    labelled = replace(
        lines,
        table=pa.table(
            {
                "text": pc.if_else(pc.is_valid(found), pc.struct_field(found, "text"), written),
                "label": pc.if_else(pc.is_valid(found), pc.struct_field(found, "label"), None),
            }
        ),
        numbers=lines.numbers.filter(pc.invert(is_blank).combine_chunks()),
    )
    return _of_fasttext(labelled, bad) if is_fasttext else labelled


def _of_fasttext(lines: RawTable, bad: BadRows) -> RawTable:
    """Return lines of fastText with their labels without marks; lists of them where a line has several."""
    bad.note("text files of fastText, whose lines begin with __label__, read as labels and texts", 1, lines.name)
    cells = [
        None if cell is None else [name.strip(", \t") for name in cell.split(_FASTTEXT_MARK) if name.strip(", \t")]
        for cell in lines.table["label"].to_pylist()
    ]
    several = any(cell is not None and len(cell) > 1 for cell in cells)
    labels = pa.array(cells if several else [None if cell is None else cell[0] for cell in cells])
    return replace(lines, table=lines.table.set_column(1, "label", labels))


def _is_table(source: SourceFile, settings: ReadSettings) -> bool:
    """Tell whether most lines have as many tabs as the first, and are not meant as texts."""
    with open_text(source.path, settings.encoding, newline="\n") as file:
        counts = [line.count("\t") for line in islice(file, _LOOKED_AT) if line.strip()]
        file.seek(0)
        first = next((line for line in iter(file.readline, "") if line.strip()), "").lstrip("\ufeff")
    if not counts or not counts[0] or counts.count(counts[0]) < _TABLE_SHARE * len(counts):
        return False
    names = [name.strip() for name in first.split("\t")]
    return settings.labels == "required" or has_text_column(names, settings) or has_plain_layout(source, settings)


def _unlabelled(name: str, found: pa.ChunkedArray, numbers: pa.Array) -> str:
    """Say once why a file is not one of labelled lines."""
    missing = np.flatnonzero(np.asarray(pc.is_null(found)))
    expected = "lines such as 'a text;its label' were expected. A table of tabs or commas is named .tsv or .csv"
    if len(missing) == len(found):
        return f"{name}: no line ends in ;label: it holds one text per line, without labels; {expected}"
    if len(missing):
        return (
            f"{name}: {len(missing):,} of {len(found):,} lines end in no ;label "
            f"(first: line {numbers[int(missing[0])].as_py():,}): {expected}"
        )
    labels = pc.struct_field(found, "label")
    odd = next((label for label in labels.to_pylist() if not _looks_like_label(label)), labels[0].as_py())
    shown = odd[:MAX_LABEL_CHARS]
    return f"{name}: what follows the last ; of its lines does not look like labels ({shown!r}): {expected}"


def _read_line_column(source: SourceFile, settings: ReadSettings, bad: BadRows, advance: Advance) -> RawTable:
    """Read every line up to the last that is not blank into one column, `line`."""
    cells = CellStrings(source.name, settings.encoding, bad)
    rows, rows_seen, waiting, position = RawRows(), 0, 0, 0
    rows.add({"line": pa.array([], pa.large_string())}, [], set())
    with open_text(source.path, settings.encoding, newline=_newline(source, settings)) as file:
        while lines := [line.rstrip("\r\n") for line in islice(file, GATHERED_ROWS)]:
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


def _newline(source: SourceFile, settings: ReadSettings) -> str:
    r"""Return what ends a line: a lone \r only in a file without \n, as it is part of a text in others."""
    with open_text(source.path, settings.encoding) as file:
        return "" if file.readline().endswith("\r") else "\n"


def _are_labelled(found: pa.ChunkedArray, settings: ReadSettings) -> bool:
    """Tell whether lines, split at their last semicolons, are `text;label` lines."""
    if not len(found) or not pc.all(pc.is_valid(found)).as_py():
        return False
    distinct = pc.unique(pc.struct_field(found, "label"))
    if settings.label_names is not None and settings.labels != "required":
        return bool(pc.all(pc.is_in(distinct, value_set=pa.array(settings.label_names, pa.large_string()))).as_py())
    labels = distinct.to_pylist()
    recur = len(found) >= 2 * len(labels)
    if settings.labels == "required":
        # A label that is not there is a fault of its row.
        labels = [label for label in labels if label]
        return bool(labels) and all(
            _looks_like_label(label) or (recur and _looks_like_label(label.strip())) for label in labels
        )
    return recur and all(map(_looks_like_label, labels))


def _looks_like_label(name: str) -> bool:
    return 0 < len(name) <= MAX_LABEL_CHARS and name == name.strip() and "\t" not in name


def _count(mask: pa.ChunkedArray) -> int:
    return int(pc.sum(mask).as_py() or 0)


CHUNK_FILES = 2_000


def read_label_folders(source: LabelFolders, settings: ReadSettings, bad: BadRows, advance: Advance) -> RawTable:
    """Read one text a file; the label is its folder's name. Rows are numbered by folder, then by file name.

    Line ends at the end of a file are not part of its text.
    """
    encoding = check_encoding(settings.encoding)
    files = [(label, file) for label, folder in source.labels.items() for file in text_files(folder)]
    names = tuple(str(file) for _, file in files)
    cells = CellStrings(str(source.path), settings.encoding, bad, files=names)
    rows = RawRows()
    for start in range(0, len(files), CHUNK_FILES):
        chunk = files[start : start + CHUNK_FILES]
        contents = [_content(file) for _, file in chunk]
        columns: dict[str, list[str | None]] = {
            "text": [decode_marked(content, encoding).removeprefix("\ufeff").rstrip("\r\n") for content in contents],
            "file": [file.relative_to(source.path).as_posix() for _, file in chunk],
        }
        if None not in source.labels:
            columns["label"] = [label for label, _ in chunk]
        numbers = range(start + 1, start + len(chunk) + 1)
        arrays, dropped = cells.convert(columns, numbers)
        rows.add(arrays, numbers, dropped)
        advance(sum(map(len, contents)))
    whole = SourceFile(path=source.path, name=str(source.path), split=source.split)
    return replace(rows.finish(whole, rows_seen=len(files)), files=names)


def _content(file: Path) -> bytes:
    with explained(file, doing="read"):
        return file.read_bytes()
