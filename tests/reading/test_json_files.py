"""JSONL and JSON: keys become columns, whatever kinds of values they hold."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from limbeck.data.dataset import Dataset
from limbeck.errors import DataError
from limbeck.reading.read import read


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
    monkeypatch.setattr("limbeck.reading.json_files.GATHERED_ROWS", chunk)
    column = lines(tmp_path, rows_of(*values)).table["extra"]
    assert column.type == kind
    assert column.to_pylist() == kept


def test_keys_may_come_late(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key that only later rows have is null before."""
    monkeypatch.setattr("limbeck.reading.json_files.GATHERED_ROWS", 1)
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


def written(folder: Path, content: str, name: str = "data.json") -> Path:
    path = folder / name
    path.write_text(content, "utf-8")
    return path


@pytest.mark.parametrize(
    ("value", "how"),
    [
        ({"columns": ["text", "label"], "index": [7, 8], "data": [["a", 1], ["b", 0]]}, "orient='split'"),
        ({"columns": ["text", "label"], "data": [["a", 1], ["b", 0]]}, "orient='split'"),
        ({"schema": {}, "data": [{"text": "a", "label": 1}, {"text": "b", "label": 0}]}, "orient='table'"),
        ({"7": {"text": "a", "label": 1}, "3": {"label": 0, "text": "b"}}, "orient='index'"),
    ],
)
def test_shapes_of_pandas_are_read_and_told(tmp_path: Path, value: Any, how: str) -> None:
    """Every orient of pandas that names its columns gives the same rows, with a note of how it was understood."""
    dataset = read(written(tmp_path, json.dumps(value)))
    assert list(zip(dataset.texts, dataset.label_name_list(), strict=True)) == [("a", "1"), ("b", "0")]
    assert how in dataset.notes[0].what


def test_columns_are_joined_by_key(tmp_path: Path) -> None:
    """A label belongs to the text of its own key, wherever it stands in its column."""
    value = {"text": {"10": "bad tea", "2": "good tea"}, "label": {"2": "pos", "10": "neg"}}
    dataset = read(written(tmp_path, json.dumps(value)))
    assert dict(zip(dataset.texts, dataset.label_name_list(), strict=True)) == {"bad tea": "neg", "good tea": "pos"}


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ('{"text": {"0": "a", "1": "b"}, "label": {"0": "x", "2": "y"}}', "do not have the same rows"),
        ('{"text": {"0": "a"}, "label": ["x"]}', "not written alike"),
        ('{"text": ["a"], "text": ["b"], "label": ["x"]}', "'text' stands twice"),
        ('{"text": {"0": "a", "0": "b"}, "label": {"0": "x"}}', "'0' stands twice"),
        ('{"items": [{"text": "a", "label": "x"}], "count": 1}', "under the key 'items'"),
        ('{"data": [{"text": "a", "label": "x"}]}', "under the key 'data'"),
        ('{"text": {"text": "a", "label": "b"}, "label": {"text": "c", "label": "d"}}', "could be either"),
        ('{"columns": ["text", "label"], "data": [["a"]]}', "2 values per row"),
        ('{"columns": ["text", "text"], "data": [["a", "b"]]}', "named twice"),
        ('[["a", "x"], ["b", "y"]]', "orient='records'"),
        ("{}", "empty object"),
        ('[{"text": "a", "label": "x"},\n]', "a comma stands after the last value, before line 2"),
        ("[{'text': 'a', 'label': 'x'}]", "Python notation"),
    ],
)
def test_json_whose_rows_are_not_plain_is_refused(tmp_path: Path, content: str, says: str) -> None:
    """What could be read in two ways, or would lose a value, is one error that says what to do."""
    with pytest.raises(DataError, match=says) as caught:
        read(written(tmp_path, content), on_bad_row="skip")
    assert "1 fault" in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [
        '[\n{"text": "a", "label": "x"},\n{"text": "b", "label": "y"}\n]\n',
        '[{"text": "a", "label": "x"}, {"text": "b", "label": "y"}]',
        '\n[{"text": "a", "label": "x"},\n {"text": "b", "label": "y"}]',
        '{\n"text": ["a", "b"],\n"label": ["x", "y"]\n}',
        '{"text": ["a", "b"],\n"label": ["x", "y"]}',
    ],
)
def test_lines_that_are_one_value_are_read_as_json(tmp_path: Path, content: str) -> None:
    """A .jsonl that is one JSON array or object loses no row, and the notes say how it was read."""
    dataset = read(written(tmp_path, content, "data.jsonl"), on_bad_row="skip")
    assert dataset.texts == ["a", "b"]
    assert dataset.label_name_list() == ["x", "y"]
    assert "read as .json" in dataset.notes[0].what


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("{'text': 'a', 'label': 'x'}\n{'text': 'b', 'label': 'y'}\n", "Python notation"),
        ('"{\\"text\\": \\"a\\"}"\n', "written as JSON twice"),
        ('[\n{"text": "a", "label": "x"},\n{"text": "b",\n]\n', "starts as a JSON array"),
        ('{\n"text": "a",\n"label": "x"\n}\n{\n"text": "b"\n}\n', "each on one line"),
    ],
)
def test_lines_of_another_notation_are_one_error(tmp_path: Path, content: str, says: str) -> None:
    """What the whole file is, is said once, and no policy keeps the line that happens to parse."""
    for policy in ("error", "skip"):
        with pytest.raises(DataError, match=says) as caught:
            read(written(tmp_path, content, "data.jsonl"), on_bad_row=policy)
        assert "1 fault" in str(caught.value)


@pytest.mark.parametrize("name", ["data.jsonl", "data.json"])
@pytest.mark.parametrize("doubled", ['"text": "no", ', '"label": "y", ', '"deep": {"a": 1, "a": 2}, '])
def test_a_key_that_stands_twice_is_a_fault(tmp_path: Path, name: str, doubled: str) -> None:
    """The last of two equal keys never wins in silence, at any depth."""
    rows = ['{"text": "a", "label": "x"}', f'{{{doubled}"text": "b", "label": "x"}}']
    content = "\n".join(rows) if name == "data.jsonl" else f"[{', '.join(rows)}]"
    with pytest.raises(DataError, match=r"row 2: the key '(text|label|a)' stands twice"):
        read(written(tmp_path, content, name))
    skipped = read(written(tmp_path, content, name), on_bad_row="skip")
    assert (skipped.texts, skipped.notes[0].rows) == (["a"], 1)


def test_a_mark_inside_joined_lines_is_passed_over(tmp_path: Path) -> None:
    """Files with a byte-order mark can be joined: the mark in the middle is no fault."""
    one = '\ufeff{"text": "a", "label": "x"}\n'
    assert read(written(tmp_path, one + one.replace('"a"', '"b"'), "data.jsonl")).texts == ["a", "b"]


@pytest.mark.parametrize(("sign", "says"), [("\t", r"a raw tab .* as \\t"), ("\n", "a line end"), ("\x01", r"\\u0001")])
def test_raw_control_characters_are_named(tmp_path: Path, sign: str, says: str) -> None:
    """What must be escaped in JSON is named, and how; rows beside it stay under skip."""
    content = f'{{"text": "a", "label": "x"}}\n{{"text": "b{sign}c", "label": "x"}}\n{{"text": "d", "label": "x"}}\n'
    with pytest.raises(DataError, match=says):
        read(written(tmp_path, content, "data.jsonl"))
    assert read(written(tmp_path, content, "data.jsonl"), on_bad_row="skip").texts == ["a", "d"]


def test_line_separators_inside_texts_are_kept(tmp_path: Path) -> None:
    """Only line ends of a file end a line: U+2028, U+0085 and a form feed inside a text do not."""
    texts = ["a\u2028b", "a\u0085b", "a\u2029b", "plain"]
    assert lines(tmp_path, [{"text": text, "label": "x"} for text in texts]).texts == texts


@pytest.mark.parametrize("missing", ["NaN", "Infinity", "-Infinity", "null"])
def test_what_libraries_write_for_a_missing_value_is_missing(tmp_path: Path, missing: str) -> None:
    """NaN and infinities are no label, among names and among numbers."""
    for label in ('"x"', "1"):
        content = f'{{"text": "a", "label": {label}}}\n{{"text": "b", "label": {missing}}}\n'
        with pytest.raises(DataError, match="row 2, column 'label': has no label"):
            read(written(tmp_path, content, "data.jsonl"))


def test_a_key_in_another_case_is_told(tmp_path: Path) -> None:
    """A text that stands under another spelling of its key is said to, and a number is told the quotes."""
    rows = [{"text": "a", "label": "x"}, {"Text": "b", "label": "x"}, {"text": 1984, "label": "x"}]
    with pytest.raises(DataError, match=r"row 2, column 'text': is missing.*under 'Text'(.|\n)*write it in quotes"):
        lines(tmp_path, rows)
