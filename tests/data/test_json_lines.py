"""JSONL and JSON: keys become columns, whatever kinds of values they hold."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from limbeck.data.dataset import Dataset
from limbeck.data.read import read


def lines(folder: Path, rows: list[dict[str, Any]]) -> Dataset:
    path = folder / "data.jsonl"
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
    return read(path)


def rows_of(*values: Any) -> list[dict[str, Any]]:
    return [{"text": f"text {n}", "label": "x", "extra": value} for n, value in enumerate(values)]


@pytest.mark.parametrize("chunk", [1, 2, 100])
@pytest.mark.parametrize(
    ("values", "kind", "kept"),
    [
        ((1, 2, None), pa.int64(), [1, 2, None]),
        ((1, 2.5, None), pa.float64(), [1.0, 2.5, None]),
        ((True, None, False), pa.bool_(), [True, None, False]),
        (("a", None, "b"), pa.large_string(), ["a", None, "b"]),
        (("a", 1, None), pa.large_string(), ["a", "1", None]),
        ((True, 1, None), pa.large_string(), ["true", "1", None]),
        ((2**70, 1, None), pa.large_string(), [str(2**70), "1", None]),
        (([1, 2], [3], None), pa.list_(pa.int64()), [[1, 2], [3], None]),
        (({"a": 1}, [2], None), pa.large_string(), ['{"a": 1}', "[2]", None]),
        ((None, None, None), pa.null(), [None, None, None]),
    ],
)
def test_kinds_of_values(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    chunk: int,
    values: tuple[Any, ...],
    kind: pa.DataType,
    kept: list[Any],
) -> None:
    """One kind keeps its type, mixed kinds become JSON text; where a chunk ends changes nothing."""
    monkeypatch.setattr("limbeck.data.json_lines.CHUNK_ROWS", chunk)
    column = lines(tmp_path, rows_of(*values)).table["extra"]
    assert column.type == kind
    assert column.to_pylist() == kept


def test_keys_may_come_late(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key that only later rows have is null before."""
    monkeypatch.setattr("limbeck.data.json_lines.CHUNK_ROWS", 1)
    rows = [{"text": "a", "label": "x"}, {"text": "b", "label": "x", "who": "me"}]
    assert lines(tmp_path, rows).table["who"].to_pylist() == [None, "me"]


def test_blank_lines_hold_no_row(tmp_path: Path) -> None:
    """Rows are counted, not lines."""
    path = tmp_path / "data.jsonl"
    path.write_text('\n{"text": "a", "label": "x"}\n\n{"text": "b", "label": "x"}')
    assert read(path).row_ids == ["train:1", "train:2"]


@pytest.mark.parametrize(
    "value",
    [
        [{"text": "a", "label": 1}, {"text": "b", "label": 0}],
        {"text": ["a", "b"], "label": [1, 0]},
        {"text": {"0": "a", "1": "b"}, "label": {"0": 1, "1": 0}},
    ],
)
def test_shapes_of_json(tmp_path: Path, value: Any) -> None:
    """An array of objects, an object of lists, and what pandas writes are one dataset."""
    path = tmp_path / "data.json"
    path.write_text(json.dumps(value))
    dataset = read(path)
    assert dataset.texts == ["a", "b"]
    assert dataset.label_name_list() == ["1", "0"]


def test_keys_with_undecodable_bytes(tmp_path: Path) -> None:
    """A key that does not decode is mended or skipped like a cell."""
    path = tmp_path / "data.jsonl"
    path.write_bytes(b'{"text": "a", "label": "x", "caf\xe9": 1}\n{"text": "b", "label": "x"}\n')
    kept = read(path, on_bad_row="keep-replacement")
    assert kept.table["caf\ufffd"].to_pylist() == [1, None]
    assert kept.notes[0].rows == 1
    assert read(path, on_bad_row="skip").texts == ["b"]
