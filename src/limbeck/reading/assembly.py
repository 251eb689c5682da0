"""Assembly: what was planned is read file by file, and becomes one `Dataset` with one label map and stable row ids.

In: a `ReadPlan` and `ReadSettings`. Out: a `Dataset`, or one error that lists what is wrong with the rows. What the
files of one folder are to each other is found here: parts of one split, the same rows twice, rows to predict, no
data. It knows no format, and does not know where the files come from.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from limbeck.data.dataset import CORE_SCHEMA, Dataset, ReadNote, core_schema
from limbeck.errors import DataError
from limbeck.progress import SILENT, Advance, Progress
from limbeck.reading.bad_rows import BadRows
from limbeck.reading.columns import ColumnNames, find_columns
from limbeck.reading.decoding import check_encoding, suggest_encoding, suggest_utf_16
from limbeck.reading.file_rows import FileRows, check_rows
from limbeck.reading.folders import Joined, LabelFolders, ReadPlan
from limbeck.reading.formats import COLUMNAR, check_signature, reader_of
from limbeck.reading.known_layouts import as_meant
from limbeck.reading.label_map import LabelMap
from limbeck.reading.label_shapes import shape_labels
from limbeck.reading.plain_text import read_label_folders
from limbeck.reading.raw import RawTable, SourceFile
from limbeck.setting_tables import said_names
from limbeck.settings import ReadSettings
from limbeck.task import Task


def read_plan(plan: ReadPlan, settings: ReadSettings, *, source: str, progress: Progress = SILENT) -> Dataset:
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
            hint_encoding(item, settings, bad)
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
        check_wide(item, settings)
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


def hint_encoding(item: SourceFile, settings: ReadSettings, bad: BadRows) -> None:
    """Advise another encoding where a file of texts at fault looks as if it were in it."""
    if item.path.suffix.lower() in COLUMNAR:
        return
    about = [message for message in bad.faults.shown if item.name in message and "--encoding" not in message]
    if not any(sign in message for message in about for sign in _SIGNS_OF_ENCODING):
        return
    if (better := suggest_encoding(item.path, settings.encoding)) is not None:
        bad.lead(f"The bytes of {item.name} fit another encoding: try --encoding {better}")


def _note_encoding(item: SourceFile, settings: ReadSettings, bad: BadRows) -> None:
    """Say so where an audit reads on although another encoding fits."""
    if item.path.suffix.lower() in COLUMNAR or not any("undecodable" in note.what for note in bad.notes()):
        return
    if (better := suggest_encoding(item.path, settings.encoding)) is not None:
        bad.note(f"files whose undecodable bytes fit another encoding: try --encoding {better}", 1, item.name)


def check_wide(item: SourceFile, settings: ReadSettings) -> None:
    """Refuse a file of UTF-16 that is read as something else: every cell of it would be at fault.

    Raises:
        DataError: names the encoding.
    """
    if check_encoding(settings.encoding).startswith(("utf-16", "utf-32")):
        return
    if (better := suggest_utf_16(item.path)) is not None:
        raise DataError(f"{item.name} is not {settings.encoding}: its bytes fit {better}: try --encoding {better}")


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
    parts: list[FileRows] = []
    while readings:
        try:
            # What was read is let go file by file, so that no table is held twice.
            parts.append(check_rows(*readings.pop(0), bad))
        except DataError as error:
            bad.refuse(str(error))
    notes = (*notes, *check_doubled(parts, joined, bad))
    label_map = shape_labels(parts, settings, bad)
    # Rows to be labelled are told from each other by their numbers alone, where they are those of one file.
    is_numbered = (
        settings.labels == "ignored" and len(label_map.parts) == 1 and label_map.parts[0].columns.split is None
    )
    tables = _tables(label_map, numbered=is_numbered)
    if tables and any(part.row_id is not None for part in parts):
        tables, changed = check_row_ids(tables, bad)
        notes = (*notes, *changed)
    bad.raise_gathered(source)
    if not sum(table.num_rows for table in tables):
        raise DataError(f"{source} has no rows left: every one was at fault ({bad.notes()[0].example})")
    return Dataset(
        table=_join(tables, label_map.task),
        label_names=label_map.names,
        source=source,
        task=label_map.task,
        notes=tuple(dict.fromkeys((*earlier, *notes, *bad.notes()))),
        pair=_pair_of(label_map.parts, source),
    )


def _pair_of(parts: Sequence[FileRows], source: str) -> tuple[str, str] | None:
    """Return the names of the two text columns, those of the first file; None where rows have one text.

    Raises:
        DataError: rows of some files have two texts, those of others one.
    """
    two = [part for part in parts if part.columns.second is not None]
    if two and len(two) < len(parts):
        one = next(part for part in parts if part.columns.second is None)
        raise DataError(
            f"{source}: rows of {two[0].raw.name} have two texts, those of {one.raw.name} have one: give the files the "
            "same columns"
        )
    return (two[0].columns.text, str(two[0].columns.second)) if two else None


def _tables(label_map: LabelMap, *, numbered: bool) -> list[pa.Table]:
    """Return each part as a table whose first columns are the core ones."""
    offsets: dict[str, int] = {}
    tables = []
    for part in label_map.parts:
        core = {
            "row_id": _row_ids(part, offsets, numbered=numbered) if part.row_id is None else part.row_id,
            "split": part.split.dictionary_encode(),
            "text": part.text,
            "label": part.label,
        }
        others = {name: part.others[name] for name in part.others.column_names}
        tables.append(pa.table({**core, **others}))
    return tables


def _row_ids(part: FileRows, offsets: dict[str, int], *, numbered: bool) -> pa.Array:
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


def _join(tables: list[pa.Table], task: Task) -> pa.Table:
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
    return joined.unify_dictionaries().cast(pa.schema([*core_schema(task), *others])).combine_chunks()


def _as_text(table: pa.Table, names: set[str]) -> pa.Table:
    for place, name in enumerate(table.column_names):
        if name in names:
            values = table[name].to_pylist()
            texts = pa.array([None if value is None else str(value) for value in values], pa.large_string())
            table = table.set_column(place, name, texts)
    return table


SAME_SHARE = 0.5
"""Two files hold the same rows where more than this share of the smaller one's texts stand in the other."""


def without_strangers(
    raws: Sequence[RawTable], joined: Sequence[Joined], settings: ReadSettings
) -> tuple[list[RawTable], tuple[ReadNote, ...]]:
    """Leave out files without a text column where another file of their split has one: test_labels.csv, an index."""
    named = {name for one in joined for names in one.groups for name in names}
    strangers = [raw.name for raw in raws if raw.name in named and _columns(raw, settings) is None]
    having = {raw.split for raw in raws if raw.name in named and raw.name not in strangers}
    left = [raw.name for raw in raws if raw.name in strangers and raw.split in having]
    if not left:
        return list(raws), ()
    what = "files left out, as they have no column of texts and another file of their split has"
    note = ReadNote(what=what, rows=len(left), example=left[0])
    return [raw for raw in raws if raw.name not in left], (note,)


def readings_of(
    raws: Sequence[RawTable], settings: ReadSettings, bad: BadRows
) -> tuple[list[tuple[RawTable, ReadSettings]], tuple[ReadNote, ...]]:
    """Say how each file is read on: one without labels, beside a train split that has them, holds rows to predict.

    Where labels are needed such a file is a fault. Elsewhere it is read without labels, which is noted.
    """
    labelled = [raw for raw in raws if raw.split == "train" and _has_label(raw, settings)]
    bare = [raw.name for raw in raws if raw.split not in ("train", "unsupervised") and not _has_label(raw, settings)]
    if settings.labels == "ignored" or not labelled or not bare:
        return [(raw, _settings_of(raw, settings)) for raw in raws], ()
    if settings.labels == "required":
        for name in bare:
            bad.refuse(
                f"{name} has no label column, and {labelled[0].name} has: these are rows to predict. Give "
                f"{labelled[0].name} alone, and {name} to limbeck predict (--input)"
            )
        return [(raw, _settings_of(raw, settings)) for raw in raws if raw.name not in bare], ()
    without = replace(settings, labels="ignored", label_column=None, label_columns=None, label_names=None)
    note = ReadNote(what="files without a label column, read as rows without labels", rows=len(bare), example=bare[0])
    return [(raw, _settings_of(raw, without if raw.name in bare else settings)) for raw in raws], (note,)


def check_doubled(parts: Sequence[FileRows], joined: Sequence[Joined], bad: BadRows) -> tuple[ReadNote, ...]:
    """Refuse files of one split that hold the same rows, and note which files each split was put together from."""
    notes = []
    for one in joined:
        files = [[part for part in parts if part.raw.name in names] for names in one.groups]
        present = [group for group in files if group]
        texts = [pa.chunked_array([part.text for part in group], pa.large_string()) for group in present]
        for first, second in combinations(range(len(present)), 2):
            small, large = sorted((first, second), key=lambda place: len(texts[place]))
            same = pc.sum(pc.is_in(texts[small], value_set=texts[large].combine_chunks())).as_py() or 0
            if same > SAME_SHARE * len(texts[small]):
                names = " and ".join(present[place][0].raw.name for place in (first, second))
                share = f"{same:,} of {len(texts[small]):,}"
                bad.refuse(
                    f"{names} are both files of {one.split} and hold the same texts ({share}): "
                    "name the one to read, or take the other out of the folder"
                )
        if len(present) > 1:
            shown = ", ".join(group[0].raw.name for group in present[:5]) + (", …" if len(present) > 5 else "")
            notes.append(
                ReadNote(what=f"files that {one.split} is put together from", rows=len(present), example=shown)
            )
    return tuple(notes)


def check_row_ids(tables: Sequence[pa.Table], bad: BadRows) -> tuple[list[pa.Table], tuple[ReadNote, ...]]:
    """Refuse row ids that stand on more than one row of a split; those that two splits share become "split:id"."""
    ids = pa.chunked_array([chunk for table in tables for chunk in table["row_id"].chunks])
    if pc.count_distinct(ids).as_py() == len(ids):
        return list(tables), ()
    splits = pa.chunked_array([chunk.cast(pa.large_string()) for table in tables for chunk in table["split"].chunks])
    longer = pc.binary_join_element_wise(splits, ids, pa.scalar(":", pa.large_string()))
    counts = pc.value_counts(longer)
    twice = counts.filter(pc.greater(counts.field("counts"), 1)).to_pylist()
    if not twice:
        note = ReadNote(
            what="row ids that stand in several splits; the split is written before each id",
            rows=len(ids),
            example=str(longer[0].as_py()),
        )
        ends = np.cumsum([len(table) for table in tables])
        changed = [longer.slice(end - len(table), len(table)) for end, table in zip(ends.tolist(), tables, strict=True)]
        place = tables[0].column_names.index("row_id")
        return [table.set_column(place, "row_id", new) for table, new in zip(tables, changed, strict=True)], (note,)
    shown: Mapping[str, int] = {item["values"]: item["counts"] for item in twice[:3]}
    said = ", ".join(f"{name!r} on {count:,} rows" for name, count in shown.items())
    bad.refuse(
        f"{len(twice):,} row ids stand on more than one row (split:id {said}): each row needs its own. Mend the column "
        "row_id, or give it another name, and rows are numbered"
    )
    return list(tables), ()


def _settings_of(raw: RawTable, settings: ReadSettings) -> ReadSettings:
    """Return the settings for one file: limbeck's own of pairs say which columns hold the two texts."""
    if raw.pair is None or settings.text_column is not None:
        return settings
    return replace(settings, text_column=said_names(raw.pair))


def _columns(raw: RawTable, settings: ReadSettings) -> ColumnNames | None:
    """Return a file's columns, labels aside; None where it has no column of texts."""
    try:
        without = replace(_settings_of(raw, settings), labels="ignored", label_column=None, label_columns=None)
        return find_columns(raw.table.column_names, without, file=raw.name, split=raw.split)
    except DataError:
        return None


def _has_label(raw: RawTable, settings: ReadSettings) -> bool:
    """Tell whether a file has a column of labels; true where it has no texts, which is another fault."""
    if _columns(raw, settings) is None:
        return True
    try:
        columns = find_columns(
            raw.table.column_names,
            replace(_settings_of(raw, settings), labels="required"),
            file=raw.name,
            split="train",
        )
    except DataError:
        return False
    return columns.has_labels
