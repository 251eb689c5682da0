"""Files of predictions: what goes in comes out, in every format, whatever the text."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import limbeck
from limbeck.errors import DataError, SettingsError, StorageError
from limbeck.evaluation.prediction_files import read_predictions, write_predictions, write_tables
from limbeck.evaluation.predictions import Predictions

SUFFIXES = (".parquet", ".jsonl", ".csv")
TEXTS = (
    "i feel fine",
    "기분이 좋다",
    '그는 "좋다"고\n말했다',
    "=HYPERLINK(1)",
    "'=1",
    "'tis",
    "-1",
    "\ttab",
    "\r",
    "a\r\nb",
    "",
    "NA",
    "null",
    '"',
    ",;",
    "a\u2028b",
    "\ufeffx",
    " x ",
    "😀",
)
NAMES = ("기쁨", 'love, "x"', "=cmd", "NA")


def made(texts=TEXTS, seed=0):
    """One row a text, with labels of four awkward names, every third unknown."""
    generator = np.random.default_rng(seed)
    rows = len(texts)
    return Predictions(
        row_ids=tuple(f"-{row}" for row in range(rows)),
        label_names=NAMES,
        probabilities=generator.dirichlet(np.full(4, 0.1), rows),
        true_labels=pa.array([None if row % 3 == 0 else row % 4 for row in range(rows)], pa.int32()),
        tokens=np.arange(rows),
        truncated=np.arange(rows) % 2 == 0,
        texts=texts,
    )


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_round_trip_keeps_every_bit(tmp_path, suffix):
    """Texts, ids, names, float32 probabilities and nulls come back the same, in the same order."""
    path = tmp_path / f"out{suffix}"
    write_predictions(path, made(), top_k=2)
    again = read_predictions(str(path))
    assert again.texts == TEXTS
    assert again.to_arrow().equals(made().to_arrow())
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_unsure_rows_are_kept(tmp_path, suffix):
    """The column of a model with thresholds comes back the same in every format."""
    path = tmp_path / f"out{suffix}"
    unsure = replace(made(), unsure=np.arange(len(TEXTS)) % 3 == 0)
    write_predictions(path, unsure)
    assert read_predictions(path).to_arrow().equals(unsure.to_arrow())


@settings(max_examples=40, deadline=None)
@given(texts=st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12), min_size=1))
@pytest.mark.parametrize(
    "suffix", [SUFFIXES[0], *(pytest.param(suffix, marks=pytest.mark.slow) for suffix in SUFFIXES[1:])]
)
def test_round_trip_of_any_text(tmp_path_factory, suffix, texts):
    """Any text without NUL survives every format."""
    path = tmp_path_factory.mktemp("any") / f"out{suffix}"
    write_predictions(path, made(tuple(texts)))
    assert read_predictions(path).texts == tuple(texts)


@pytest.mark.slow
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_many_rows_keep_their_order(tmp_path, suffix):
    """Order holds beyond one block of the readers and writers."""
    texts = tuple(f"text {row} " + "x" * 100 for row in range(25_000))
    path = tmp_path / f"out{suffix}"
    write_predictions(path, made(texts))
    assert read_predictions(path).texts == texts


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_no_rows(tmp_path, suffix):
    """A file of no rows keeps its columns."""
    write_predictions(tmp_path / f"out{suffix}", made(()))
    again = read_predictions(tmp_path / f"out{suffix}")
    assert (len(again), again.label_names) == (0, NAMES)


def test_csv_is_made_for_spreadsheets(tmp_path):
    """A byte order mark for Excel; no text that starts like a formula; a margin may be a negative number."""
    path = tmp_path / "out.csv"
    write_predictions(path, made())
    assert path.read_bytes().startswith(b"\xef\xbb\xbf")
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["text"] for row in rows][:4] == [*TEXTS[:3], "'=HYPERLINK(1)"]
    texts = [cell for row in rows for name, cell in row.items() if name != "margin"]
    assert not [cell for cell in texts if cell.startswith(tuple("=+-@\t\r\n"))]
    assert all(-1 <= float(row["margin"]) <= 1 for row in rows if row["margin"])


def test_jsonl_is_one_object_a_row_with_short_numbers(tmp_path):
    """A program reads each line by itself; probabilities are the shortest decimals, text is untouched."""
    path = tmp_path / "out.jsonl"
    predictions = Predictions(
        row_ids=("0",),
        label_names=("no", "yes"),
        probabilities=np.array([[0.1, 0.9]]),
        true_labels=pa.array([None], pa.int32()),
        tokens=np.array([4]),
        truncated=np.array([False]),
        texts=("=기쁨",),
    )
    write_predictions(path, predictions)
    assert path.read_text(encoding="utf-8").count("\n") == 1
    assert json.loads(path.read_text(encoding="utf-8")) == {
        "row_id": "0",
        "text": "=기쁨",
        "prediction": "yes",
        "probability": 0.9,
        "probability.no": 0.1,
        "probability.yes": 0.9,
        "tokens": 4,
        "truncated": False,
    }


def test_unknown_suffix_is_refused(tmp_path):
    """The format is never guessed."""
    for call in (lambda path: write_predictions(path, made()), read_predictions):
        with pytest.raises(SettingsError, match=r"out.xlsx: .* with .*.parquet, .jsonl, .csv"):
            call(tmp_path / "out.xlsx")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_absent_and_foreign_files_are_refused(tmp_path, suffix):
    """A missing file is a storage error; a file of something else is a data error that names the path."""
    with pytest.raises(StorageError, match="no such file"):
        read_predictions(tmp_path / f"absent{suffix}")
    foreign = tmp_path / f"foreign{suffix}"
    foreign.write_bytes(b'{"a": 1}\n{"a": 2}\n' if suffix == ".jsonl" else b"a,b\n1,2\n")
    with pytest.raises(DataError, match="foreign"):
        read_predictions(foreign)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            '"prediction": "yes"',
            '"prediction": "no"',
            "row 0 has the prediction 'no' but the most probable label is 'yes'",
        ),
        ('"true_label": "no"', '"true_label": "maybe"', "true labels that are no class: maybe"),
        ('"tokens": 4', '"tokens": null', "rows without a value for tokens"),
        ('"tokens": 4', '"tokens": "many"', "does not hold predictions"),
        ('"tokens": 4, ', "", "no column tokens"),
        ('"row_id"', "row_id", "line 1: not valid JSON"),
    ],
)
def test_edited_files_are_refused(tmp_path, old, new, message):
    """A file that was changed by hand so that it contradicts itself is not believed."""
    path = tmp_path / "out.jsonl"
    predictions = Predictions(
        row_ids=("0",),
        label_names=("no", "yes"),
        probabilities=np.array([[0.1, 0.9]]),
        true_labels=pa.array([0], pa.int32()),
        tokens=np.array([4]),
        truncated=np.array([False]),
    )
    write_predictions(path, predictions)
    content = path.read_text(encoding="utf-8")
    assert old in content
    path.write_text(content.replace(old, new), encoding="utf-8")
    with pytest.raises(DataError, match=message):
        read_predictions(path)


OTHERS = pa.table(
    {
        "id": [f"0{row}" for row in range(len(TEXTS))],
        "=stars": [row if row % 4 else None for row in range(len(TEXTS))],
        "share": [row / 7 if row % 5 else None for row in range(len(TEXTS))],
        "label": ["-joy", None, *["x"] * (len(TEXTS) - 2)],
        "tokens": ["a, b"] * len(TEXTS),
        "is it": [row % 2 == 0 for row in range(len(TEXTS))],
    }
)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_the_columns_of_the_rows_are_kept(tmp_path, suffix):
    """Ids, numbers, labels and texts that the rows came with stand in the file, and come back with it."""
    path = tmp_path / f"out{suffix}"
    write_predictions(path, replace(made(), others=OTHERS))
    again = read_predictions(path)
    assert again.others.column_names == ["id", "=stars", "share", "label", "input.tokens", "is it"]
    # CSV has no types, so that "01" is a number there.
    wanted = OTHERS.to_pydict() if suffix != ".csv" else {**OTHERS.to_pydict(), "id": list(range(len(TEXTS)))}
    assert list(again.others.to_pydict().values()) == list(wanted.values())
    assert again.texts == TEXTS


@pytest.mark.parametrize("suffix", [".jsonl", ".csv"])
def test_any_type_of_column_can_be_written(tmp_path, suffix):
    """Dates, lists, bytes, decimals, categories, not-a-number: text files hold them as text or as nothing."""
    others = pa.table(
        {
            "when": pa.array([0, 86_400], pa.timestamp("s")),
            "tags": [["a", "b"], None],
            "raw": [b"\xff", b"x"],
            "price": pa.array([1, 2], pa.decimal128(5, 2)),
            "kind": pa.array(["a", "b"]).dictionary_encode(),
            "nan": [float("nan"), float("inf")],
            "none": pa.nulls(2),
        }
    )
    path = tmp_path / f"out{suffix}"
    write_predictions(path, replace(made(("x", "y")), others=others))
    again = read_predictions(path)
    assert again.others["kind"].to_pylist() == ["a", "b"]
    assert again.others["nan"].to_pylist() == [None, None]
    assert again.texts == ("x", "y")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_files_of_the_older_layout_are_read(tmp_path, suffix):
    """Files with `label` and an empty `true_label`, `loss`, `margin`, as limbeck wrote them before, still compare."""
    now = made()
    older = now.to_arrow().drop_columns(["probability"])
    older = older.rename_columns(["label" if name == "prediction" else name for name in older.column_names])
    path = tmp_path / f"old{suffix}"
    write_tables(path, [older])
    assert read_predictions(path).to_arrow().equals(now.to_arrow())


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_parts_become_one_file(tmp_path, suffix):
    """Tables that are written one after the other read as if they had been one; there is one head."""
    table = made().to_arrow()
    write_tables(tmp_path / f"out{suffix}", [table.slice(0, 5), table.slice(5, 0), table.slice(5)])
    assert read_predictions(tmp_path / f"out{suffix}").to_arrow().equals(table)


def test_no_table_is_read_from_a_python_file_by_threads():
    """`pq.read_table` of an open file leaves threads behind that abort processes at their end: nothing calls it."""
    sources = Path(limbeck.__file__).parent.rglob("*.py")
    assert [
        path.name for path in sources if "read_table(" in path.read_text("utf-8").replace("pq.read_table of", "")
    ] == []
