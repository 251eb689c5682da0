"""Parquet and Arrow files become rows; columns of any Arrow type become the few plain ones that are read further.

In: a file or a table. Out: a `RawTable` of numbers, truth values, texts and lists, and the label names and notes that
the file declares. It does not know which column is which.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.ipc
import pyarrow.parquet

from limbeck.data.dataset import LABEL_NAME, ReadNote
from limbeck.data.write import METADATA_KEY
from limbeck.errors import DataError
from limbeck.progress import Advance
from limbeck.reading.bad_rows import BadRows
from limbeck.reading.decoding import CellStrings, decode_marked
from limbeck.reading.raw import RawTable, SourceFile
from limbeck.settings import ReadSettings
from limbeck.storage import explained
from limbeck.task import TASKS

EXACT_FLOAT = 2**53
"""Whole numbers up to this are exact in a float."""

HUGGINGFACE_KEY = b"huggingface"


def read_parquet(source: SourceFile, _: ReadSettings, bad: BadRows, advance: Advance) -> RawTable:
    """Read a Parquet file.

    Raises:
        DataError: the file is not Parquet, is cut short or damaged, or names a column twice.
    """
    with explained_format(source.path, "Parquet"):
        table = pyarrow.parquet.ParquetFile(source.path).read()
        raw = raw_table(table, name=source.name, split=source.split, bad=bad)
    advance(source.path.stat().st_size)
    return raw


def read_arrow(source: SourceFile, _: ReadSettings, bad: BadRows, advance: Advance) -> RawTable:
    """Read an Arrow IPC file (Feather) or stream.

    Raises:
        DataError: the file is not Arrow, is cut short or damaged, or names a column twice.
    """
    with explained_format(source.path, "Arrow"), source.path.open("rb") as file:
        is_file = file.read(6) == b"ARROW1"
        file.seek(0)
        table = (pyarrow.ipc.open_file if is_file else pyarrow.ipc.open_stream)(file).read_all()
        raw = raw_table(table, name=source.name, split=source.split, bad=bad)
    advance(source.path.stat().st_size)
    return raw


def raw_table(table: pa.Table, *, name: str, split: str, bad: BadRows, rows_before: int = 0) -> RawTable:
    """Wrap an Arrow table, with the label names that its metadata give, after a look at whether its strings are UTF-8.

    Metadata of another shape than limbeck and Hugging Face's datasets write name nothing. The first row has the number
    after `rows_before`.

    Raises:
        DataError: a column is named twice.
        ArrowInvalid: a column is damaged.
    """
    names = table.column_names
    if twice := sorted({column for column in names if names.count(column) > 1}):
        raise DataError(f"{name}: column {', '.join(map(repr, twice))} is named twice: rename one of them")
    rows_seen = rows_before + table.num_rows
    numbers = pa.array(np.arange(rows_before + 1, rows_seen + 1), pa.int64())
    metadata = table.schema.metadata or {}
    own = _json_of(metadata.get(METADATA_KEY))
    own_names = dict(enumerate(_names_of(own)))
    table, numbers = plain_table(table, numbers, name, bad)
    return RawTable(
        name=name,
        split=split,
        table=table,
        numbers=numbers,
        rows_seen=rows_seen,
        label_names={
            **_class_labels(_json_of(metadata.get(HUGGINGFACE_KEY))),
            **dict.fromkeys(("label", LABEL_NAME) if own_names else (), own_names),
        },
        notes=_notes_of(own),
        task=own["task"] if isinstance(own.get("task"), str) and own["task"] in TASKS else None,
        pair=_pair_in(own, names),
    )


def _pair_in(own: Mapping[str, Any], columns: Sequence[str]) -> tuple[str, str] | None:
    """Return the names of the two text columns that limbeck wrote down, where both are there."""
    pair = _names_of(own, "pair")
    return (pair[0], pair[1]) if len(pair) == len(("first", "second")) and set(pair) <= set(columns) else None


def _class_labels(huggingface: Mapping[str, Any]) -> dict[str, dict[int, str]]:
    """Return the names of each `ClassLabel` column that Hugging Face's datasets library wrote down."""
    found: dict[str, dict[int, str]] = {}
    for column, feature in _mapping(_mapping(huggingface.get("info")).get("features")).items():
        # Several labels per row are a list of them: Sequence(ClassLabel), List(ClassLabel), [ClassLabel].
        inner = _mapping(feature).get("feature", feature)
        one = _mapping(inner[0] if isinstance(inner, list) and len(inner) == 1 else inner)
        if one.get("_type") == "ClassLabel" and (names := _names_of(one, "names")):
            found[column] = dict(enumerate(names))
    return found


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _names_of(value: Mapping[str, Any], key: str = "label_names") -> Sequence[str]:
    """Return the names that metadata hold, or none where they are not what limbeck and datasets write."""
    names = value.get(key)
    if not isinstance(names, list) or not all(isinstance(name, str) and name.strip() for name in names):
        return ()
    return names if len(set(names)) == len(names) else ()


def _notes_of(value: Mapping[str, Any]) -> tuple[ReadNote, ...]:
    notes = value.get("notes")
    return tuple(
        ReadNote(what=note["what"], rows=note["rows"], example=note["example"])
        for note in (notes if isinstance(notes, list) else ())
        if isinstance(note, Mapping)
        and isinstance(note.get("what"), str)
        and isinstance(note.get("example"), str)
        and type(note.get("rows")) is int
    )


def _json_of(content: bytes | None) -> dict[str, Any]:
    try:
        value = json.loads(content or b"{}")
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


@contextmanager
def explained_format(path: Path, kind: str) -> Iterator[None]:
    """Turn what pyarrow says about a damaged file into one sentence that names the file."""
    with explained(path, doing="read"):
        with path.open("rb", buffering=0) as file:
            start = file.read(6)
        if not start:
            raise DataError(f"{path} is empty: {kind} with rows was expected")
        try:
            yield
        except (pa.ArrowException, ValueError, OSError) as error:
            if isinstance(error, OSError) and error.errno:
                raise
            known = start.startswith(b"PAR1" if kind == "Parquet" else (b"ARROW1", b"\xff\xff\xff\xff"))
            article = "an" if kind == "Arrow" else "a"
            what = f"is cut short or damaged ({error})" if known else f"is not {article} {kind} file"
            raise DataError(f"{path} {what}: copy or make it again") from error


def plain_table(table: pa.Table, numbers: pa.Array, name: str, bad: BadRows) -> tuple[pa.Table, pa.Array]:
    """Return a table whose columns are plain and whose strings are UTF-8, without rows that the policy leaves out.

    Args:
        table: R rows.
        numbers: int64 (R,) row numbers.
        name: what messages call the file.
        bad: takes cells that are not UTF-8.

    Raises:
        ArrowInvalid: a column is damaged.
    """
    found = {column: _checked(table[column]) for column in table.column_names}
    plain = pa.table({column: cells for column, (cells, _) in found.items()})
    for column in (column for column, (_, is_broken) in found.items() if is_broken):
        plain, numbers = mend_utf8(plain, numbers, column, name, bad)
    return plain, numbers


def mend_utf8(table: pa.Table, numbers: pa.Array, column: str, name: str, bad: BadRows) -> tuple[pa.Table, pa.Array]:
    """Decode one column of bytes, cell by cell, and leave out rows where the policy says so."""
    cells = [None if cell is None else decode_marked(cell) for cell in _as_bytes(table[column]).to_pylist()]
    arrays, dropped = CellStrings(name, "utf-8", bad).convert({column: cells}, numbers.to_pylist())
    table = table.set_column(table.column_names.index(column), column, arrays[column])
    keep = pa.array(np.isin(np.arange(len(numbers)), sorted(dropped), invert=True))
    return table.filter(keep), numbers.filter(keep)


def as_plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return the same cells in a plain type.

    Views become large strings or bytes, extension types what they store, run-end codes the values; a dictionary has
    each value once and no null. What is nested in another way than lists and objects of plain types becomes text.
    """
    chunks = [_plain(chunk) for chunk in column.chunks] or [_plain(pa.nulls(0, column.type))]
    if len({chunk.type for chunk in chunks}) > 1:
        # Where one chunk's dictionary could not be kept, none is.
        chunks = [chunk.dictionary_decode() if pa.types.is_dictionary(chunk.type) else chunk for chunk in chunks]
    return pa.chunked_array(chunks)


def as_strings_only(column: pa.Array | pa.ChunkedArray, *, where: str) -> pa.Array | pa.ChunkedArray:
    """Return a column of names or numbers as large strings.

    Raises:
        DataError: it holds what has no plain text.
    """
    try:
        return column.cast(pa.large_string())
    except pa.ArrowException as error:
        raise DataError(f"{where} holds {column.type}, where texts were expected") from error


def is_bytes(kind: pa.DataType) -> bool:
    """Tell whether a plain Arrow type holds bytes."""
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def is_text(kind: pa.DataType) -> bool:
    """Tell whether an Arrow type holds strings."""
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _checked(column: pa.ChunkedArray) -> tuple[pa.ChunkedArray, bool]:
    """Return a column as plain, and whether its strings are not UTF-8: Arrow and Parquet only promise that they are.

    Raises:
        ArrowInvalid: the column is damaged in another way.
    """
    try:
        column.validate(full=True)
    except pa.ArrowInvalid:
        column.validate()
        if pa.types.is_dictionary(column.type):
            # The codes are checked on their own, for what they stand for cannot be.
            pa.chunked_array([chunk.indices for chunk in column.chunks]).validate(full=True)
            column = pa.chunked_array([_decoded(chunk) for chunk in column.chunks])
        plain = as_plain(column)
        if not is_text(plain.type):
            raise
        _as_bytes(plain).validate(full=True)
        return plain, True
    return as_plain(column), False


def _decoded(chunk: pa.DictionaryArray) -> pa.Array:
    size = len(chunk.dictionary)
    codes = chunk.indices.drop_null()
    if len(codes) and not 0 <= pc.min(codes).as_py() <= pc.max(codes).as_py() < size:
        raise pa.ArrowInvalid(f"a dictionary of {size} values has codes outside it")
    return _plain(chunk.dictionary).take(chunk.indices.cast(pa.int64()))


def _as_bytes(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return column if is_bytes(column.type) else column.cast(pa.large_binary())


def _plain(array: pa.Array) -> pa.Array:
    kind = array.type
    if isinstance(kind, pa.BaseExtensionType):
        return _plain(array.storage)
    if pa.types.is_run_end_encoded(kind):
        return _plain(pc.run_end_decode(array))
    if pa.types.is_string_view(kind):
        # By way of bytes, so that what is not UTF-8 is met cell by cell later.
        return array.cast(pa.binary_view()).cast(pa.large_binary()).view(pa.large_string())
    if pa.types.is_binary_view(kind) or pa.types.is_fixed_size_binary(kind):
        return array.cast(pa.large_binary())
    if pa.types.is_dictionary(kind):
        return _plain_dictionary(array)
    return array if _is_plain(kind) else _as_text(array)


def _plain_dictionary(array: pa.DictionaryArray) -> pa.Array:
    """Take nulls and repeated values out of a dictionary."""
    values, codes = _plain(array.dictionary), array.indices.cast(pa.int64())
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    try:
        once = values.drop_null().unique()
        places = pc.index_in(values, value_set=once)
    except pa.ArrowNotImplementedError:
        return values.take(codes)
    return pa.DictionaryArray.from_arrays(places.take(codes), once)


def _is_plain(kind: pa.DataType) -> bool:
    """Tell whether rows of a type can be chosen, joined and written without surprises."""
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        return _is_plain_inside(kind.value_type)
    if pa.types.is_struct(kind):
        return all(_is_plain_inside(field.type) for field in kind.fields)
    if pa.types.is_map(kind):
        return _is_plain_inside(kind.key_type) and _is_plain_inside(kind.item_type)
    return not (pa.types.is_nested(kind) or pa.types.is_interval(kind))


def _is_plain_inside(kind: pa.DataType) -> bool:
    is_coded = (
        isinstance(kind, pa.BaseExtensionType) or pa.types.is_dictionary(kind) or pa.types.is_run_end_encoded(kind)
    )
    is_view = pa.types.is_string_view(kind) or pa.types.is_binary_view(kind)
    return not is_coded and not is_view and _is_plain(kind)


def _as_text(array: pa.Array) -> pa.Array:
    return pa.array([None if cell is None else str(cell) for cell in array.to_pylist()], pa.large_string())
