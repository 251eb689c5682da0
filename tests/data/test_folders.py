"""Folders: split files, split folders, label folders, and what is left unread is said."""

import unicodedata
from pathlib import Path

import pytest

from limbeck.data.folders import split_of
from limbeck.data.read import read, read_with
from limbeck.errors import DataError
from limbeck.settings import ReadSettings

CSV = "text,label\na,x\nb,y\n"


def fill(folder: Path, **files: str) -> None:
    for name, content in files.items():
        path = folder / name.replace("__", ".").replace("_in_", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("train.csv", "train"),
        ("TRAIN.CSV", "train"),
        ("val.txt", "validation"),
        ("valid.tsv", "validation"),
        ("validation-00000-of-00001.parquet", "validation"),
        ("dev.jsonl", "validation"),
        ("emotion_test.csv", "test"),
        ("my.test.v2.csv", "test"),
        ("unsup", "unsupervised"),
        ("unlabeled.parquet", "unsupervised"),
        ("latest.csv", None),
        ("train_test.csv", None),
        ("trainer.csv", None),
        ("reviews.csv", None),
    ],
)
def test_names_tell_splits(name: str, split: str | None) -> None:
    """A split is told by a word of the name; two words that disagree, or a part of a word, tell none."""
    assert split_of(name) == split


def test_split_files_of_several_formats(tmp_path: Path) -> None:
    """Each split may be in its own format; splits come in the usual order whatever the files are called."""
    fill(tmp_path, dev__txt="c;x\n", test__tsv="text\tlabel\nd\ty\n", train__csv=CSV)
    dataset = read(tmp_path)
    assert dataset.texts == ["a", "b", "c", "d"]
    assert dataset.split_names == ("train", "validation", "test")
    assert dataset.row_ids == ["train:1", "train:2", "validation:1", "test:1"]


def test_layout_of_imdb(tmp_path: Path) -> None:
    """train/pos, train/neg, test/…, train/unsup: labels are folder names, unsup has none, the rest is noted."""
    fill(
        tmp_path,
        train_in_pos_in_0_9__txt="good",
        train_in_pos_in_10_8__txt="better",
        train_in_pos_in_2_7__txt="fine\n",
        train_in_neg_in_0_1__txt="bad",
        train_in_unsup_in_0_0__txt="who knows",
        train_in_urls_pos__txt="http://example.org",
        test_in_pos_in_0_9__txt="nice",
        test_in_neg_in_0_2__txt="poor",
        README="about",
        imdb__vocab="the",
    )
    dataset = read(tmp_path)
    assert dataset.split_sizes() == {"train": 4, "test": 2, "unsupervised": 1}
    assert dataset.texts == ["bad", "good", "fine", "better", "poor", "nice", "who knows"]
    assert dataset.label_name_list() == ["neg", "pos", "pos", "pos", "neg", "pos", None]
    assert dataset.row_ids[:2] == ["train:1", "train:2"]
    assert dataset.table["file"].to_pylist()[:2] == ["neg/0_1.txt", "pos/0_9.txt"]
    note = dataset.notes[0]
    assert note.rows == 3
    assert note.example == "README, imdb.vocab, train/urls_pos.txt"


def test_label_folders_alone_are_train(tmp_path: Path) -> None:
    """A folder with one folder a label and no splits; a Hangul name that macOS decomposed is the same label."""
    fill(tmp_path, **{f"{unicodedata.normalize('NFD', '긍정')}_in_1__txt": "좋다", "부정_in_1__txt": "나쁘다"})
    dataset = read(tmp_path)
    assert dataset.label_names == ("긍정", "부정")
    assert dataset.split_sizes() == {"train": 2}


def test_split_folders_of_files(tmp_path: Path) -> None:
    """train/ and test/ may hold data files of any name, as Spark writes them."""
    fill(tmp_path, train_in_part_0__csv=CSV, train_in_part_1__csv=CSV, test_in_part_0__csv=CSV)
    dataset = read(tmp_path)
    assert dataset.split_sizes() == {"train": 4, "test": 2}
    assert len(set(dataset.row_ids)) == 6


def test_data_folder_of_the_hub(tmp_path: Path) -> None:
    """A downloaded hub repository keeps its files in data/."""
    fill(tmp_path, data_in_train__csv=CSV, README__md="about")
    assert read(tmp_path).split_sizes() == {"train": 2}


def test_one_file_alone(tmp_path: Path) -> None:
    """A folder with one readable file is that file."""
    fill(tmp_path, reviews__csv=CSV, notes__md="x")
    assert read(tmp_path).split_sizes() == {"train": 2}


def test_unsupervised_file_needs_no_label_column(tmp_path: Path) -> None:
    """Rows of the unsupervised split may come without the column; those of test may not."""
    fill(tmp_path, train__csv=CSV, unsupervised__csv="text\nc\n")
    assert read(tmp_path).label_name_list() == ["x", "y", None]
    fill(tmp_path, test__csv="text\nc\n")
    with pytest.raises(DataError, match=r"test\.csv has no label column"):
        read(tmp_path)
    assert read_with(tmp_path, ReadSettings(labels="optional")).label_name_list() == ["x", "y", None, None]


def test_hidden_files_are_no_data(tmp_path: Path) -> None:
    """What the system leaves behind (.DS_Store, staged files) is neither read nor noted."""
    fill(tmp_path, train__csv=CSV)
    (tmp_path / ".DS_Store").write_bytes(b"\0")
    (tmp_path / ".staged-1-test.csv").write_text("")
    assert read(tmp_path).notes == ()


def test_a_fault_in_a_label_folder_names_the_text_file(tmp_path: Path) -> None:
    """A row is a file there: its path is said, not its number among all of them."""
    for name, content in {
        "pos/1.txt": b"good",
        "pos/2.txt": b"\xb1\xb8\xff",
        "neg/1.txt": b" \n",
        "neg/2.txt": b"bad",
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError) as caught:
        read(tmp_path)
    assert f"- {tmp_path / 'neg/1.txt'}: is empty or only white space" in str(caught.value)
    assert f"- {tmp_path / 'pos/2.txt'}: has bytes that are not utf-8 at character 1" in str(caught.value)
