"""Pieces: whatever the size of a piece, all of them together are the file as it is read whole."""

import csv
import gzip
import io
import json
import tempfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from limbeck.data.dataset import Dataset
from limbeck.errors import DataError, StorageError
from limbeck.reading.pieces import cut_file, dataset_of_piece
from limbeck.reading.read import read_with
from limbeck.settings import ReadSettings

TEXTS_ALONE = ReadSettings(labels="ignored")
CELLS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=8).filter(
    lambda text: bool(text.strip())
)


def in_pieces(path: Path, rows: int, reading: ReadSettings = TEXTS_ALONE) -> pa.Table:
    """Return the rows of all pieces, end to end; each row stands in one piece."""
    file, pieces = cut_file(path, reading, rows_per_piece=rows)
    assert [piece.first for piece in pieces] == [1, *(piece.last + 1 for piece in pieces[:-1])]
    found = [dataset_of_piece(file, piece, reading).dataset for piece in pieces]
    return pa.concat_tables([one.table for one in found if one is not None]).unify_dictionaries().combine_chunks()


def as_lists(table: pa.Table) -> dict[str, list[Any]]:
    return {"columns": table.column_names, "types": [str(kind) for kind in table.schema.types], **table.to_pydict()}


def write(path: Path, content: str, encoding: str = "utf-8") -> Path:
    path.write_bytes(content.encode(encoding))
    return path


FILES = {
    "quotes.csv": 'id,text,stars\n1,"a, b",5\n2,"two\nlines",\n3,"he said ""no""",4\n\n4,기분이 좋다,3\n5,last,1',
    "marked.csv": "\ufefftext,id\nfine,1\nso sad,2\n\r\n\r\nsun,3\r\n",
    "one.csv": "text\nfine\nso sad\nsun\nrain\n\n\n",
    "semicolons.csv": "id;text\n1;fine, so\n2;sad\n3;sun\n",
    "tabs.tsv": 'id\ttext\n1\tshe said "fine" so\n2\tsad\n3\t"sun" is\n4\train\n',
    "headless.csv": "joy,fine\njoy,sun\nsad,rain\nsad,so sad\njoy,fine day\n",
    "wide.csv": "row_id,split,text,label\na,dev,fine,1\nb,test,sad,2\nc,dev,sun,3\n",
    "lines.jsonl": "\n".join(
        json.dumps(row, ensure_ascii=False)
        for row in (
            {"text": "fine", "n": 1, "list": [1], "mixed": 1},
            {"text": "sad", "n": 2.5, "more": True, "list": None, "mixed": "one"},
            {"n": None, "text": "기분"},
            {"text": "sun", "list": [], "mixed": {"a": 1}},
            {"text": "rain", "more": None, "n": 3},
        )
    )
    + "\n\n",
}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("rows", [1, 2, 3, 100])
def test_pieces_are_the_file(tmp_path: Path, name: str, rows: int) -> None:
    """Texts, other columns with their types, row ids with the numbers of the file, in order."""
    path = write(tmp_path / name, FILES[name])
    assert as_lists(in_pieces(path, rows)) == as_lists(read_with(path, TEXTS_ALONE).table)


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
@pytest.mark.parametrize("name", ["quotes.csv", "tabs.tsv", "lines.jsonl"])
def test_compressed_files_are_what_they_hold(tmp_path: Path, name: str, suffix: str) -> None:
    """Whatever the codec; a piece in the middle too."""
    plain = write(tmp_path / name, FILES[name])
    packed = tmp_path / (name + suffix)
    if suffix == ".gz":
        packed.write_bytes(gzip.compress(plain.read_bytes()))
    else:
        with pa.CompressedOutputStream(str(packed), "zstd") as out:
            out.write(plain.read_bytes())
    assert as_lists(in_pieces(packed, 2)) == as_lists(read_with(plain, TEXTS_ALONE).table)


@pytest.mark.parametrize("groups", [1, 3, 7, 100])
@pytest.mark.parametrize("rows", [1, 4, 100])
def test_parquet_is_cut_across_its_row_groups(tmp_path: Path, groups: int, rows: int) -> None:
    """Nested columns, dictionaries and nulls as in the whole file."""
    table = pa.table(
        {
            "id": pa.array(range(20), pa.int16()),
            "text": [f"so {'very ' * row}sad" for row in range(20)],
            "tags": [[str(row)] * (row % 3) for row in range(20)],
            "kind": pa.array(["a", None, "b", "a"] * 5).dictionary_encode(),
            "at": pa.array([None, *range(19)], pa.timestamp("ms")),
        }
    )
    path = tmp_path / "some.parquet"
    pq.write_table(table, path, row_group_size=groups)
    assert as_lists(in_pieces(path, rows)) == as_lists(read_with(path, TEXTS_ALONE).table)


@pytest.mark.parametrize("encoding", ["cp949", "utf-8-sig", "latin-1"])
def test_encodings_in_which_bytes_of_ascii_are_themselves(tmp_path: Path, encoding: str) -> None:
    """Korean of two bytes a letter, accents of one."""
    text = "é fine" if encoding == "latin-1" else "기분이 좋다"
    path = write(tmp_path / "some.csv", f'id,text\n1,"{text}\n{text}"\n2,{text}\n3,sun\n', encoding)
    reading = ReadSettings(labels="ignored", encoding=encoding)
    assert as_lists(in_pieces(path, 1, reading)) == as_lists(read_with(path, reading).table)


@pytest.mark.slow
@settings(deadline=None)
@given(
    st.lists(st.tuples(CELLS, st.text(st.sampled_from('a,"\n\r 좋'), max_size=5)), min_size=1, max_size=12),
    st.integers(1, 5),
    st.booleans(),
    st.sampled_from(["\n", "\r\n"]),
)
def test_any_csv_is_cut_where_rows_begin(rows: list[tuple[str, str]], size: int, quoted: bool, end: str) -> None:
    """Whatever stands in quotes: separators, doubled quotes, line ends; or the file is refused, never cut amiss."""
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, quoting=csv.QUOTE_ALL if quoted else csv.QUOTE_MINIMAL, lineterminator=end)
    writer.writerow(["text", "more"])
    writer.writerows(rows)
    with tempfile.TemporaryDirectory() as folder:
        path = write(Path(folder) / "some.csv", buffer.getvalue())
        reading = ReadSettings(labels="ignored", on_bad_row="skip")
        try:
            found = in_pieces(path, size, reading)
        except DataError:
            return
        assert as_lists(found) == as_lists(read_with(path, reading).table)


def test_faults_are_named_by_the_rows_of_the_file(tmp_path: Path) -> None:
    """An empty text in the third piece is the row that an editor shows; left out, it is counted."""
    path = write(tmp_path / "some.csv", "id,text\n1,fine\n2,sad\n3,sun\n4,rain\n5,\n6,so\n")
    file, pieces = cut_file(path, TEXTS_ALONE, rows_per_piece=2)
    with pytest.raises(DataError, match="row 5, column 'text'"):
        dataset_of_piece(file, pieces[2], TEXTS_ALONE)
    skipping = ReadSettings(labels="ignored", on_bad_row="skip")
    found = dataset_of_piece(file, pieces[2], skipping)
    assert found.dataset is not None
    assert found.dataset.row_ids == ["6"]
    assert [note.rows for note in found.notes] == [1]


def test_a_piece_of_which_nothing_is_left_is_no_fault(tmp_path: Path) -> None:
    """Where rows at fault are left out, other pieces have rows still."""
    path = write(tmp_path / "some.csv", "id,text\n1,fine\n2,\n3,\n4,rain\n")
    skipping = ReadSettings(labels="ignored", on_bad_row="skip")
    file, pieces = cut_file(path, skipping, rows_per_piece=1)
    assert [dataset_of_piece(file, piece, skipping).dataset is None for piece in pieces] == [False, True, True, False]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("some.csv", 'id,text\n1,fine "so" sad\n2,sun\n', "quotes that are not those of plain CSV"),
        ("some.csv", "id,text,\n1,fine,\n", "last column without a name"),
        ("some.csv", "id,more\n1,fine\n", "no text column"),
        ("some.jsonl", '[{"text": "fine"}]\n', "one JSON object a line"),
        ("some.jsonl", '{\n "text": "fine"}\n', "one JSON object a line"),
        ("some.txt", "fine\n", "cannot be cut into pieces"),
        ("some.parquet.gz", "fine\n", "cannot be cut into pieces"),
        ("some.csv", "", "is empty"),
    ],
)
def test_files_that_cannot_be_cut_say_why(tmp_path: Path, name: str, content: str, said: str) -> None:
    """Rather than to be read otherwise than whole."""
    with pytest.raises(DataError, match=said):
        cut_file(write(tmp_path / name, content), TEXTS_ALONE, rows_per_piece=2)


def test_a_damaged_archive_is_named(tmp_path: Path) -> None:
    """A download that broke off."""
    path = tmp_path / "some.csv.gz"
    path.write_bytes(gzip.compress(("text\n" + "fine\n" * 10_000).encode())[:60])
    with pytest.raises((DataError, StorageError), match=r"some\.csv\.gz"):
        in_pieces(path, 1_000)


def test_a_file_that_was_changed_is_noticed(tmp_path: Path) -> None:
    """A piece has as many rows as when the file was cut."""
    path = write(tmp_path / "some.csv", "id,text\n1,fine\n2,sad\n")
    file, pieces = cut_file(path, TEXTS_ALONE, rows_per_piece=10)
    write(path, "id,text\n1,fine so sa\n")
    with pytest.raises(DataError, match="was changed"):
        dataset_of_piece(file, pieces[0], TEXTS_ALONE)


def test_only_the_beginning_is_looked_at_where_that_is_enough(tmp_path: Path) -> None:
    """What is wrong far behind is not seen yet."""
    path = write(tmp_path / "some.jsonl", '{"text": "fine"}\n' * 4 + "no JSON\n")
    _, pieces = cut_file(path, TEXTS_ALONE, rows_per_piece=2, most_pieces=1)
    assert [piece.rows for piece in pieces] == [2]


def test_rows_are_a_dataset(tmp_path: Path) -> None:
    """With the file as its source."""
    path = write(tmp_path / "some.csv", "id,text\n1,fine\n2,sad\n")
    file, pieces = cut_file(path, TEXTS_ALONE, rows_per_piece=1)
    found = dataset_of_piece(file, pieces[1], TEXTS_ALONE).dataset
    assert isinstance(found, Dataset)
    assert (found.source, found.row_ids, found.texts) == (str(path), ["2"], ["sad"])
