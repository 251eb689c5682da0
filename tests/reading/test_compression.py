"""Compressed files: their bytes unpacked, wherever one seeks."""

import gzip
from pathlib import Path

import pyarrow as pa
import pytest

from limbeck.reading.compression import inner_suffix, open_bytes

CONTENT = bytes(range(256)) * 100


@pytest.fixture(params=["plain", ".gz", ".zst"])
def packed(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A file of 25,600 bytes; of gzip in two members, as programs write that append."""
    if request.param == ".gz":
        path = tmp_path / "some.csv.gz"
        path.write_bytes(gzip.compress(CONTENT[:999]) + gzip.compress(CONTENT[999:]))
    elif request.param == ".zst":
        path = tmp_path / "some.csv.zst"
        with pa.CompressedOutputStream(str(path), "zstd") as out:
            out.write(CONTENT)
    else:
        path = tmp_path / "some.csv"
        path.write_bytes(CONTENT)
    return path


def test_bytes_come_as_they_were(packed: Path) -> None:
    """From the start, from any place, and from before again."""
    with open_bytes(packed) as file:
        assert file.read() == CONTENT
        for place in (20_000, 3, 0, 25_599):
            file.seek(place)
            assert file.tell() == place
            assert file.read(10) == CONTENT[place : place + 10]
        file.seek(99_999)
        assert file.read() == b""


def test_a_file_that_is_not_there_is_an_error_with_a_number(tmp_path: Path) -> None:
    """So that advice can be given."""
    with pytest.raises(FileNotFoundError):
        open_bytes(tmp_path / "none.gz")


def test_the_format_is_told_by_the_suffix_inside() -> None:
    """As people name such files."""
    assert [inner_suffix(Path(name)) for name in ("a.jsonl.zst", "a.CSV.GZ", "a.gz", "a.csv")] == [
        ".jsonl",
        ".csv",
        "",
        ".csv",
    ]
