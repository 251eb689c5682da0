"""Reading: every format gives the same dataset; row ids are stable; what is left out is counted."""

import json
import subprocess
import sys
import textwrap
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet
import pytest

from limbeck.data.dataset import CORE_SCHEMA
from limbeck.errors import DataError, SettingsError
from limbeck.reading.in_memory import from_arrow, from_pandas
from limbeck.reading.read import read, read_with
from limbeck.settings import ReadSettings

SHARED = Path(__file__).parents[3] / "shared" / "data"
ROWS = [
    ("I am glad", "joy"),
    ('a "quoted", comma\nand a line', "joy"),
    ("눈물이 난다", "슬픔"),
    ("semi;colon", "fear"),
]


def write_all(folder: Path) -> dict[str, Path]:
    """Write the same rows in every format that holds any text."""
    frame = pd.DataFrame(ROWS, columns=["text", "label"])
    table = pa.Table.from_pandas(frame)
    paths = {
        suffix: folder / f"data.{suffix}" for suffix in ("csv", "tsv", "jsonl", "json", "parquet", "arrow", "feather")
    }
    frame.to_csv(paths["csv"], index=False, encoding="utf-8-sig")
    frame.to_csv(paths["tsv"], index=False, sep="\t")
    paths["jsonl"].write_text("".join(json.dumps({"text": t, "label": n}) + "\n" for t, n in ROWS))
    frame.to_json(paths["json"], orient="records", force_ascii=False)
    pyarrow.parquet.write_table(table, paths["parquet"])
    pyarrow.feather.write_feather(table, str(paths["feather"]))
    with pa.OSFile(str(paths["arrow"]), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return paths


def test_every_format_gives_the_same_dataset(tmp_path: Path) -> None:
    """CSV with a byte-order mark, TSV, JSONL, JSON, Parquet and both kinds of Arrow hold one dataset."""
    datasets = {suffix: read(path) for suffix, path in write_all(tmp_path).items()}
    for suffix, dataset in datasets.items():
        assert dataset.texts == [text for text, _ in ROWS], suffix
        assert dataset.label_name_list() == [name for _, name in ROWS]
        assert dataset.label_names == ("fear", "joy", "슬픔")
        assert dataset.row_ids == ["train:1", "train:2", "train:3", "train:4"]
        assert dataset.notes == ()
        assert dataset.table.schema.equals(CORE_SCHEMA)
    assert len({dataset.fingerprint() for dataset in datasets.values()}) == 1


def test_korean_csv_in_cp949(tmp_path: Path) -> None:
    """A CSV file as Korean Excel writes it: cp949, semicolons, Korean column names, Hangul labels."""
    path = tmp_path / "리뷰.csv"
    path.write_bytes("리뷰;감정\r\n정말 좋아요;긍정\r\n별로예요;부정\r\n똠방각하 펲시콜라;긍정\r\n".encode("cp949"))
    dataset = read(path, encoding="cp949")
    assert dataset.texts == ["정말 좋아요", "별로예요", "똠방각하 펲시콜라"]
    assert dataset.label_names == ("긍정", "부정")
    assert dataset.labels.tolist() == [0, 1, 0]


def test_a_cp949_header_read_as_utf8(tmp_path: Path) -> None:
    """Told as what it is, with the encoding that fits; two such names are told apart, not called the same."""
    path = tmp_path / "data.csv"
    path.write_bytes("text,label,가,나\n좋아요,긍정,1,2\n".encode("cp949"))
    with pytest.raises(DataError, match="header: column names") as caught:
        read(path)
    assert "cp949" in str(caught.value)
    assert "twice" not in str(caught.value)
    kept = read(path, on_bad_row="keep-replacement").table
    assert [kept["\ufffd\ufffd (3)"].to_pylist(), kept["\ufffd\ufffd (4)"].to_pylist()] == [["1"], ["2"]]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf_8_sig", "latin-1", "UTF8", "utf-32"])
def test_other_encodings(tmp_path: Path, encoding: str) -> None:
    """A file in any text codec that Python has reads alike when it is named, byte-order mark or not."""
    path = tmp_path / "data.csv"
    path.write_bytes("text,label\ncafé au lait,joy\nthé,fear\n".encode(encoding))
    assert read(path, encoding=encoding).texts == ["café au lait", "thé"]


def test_row_ids_count_rows_that_are_skipped(tmp_path: Path) -> None:
    """A row keeps its number when rows before it are left out, and the note says how many and where first."""
    path = tmp_path / "test.csv"
    path.write_text("text,label\na,x\n,x\nb,y\nc\nd,\ne,x\n")
    dataset = read(path, on_bad_row="skip")
    assert dataset.row_ids == ["test:1", "test:3", "test:6"]
    assert dataset.texts == ["a", "b", "e"]
    notes = {note.what: note for note in dataset.notes}
    assert notes["rows with an empty text, left out"].rows == 1
    assert "row 2" in notes["rows with an empty text, left out"].example
    assert "row 4" in notes["rows with another number of cells than the header, left out"].example
    assert "row 5" in notes["rows without a label, left out"].example


def test_every_row_left_out_is_an_error(tmp_path: Path) -> None:
    """Skipping every row is not an empty success."""
    path = tmp_path / "data.csv"
    path.write_text("text,label\n,x\n")
    with pytest.raises(DataError, match="no rows left"):
        read(path, on_bad_row="skip")


@pytest.mark.parametrize("name", ["data.csv", "data.jsonl", "data.txt"])
def test_undecodable_bytes_kept_or_skipped_in_the_open(tmp_path: Path, name: str) -> None:
    """keep-replacement keeps the row with U+FFFD, skip leaves it out; both count it and say where."""
    content = {
        "data.csv": b"text,label\nfine,x\ncaf\xe9,x\n",
        "data.jsonl": b'{"text": "fine", "label": "x"}\n{"text": "caf\xe9", "label": "x"}\n',
        "data.txt": b"fine;x\ncaf\xe9;x\n",
    }[name]
    path = tmp_path / name
    path.write_bytes(content)
    kept = read(path, on_bad_row="keep-replacement")
    assert kept.texts == ["fine", "caf\ufffd"]
    assert kept.notes[0].rows == 1
    assert f"{name}, row 2" in kept.notes[0].example
    assert "kept with U+FFFD" in kept.notes[0].what
    skipped = read(path, on_bad_row="skip")
    assert skipped.texts == ["fine"]
    assert skipped.row_ids == ["train:1"]
    assert "left out" in skipped.notes[0].what


def test_keep_replacement_does_not_hide_other_faults(tmp_path: Path) -> None:
    """keep-replacement mends bytes only: an empty text is still an error."""
    path = tmp_path / "data.csv"
    path.write_bytes(b"text,label\n\xff,x\n,x\n")
    with pytest.raises(DataError, match="mends undecodable bytes only"):
        read(path, on_bad_row="keep-replacement")


def test_a_real_replacement_character_is_no_fault(tmp_path: Path) -> None:
    """U+FFFD that stands in the file itself is a character like any other."""
    path = tmp_path / "data.csv"
    path.write_text("text,label\ncaf\ufffd,x\n", "utf-8")
    dataset = read(path)
    assert dataset.texts == ["caf\ufffd"]
    assert dataset.notes == ()


def test_split_column_and_row_id_column_are_kept(tmp_path: Path) -> None:
    """Splits and row ids that the data carry are used; usual words for a split become one."""
    path = tmp_path / "data.csv"
    path.write_text("row_id,split,text,label\nr1,train,a,x\nr2,dev,b,x\nr3,Test,c,x\nr4,holdout,d,x\n")
    dataset = read(path)
    assert dataset.row_ids == ["r1", "r2", "r3", "r4"]
    assert dataset.split_sizes() == {"train": 1, "validation": 1, "test": 1, "holdout": 1}


def test_split_column_without_row_ids_numbers_rows_of_the_file(tmp_path: Path) -> None:
    """With a split column the number in a row id is still the row's number in its file."""
    path = tmp_path / "data.csv"
    path.write_text("split,text,label\ntrain,a,x\ntest,b,x\ntrain,c,x\n")
    assert read(path).row_ids == ["train:1", "test:2", "train:3"]


def test_shards_of_one_split_go_on_counting(tmp_path: Path) -> None:
    """Files of the same split never give two rows one id."""
    for shard in range(2):
        (tmp_path / f"train-0000{shard}-of-00002.csv").write_text("text,label\na,x\nb,y\n")
    assert read(tmp_path).row_ids == ["train:1", "train:2", "train:3", "train:4"]


def test_other_columns_are_kept_and_collisions_renamed(tmp_path: Path) -> None:
    """No column is lost: a name of ours that is taken by another column gets an underscore."""
    path = tmp_path / "data.csv"
    path.write_text("text,body,stars,label_\nheadline,the text,5,z\n")
    dataset = read(path, text_column="body", label_column="stars")
    assert dataset.texts == ["the text"]
    assert dataset.label_names == ("5",)
    assert dataset.table.column_names[4:] == ["text_", "label_"]
    assert dataset.table["text_"].to_pylist() == ["headline"]


def test_columns_that_files_do_not_share_become_null(tmp_path: Path) -> None:
    """A column that only one split has is null in the others; types that differ become text."""
    (tmp_path / "train.jsonl").write_text('{"text": "a", "label": "x", "stars": 5, "who": "me"}\n')
    (tmp_path / "test.jsonl").write_text('{"text": "b", "label": "x", "stars": "five"}\n')
    table = read(tmp_path).table
    assert table["stars"].to_pylist() == ["5", "five"]
    assert table["who"].to_pylist() == ["me", None]


def test_labels_optional_and_ignored(tmp_path: Path) -> None:
    """Input to predict on needs no label; a label column that is not looked at is kept as another column."""
    path = tmp_path / "data.csv"
    path.write_text("text,label\na,x\nb,\n")
    optional = read_with(path, ReadSettings(labels="optional"))
    assert optional.label_name_list() == ["x", None]
    ignored = read_with(path, ReadSettings(labels="ignored"))
    assert ignored.label_name_list() == [None, None]
    assert ignored.label_names == ()
    assert ignored.table["label_"].to_pylist() == ["x", ""]
    bare = tmp_path / "bare.csv"
    bare.write_text("text\na\nb\n")
    assert read_with(bare, ReadSettings(labels="optional", label_names=("x", "y"))).label_names == ("x", "y")


@pytest.mark.parametrize(
    ("wrong", "says"),
    [({"on_bad_row": "skipp"}, "one of error, keep-replacement, skip"), ({"label_names": "joy"}, "a list")],
)
def test_wrong_arguments(tmp_path: Path, wrong: dict[str, str], says: str) -> None:
    """An argument that is none of the choices is refused, not taken for one of them."""
    path = tmp_path / "data.csv"
    path.write_text("text,label\na,x\n")
    with pytest.raises(SettingsError, match=says):
        read(path, **wrong)  # type: ignore[arg-type]  # wrong on purpose


def test_from_pandas_and_back() -> None:
    """A DataFrame goes in by its usual column names, and comes out with label_name; in again it is the same."""
    frame = pd.DataFrame({"sentence": ["a", "b", "c"], "target": [2.0, 0.0, 2.0], "stars": [1, 2, 3]})
    dataset = from_pandas(frame)
    assert dataset.label_names == ("0", "2")
    out = dataset.to_pandas()
    assert list(out.columns) == ["row_id", "split", "text", "label", "label_name", "stars"]
    assert out["label_name"].tolist() == ["2", "0", "2"]
    again = from_pandas(out)
    assert again.fingerprint() == dataset.fingerprint()
    assert again.label_names == dataset.label_names


def test_pandas_categories_give_the_label_map() -> None:
    """The order of a categorical column is the order of the classes, unused ones included."""
    frame = pd.DataFrame({"text": ["a", "b"], "label": pd.Categorical(["good", "bad"], ["bad", "so-so", "good"])})
    dataset = from_pandas(frame)
    assert dataset.label_names == ("bad", "so-so", "good")
    assert dataset.labels.tolist() == [2, 0]


def test_from_arrow_reads_chunked_dictionaries() -> None:
    """Chunks whose dictionaries differ still give one label map by name."""
    chunks = [pa.array(["b", "a"]).dictionary_encode(), pa.array(["a", "c"]).dictionary_encode()]
    dataset = from_arrow(
        pa.table({"text": pa.chunked_array([["1", "2"], ["3", "4"]]), "label": pa.chunked_array(chunks)})
    )
    assert dataset.label_name_list() == ["b", "a", "a", "c"]


def test_progress_is_told_every_byte(tmp_path: Path) -> None:
    """The bar reaches its end for every format."""
    from contextlib import contextmanager

    seen: dict[str, int] = {"total": 0, "done": 0}

    class Counting:
        @contextmanager
        def track(self, label, *, total, unit):  # type: ignore[no-untyped-def]
            seen["total"] += total

            def advance(more: int) -> None:
                seen["done"] += more

            yield advance

        def say(self, line: str) -> None: ...

    for path in write_all(tmp_path).values():
        read_with(path, progress=Counting())
    assert seen["done"] == seen["total"] > 0


@pytest.mark.slow
def test_memory_is_bounded(tmp_path: Path) -> None:
    """200,000 rows of CSV cost little more memory than their Arrow table: Python objects exist only chunk by chunk."""
    path = tmp_path / "big.csv"
    line = '"some words, of a text like many others that are neither long nor short",joy\n'
    with path.open("w") as file:
        file.write("text,label\n")
        for _ in range(200):
            file.write(line * 1000)
    script = """
        import resource, sys
        from limbeck.reading.read import read
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        dataset = read(sys.argv[1])
        print(len(dataset), (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024, dataset.table.nbytes)
    """
    run = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), str(path)], capture_output=True, text=True, check=True
    )
    rows, grown_bytes, table_bytes = map(int, run.stdout.split())
    assert rows == 200_000
    assert grown_bytes < 6 * table_bytes


@pytest.mark.shared
@pytest.mark.skipif(not (SHARED / "emotion").is_dir(), reason="../shared/data/emotion is not here")
def test_emotion() -> None:
    """The emotion tweets: sizes and class counts as published, one note on the blank first line of val.txt."""
    dataset = read(SHARED / "emotion")
    assert dataset.split_sizes() == {"train": 16_000, "validation": 2_000, "test": 2_000}
    assert dataset.label_names == ("anger", "fear", "joy", "love", "sadness", "surprise")
    train = dataset.split("train").label_name_list()
    assert {name: train.count(name) for name in dataset.label_names} == {
        "anger": 2_159,
        "fear": 1_937,
        "joy": 5_362,
        "love": 1_304,
        "sadness": 4_666,
        "surprise": 572,
    }
    assert dataset.row_ids[0] == "train:1"
    assert [note.what for note in dataset.notes] == ["blank lines, which hold no row"]


@pytest.mark.slow
@pytest.mark.shared
@pytest.mark.skipif(not (SHARED / "imdb").is_dir(), reason="../shared/data/imdb is not here")
def test_imdb() -> None:
    """IMDb as Parquet: three splits, the unsupervised one without labels, other columns kept."""
    dataset = read(SHARED / "imdb")
    assert dataset.split_sizes() == {"train": 25_000, "test": 25_000, "unsupervised": 50_000}
    assert dataset.label_names == ("neg", "pos")
    assert dataset.split("train").labels.sum() == 12_500
    assert dataset.split("unsupervised").table["label"].null_count == 50_000
    assert dataset.table.column_names[4:] == ["id", "rating"]
