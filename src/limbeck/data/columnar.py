"""Parquet and Arrow files: columns with types, read whole and column by column.

In: a file. Out: a `RawTable` with the file's own types, and what its metadata say about labels.
It does not know which column is the text.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet

from limbeck.data.bad_rows import BadRows
from limbeck.data.columns import LABEL_NAME
from limbeck.data.dataset import ReadNote
from limbeck.data.decoding import CellStrings, decode_marked
from limbeck.data.raw import RawTable, SourceFile
from limbeck.errors import DataError
from limbeck.progress import Advance
from limbeck.settings import ReadSettings
from limbeck.storage import explained

METADATA_KEY = b"limbeck"
"""Where limbeck keeps the label map and the notes in a schema's metadata, as JSON."""
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

    Raises:
        DataError: a column is named twice.
        ArrowInvalid: a column is damaged.
    """
    names = table.column_names
    if twice := sorted({column for column in names if names.count(column) > 1}):
        raise DataError(f"{name}: column {', '.join(map(repr, twice))} is named twice: rename one of them")
    numbers = pa.array(np.arange(1, table.num_rows + 1), pa.int64())
    rows_seen = table.num_rows
    for column in names:
        if _holds_bad_utf8(table[column]):
            table, numbers = _mend_utf8(table, numbers, column, name, bad)
    metadata = table.schema.metadata or {}
    own = _json_of(metadata.get(METADATA_KEY))
    own_names = dict(enumerate(own.get("label_names", ())))
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
        notes=tuple(ReadNote(**note) for note in own.get("notes", ())),
    )


def _holds_bad_utf8(column: pa.ChunkedArray) -> bool:
    """Tell whether strings are not UTF-8: Arrow and Parquet promise it, and nothing has checked the promise.

    Raises:
        ArrowInvalid: the column is damaged in another way.
    """
    try:
        column.validate(full=True)
    except pa.ArrowInvalid:
        if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
            raise
        _as_binary(column).validate(full=True)
        return True
    return False


def _as_binary(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return column.cast(pa.large_binary() if pa.types.is_large_string(column.type) else pa.binary())


def _mend_utf8(table: pa.Table, numbers: pa.Array, column: str, name: str, bad: BadRows) -> tuple[pa.Table, pa.Array]:
    """Decode one column anew, and leave out rows where the policy says so."""
    cells = [None if cell is None else decode_marked(cell) for cell in _as_binary(table[column]).to_pylist()]
    arrays, dropped = CellStrings(name, "utf-8", bad).convert({column: cells}, numbers.to_pylist())
    table = table.set_column(table.column_names.index(column), column, arrays[column])
    keep = pa.array(np.isin(np.arange(len(numbers)), sorted(dropped), invert=True))
    return table.filter(keep), numbers.filter(keep)


def _class_labels(huggingface: Mapping[str, Any]) -> dict[str, dict[int, str]]:
    """Return the names of each `ClassLabel` column that Hugging Face's datasets library wrote down."""
    features = huggingface.get("info", {}).get("features", {})
    return {
        column: dict(enumerate(feature["names"]))
        for column, feature in features.items()
        if isinstance(feature, dict) and feature.get("_type") == "ClassLabel" and feature.get("names")
    }


def _json_of(content: bytes | None) -> dict[str, Any]:
    try:
        value = json.loads(content or b"{}")
    except ValueError:
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
