"""Writing: a `Dataset` becomes a file or a folder that reads back as the same rows.

In: a `Dataset` and a path. Out: Parquet, Arrow, CSV, TSV or JSONL by suffix, or a folder with one Parquet file a split.
It does not know how files are read.

Files of data are for programs: every text stands there as it is, "=1+1" too, so that reading gives it back. A
spreadsheet would take such a text for a formula. What people open in one (predictions, review sheets) is made safe
where it is written (`evaluation.spreadsheet`).
"""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.feather
import pyarrow.parquet

from limbeck.data.dataset import LABEL_NAME, SPLIT_ORDER, Dataset
from limbeck.errors import DataError
from limbeck.storage import check_place, staged_file, staged_folder
from limbeck.task import MULTI, SINGLE

METADATA_KEY = b"limbeck"
"""Where limbeck keeps the label map, the notes and the names of two texts in a schema's metadata, as JSON."""
WRITTEN_ROWS = 10_000
_SEPARATORS = {".csv": ",", ".tsv": "\t"}
DATA_SUFFIXES = (".parquet", ".arrow", ".feather", ".csv", ".tsv", ".jsonl", "")
"""Of what is written; the empty one is a folder."""


def write(dataset: Dataset, path: str | Path, *, label_separator: str | None = None) -> None:
    """Write a dataset, atomically: a reader finds the old file or the whole new one.

    Columns are those of `Dataset.to_arrow`: row_id, split, text, label (integers, lists of them, or numbers),
    label_name (not of numbers), and the others. Read again they give the same texts, labels, label names, row ids and
    splits. Parquet and Arrow also keep the types of other columns, classes that no row has, the notes, and the task;
    CSV and JSONL do not: name "ordinal" and "regression" when you read them. In CSV a list is written as JSON,
    `["a", "b"]`. The texts of pairs have two columns of their own names in the place of text.

    Args:
        dataset: the rows.
        path: ends in .parquet, .arrow, .feather, .csv, .tsv or .jsonl; without a suffix it is a folder, which must not
            be there yet, with one Parquet file a split, in the usual order of splits.
        label_separator: what stands between several labels of one row in CSV and TSV, as `read` takes it, in the place
            of JSON; a row with none of them is `[]`.

    Raises:
        SettingsError: the suffix is none of these.
        DataError: a label's name holds the separator.
        DataError: a split's name tells no split as a file name.
        StorageError: the disk is full, or the place cannot be written.

    Example:
        >>> write(data, "rows.parquet")
    """
    target = Path(path)
    suffix = check_place(target, DATA_SUFFIXES)
    if not suffix:
        _write_folder(dataset, target)
        return
    with staged_file(target) as staged:
        if suffix == ".parquet":
            pyarrow.parquet.write_table(_with_metadata(dataset), staged, compression="zstd")
        elif suffix in (".arrow", ".feather"):
            pyarrow.feather.write_feather(_with_metadata(dataset), str(staged), compression="zstd")
        elif suffix == ".jsonl":
            _write_lines(dataset, staged)
        else:
            options = pyarrow.csv.WriteOptions(delimiter=_SEPARATORS[suffix], quoting_style="needed")
            pyarrow.csv.write_csv(_flattened(dataset, label_separator), staged, options)


def _write_folder(dataset: Dataset, folder: Path) -> None:
    """Write one Parquet file a split."""
    if unusual := [name for name in dataset.split_names if name not in SPLIT_ORDER]:
        raise DataError(
            f"cannot write {folder}: as file names the splits {', '.join(map(repr, unusual))} would tell no split; "
            f"give one file ({folder}.parquet), which keeps any name"
        )
    with staged_folder(folder) as staged:
        for name in dataset.split_names:
            pyarrow.parquet.write_table(
                _with_metadata(dataset.split(name)), staged / f"{name}.parquet", compression="zstd"
            )


def _with_metadata(dataset: Dataset) -> pa.Table:
    """Return the table with the label map, the task, the notes and the names of two texts in its schema's metadata."""
    kept: dict[str, Any] = {
        "label_names": list(dataset.label_names),
        "notes": [asdict(note) for note in dataset.notes],
        # One label per row is what a file without this key has: its bytes stay as they were.
        **({} if dataset.task == SINGLE else {"task": dataset.task.name}),
        **({} if dataset.pair is None else {"pair": list(dataset.pair)}),
    }
    return dataset.to_arrow().replace_schema_metadata({METADATA_KEY: json.dumps(kept, ensure_ascii=False)})


def _flattened(dataset: Dataset, label_separator: str | None = None) -> pa.Table:
    """Return the table with columns that a text file can hold: lists and the like become JSON.

    Raises:
        DataError: a label's name holds the separator.
    """
    table = dataset.to_arrow()
    if label_separator and dataset.task == MULTI:
        table = table.set_column(4, LABEL_NAME, pa.array(_joined(dataset, label_separator), pa.large_string()))
    for place, field in enumerate(table.schema):
        column = table[field.name]
        if pa.types.is_dictionary(field.type):
            column = column.cast(field.type.value_type)
        elif pa.types.is_nested(field.type):
            values = column.to_pylist()
            texts = [None if value is None else json.dumps(value, ensure_ascii=False, default=str) for value in values]
            column = pa.chunked_array([pa.array(texts, pa.large_string())])
        table = table.set_column(place, field.name, column)
    return table


def _joined(dataset: Dataset, separator: str) -> list[str | None]:
    """Return each row's labels with a separator between them; `[]` for none, so that an empty cell is not labelled."""
    if odd := [name for name in dataset.label_names if separator in name]:
        raise DataError(f"label names hold the separator {separator!r} ({', '.join(map(repr, odd[:5]))}): give another")
    return [None if names is None else separator.join(names) or "[]" for names in dataset.label_name_sets()]


def _write_lines(dataset: Dataset, path: Path) -> None:
    """Write one JSON object a line."""
    table = dataset.to_arrow()
    for place, field in enumerate(table.schema):
        if not _is_json(field.type):
            table = table.set_column(place, field.name, pc.cast(table[field.name], pa.large_string()))
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for batch in table.to_batches(max_chunksize=WRITTEN_ROWS):
            file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in batch.to_pylist())


def _is_json(kind: pa.DataType) -> bool:
    """Tell whether JSON has the values of an Arrow type; lists and structs are taken at their word."""
    if pa.types.is_dictionary(kind):
        return _is_json(kind.value_type)
    simple = (pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean, pa.types.is_null, pa.types.is_nested)
    return any(test(kind) for test in simple) or pa.types.is_string(kind) or pa.types.is_large_string(kind)
