"""Assembly: what was planned is read file by file, and becomes one `Dataset` with one label map and stable row ids.

In: a `Plan` and `ReadSettings`. Out: a `Dataset`, or one error that lists what is wrong with the rows.
It knows no format, and does not know where the files come from.
"""

from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from limbeck.data.bad_rows import BadRows
from limbeck.data.dataset import CORE_SCHEMA, Dataset, ReadNote
from limbeck.data.decoding import check_encoding
from limbeck.data.encoding_guess import suggest_encoding, suggest_utf_16
from limbeck.data.folders import Joined, LabelFolders, Plan
from limbeck.data.formats import COLUMNAR, check_signature, reader_of
from limbeck.data.known_layouts import as_meant
from limbeck.data.label_folders import read_label_folders
from limbeck.data.labels import LabelMap, map_labels
from limbeck.data.raw import RawTable, SourceFile
from limbeck.data.rows import Part, check_rows
from limbeck.data.several_files import check_doubled, check_row_ids, readings_of, without_strangers
from limbeck.errors import DataError
from limbeck.progress import SILENT, Advance, Progress
from limbeck.settings import ReadSettings


def read_plan(plan: Plan, settings: ReadSettings, *, source: str, progress: Progress = SILENT) -> Dataset:
    """Read the files of a plan into one dataset.

    Raises:
        DataError: rows are at fault, with file, row and column.
    """
    bad = BadRows(settings.on_bad_row)
    raws: list[RawTable] = []
    sizes = [_size_bytes(item) for item in plan.sources]
    with progress.track(f"Reading {source}", total=sum(sizes), unit="bytes") as advance:
        for item in plan.sources:
            try:
                raws.append(_read_one(item, settings, bad, advance))
            except DataError as error:
                bad.refuse(str(error))
    for item in plan.sources:
        if bad.faults.count and isinstance(item, SourceFile):
            _hint_encoding(item, settings, bad)
        elif bad.policy == "mend" and isinstance(item, SourceFile):
            _note_encoding(item, settings, bad)
    raws, beside = without_strangers(raws, plan.joined, settings)
    notes = (*plan.notes, *beside)
    if plan.unread:
        shown = ", ".join(plan.unread[:5])
        what = "files and folders beside the data, not read"
        notes = (*notes, ReadNote(what=what, rows=len(plan.unread), example=shown))
    return assemble(raws, settings, bad, source, notes, plan.joined)


def _read_one(item: SourceFile | LabelFolders, settings: ReadSettings, bad: BadRows, advance: Advance) -> RawTable:
    if isinstance(item, LabelFolders):
        return read_label_folders(item, settings, bad, advance)
    reader = reader_of(item.path)
    check_signature(item.path)
    if item.path.suffix.lower() not in COLUMNAR:
        _check_wide(item, settings)
    if item.cells:
        # The labels may stand in the folders' names: the lines of a text file are texts then.
        raw = reader(item, replace(settings, labels="ignored"), bad, advance)
        table = raw.table
        for name, cell in item.cells.items():
            if name not in table.column_names:
                table = table.append_column(name, pa.array([cell], pa.large_string()).take(_zeros(table.num_rows)))
        return replace(raw, table=table)
    raw = reader(item, settings, bad, advance)
    for_spreadsheets = item.path.suffix.lower() not in (*COLUMNAR, ".jsonl", ".ndjson", ".json")
    raw = as_meant(raw, settings, bad, for_spreadsheets=for_spreadsheets)
    return replace(raw, label_names={**item.label_names, **raw.label_names}) if item.label_names else raw


def _zeros(rows: int) -> pa.Array:
    return pa.array(np.zeros(rows, np.int32))


def _size_bytes(item: SourceFile | LabelFolders) -> int:
    return item.path.stat().st_size if isinstance(item, SourceFile) else item.size_bytes()


_SIGNS_OF_ENCODING = ("bytes that are not", "NUL character")
"""What messages say where an encoding may be wrong."""


def _hint_encoding(item: SourceFile, settings: ReadSettings, bad: BadRows) -> None:
    """Advise another encoding where a file of texts at fault looks as if it were in it."""
    if item.path.suffix.lower() in COLUMNAR:
        return
    about = [message for message in bad.faults.shown if item.name in message and "--encoding" not in message]
    if not any(sign in message for message in about for sign in _SIGNS_OF_ENCODING):
        return
    if (found := suggest_encoding(item.path, settings.encoding)) is not None:
        bad.lead(f"The bytes of {item.name} fit another encoding: try --encoding {found}")


def _note_encoding(item: SourceFile, settings: ReadSettings, bad: BadRows) -> None:
    """Say so where an audit reads on although another encoding fits."""
    if item.path.suffix.lower() in COLUMNAR or not any("undecodable" in note.what for note in bad.notes()):
        return
    if (found := suggest_encoding(item.path, settings.encoding)) is not None:
        bad.note(f"files whose undecodable bytes fit another encoding: try --encoding {found}", 1, item.name)


def _check_wide(item: SourceFile, settings: ReadSettings) -> None:
    """Refuse a file of UTF-16 that is read as something else: every cell of it would be at fault.

    Raises:
        DataError: names the encoding.
    """
    if check_encoding(settings.encoding).startswith(("utf-16", "utf-32")):
        return
    if (found := suggest_utf_16(item.path)) is not None:
        raise DataError(f"{item.name} is not {settings.encoding}: its bytes fit {found}: try --encoding {found}")


def assemble(
    raws: list[RawTable],
    settings: ReadSettings,
    bad: BadRows,
    source: str,
    notes: tuple[ReadNote, ...] = (),
    joined: tuple[Joined, ...] = (),
) -> Dataset:
    """Check every file's rows, give them one label map and row ids, and lay them end to end.

    Args:
        raws: the files' rows; the list is emptied, so that no table is held twice.
        settings: how they were read.
        bad: what was gathered so far; what it holds in the end is raised.
        source: what messages and the dataset call all of them.
        notes: what is known of them already.
        joined: splits that are put together from different files.

    Raises:
        DataError: rows are at fault, with file, row and column, or none is left.
    """
    earlier = tuple(dict.fromkeys(note for raw in raws for note in raw.notes))
    readings, bare = readings_of(raws, settings, bad)
    notes = (*notes, *bare)
    raws.clear()
    parts: list[Part] = []
    while readings:
        try:
            # What was read is let go file by file, so that no table is held twice.
            parts.append(check_rows(*readings.pop(0), bad))
        except DataError as error:
            bad.refuse(str(error))
    notes = (*notes, *check_doubled(parts, joined, bad))
    found = map_labels(parts, settings, bad)
    # Rows to be labelled are told from each other by their numbers alone, where they are those of one file.
    is_numbered = settings.labels == "ignored" and len(found.parts) == 1 and found.parts[0].columns.split is None
    tables = _tables(found, numbered=is_numbered)
    if tables and any(part.row_id is not None for part in parts):
        tables, changed = check_row_ids(tables, bad)
        notes = (*notes, *changed)
    bad.raise_gathered(source)
    if not sum(table.num_rows for table in tables):
        raise DataError(f"{source} has no rows left: every one was at fault ({bad.notes()[0].example})")
    return Dataset(
        table=_join(tables),
        label_names=found.names,
        source=source,
        notes=tuple(dict.fromkeys((*earlier, *notes, *bad.notes()))),
    )


def _tables(found: LabelMap, *, numbered: bool) -> list[pa.Table]:
    """Return each part as a table whose first columns are the core ones."""
    offsets: dict[str, int] = {}
    tables = []
    for part in found.parts:
        core = {
            "row_id": _row_ids(part, offsets, numbered=numbered) if part.row_id is None else part.row_id,
            "split": part.split.dictionary_encode(),
            "text": part.text,
            "label": part.label,
        }
        others = {name: part.others[name] for name in part.others.column_names}
        tables.append(pa.table({**core, **others}))
    return tables


def _row_ids(part: Part, offsets: dict[str, int], *, numbered: bool) -> pa.Array:
    """Return "split:n" for each row, or "n" alone.

    `offsets` holds the rows of each split in the files before, and is moved on.
    """
    splits = part.split.dictionary_encode()
    names = splits.dictionary.to_pylist()
    starts = np.array([offsets.get(name, 0) for name in names] or [0], np.int64)
    numbers = np.asarray(part.numbers) + starts[np.asarray(splits.indices)]
    for name in names:
        offsets[name] = offsets.get(name, 0) + part.raw.rows_seen
    if numbered:
        return pa.array(numbers).cast(pa.large_string())
    return pc.binary_join_element_wise(
        part.split.cast(pa.large_string()), pa.array(numbers).cast(pa.large_string()), pa.scalar(":", pa.large_string())
    )


def _join(tables: list[pa.Table]) -> pa.Table:
    """Lay tables end to end; a column that some lack is null there, one whose types differ becomes text."""
    kinds: dict[str, set[Any]] = {}
    for table in tables:
        for field in table.schema:
            kinds.setdefault(field.name, set()).add(field.type)
    core = set(CORE_SCHEMA.names)
    try:
        joined = pa.concat_tables(tables, promote_options="permissive")
    except pa.ArrowException:
        differing = {name for name, types in kinds.items() if len(types) > 1 and name not in core}
        tables = [_as_text(table, differing) for table in tables]
        joined = pa.concat_tables(tables, promote_options="permissive")
    others = [field for field in joined.schema if field.name not in core]
    return joined.unify_dictionaries().cast(pa.schema([*CORE_SCHEMA, *others])).combine_chunks()


def _as_text(table: pa.Table, names: set[str]) -> pa.Table:
    for place, name in enumerate(table.column_names):
        if name in names:
            values = table[name].to_pylist()
            texts = pa.array([None if value is None else str(value) for value in values], pa.large_string())
            table = table.set_column(place, name, texts)
    return table
