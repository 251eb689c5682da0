"""Writing: what is written reads back as the same dataset, in every format."""

from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from limbeck.data.dataset import Dataset, ReadNote
from limbeck.data.write import write
from limbeck.errors import DataError, SettingsError, StorageError
from limbeck.reading.in_memory import from_arrow
from limbeck.reading.read import read, read_with
from limbeck.settings import ReadSettings

SUFFIXES = [".parquet", ".arrow", ".feather", ".csv", ".tsv", ".jsonl"]


def dirty() -> Dataset:
    """Return rows with everything that a format may trip over."""
    table = pa.table(
        {
            "row_id": ["r9", "r1", "r5", "r7"],
            "split": ["train", "train", "validation", "unsupervised"],
            "text": ['quote " comma , tab \t', "line\nline\r\nline", " 한국어 ", "\ufffd\u2028;'=1+1"],
            "label": pa.DictionaryArray.from_arrays([2, 0, 0, None], ["z", "never", "a"]),
            "stars": [1, None, 3, 4],
            "tags": [["a"], [], None, ["b", "c"]],
        }
    )
    dataset = from_arrow(table)
    return replace(dataset, notes=(ReadNote(what="rows with something", rows=1, example="somewhere"),))


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_round_trip(tmp_path: Path, suffix: str) -> None:
    """Texts, labels, label names, row ids and splits come back."""
    dataset = dirty()
    path = tmp_path / f"out{suffix}"
    write(dataset, path)
    again = read(path)
    assert again.fingerprint() == dataset.fingerprint()
    assert [again.label_names[i] for i in (0, 2)] == ["z", "a"]
    assert len(again.label_names) == 3
    assert again.table.column_names == dataset.table.column_names


@pytest.mark.parametrize("suffix", [".parquet", ".arrow", ".feather"])
def test_typed_formats_keep_everything(tmp_path: Path, suffix: str) -> None:
    """Parquet and Arrow keep types, classes without rows, and notes."""
    dataset = dirty()
    write(dataset, tmp_path / f"out{suffix}")
    again = read(tmp_path / f"out{suffix}")
    assert again.table.equals(dataset.table)
    assert again.label_names == ("z", "never", "a")
    assert again.notes[: len(dataset.notes)] == dataset.notes


def test_folder_round_trip(tmp_path: Path) -> None:
    """A folder has one Parquet file a split, and reads back with the map that no single split shows."""
    dataset = dirty()
    write(dataset, tmp_path / "out")
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == [
        "train.parquet",
        "unsupervised.parquet",
        "validation.parquet",
    ]
    again = read(tmp_path / "out")
    assert again.table.equals(dataset.table)
    assert again.label_names == dataset.label_names
    assert again.notes[: len(dataset.notes)] == dataset.notes


def test_folder_that_exists_is_not_overwritten(tmp_path: Path) -> None:
    """A folder with something in it is refused, and left alone."""
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    with pytest.raises(StorageError, match="exists already"):
        write(dirty(), tmp_path / "out")
    assert (tmp_path / "out" / "mine.txt").read_text() == "mine"


def test_unusual_split_names_need_one_file(tmp_path: Path) -> None:
    """A split whose name would tell nothing as a file name is refused as a folder, and kept in one file."""
    dataset = dirty().with_splits(["train", "train", "holdout", "train"])
    with pytest.raises(DataError, match=r"'holdout'.*give one file"):
        write(dataset, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    write(dataset, tmp_path / "out.parquet")
    settings = ReadSettings(labels="optional")
    assert read_with(tmp_path / "out.parquet", settings).split_sizes() == {"train": 3, "holdout": 1}


def test_unknown_suffix(tmp_path: Path) -> None:
    """A format that is not written is refused, with those that are."""
    with pytest.raises(SettingsError, match=r"end its name with \.parquet.*or give a folder"):
        write(dirty(), tmp_path / "out.xlsx")


@pytest.mark.slow
@settings(deadline=None, max_examples=40)
@given(
    rows=st.lists(
        st.tuples(
            st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1).filter(
                lambda text: bool(text.strip())
            ),
            st.sampled_from(["a", "1", "나", 'x"y', "x,y", " padded "]),
        ),
        min_size=1,
        max_size=8,
    ),
    suffix=st.sampled_from(SUFFIXES),
)
def test_any_text_survives(tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]], suffix: str) -> None:
    """Any text and any label name come through every format."""
    table = pa.table({"text": [text for text, _ in rows], "label": pa.array([label for _, label in rows])})
    dataset = from_arrow(table)
    path = tmp_path_factory.mktemp("any") / f"data{suffix}"
    write(dataset, path)
    again = read(path)
    assert again.texts == dataset.texts
    assert again.label_name_list() == dataset.label_name_list()
    assert again.label_names == dataset.label_names
