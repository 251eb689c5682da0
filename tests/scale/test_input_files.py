"""Which files are meant, and in which order."""

from pathlib import Path

import pytest

from limbeck.errors import DataError, StorageError
from limbeck.scale.input_files import find_input_files


def make(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def names_of(folder: Path, source: str) -> list[str]:
    return [path.relative_to(folder).as_posix() for path in find_input_files(str(folder / source)).paths]


def test_numbers_in_names_count_as_numbers(tmp_path: Path) -> None:
    """Rows of part-10 come after those of part-9; folders are one after another."""
    make(tmp_path, "b/part-1.csv", "a/part-10.csv", "a/part-9.csv", "a/part-9.csv.gz", "z.csv")
    assert names_of(tmp_path, "") == ["a/part-9.csv", "a/part-9.csv.gz", "a/part-10.csv", "b/part-1.csv", "z.csv"]
    assert names_of(tmp_path, "a/*.csv") == ["a/part-9.csv", "a/part-10.csv"]
    assert names_of(tmp_path, "**/part-1*") == ["a/part-10.csv", "b/part-1.csv"]


def test_what_programs_leave_behind_is_no_data(tmp_path: Path) -> None:
    """Nor is what limbeck keeps beside parts; other files are noted."""
    make(tmp_path, "a.jsonl", "_SUCCESS", ".a.jsonl.crc", "_limbeck/units/x.jsonl", "notes.pdf")
    assert names_of(tmp_path, "") == ["a.jsonl"]
    (note,) = find_input_files(str(tmp_path)).notes
    assert note.example.endswith("notes.pdf")


def test_a_name_with_signs_of_a_pattern_is_the_file_of_that_name(tmp_path: Path) -> None:
    """As shells and people write them."""
    make(tmp_path, "texts [1].csv", "texts 1.csv")
    assert names_of(tmp_path, "texts [1].csv") == ["texts [1].csv"]


@pytest.mark.parametrize(
    ("source", "kind", "said"),
    [
        ("*.parquet", StorageError, "no file has such a name"),
        ("nothing.csv", StorageError, "no such file"),
        ("a", DataError, "holds no file that can be worked on in units"),
        ("keyed", DataError, "a column's value"),
    ],
)
def test_what_cannot_be_read_says_why(tmp_path: Path, source: str, kind: type[Exception], said: str) -> None:
    """Nothing there, nothing that can be cut, or a column that would be lost."""
    make(tmp_path, "a/b.txt", "keyed/lang=ko/a.csv")
    with pytest.raises(kind, match=said):
        find_input_files(str(tmp_path / source))
