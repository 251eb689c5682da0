"""Two texts per row: read from every kind of file and object, checked, written back and read again."""

import json
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import limbeck
from limbeck.data.text_pairs import TextPair
from limbeck.data.write import write
from limbeck.errors import DataError
from limbeck.reading.in_memory import from_arrow, from_lists, from_pandas
from limbeck.reading.read import read

ROWS = [
    {"premise": "a man sleeps", "hypothesis": "he is awake", "label": "no", "id": 1},
    {"premise": "비가 온다", "hypothesis": "it rains", "label": "yes", "id": 2},
    {"premise": "two dogs run", "hypothesis": "animals move", "label": "yes", "id": 3},
]
PAIRS = [(row["premise"], row["hypothesis"]) for row in ROWS]


def write_rows(path: Path) -> Path:
    """Write the rows in the format that the suffix says."""
    frame = pd.DataFrame(ROWS)
    if path.suffix == ".csv":
        frame.to_csv(path, index=False)
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in ROWS), "utf-8")
    else:
        frame.to_parquet(path, index=False)
    return path


@pytest.mark.parametrize("name", ["rows.csv", "rows.jsonl", "rows.parquet"])
def test_two_columns_are_read_as_pairs(tmp_path: Path, name: str) -> None:
    """Texts hold both, in the order that was asked for; other columns stay."""
    found = read(write_rows(tmp_path / name), text_column="premise,hypothesis")
    assert found.pair == ("premise", "hypothesis")
    assert [(text.first, text.second) for text in found.texts if isinstance(text, TextPair)] == PAIRS
    assert found.texts[0] == "a man sleeps [SEP] he is awake"
    assert found.label_name_list() == ["no", "yes", "yes"]
    assert [str(one) for one in found.table["id"].to_pylist()] == ["1", "2", "3"]
    assert "pairs of premise and hypothesis" in str(found)
    turned = read(tmp_path / name, text_column="hypothesis,premise")
    assert turned.texts[0] == "he is awake [SEP] a man sleeps"
    assert turned.fingerprint() != found.fingerprint()


@pytest.mark.parametrize("name", ["out.csv", "out.jsonl", "out.parquet", "out.arrow", "out"])
def test_what_is_written_reads_as_the_same_pairs(tmp_path: Path, name: str) -> None:
    """Two columns of their own names; Parquet and Arrow remember which, of others they are named again."""
    found = read(write_rows(tmp_path / "rows.parquet"), text_column="premise,hypothesis")
    write(found, tmp_path / name)
    remembers = name not in ("out.csv", "out.jsonl")
    again = read(tmp_path / name, text_column=None if remembers else "premise,hypothesis")
    assert again.texts == found.texts
    assert again.pair == found.pair
    assert again.fingerprint() == found.fingerprint()
    assert again.to_arrow().column_names == ["row_id", "split", "premise", "hypothesis", "label", "label_name", "id"]


def test_lists_of_pairs_and_frames_of_two_columns() -> None:
    """Python gives tuples, or names two columns."""
    labels = [row["label"] for row in ROWS]
    listed = from_lists(PAIRS, labels)
    assert listed.pair == ("first", "second")
    frame = from_pandas(pd.DataFrame(ROWS), text_column="premise,hypothesis")
    assert frame.texts == listed.texts
    assert from_lists(frame.texts, labels).texts == listed.texts
    assert limbeck.from_lists(texts=PAIRS).texts == listed.texts
    assert list(frame.to_pandas()["hypothesis"]) == [second for _, second in PAIRS]


@pytest.mark.parametrize("odd", ["alone", ("a", "b", "c"), None])
def test_lists_of_pairs_and_other_things_are_refused(odd: object) -> None:
    """Each row that is no pair is named by its place."""
    with pytest.raises(DataError, match=r"(?s)text 1.*pair"):
        from_lists([("a", "b"), odd], ["x", "y"])


def test_selections_keep_the_pairs() -> None:
    """Splits, rows and label maps leave texts alone."""
    listed = from_lists(PAIRS, ["a", "b", "b"])
    assert listed.select([2, 0]).texts == [TextPair(*PAIRS[2]), TextPair(*PAIRS[0])]
    assert listed.split("train").with_label_names(["b", "a"]).pair == ("first", "second")


def table_of(first: list[str | None], second: list[str | None]) -> pa.Table:
    return pa.table(
        {"a": pa.array(first, pa.string()), "b": pa.array(second, pa.string()), "label": ["x"] * len(first)}
    )


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        (["p", None], ["q", "r"], r"row 2, column 'a': is missing"),
        (["p", "s"], ["q", None], r"row 2, column 'b': is missing"),
        (["p", " "], ["q", ""], r"row 2, column 'a': is empty, and so is 'b'"),
        (["p", "s"], ["q", "r\0"], r"row 2, column 'b': holds a NUL"),
        (["p", "s [SEP] t"], ["q", "r"], r"row 2, column 'a': holds \[SEP\] as a word"),
    ],
)
def test_faults_name_the_column(first: list[str | None], second: list[str | None], message: str) -> None:
    """Both texts are checked, each under its own name; skip leaves the row out and counts it."""
    with pytest.raises(DataError, match=message):
        from_arrow(table_of(first, second), text_column="a,b")
    kept = from_arrow(table_of(first, second), text_column="a,b", on_bad_row="skip")
    assert kept.texts == ["p [SEP] q"]
    assert [note.rows for note in kept.notes if "left out" in note.what] == [1]


def test_one_empty_text_is_kept_and_said() -> None:
    """A title without a body is a pair; the note counts such rows."""
    found = from_arrow(table_of(["p", "", "s"], ["", "r", "t"]), text_column="a,b")
    assert found.texts == ["p [SEP] ", " [SEP] r", "s [SEP] t"]
    assert [(note.what, note.rows) for note in found.notes if "empty" in note.what] == [
        ("pairs of which one text is empty, kept", 2)
    ]


def test_an_audit_keeps_what_it_can() -> None:
    """Missing texts are empty ones, for the audit to find."""
    found = from_arrow(table_of(["p", None], ["q", None]), text_column="a,b", on_bad_row="mend")
    assert found.texts == ["p [SEP] q", " [SEP] "]


def test_files_of_one_text_and_of_two_do_not_mix(tmp_path: Path) -> None:
    """Splits whose rows differ in kind are refused, with both files named."""
    pq.write_table(table_of(["p"] * 2, ["q"] * 2), tmp_path / "train.parquet")
    pq.write_table(pa.table({"a,b": ["p", "r"], "label": ["x", "x"]}), tmp_path / "test.parquet")
    with pytest.raises(DataError, match="two texts"):
        read(tmp_path, text_column="a,b")
