"""Files of predictions: Parquet, JSON Lines or CSV, by suffix; order kept, whole or absent.

In: predictions of any shape and a path. Out: a file, and the predictions of it again, to the same bits in every format.
It does not know models, nor what the columns mean (see `prediction_tables`).

CSV is made for spreadsheets: UTF-8 with a byte order mark (without one, Excel shows Hangul as garbage), and text that a
spreadsheet would run as a formula has an apostrophe in front (see `spreadsheet`). `read_predictions` undoes both; other
readers of untrusted text columns should know of the apostrophe, or take Parquet or JSON Lines, where text is untouched.
"""

import codecs
import json
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from limbeck import storage
from limbeck.errors import DataError, SettingsError
from limbeck.evaluation import spreadsheet
from limbeck.evaluation.prediction_tables import AnyPredictions, column_types, predictions_of_table
from limbeck.evaluation.predictions import Predictions, is_own_column
from limbeck.evaluation.value_predictions import ValuePredictions

PREDICTION_SUFFIXES = (".parquet", ".jsonl", ".csv")
"""Of files of predictions; see `storage.check_place`."""
_BLOCK_ROWS = 10_000

_Write = Callable[[Iterator[pa.Table], Path], None]
_Read = Callable[[Path], pa.Table]


def write_predictions(path: str | Path, predictions: AnyPredictions, *, top_k: int | None = None) -> None:
    """Write predictions as the suffix says: .parquet, .jsonl or .csv. Columns: see `Predictions.to_arrow`.

    Raises:
        SettingsError: another suffix, or `top_k` out of range.
        StorageError: the file could not be written; what stood there before still stands.

    Example:
        >>> write_predictions("answers.csv", load("RUN").predict(["i feel fine"]))
    """
    write_tables(Path(path), [table_of(predictions, top_k=top_k)])


def write_tables(path: Path, tables: Iterable[pa.Table]) -> None:
    """Write tables of predictions, all of the same columns, one after the other into one file.

    Raises:
        SettingsError: the suffix is none of .parquet, .jsonl, .csv.
        StorageError: the file could not be written; what stood there before still stands.
    """
    write, _ = _FORMATS[storage.check_place(path, PREDICTION_SUFFIXES)]
    with storage.staged_file(path) as staged:
        write(iter(tables), staged)


def table_of(predictions: AnyPredictions, *, top_k: int | None = None) -> pa.Table:
    """Return the table of predictions of any shape.

    Raises:
        SettingsError: `top_k` is out of range, or asked for of numbers.
    """
    if not isinstance(predictions, ValuePredictions):
        return predictions.to_arrow(top_k=top_k)
    if top_k is not None:
        raise SettingsError("top-k asks for the most probable labels: these answers are numbers")
    return predictions.to_arrow()


def read_predictions(path: str | Path) -> Predictions:
    """Read what `write_predictions` wrote of one label a row.

    Raises:
        SettingsError: the suffix is none of .parquet, .jsonl, .csv.
        StorageError: the file is absent or unreadable.
        DataError: it does not hold such predictions, or labels and probabilities in it do not agree.

    Example:
        >>> read_predictions("RUN/predictions/validation.parquet").label_names
        ('joy', 'sadness')
    """
    found = read_any_predictions(path)
    if not isinstance(found, Predictions):
        holds = "numbers" if isinstance(found, ValuePredictions) else "any number of labels per row"
        raise DataError(f"{path} holds predictions of {holds}: one label per row is needed here")
    return found


def read_any_predictions(path: str | Path) -> AnyPredictions:
    """Read what `write_predictions` wrote, of one label a row, of several, or of numbers.

    Raises:
        SettingsError: the suffix is none of .parquet, .jsonl, .csv.
        StorageError: the file is absent or unreadable.
        DataError: it does not hold predictions, or labels and probabilities in it do not agree.

    Example:
        >>> type(read_any_predictions("RUN/predictions/validation.parquet")).__name__
        'Predictions'
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
    return predictions_of_table(path, table)


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
            column_types=column_types(header, nested=False),
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
    types = column_types(columns, nested=True)
    return pa.table({name: pa.array(values, types.get(name)) for name, values in columns.items()})


_CSV_QUOTING = pyarrow.csv.ParseOptions(newlines_in_values=True)

_FORMATS: dict[str, tuple[_Write, _Read]] = {
    ".parquet": (_write_parquet, _read_parquet),
    ".jsonl": (_write_jsonl, _read_jsonl),
    ".csv": (_write_csv, _read_csv),
}
"""Suffix → how to write and how to read it."""
