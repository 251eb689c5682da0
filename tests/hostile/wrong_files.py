"""Makers of wrong files, and what a case of `test_readers` says."""

import json
import os
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet
import pytest

from limbeck.errors import DataError, LimbeckError

DATA, SETTINGS, STORAGE = 3, 2, 6


@dataclass(frozen=True)
class Case:
    """One wrong input: a maker of the source, and what the message must say."""

    name: str
    make: Callable[[Path], Path | str]
    says: tuple[str, ...]
    error: type[LimbeckError] = DataError
    exit_status: int = DATA
    settings: dict[str, Any] = field(default_factory=dict)


def written(name: str, content: str | bytes) -> Callable[[Path], Path]:
    """Give a maker of one file."""

    def make(folder: Path) -> Path:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return make


def folder_of(**files: str | bytes) -> Callable[[Path], Path]:
    """Give a maker of a folder; `train__csv` becomes `train.csv`."""

    def make(folder: Path) -> Path:
        for name, content in files.items():
            written(name.replace("__", ".").replace("_in_", "/"), content)(folder)
        return folder

    return make


def parquet(table: pa.Table, name: str = "data.parquet") -> Callable[[Path], Path]:
    """Give a maker of a Parquet file."""

    def make(folder: Path) -> Path:
        pyarrow.parquet.write_table(table, folder / name)
        return folder / name

    return make


def cut_parquet(folder: Path) -> Path:
    path = parquet(pa.table({"text": ["a b"] * 50, "label": ["x"] * 50}))(folder)
    path.write_bytes(path.read_bytes()[:-20])
    return path


def scrambled_parquet(folder: Path) -> Path:
    path = parquet(pa.table({"text": [f"text number {n}" for n in range(500)], "label": ["x"] * 500}))(folder)
    content = bytearray(path.read_bytes())
    content[200:400] = bytes(200)
    path.write_bytes(bytes(content))
    return path


def cut_arrow(folder: Path) -> Path:
    path = folder / "data.arrow"
    pyarrow.feather.write_feather(pa.table({"text": ["a b"] * 50, "label": ["x"] * 50}), str(path))
    path.write_bytes(path.read_bytes()[:-40])
    return path


def bad_utf8_parquet(folder: Path) -> Path:
    values = pa.array([b"good", b"caf\xe9"], pa.binary())
    text = pa.StringArray.from_buffers(2, *values.buffers()[1:3])
    return parquet(pa.table({"text": text, "label": ["a", "b"]}))(folder)


def zipped(name: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        with zipfile.ZipFile(folder / name, "w") as archive:
            archive.writestr("train.csv", "text,label\na,b\n")
        return folder / name

    return make


def unreadable(folder: Path) -> Path:
    path = written("data.csv", "text,label\na,b\n")(folder)
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("this user may read any file, so no permission can be missing")
    return path


def nested_json(folder: Path) -> Path:
    return written("data.jsonl", '{"text": "a", "label": "b"}\n' + "[" * 200_000 + "\n")(folder)


def class_label_parquet(*labels: int) -> Callable[[Path], Path]:
    features = {"info": {"features": {"label": {"names": ["neg", "pos"], "_type": "ClassLabel"}}}}
    table = pa.table({"text": [f"text {n}" for n in range(len(labels))], "label": labels})
    return parquet(table.replace_schema_metadata({"huggingface": json.dumps(features)}))
