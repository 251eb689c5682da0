"""Parquet and Arrow files: columns with types, read whole and column by column.

In: a file. Out: a `RawTable` with the file's own types, and what its metadata say about labels.
It does not know which column is the text.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet

from limbeck.data.bad_rows import BadRows
from limbeck.data.dataset import LABEL_NAME, ReadNote
from limbeck.data.plain import plain_table
from limbeck.data.raw import RawTable, SourceFile
from limbeck.data.write import METADATA_KEY
from limbeck.errors import DataError
from limbeck.progress import Advance
from limbeck.settings import ReadSettings
from limbeck.storage import explained

HUGGINGFACE_KEY = b"huggingface"


def read_parquet(source: SourceFile, _: ReadSettings, bad: BadRows, advance: Advance) -> RawTable:
    """Read a Parquet file.

    Raises:
        DataError: the file is not Parquet, is cut short or damaged, or names a column twice.
    """
    with _explained_format(source.path, "Parquet"):
        table = pyarrow.parquet.ParquetFile(source.path).read()
        raw = raw_table(table, name=source.name, split=source.split, bad=bad)
    advance(source.path.stat().st_size)
    return raw


def read_arrow(source: SourceFile, _: ReadSettings, bad: BadRows, advance: Advance) -> RawTable:
    """Read an Arrow IPC file (Feather) or stream.

    Raises:
        DataError: the file is not Arrow, is cut short or damaged, or names a column twice.
    """
    with _explained_format(source.path, "Arrow"), source.path.open("rb") as file:
        is_file = file.read(6) == b"ARROW1"
        file.seek(0)
        table = (pyarrow.ipc.open_file if is_file else pyarrow.ipc.open_stream)(file).read_all()
        raw = raw_table(table, name=source.name, split=source.split, bad=bad)
    advance(source.path.stat().st_size)
    return raw


def raw_table(table: pa.Table, *, name: str, split: str, bad: BadRows) -> RawTable:
    """Wrap an Arrow table, with the label names that its metadata give, after a look at whether its strings are UTF-8.

    Metadata of another shape than limbeck and Hugging Face's datasets write name nothing.

    Raises:
        DataError: a column is named twice.
        ArrowInvalid: a column is damaged.
    """
    names = table.column_names
    if twice := sorted({column for column in names if names.count(column) > 1}):
        raise DataError(f"{name}: column {', '.join(map(repr, twice))} is named twice: rename one of them")
    numbers = pa.array(np.arange(1, table.num_rows + 1), pa.int64())
    rows_seen = table.num_rows
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
    )


def _class_labels(huggingface: Mapping[str, Any]) -> dict[str, dict[int, str]]:
    """Return the names of each `ClassLabel` column that Hugging Face's datasets library wrote down."""
    found: dict[str, dict[int, str]] = {}
    for column, feature in _mapping(_mapping(huggingface.get("info")).get("features")).items():
        if _mapping(feature).get("_type") == "ClassLabel" and (names := _names_of(feature, "names")):
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
def _explained_format(path: Path, kind: str) -> Iterator[None]:
    """Turn what pyarrow says about a damaged file into one sentence that names the file."""
    with explained(path, doing="read"):
        with path.open("rb") as file:
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
