"""Streams: the same texts from every format, in order, and what is wrong with a file."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from limbeck.data.text_stream import open_stream
from limbeck.errors import DataError

TEXTS = ["one", "두 번째", "three; four", "five"]


def texts_of(path, **given):
    return [text for chunk in open_stream(path, **given).chunks() for text in chunk]


def test_every_format_gives_the_same_texts(tmp_path):
    """Parquet, JSONL and lines; a folder has them one after another, by name."""
    pq.write_table(pa.table({"id": [1, 2, 3, 4], "text": TEXTS}), tmp_path / "a.parquet")
    (tmp_path / "b.jsonl").write_text("\n".join(json.dumps({"text": text}) for text in TEXTS) + "\n\n", "utf-8")
    (tmp_path / "c.txt").write_text("\r\n".join(TEXTS), "utf-8")
    for name in ("a.parquet", "b.jsonl", "c.txt"):
        assert texts_of(tmp_path / name) == TEXTS
    assert texts_of(tmp_path) == TEXTS * 3


def test_other_names_and_encodings(tmp_path):
    """A column by name, and CP949."""
    pq.write_table(pa.table({"body": ["no"], "said": ["yes"]}), tmp_path / "a.parquet")
    assert texts_of(tmp_path / "a.parquet", text_column="said") == ["yes"]
    (tmp_path / "b.txt").write_bytes("한글".encode("cp949"))
    assert texts_of(tmp_path / "b.txt", encoding="cp949") == ["한글"]


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.parquet", b"PAR1 no", "not a whole Parquet file"),
        ("a.jsonl", b'{"text": "x"}\n{"text": \n', "row 2"),
        ("a.jsonl", b'{"text": 3}\n', "is no text"),
        ("a.jsonl", b"[1]\n", "an object"),
        ("a.txt", b"\xff\xfe\xfa", "--encoding"),
        ("a.csv", b"text\n", "no file that can be streamed"),
    ],
)
def test_faults_name_file_and_row(tmp_path, name, content, says):
    """And what was expected."""
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=says):
        texts_of(tmp_path / name)
