"""Streams: the same texts from every format, in order, and what is wrong with a file."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from limbeck.errors import DataError
from limbeck.reading.text_stream import open_stream

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
        ("a.csv", b"name,text\n1,a\n2\n", "row 2"),
        ("a.docx", b"PK", "no file that can be streamed"),
        ("a.jsonl", b'{"text": "a"}\n{"text": "\xff"}\n', "row 2: has bytes that are not utf-8"),
    ],
)
def test_faults_name_file_and_row(tmp_path, name, content, says):
    """And what was expected."""
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=says):
        texts_of(tmp_path / name)


MARK = b"\xef\xbb\xbf"


@pytest.mark.parametrize("suffix", [".txt", ".jsonl", ".ndjson", ".csv", ".tsv", ".json", ".TXT", ".JSONL", ".Csv"])
def test_streams_read_what_read_reads(tmp_path, suffix):
    """Every format, its suffix in any case, with a byte-order mark or without, gives the texts without the mark."""
    kind = suffix.lower()
    lines = [json.dumps({"text": text}, ensure_ascii=False) for text in TEXTS]
    content = {
        ".txt": "\n".join(TEXTS),
        ".json": f"[{','.join(lines)}]",
        ".csv": "text,id\n" + "".join(f"{text},1\n" for text in TEXTS),
        ".tsv": "text\tid\n" + "".join(f"{text}\t1\n" for text in TEXTS),
    }.get(kind, "\n".join(lines))
    for mark in (b"", MARK):
        (tmp_path / f"a{suffix}").write_bytes(mark + content.encode("utf-8"))
        assert texts_of(tmp_path / f"a{suffix}") == TEXTS
        assert texts_of(tmp_path) == TEXTS


@pytest.mark.parametrize("suffix", [".txt", ".jsonl"])
def test_a_mark_between_files_laid_end_to_end(tmp_path, suffix):
    """`cat a b`, where both begin with a byte-order mark, loses no row and keeps no mark."""
    lines = [text if suffix == ".txt" else json.dumps({"text": text}) for text in ("one", "two")]
    (tmp_path / f"a{suffix}").write_bytes(b"".join(MARK + line.encode() + b"\n" for line in lines))
    assert texts_of(tmp_path / f"a{suffix}") == ["one", "two"]


def test_what_is_not_read_is_noted(tmp_path):
    """Files of a folder that hold no texts are named; hidden ones and what programs leave behind are not."""
    for name in ("a.txt", "b.docx", "c.md", ".hidden.txt", "_SUCCESS"):
        (tmp_path / name).write_text("x")
    stream = open_stream(tmp_path)
    assert [file.name for file in stream.files] == ["a.txt"]
    assert [(note.rows, note.example.count("b.docx")) for note in stream.notes] == [(2, 1)]
