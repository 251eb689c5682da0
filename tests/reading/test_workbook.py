"""Excel workbooks: the first sheet as a table of texts; what is passed over is said; damage is a DataError."""

import sys
import zipfile
from contextlib import suppress
from datetime import date, datetime
from pathlib import Path

import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from limbeck.data.dataset import Dataset
from limbeck.errors import DataError, MissingExtraError
from limbeck.reading.read import read, read_with
from limbeck.settings import ReadSettings


def workbook(path: Path, *rows: list[object], more: tuple[str, ...] = ()) -> Path:
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    for name in more:
        book.create_sheet(name)
    book.save(path)
    return path


def test_values_become_texts(tmp_path: Path) -> None:
    """Whole numbers have no .0, truth values are JSON's, dates are ISO 8601, texts stay as they are."""
    path = workbook(
        tmp_path / "data.xlsx",
        ["text", "label", "number", "day"],
        ['good, "so"\nthere', 1, 3.0, date(2024, 1, 2)],
        [123, 0.0, 2.5, datetime(2024, 1, 2, 3, 4)],
        ["=x", 1, True, None],
    )
    dataset = read_with(path, ReadSettings(on_bad_row="skip"))
    assert dataset.texts[:2] == ['good, "so"\nthere', "123"]
    assert dataset.label_names == ("0", "1")
    assert dataset.table["number"].to_pylist()[:2] == ["3", "2.5"]
    assert dataset.table["day"].to_pylist()[:2] == ["2024-01-02", "2024-01-02 03:04:00"]


def test_only_the_first_sheet_is_read_and_it_is_said(tmp_path: Path) -> None:
    """The note names the sheet that is read, and those that are not."""
    path = workbook(tmp_path / "data.xlsx", ["text", "label"], ["a", "x"], more=("Old", "Notes"))
    (note,) = read(path).notes
    assert note.what == "sheet 'Sheet' is read, the first of 3; not read: 'Old', 'Notes'"


def test_empty_rows_and_columns(tmp_path: Path) -> None:
    """Rows that were cleared are no faults; the numbers of the others stay; the header may stand below blank rows."""
    path = workbook(
        tmp_path / "data.xlsx",
        [],
        ["text", "label", None, " "],
        ["a", "x"],
        [None, ""],
        ["b", "y"],
        *[[None]] * 30,
        [" "],
    )
    dataset = read(path)
    assert dataset.row_ids == ["train:1", "train:3"]
    assert dataset.table.column_names == ["row_id", "split", "text", "label"]


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([["text", "label"], ["a", "x"], ["text", "label"], ["b", "y"]], "row 2: repeats the header"),
        ([["text", "label"], ["a", "x"], ["b", "y", "more"]], "row 2: has a cell beyond the 2 columns"),
        ([["text", "text"], ["a", "x"]], "is named twice"),
        ([["v1", "v2"], ["a", "x"]], "its columns are 'v1', 'v2'"),
        ([], "is empty"),
        ([["text", "label"], ["a", None]], "row 1, column 'label': has no label"),
    ],
)
def test_faults_are_those_of_a_table(tmp_path: Path, rows: list[list[object]], says: str) -> None:
    """A workbook is judged as a CSV file is, with file, row and column."""
    with pytest.raises(DataError, match=says):
        read(workbook(tmp_path / "data.xlsx", *rows))


def test_a_split_file_in_a_folder(tmp_path: Path) -> None:
    """A folder may hold workbooks; upper case makes no difference."""
    workbook(tmp_path / "train.XLSX", ["text", "label"], ["a", "x"], ["b", "y"])
    workbook(tmp_path / "test.xlsx", ["text", "label"], ["c", "x"])
    assert read(tmp_path).split_sizes() == {"train": 2, "test": 1}


@pytest.mark.slow
@settings(deadline=None, max_examples=60)
@given(st.data())
def test_damage_is_a_data_error(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    """Whatever is cut off or changed in the file or in its parts: rows or a DataError, no other exception."""
    path = workbook(tmp_path_factory.mktemp("w") / "data.xlsx", ["text", "label"], ["a", "x"], ["b", 1])
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    name = data.draw(st.sampled_from(sorted(parts)))
    start = data.draw(st.integers(0, len(parts[name])))
    end = data.draw(st.integers(start, len(parts[name])))
    parts[name] = parts[name][:start] + data.draw(st.binary(max_size=4)) + parts[name][end:]
    if data.draw(st.booleans()):
        del parts[data.draw(st.sampled_from(sorted(parts)))]
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    with suppress(DataError):
        assert isinstance(read(path), Dataset)


def test_openpyxl_is_an_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without it the error says what to install."""
    path = workbook(tmp_path / "data.xlsx", ["text", "label"], ["a", "x"])
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    with pytest.raises(MissingExtraError, match=r"limbeck\[excel\]"):
        read(path)


def test_an_archive_without_a_workbook_is_a_data_error(tmp_path: Path) -> None:
    """A zip file whose list of contents names no workbook is said to be none, not to be unreadable."""
    path = workbook(tmp_path / "data.xlsx", ["text", "label"], ["a", "x"])
    bare = tmp_path / "bare.xlsx"
    with zipfile.ZipFile(path) as whole, zipfile.ZipFile(bare, "w") as archive:
        for name in whole.namelist():
            content = whole.read(name)
            archive.writestr(name, content.replace(b"sheet.main+xml", b"sheet.none+xml"))
    with pytest.raises(DataError, match="not a whole Excel workbook"):
        read(bare)
