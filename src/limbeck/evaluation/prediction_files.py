"""Files of predictions: Parquet, JSON Lines or CSV, by suffix; order kept, whole or absent.

In: a `Predictions` and a path. Out: a file, and a `Predictions` of it again, to the same bits in every format.
It does not know models.

CSV is made for spreadsheets: UTF-8 with a byte order mark (without one, Excel shows Hangul as garbage), and text that a
spreadsheet would run as a formula has an apostrophe in front (see `spreadsheet`). `read_predictions` undoes both; other
readers of untrusted text columns should know of the apostrophe, or take Parquet or JSON Lines, where text is untouched.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from limbeck import storage
from limbeck.errors import DataError, SettingsError
from limbeck.evaluation import spreadsheet
from limbeck.evaluation.predictions import PROBABILITY_PREFIX, Predictions

SUFFIXES = (".parquet", ".jsonl", ".csv")
"""Of files of predictions; see `storage.check_place`."""
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_BLOCK_ROWS = 10_000
_TYPES = {
    "row_id": pa.large_string(),
    "text": pa.large_string(),
    "label": pa.string(),
    "true_label": pa.string(),
    "loss": pa.float32(),
    "margin": pa.float32(),
    "tokens": pa.int32(),
    "truncated": pa.bool_(),
    "unsure": pa.bool_(),
}
_NEEDED = ("row_id", "label", "true_label", "tokens", "truncated")
_MAY_BE_NULL = ("true_label", "loss", "margin")

_Write = Callable[[pa.Table, Path], None]
_Read = Callable[[Path], pa.Table]


def write_predictions(path: Path, predictions: Predictions, *, top_k: int | None = None) -> None:
    """Write predictions as the suffix says: .parquet, .jsonl or .csv. Columns: see `Predictions.to_arrow`.

    Raises:
        SettingsError: another suffix, or `top_k` out of range.
        StorageError: the file could not be written; what stood there before still stands.
    """
    write, _ = _FORMATS[storage.check_place(path, SUFFIXES)]
    table = predictions.to_arrow(top_k=top_k)
    with storage.staged_file(path) as staged:
        write(table, staged)


def read_predictions(path: str | Path) -> Predictions:
    """Read what `write_predictions` wrote.

    Raises:
        SettingsError: the suffix is none of .parquet, .jsonl, .csv.
        StorageError: the file is absent or unreadable.
        DataError: it does not hold predictions, or labels and probabilities in it do not agree.
    """
    path = Path(path)
    if path.suffix.lower() not in SUFFIXES:
        raise SettingsError(f"cannot tell the format of {path.name}: its name ends with none of {', '.join(SUFFIXES)}")
    _, read = _FORMATS[path.suffix.lower()]
    with storage.explained(path, doing="read"):
        try:
            table = read(path)
        except (pa.ArrowInvalid, pa.ArrowTypeError, ValueError) as error:
            raise DataError(f"{path} does not hold predictions that limbeck wrote: {error}") from error
    _check_columns(path, table)
    names = tuple(name.removeprefix(PROBABILITY_PREFIX) for name in table.column_names if _is_probability(name))
    predictions = Predictions(
        row_ids=tuple(table["row_id"].to_pylist()),
        label_names=names,
        probabilities=np.column_stack([table[PROBABILITY_PREFIX + name].to_numpy() for name in names]),
        true_labels=_true_labels(path, table, names),
        tokens=table["tokens"].to_numpy(),
        truncated=table["truncated"].to_numpy(),
        texts=tuple(table["text"].to_pylist()) if "text" in table.column_names else None,
        unsure=table["unsure"].to_numpy() if "unsure" in table.column_names else None,
    )
    for row, (written, said) in enumerate(zip(table["label"].to_pylist(), predictions.predicted_names, strict=True)):
        if written != said:
            raise DataError(
                f"{path}: row {row} has the label {written!r} but its most probable one is {said!r}: "
                "was the file edited? Predict again"
            )
    return predictions


def _check_columns(path: Path, table: pa.Table) -> None:
    missing = [name for name in _NEEDED if name not in table.column_names]
    if not any(_is_probability(name) for name in table.column_names):
        missing.append(PROBABILITY_PREFIX + "<name>")
    if missing:
        raise DataError(f"{path} has no column {', '.join(missing)}: it does not hold predictions that limbeck wrote")
    full = [
        name for name in table.column_names if (name in _TYPES or _is_probability(name)) and name not in _MAY_BE_NULL
    ]
    if holes := [name for name in full if table[name].null_count]:
        raise DataError(f"{path} has rows without a value for {', '.join(holes)}: was it edited? Predict again")


def _true_labels(path: Path, table: pa.Table, names: tuple[str, ...]) -> pa.Int32Array:
    """Turn names into labels; a name that is no class is an error, not a null."""
    column = table["true_label"].combine_chunks()
    if unknown := sorted(set(column.drop_null().unique().to_pylist()) - set(names)):
        raise DataError(f"{path} has true labels that are no class: {', '.join(unknown)}; classes: {', '.join(names)}")
    return pc.index_in(column, value_set=pa.array(names, column.type))


def _write_parquet(table: pa.Table, path: Path) -> None:
    pq.write_table(table, path)


def _read_parquet(path: Path) -> pa.Table:
    with path.open("rb") as file:
        return pq.read_table(file)


def _write_csv(table: pa.Table, path: Path) -> None:
    for place, name in enumerate(table.column_names):
        if pa.types.is_string(table.schema.field(name).type) or pa.types.is_large_string(table.schema.field(name).type):
            table = table.set_column(place, name, spreadsheet.neutralise_column(table[name]))
    with path.open("wb") as file:
        file.write(BYTE_ORDER_MARK)
        pyarrow.csv.write_csv(table, file)


def _read_csv(path: Path) -> pa.Table:
    with path.open("rb") as file, pyarrow.csv.open_csv(file, parse_options=_CSV_QUOTING) as reader:
        header = reader.schema.names
    table = pyarrow.csv.read_csv(
        path,
        parse_options=_CSV_QUOTING,
        convert_options=pyarrow.csv.ConvertOptions(
            column_types=_TYPES | {name: pa.float32() for name in header if _is_probability(name)},
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
        ),
    )
    for place, name in enumerate(table.column_names):
        if name in ("row_id", "text", "label", "true_label"):
            table = table.set_column(place, name, spreadsheet.restore_column(table[name]))
    return table


def _write_jsonl(table: pa.Table, path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for batch in table.to_batches(max_chunksize=_BLOCK_ROWS):
            columns = [_json_values(column) for column in batch.columns]
            for values in zip(*columns, strict=True):
                row = dict(zip(batch.schema.names, values, strict=True))
                file.write(json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n")


def _json_values(column: pa.Array) -> list[Any]:
    """Return plain values; a float32 becomes the shortest decimal that reads back to the same bits."""
    if not pa.types.is_float32(column.type):
        values: list[Any] = column.to_pylist()
        return values
    return [None if digits is None else float(digits) for digits in column.cast(pa.string()).to_pylist()]


def _read_jsonl(path: Path) -> pa.Table:
    columns: dict[str, list[Any]] = {}
    with path.open(encoding="utf-8", newline="\n") as file:
        for number, line in enumerate(file, start=1):
            try:
                row = json.loads(line)
            except ValueError as error:
                raise DataError(f"{path}, line {number}: not valid JSON ({error})") from error
            if not isinstance(row, dict) or (columns and row.keys() != columns.keys()):
                raise DataError(f"{path}, line {number}: expected an object with the same keys as the first line")
            for name, value in row.items():
                columns.setdefault(name, []).append(value)
    types = {name: pa.float32() if _is_probability(name) else _TYPES.get(name) for name in columns}
    return pa.table({name: pa.array(values, types[name]) for name, values in columns.items()})


def _is_probability(name: str) -> bool:
    return name.startswith(PROBABILITY_PREFIX)


_CSV_QUOTING = pyarrow.csv.ParseOptions(newlines_in_values=True)

_FORMATS: dict[str, tuple[_Write, _Read]] = {
    ".parquet": (_write_parquet, _read_parquet),
    ".jsonl": (_write_jsonl, _read_jsonl),
    ".csv": (_write_csv, _read_csv),
}
"""Suffix → how to write and how to read it."""
