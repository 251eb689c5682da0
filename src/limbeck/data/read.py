"""Reading: a file, a folder, a table, a data set of the hub or the embedded sample becomes a `Dataset`.

In: a source and `ReadSettings`. Out: a `Dataset` with one label map and stable row ids, or one error that lists what is
wrong with the rows. It knows which module reads which source, and none of the formats.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from limbeck.data.bad_rows import BadRows
from limbeck.data.columnar import raw_table
from limbeck.data.dataset import CORE_SCHEMA, Dataset, ReadNote
from limbeck.data.decoding import check_encoding
from limbeck.data.encoding_guess import suggest_encoding, suggest_utf_16
from limbeck.data.folders import Joined, LabelFolders, Plan, plan_file, plan_folder
from limbeck.data.formats import COLUMNAR, SUFFIXES, check_readable, check_signature, reader_of
from limbeck.data.frames import table_of_frame
from limbeck.data.known_layouts import as_meant
from limbeck.data.label_folders import read_label_folders
from limbeck.data.labels import LabelMap, map_labels
from limbeck.data.raw import RawTable, SourceFile
from limbeck.data.rows import Part, check_rows
from limbeck.data.sample import SAMPLE, read_sample
from limbeck.data.several_files import check_doubled, check_row_ids, readings_of, without_strangers
from limbeck.errors import DataError, SettingsError
from limbeck.hub.ids import is_hub_id
from limbeck.progress import SILENT, Advance, Progress
from limbeck.settings import OnBadRow, ReadSettings, build

_TABLE = "the table"
_ADVICE = (
    ": a DataFrame is read by limbeck.Dataset.from_pandas, an Arrow table or a polars frame by "
    "limbeck.Dataset.from_arrow, a file or folder by limbeck.read"
)
_NAMED = "(on-bad-row|text-column|label-column|label-names|encoding)"
_VALUED_OPTION = re.compile(rf"--{_NAMED} (skip\b|[a-z]+[\d-][\w-]*)")
_OPTION = re.compile(rf"--{_NAMED}")


def read(
    path: str | Path,
    *,
    text_column: str | None = None,
    label_column: str | None = None,
    label_names: Sequence[str] | None = None,
    encoding: str = "utf-8",
    on_bad_row: OnBadRow = "error",
) -> Dataset:
    """Read labelled texts.

    Args:
        path: a file (.csv .tsv .xlsx .jsonl .json .parquet .arrow .feather .txt), a folder of split files, a folder
            with one folder per label, "sample", or a data set of the Hugging Face hub,
            "hub:OWNER/NAME@REVISION#CONFIG/SPLIT" (revision, configuration and splits may be left out).
        text_column: found by its usual names when not given.
        label_column: found by its usual names when not given.
        label_names: names of the classes in the order of their integers.
        encoding: of text files, a Python codec name.
        on_bad_row: "error" gathers and raises, "keep-replacement" keeps undecodable bytes as U+FFFD, "skip" leaves
            rows at fault out; what was done is counted in the dataset's notes.

    Raises:
        DataError: rows are at fault, with file, row and column.
        SettingsError: the encoding or the label names are wrong.
        StorageError: the source is not there or cannot be opened.
        HubError: the hub was asked for, and it or the network said no.
    """
    given = {
        "text_column": text_column,
        "label_column": label_column,
        # One string is no list of names; it is left as it is, for the check to say so.
        "label_names": label_names if label_names is None or isinstance(label_names, str) else tuple(label_names),
        "encoding": encoding,
        "on_bad_row": on_bad_row,
    }
    with said_in_python():
        return read_with(path, build(ReadSettings, given, where="read"))


def read_with(source: str | Path, settings: ReadSettings | None = None, progress: Progress = SILENT) -> Dataset:
    """Read labelled texts as `settings` say; see `read`.

    Row ids are "split:n", where n is the row's number in its file, the same that messages use; rows that are left out
    keep their numbers, and further files of the same split go on counting. Of a single file that is read without its
    labels they are the numbers alone. A `row_id` column is kept as it is.

    Raises:
        DataError: rows are at fault, with file, row and column.
        SettingsError: the encoding or the label names are wrong.
        StorageError: the source is not there or cannot be opened.
        HubError: the hub was asked for, and it or the network said no.
    """
    if not isinstance(source, str | Path):
        raise SettingsError(f"read takes a path, not {type(source).__name__}{_ADVICE}")
    settings = settings or ReadSettings()
    check_encoding(settings.encoding)
    if str(source) == SAMPLE:
        return read_sample(progress, settings)
    if is_hub_id(source):
        from limbeck.data.hub import read_hub

        return read_hub(str(source), settings, progress)
    path = Path(source)
    check_readable(path)
    if not path.is_dir():
        reader_of(path)
    plan = plan_folder(path, SUFFIXES) if path.is_dir() else plan_file(path)
    return read_plan(plan, settings, source=str(source), progress=progress)


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
    return _assemble(raws, settings, bad, source, notes, plan.joined)


def from_arrow(table: Any, settings: ReadSettings | None = None) -> Dataset:
    """Make a dataset of an Arrow table; its columns are found as those of a file are.

    Args:
        table: a table, a record batch, or a frame that can be read as Arrow (`__arrow_c_stream__`, as polars').
        settings: as for a file.

    Raises:
        DataError: a column is missing, or rows are at fault.
        SettingsError: it is no table.
    """
    if not isinstance(table, pa.Table):
        if not (isinstance(table, pa.RecordBatch) or hasattr(table, "__arrow_c_stream__")):
            raise SettingsError(f"from_arrow takes an Arrow table, not {type(table).__name__}{_ADVICE}")
        table = pa.table(table)
    return _from_table(table, {}, settings)


def from_pandas(frame: Any, settings: ReadSettings | None = None) -> Dataset:
    """Make a dataset of a DataFrame; its columns are found as those of a file are, its index is left out.

    Raises:
        DataError: a column is missing, or rows are at fault.
        SettingsError: it is no DataFrame.
    """
    if not (hasattr(frame, "iloc") and hasattr(frame, "columns")):
        raise SettingsError(f"from_pandas takes a DataFrame, not {type(frame).__name__}{_ADVICE}")
    table, odd = table_of_frame(frame)
    return _from_table(table, odd, settings)


def _from_table(table: pa.Table, odd: Mapping[str, Mapping[int, str]], settings: ReadSettings | None) -> Dataset:
    settings = settings or ReadSettings()
    bad = BadRows(settings.on_bad_row)
    with said_in_python():
        try:
            raw = raw_table(table, name=_TABLE, split="train", bad=bad)
            raw = as_meant(replace(raw, odd=odd), settings, bad, for_spreadsheets=False)
            return _assemble([raw], settings, bad, _TABLE, ())
        except (pa.ArrowException, UnicodeError) as error:
            raise DataError(f"{_TABLE} is damaged, or holds what Arrow cannot convert: {error}") from error


@contextmanager
def said_in_python() -> Iterator[None]:
    """Name settings as Python does, `on_bad_row="skip"`, where advice names the options of the command line."""
    try:
        yield
    except (DataError, SettingsError) as error:
        said = _VALUED_OPTION.sub(lambda found: f'{found[1].replace("-", "_")}="{found[2]}"', str(error))
        said = _OPTION.sub(lambda found: found[1].replace("-", "_"), said)
        if said == str(error):
            raise
        raise type(error)(said) from error.__cause__


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


def _assemble(
    raws: list[RawTable],
    settings: ReadSettings,
    bad: BadRows,
    source: str,
    notes: tuple[ReadNote, ...],
    joined: tuple[Joined, ...] = (),
) -> Dataset:
    """Check every file's rows, give them one label map and row ids, and lay them end to end."""
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
