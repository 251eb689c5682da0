"""Files of predictions: Parquet, JSON Lines or CSV, by suffix; order kept, whole or absent.

In: a `Predictions` and a path. Out: a file, and a `Predictions` of it again, to the same bits in every format.
It does not know models.

CSV is made for spreadsheets: UTF-8 with a byte order mark (without one, Excel shows Hangul as garbage), and text that a
spreadsheet would run as a formula has an apostrophe in front (see `spreadsheet`). `read_predictions` undoes both; other
readers of untrusted text columns should know of the apostrophe, or take Parquet or JSON Lines, where text is untouched.

Files of limbeck before this layout have `label` for `prediction`, and always a column `true_label`; they are read too.
"""

import codecs
import json
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
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
from limbeck.evaluation.predictions import PROBABILITY_PREFIX, Predictions, is_own_column

PREDICTION_SUFFIXES = (".parquet", ".jsonl", ".csv")
"""Of files of predictions; see `storage.check_place`."""
_BLOCK_ROWS = 10_000
_TYPES = {
    "row_id": pa.large_string(),
    "text": pa.large_string(),
    "prediction": pa.string(),
    "probability": pa.float32(),
    "true_label": pa.string(),
    "loss": pa.float32(),
    "margin": pa.float32(),
    "tokens": pa.int32(),
    "truncated": pa.bool_(),
    "unsure": pa.bool_(),
    "unknown": pa.int32(),
}
_NEEDED = ("row_id", "prediction", "tokens", "truncated")
_MAY_BE_NULL = ("true_label", "loss", "margin")

_Write = Callable[[Iterator[pa.Table], Path], None]
_Read = Callable[[Path], pa.Table]


def write_predictions(path: str | Path, predictions: Predictions, *, top_k: int | None = None) -> None:
    """Write predictions as the suffix says: .parquet, .jsonl or .csv. Columns: see `Predictions.to_arrow`.

    Raises:
        SettingsError: another suffix, or `top_k` out of range.
        StorageError: the file could not be written; what stood there before still stands.

    Example:
        >>> write_predictions("answers.csv", load("RUN").predict(["i feel fine"]))
    """
    write_tables(Path(path), [predictions.to_arrow(top_k=top_k)])


def write_tables(path: Path, tables: Iterable[pa.Table]) -> None:
    """Write tables of predictions, all of the same columns, one after the other into one file.

    Raises:
        SettingsError: the suffix is none of .parquet, .jsonl, .csv.
        StorageError: the file could not be written; what stood there before still stands.
    """
    write, _ = _FORMATS[storage.check_place(path, PREDICTION_SUFFIXES)]
    with storage.staged_file(path) as staged:
        write(iter(tables), staged)


def read_predictions(path: str | Path) -> Predictions:
    """Read what `write_predictions` wrote.

    Raises:
        SettingsError: the suffix is none of .parquet, .jsonl, .csv.
        StorageError: the file is absent or unreadable.
        DataError: it does not hold predictions, or labels and probabilities in it do not agree.

    Example:
        >>> read_predictions("RUN/predictions/validation.parquet").label_names
        ('joy', 'sadness')
    """
    path = Path(path)
    if path.suffix.lower() not in PREDICTION_SUFFIXES:
        raise SettingsError(
            f"cannot tell the format of {path.name}: its name ends with none of {', '.join(PREDICTION_SUFFIXES)}"
        )
    _, read = _FORMATS[path.suffix.lower()]
    with storage.explained(path, doing="read"):
        try:
            table = read(path)
        except (pa.ArrowInvalid, pa.ArrowTypeError, ValueError) as error:
            raise DataError(f"{path} does not hold predictions that limbeck wrote: {error}") from error
    table = _as_now(table)
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
        unknown=table["unknown"].to_numpy() if "unknown" in table.column_names else None,
        others=table.select(others) if (others := [name for name in table.column_names if _is_of_rows(name)]) else None,
    )
    for row, (written, said) in enumerate(
        zip(table["prediction"].to_pylist(), predictions.predicted_names, strict=True)
    ):
        if written != said:
            raise DataError(
                f"{path}: row {row} has the prediction {written!r} but the most probable label is {said!r}: "
                "was the file edited? Predict again"
            )
    return predictions


def _as_now(table: pa.Table) -> pa.Table:
    """Give a file of the older layout the names of today."""
    if "prediction" in table.column_names or not {"label", "true_label"} <= set(table.column_names):
        return table
    return table.rename_columns({"label": "prediction"})


def _is_of_rows(name: str) -> bool:
    """Tell whether a column is one that the rows brought with them."""
    return not is_own_column(name)


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
    if "true_label" not in table.column_names:
        return pa.nulls(table.num_rows, pa.int32())
    column = table["true_label"].combine_chunks()
    if unknown := sorted(set(column.drop_null().unique().to_pylist()) - set(names)):
        raise DataError(f"{path} has true labels that are no class: {', '.join(unknown)}; classes: {', '.join(names)}")
    return pc.index_in(column, value_set=pa.array(names, column.type))


def _write_parquet(tables: Iterator[pa.Table], path: Path) -> None:
    first = next(tables)
    with pq.ParquetWriter(path, first.schema) as writer:
        for table in chain([first], tables):
            writer.write_table(table)


def _read_parquet(path: Path) -> pa.Table:
    # pq.read_table of a Python file leaves threads of Arrow behind, which abort some processes at their end.
    with path.open("rb") as file, pq.ParquetFile(file) as parquet:
        return parquet.read()


def _write_csv(tables: Iterator[pa.Table], path: Path) -> None:
    with path.open("wb") as file:
        file.write(codecs.BOM_UTF8)
        for number, table in enumerate(tables):
            plain = _plain(table, nested=False)
            for place, field in enumerate(plain.schema):
                if _is_text(field.type):
                    plain = plain.set_column(place, field.name, spreadsheet.neutralise_column(plain[field.name]))
            plain = plain.rename_columns([spreadsheet.neutralise(name) for name in plain.column_names])
            pyarrow.csv.write_csv(plain, file, pyarrow.csv.WriteOptions(include_header=number == 0))


def _read_csv(path: Path) -> pa.Table:
    with path.open("rb") as file, pyarrow.csv.open_csv(file, parse_options=_CSV_QUOTING) as reader:
        header = reader.schema.names
    table = pyarrow.csv.read_csv(
        path,
        parse_options=_CSV_QUOTING,
        convert_options=pyarrow.csv.ConvertOptions(
            column_types=_TYPES
            | {"label": pa.string()}
            | {name: pa.float32() for name in header if _is_probability(name)},
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
        ),
    )
    for place, name in enumerate(table.column_names):
        if _is_text(table.schema.field(name).type):
            table = table.set_column(place, name, spreadsheet.restore_column(table[name]))
    return table.rename_columns([spreadsheet.restore(name) for name in table.column_names])


def _write_jsonl(tables: Iterator[pa.Table], path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for table in tables:
            file.writelines(line + "\n" for line in json_lines(table))


def json_lines(table: pa.Table) -> Iterator[str]:
    """Give each row of a table as one line of JSON, without its end."""
    for batch in _plain(table, nested=True).to_batches(max_chunksize=_BLOCK_ROWS):
        columns = [_json_values(column) for column in batch.columns]
        for values in zip(*columns, strict=True):
            yield json.dumps(dict(zip(batch.schema.names, values, strict=True)), ensure_ascii=False, allow_nan=False)


def _plain(table: pa.Table, *, nested: bool) -> pa.Table:
    """Return a table that a text file can hold: columns of the rows that are neither text, number nor truth as text.

    Args:
        table: the rows.
        nested: leave lists and the like as they are, for JSON; else they become its text.
    """
    for place, field in enumerate(table.schema):
        column = table[field.name]
        if pa.types.is_dictionary(field.type):
            column = column.cast(field.type.value_type)
        kind = column.type
        if pa.types.is_floating(kind) and not is_own_column(field.name):
            column = pc.if_else(pc.is_finite(column), column, None)
        elif not (_is_text(kind) or (pa.types.is_primitive(kind) and not pa.types.is_temporal(kind))):
            texts = [None if value is None else _as_text(value) for value in column.to_pylist()]
            column = column if nested and pa.types.is_nested(kind) else pa.array(texts, pa.large_string())
        table = table.set_column(place, field.name, column)
    return table


def _as_text(value: Any) -> str:
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False, default=str)
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _is_text(kind: pa.DataType) -> bool:
    found: bool = pa.types.is_string(kind) or pa.types.is_large_string(kind)
    return found


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
