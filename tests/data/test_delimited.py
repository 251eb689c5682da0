"""CSV and TSV: what the csv module writes is read back exactly; faults do not hide each other."""

import csv
import io
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from limbeck.data.read import read, read_with
from limbeck.errors import DataError
from limbeck.settings import ReadSettings

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1).filter(
    lambda text: bool(text.strip())
)


@given(st.lists(st.tuples(TEXTS, st.sampled_from(["a", "b c", 'd"e', "f,g"])), min_size=1, max_size=20), st.booleans())
def test_any_text_survives(rows: list[tuple[str, str]], quote_all: bool) -> None:
    """Commas, quotes, line ends and any character of Unicode come through, whatever the quoting."""
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, quoting=csv.QUOTE_ALL if quote_all else csv.QUOTE_MINIMAL)
    writer.writerow(["text", "label"])
    writer.writerows(rows)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "data.csv"
        path.write_text(buffer.getvalue(), "utf-8", newline="")
        dataset = read(path)
    assert dataset.texts == [text for text, _ in rows]
    assert dataset.label_name_list() == [label for _, label in rows]


@pytest.mark.parametrize("chunk", [1, 2, 3, 1000])
def test_chunks_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk: int) -> None:
    """Row numbers, faults and blank lines do not depend on where a chunk ends."""
    monkeypatch.setattr("limbeck.data.delimited.CHUNK_ROWS", chunk)
    path = tmp_path / "data.csv"
    path.write_bytes(b'text,label\na,x\n\nb\n"c "d",x\ne\xff,x\nf,x\n\n')
    dataset = read(path, on_bad_row="skip")
    assert dataset.row_ids == ["train:1", "train:5"]
    with pytest.raises(DataError) as caught:
        read(path)
    message = str(caught.value)
    assert "(3 faults)" in message
    assert all(f"row {row}" in message for row in (2, 3, 4))


@pytest.mark.parametrize("chunk", [1, 2, 1000])
def test_blank_lines_of_one_column(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk: int) -> None:
    """In a file of one column a blank line is an empty text, but not at the end of the file."""
    monkeypatch.setattr("limbeck.data.delimited.CHUNK_ROWS", chunk)
    path = tmp_path / "data.csv"
    path.write_text("text\na\n\n\nb\n\n\n")
    settings = ReadSettings(labels="ignored", on_bad_row="skip")
    dataset = read_with(path, settings)
    assert dataset.row_ids == ["train:1", "train:4"]
    assert dataset.notes[0].rows == 2


def test_index_column_of_pandas(tmp_path: Path) -> None:
    """The nameless first column that pandas writes is kept under a name."""
    path = tmp_path / "data.csv"
    path.write_text(",text,label\n0,a,x\n1,b,y\n")
    assert read(path).table["unnamed_1"].to_pylist() == ["0", "1"]


def test_separator_of_spreadsheets(tmp_path: Path) -> None:
    """A .csv whose header has semicolons or tabs and no comma is separated by those."""
    for separator in ";\t":
        path = tmp_path / "data.csv"
        path.write_text(f"text{separator}label\na, b{separator}x\n")
        assert read(path).texts == ["a, b"]


def test_a_very_long_text_is_read(tmp_path: Path) -> None:
    """A text longer than the csv module's usual limit of 131,072 characters is read whole."""
    path = tmp_path / "data.csv"
    path.write_text("text,label\n" + "word " * 100_000 + ",x\n")
    assert len(read(path).texts[0]) == 500_000


def test_an_open_quote_does_not_fill_the_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A quote that is never closed stops at the limit for a cell."""
    monkeypatch.setattr("limbeck.data.delimited.MAX_CELL_CHARS", 200_000)
    csv.field_size_limit(200_000)
    path = tmp_path / "data.csv"
    path.write_text('text,label\nfine,x\n"open,x\n' + "some text,x\n" * 50_000)
    with pytest.raises(DataError, match=r"row 2: a double quote that opens here is never closed"):
        read(path)
