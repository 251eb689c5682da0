"""The short road for CSV: it gives what the careful road gives, or nothing."""

import csv
import io
import tempfile
from contextlib import nullcontext
from pathlib import Path
from typing import Literal
from unittest.mock import patch

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from limbeck.errors import DataError
from limbeck.reading import delimited
from limbeck.reading.bad_rows import BadRows
from limbeck.reading.delimited import has_plain_quotes, read_clean
from limbeck.reading.raw import SourceFile
from limbeck.settings import ReadSettings

PIECES = st.lists(
    st.sampled_from(
        [
            b"a",
            b"bc",
            b",",
            b",",
            b'"',
            b'"',
            b'""',
            b"\n",
            b"\n",
            b"\r\n",
            b"\r",
            b" ",
            b"\xc3\xa9",
            b"\xff",
            b"\0",
            b";",
            b"\t",
            b"text",
            b"label",
            b"\xef\xbb\xbf",
            b"\\",
        ]
    ),
    max_size=30,
)


def outcome(path: Path, policy: Literal["error", "skip"], *, careful: bool) -> object:
    """Read by one road: everything that a caller can see of it."""
    bad = BadRows(policy)
    source = SourceFile(path=path, name="data.csv", split="train")
    with patch.object(delimited, "read_clean", return_value=None) if careful else nullcontext():
        try:
            raw = delimited.read_delimited(source, ReadSettings(), bad, lambda done: None)
        except DataError as error:
            return str(error)
    notes = [str(note) for note in bad.notes()]
    return raw.table.to_pydict(), raw.numbers.to_pylist(), raw.rows_seen, bad.faults.shown, notes


def short(path: Path, header_lines: int = 1) -> pa.Table | None:
    return read_clean(path, ["text", "label"], header_lines=header_lines, separator=",", advance=lambda done: None)


@pytest.mark.slow
@settings(deadline=None, max_examples=100)
@given(
    PIECES,
    st.sampled_from(
        [b"text,label\n", b"text,label\r\n", b"text,label\r", b"\xef\xbb\xbftext,label\n", b"text\tlabel\n"]
    ),
    st.sampled_from(["error", "skip"]),
)
@example([b'"', b"a", b'"', b"a", b",", b"b"], b"text,label\n", "error")
@example([b"a", b'"', b"b", b'"', b",", b"c"], b"text,label\n", "error")
@example([b"a", b",", b'""""'], b"text,label\n", "skip")
def test_any_bytes_read_alike_or_not_at_all(
    pieces: list[bytes], header: bytes, policy: Literal["error", "skip"]
) -> None:
    """Whatever the bytes: the short road gives the rows, the faults and the notes of the careful one, or nothing."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "data.csv"
        path.write_bytes(header + b"".join(pieces))
        assert outcome(path, policy, careful=False) == outcome(path, policy, careful=True)


@pytest.mark.slow
@settings(deadline=None)
@given(st.lists(st.tuples(st.text('ab,"\n\r é', min_size=1), st.sampled_from("xy")), min_size=1), st.booleans())
def test_what_the_csv_module_writes_takes_the_short_road(rows: list[tuple[str, str]], quote_all: bool) -> None:
    """Files in the usual form are not sent the long way round."""
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, quoting=csv.QUOTE_ALL if quote_all else csv.QUOTE_MINIMAL)
    writer.writerows([("text", "label"), *rows])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "data.csv"
        path.write_text(buffer.getvalue(), "utf-8", newline="")
        table = short(path)
    assert table is not None
    assert table["text"].to_pylist() == [text for text, _ in rows]


@pytest.mark.parametrize("block", [1, 2, 3, 7, 1000])
@pytest.mark.parametrize(
    ("content", "plain"),
    [
        (b'a,"b"\n"c","d ""e"" f"\n', True),
        (b'a,"b""\n",c\n', True),
        (b"no quotes\n", True),
        (b'"a"b,c\n', False),
        (b'a "b" c,d\n', False),
        (b'"never closed\n', False),
        (b'\xef\xbb\xbf"a",b\n', True),
        (b'"a","b"', True),
    ],
)
def test_plain_quotes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, plain: bool, block: int) -> None:
    """Quotes are judged by what stands beside them, across the edges of blocks as within them."""
    monkeypatch.setattr("limbeck.reading.delimited.BLOCK_BYTES", block)
    path = tmp_path / "data.csv"
    path.write_bytes(content)
    assert has_plain_quotes(path, ",") is plain
