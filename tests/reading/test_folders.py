"""Folders: split files, split folders, label folders, and what is left unread is said."""

import json
import shutil
import unicodedata
from pathlib import Path

import pyarrow as pa
import pytest

from limbeck.errors import DataError
from limbeck.reading.folders import split_of
from limbeck.reading.read import read, read_with
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


@pytest.mark.parametrize("names", [("dev", "ops", "test"), ("train", "bus", "plane"), ("val", "cliff"), ("Test", "x")])
@pytest.mark.parametrize("labels", ["required", "optional"])
def test_label_folders_may_be_called_as_splits_are(tmp_path: Path, names: tuple[str, ...], labels: str) -> None:
    """A folder of .txt files beside one that is no split makes all of them labels; every text is a whole file."""
    fill(tmp_path, **{f"{name}_in_{n}__txt": f"about {name}; number {n}" for name in names for n in range(3)})
    dataset = read_with(tmp_path, ReadSettings(labels=labels))
    assert set(dataset.label_names) == set(names)
    assert dataset.split_sizes() == {"train": 3 * len(names)}
    assert all("; number" in text for text in dataset.texts)
    assert "folders read as labels, though splits have such names" in {note.what for note in dataset.notes}


def test_one_file_in_each_folder_can_be_read_in_two_ways(tmp_path: Path) -> None:
    """A lone .txt in train/ beside one in another folder is refused; the message names both readings and both ways."""
    fill(tmp_path, train_in_0__txt="a bus text; with more", bus_in_0__txt="b", plane_in_0__txt="c")
    with pytest.raises(
        DataError, match=r"two ways: train/ is a split.* or both are labels.*take bus/ out.*give train/"
    ):
        read(tmp_path)


def test_a_folder_beside_splits_of_tables_is_no_label(tmp_path: Path) -> None:
    """Where a split's folder holds tables, or folders of labels, a folder of notes beside it is noted, not read."""
    fill(tmp_path, train_in_a__csv=CSV, test_in_a__csv=CSV, docs_in_license__txt="MIT")
    dataset = read(tmp_path)
    assert dataset.split_sizes() == {"train": 2, "test": 2}
    assert dataset.notes[0].example == "docs"


def test_one_folder_of_texts_is_no_label(tmp_path: Path) -> None:
    """A project with one folder that happens to hold a .txt file is no data set of one class."""
    fill(tmp_path, main_in_notes__txt="to do", README__md="x")
    with pytest.raises(DataError, match=r"one folder with \.txt files, main/.*two or more"):
        read(tmp_path)


def test_two_spellings_of_one_label_folder(tmp_path: Path) -> None:
    """Two folders whose names differ in code points only are refused: neither replaces the other in silence."""
    name = "caf\u00e9"
    fill(
        tmp_path,
        **{f"{name}_in_0__txt": "a", f"{unicodedata.normalize('NFD', name)}_in_0__txt": "b", "x_in_0__txt": "c"},
    )
    with pytest.raises(DataError, match="spelt with other code points"):
        read(tmp_path)


def test_what_is_no_text_in_a_label_folder_is_noted(tmp_path: Path) -> None:
    """A file of another kind among the texts of a label is not left out in silence."""
    fill(tmp_path, pos_in_0__txt="a", pos_in_1__md="b", neg_in_0__txt="c")
    assert read(tmp_path).notes[0].example == "pos/1.md"


@pytest.mark.parametrize(
    "other",
    ["train.jsonl", "train.tsv", "train (1).csv", "train_old.csv", "train - Copy.csv", "train.txt", "my_train.csv"],
)
@pytest.mark.parametrize("inner", ["", "train/"])
def test_the_same_rows_twice_are_refused(tmp_path: Path, other: str, inner: str) -> None:
    """A dataset that stands there in two files is never read doubled; both files are named."""
    rows = [(f"a text, number {n}", "xy"[n % 2]) for n in range(6)]
    forms = {
        ".csv": "text,label\n" + "".join(f'"{text}",{label}\n' for text, label in rows),
        ".tsv": "text\tlabel\n" + "".join(f"{text}\t{label}\n" for text, label in rows),
        ".txt": "".join(f"{text};{label}\n" for text, label in rows),
        ".jsonl": "".join(f'{{"text": "{text}", "label": "{label}"}}\n' for text, label in rows),
    }
    (tmp_path / inner).mkdir(exist_ok=True)
    for name in ("train.csv", other):
        (tmp_path / inner / name).write_text(forms[Path(name).suffix])
    with pytest.raises(DataError, match="hold the same texts") as caught:
        read(tmp_path)
    assert "train.csv" in str(caught.value)
    assert other in str(caught.value)


def test_different_files_of_one_split_are_joined_and_named(tmp_path: Path) -> None:
    """Other rows are joined, few equal ones among them allowed; the note names each file."""
    fill(tmp_path, train__csv=CSV, train_2019__jsonl='{"text": "c", "label": "x"}\n{"text": "a", "label": "y"}\n')
    dataset = read(tmp_path)
    assert len(dataset) == 4
    assert dataset.notes[0].what == "files that train is put together from"
    assert "train.csv" in dataset.notes[0].example
    assert "2019" in dataset.notes[0].example


@pytest.mark.parametrize(
    "names",
    [
        ("train-00000-of-00002.csv", "train-00001-of-00002.csv"),
        ("train.part-0.csv", "train.part-1.csv"),
        ("part-00000.csv", "part-00001.csv"),
        (
            "part-00000-1b2a3c4d-0000-4000-8000-0123456789ab-c000.csv",
            "part-00001-1b2a3c4d-0000-4000-8000-0123456789ab-c000.csv",
        ),
        ("0000.csv", "0001.csv"),
        ("data-00000-of-00002.csv", "data-00001-of-00002.csv"),
    ],
)
def test_numbered_parts_are_one_table(tmp_path: Path, names: tuple[str, str]) -> None:
    """Parts are joined without a word; what Spark and Hadoop leave beside them, and empty parts, are no data."""
    for name in names:
        (tmp_path / name).write_text(CSV)
    for left in ("_SUCCESS", f".{names[0]}.crc", f"{names[0]}.crc", "_committed_123"):
        (tmp_path / left).write_text("")
    assert len(read(tmp_path)) == 4
    assert read(tmp_path).notes == ()
    (tmp_path / names[1]).write_text("")
    assert len(read(tmp_path)) == 2
    assert read(tmp_path).notes[0].example == names[1]


def test_a_folder_called_train_is_read_alone(tmp_path: Path) -> None:
    """train/ with its parts is read as train whether it or the folder above it is given."""
    fill(tmp_path, **{"train_in_part-0__csv": CSV, "train_in_part-1__csv": "text,label\nc,x\n"})
    assert read(tmp_path / "train").fingerprint() == read(tmp_path).fingerprint()


def test_key_value_folders(tmp_path: Path) -> None:
    """Spark's and Hive's partitions: keys are columns, the label and the split among them, escapes undone."""
    fill(
        tmp_path,
        **{
            "split=train_in_label=very%20good_in_part-0__txt": "fine; really\nnice\n",
            "split=train_in_label=bad_in_part-0__txt": "poor\n",
            "split=test_in_label=bad_in_part-0__txt": "awful\n",
        },
    )
    (tmp_path / "_SUCCESS").write_text("")
    dataset = read(tmp_path)
    assert dataset.split_sizes() == {"train": 3, "test": 1}
    assert sorted(zip(dataset.texts, dataset.label_name_list(), strict=True)) == [
        ("awful", "bad"),
        ("fine; really", "very good"),
        ("nice", "very good"),
        ("poor", "bad"),
    ]


def test_key_value_folders_of_tables(tmp_path: Path) -> None:
    """A column that the files have too is the files' own; a missing value is null; files beside are refused."""
    for value, rows in {"2020": CSV, "__HIVE_DEFAULT_PARTITION__": CSV, "x": "text,label,year\nc,x,1999\n"}.items():
        (tmp_path / f"year={value}").mkdir()
        (tmp_path / f"year={value}" / "a.csv").write_text(rows)
    years = read(tmp_path).table["year"].to_pylist()
    assert sorted(map(str, years)) == ["1999", "2020", "2020", "None", "None"]
    fill(tmp_path, train__csv=CSV)
    with pytest.raises(DataError, match=r"both files \(train\.csv\) and key=value folders"):
        read(tmp_path)


def save_to_disk(folder: Path, rows: list[tuple[str, int]], files: int = 1) -> None:
    """Write what `datasets.Dataset.save_to_disk` writes."""
    folder.mkdir(parents=True)
    info = {"info": {"features": {"label": {"names": ["neg", "pos"], "_type": "ClassLabel"}}}}
    schema = pa.schema({"text": pa.string(), "label": pa.int64()}, {"huggingface": json.dumps(info)})
    names = [f"data-{n:05}-of-{files:05}.arrow" for n in range(files)]
    for place, name in enumerate(names):
        part = rows[place::files]
        with pa.OSFile(str(folder / name), "wb") as sink, pa.ipc.new_stream(sink, schema) as writer:
            writer.write_table(pa.table({"text": [r[0] for r in part], "label": [r[1] for r in part]}, schema))
    (folder / "state.json").write_text(
        json.dumps({"_data_files": [{"filename": name} for name in names], "_split": None})
    )
    (folder / "dataset_info.json").write_text('{"features": {}, "text": ["a"], "label": [0]}')
    shutil.copy(folder / names[0], folder / "cache-0011223344556677.arrow")


def test_folders_of_save_to_disk(tmp_path: Path) -> None:
    """A DatasetDict, one of its splits and a Dataset are read as state.json lists their files, caches left out."""
    save_to_disk(tmp_path / "d" / "train", [("good", 1), ("bad", 0), ("fine", 1)], files=2)
    save_to_disk(tmp_path / "d" / "validation_matched", [("poor", 0)])
    (tmp_path / "d" / "dataset_dict.json").write_text('{"splits": ["train", "validation_matched"]}')
    dataset = read(tmp_path / "d")
    assert dataset.split_sizes() == {"train": 3, "validation_matched": 1}
    assert dataset.label_names == ("neg", "pos")
    assert read(tmp_path / "d" / "train").split_sizes() == {"train": 3}
    (tmp_path / "d" / "dataset_dict.json").unlink()
    shutil.rmtree(tmp_path / "d" / "validation_matched")
    assert read(tmp_path / "d").split_sizes() == {"train": 3}


@pytest.mark.parametrize(
    "state",
    ["[]", "{}", '{"_data_files": []}', '{"_data_files": ["a"]}', '{"_data_files": [{"filename": "../x.arrow"}]}', "5"],
)
def test_a_state_that_lists_no_files_is_refused(tmp_path: Path, state: str) -> None:
    """Whatever state.json holds, the answer is an error that names it, and no file outside the folder is read."""
    save_to_disk(tmp_path / "d", [("good", 1)])
    (tmp_path / "d" / "state.json").write_text(state)
    with pytest.raises(DataError, match=r"state\.json does not list"):
        read(tmp_path / "d")


def test_a_folder_of_a_competition(tmp_path: Path) -> None:
    """Rows without labels beside labelled ones are rows to predict; what has no texts is noted; audits read both."""
    fill(
        tmp_path,
        train__csv="id,text,stance\n0,a,x\n1,b,y\n",
        test__csv="id,text\n2,c\n",
        test_labels__csv="id,stance\n2,-1\n",
        sample_submission__csv="id,stance\n2,x\n",
    )
    with pytest.raises(DataError, match=r"test\.csv has no label column.*rows to predict.*limbeck predict") as caught:
        read(tmp_path, label_column="stance")
    assert "test_labels" not in str(caught.value)
    dataset = read_with(tmp_path, ReadSettings(label_column="stance", labels="optional"))
    assert dataset.label_name_list() == ["x", "y", None]
    told = " ".join(str(note) for note in dataset.notes)
    assert all(name in told for name in ("test.csv", "test_labels.csv", "sample_submission.csv"))


def test_row_ids_that_begin_anew_in_each_file(tmp_path: Path) -> None:
    """Ids are unique within a split; twice in one split they are one fault, whatever their number."""
    fill(tmp_path, train__csv="row_id,text,label\n0,a,x\n1,b,y\n", test__csv="row_id,text,label\n0,c,x\n1,d,y\n")
    dataset = read(tmp_path)
    assert dataset.row_ids == ["train:0", "train:1", "test:0", "test:1"]
    assert "row ids that stand in several splits" in dataset.notes[0].what
    fill(tmp_path, train__csv="row_id,text,label\n" + "".join(f"{n % 50},t{n},{'xy'[n % 2]}\n" for n in range(100)))
    with pytest.raises(DataError, match=r"\(1 fault\)(?s:.)*50 row ids stand on more than one row"):
        read(tmp_path)


@pytest.mark.parametrize(("name", "word"), [("ab test results.csv", "test"), ("my.dev.v2.csv", "dev")])
def test_the_word_that_makes_a_lone_file_a_split_is_said(tmp_path: Path, name: str, word: str) -> None:
    """A file is not taken out of train by its name in silence; alone in a folder neither."""
    (tmp_path / name).write_text(CSV)
    for path in (tmp_path / name, tmp_path):
        assert f"a word of their names, '{word}', tells it" in read(path).notes[0].what
    (tmp_path / "test.csv").write_text(CSV)
    assert read(tmp_path / "test.csv").notes == ()
