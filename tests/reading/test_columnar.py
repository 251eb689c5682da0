"""Arrow and pandas columns of any type: the same rows, or one of limbeck's own errors."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from limbeck.data.dataset import Dataset
from limbeck.errors import DataError, LimbeckError, SettingsError
from limbeck.reading.in_memory import from_arrow, from_pandas
from limbeck.reading.read import read
from limbeck.settings import ReadSettings

NAMES = ["no", "yes", "no"]


def of(**columns: Any) -> pa.Table:
    return pa.table({"text": ["one", "two", "three"], "label": NAMES} | columns)


def coded(values: pa.Array, codes: list[int | None], kind: pa.DataType | None = None) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array(codes, kind or pa.int8()), values)


WAYS_OF_NAMES = {
    "string": pa.array(NAMES),
    "large_string": pa.array(NAMES, pa.large_string()),
    "string_view": pa.array(NAMES, pa.string_view()),
    "binary": pa.array([name.encode() for name in NAMES]),
    "large_binary": pa.array([name.encode() for name in NAMES], pa.large_binary()),
    "binary_view": pa.array([name.encode() for name in NAMES], pa.binary_view()),
    "runs": pc.run_end_encode(pa.array(NAMES)),
    "dictionary": coded(pa.array(["no", "yes"]), [0, 1, 0]),
    "dictionary of views": coded(pa.array(["no", "yes"], pa.string_view()), [0, 1, 0]),
    "dictionary of bytes": coded(pa.array([b"no", b"yes"]), [0, 1, 0]),
    "dictionary with a null": coded(pa.array(["no", None, "yes"]), [0, 2, 0]),
    "dictionary with a value twice": coded(pa.array(["no", "yes", "no"]), [0, 1, 2]),
    "dictionary of uint64 codes": coded(pa.array(["no", "yes"]), [0, 1, 0], pa.uint64()),
    "lists of one": pa.array([[name] for name in NAMES]),
}


@pytest.mark.parametrize("way", WAYS_OF_NAMES)
def test_names_in_any_type_are_the_same_labels(way: str, tmp_path: Path) -> None:
    """However Arrow holds names, they are read as names, from a table and from an Arrow file."""
    table = of(label=WAYS_OF_NAMES[way])
    path = tmp_path / "data.arrow"
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)
    for dataset in (from_arrow(table), read(path)):
        assert dataset.label_name_list() == NAMES
        assert dataset.label_names == ("no", "yes")


@pytest.mark.parametrize("way", [way for way in WAYS_OF_NAMES if way != "lists of one"])
def test_texts_in_any_type_are_the_same_texts(way: str) -> None:
    """However Arrow holds texts, they are read as texts."""
    assert from_arrow(of(text=WAYS_OF_NAMES[way])).texts == NAMES


@pytest.mark.parametrize(
    "numbers",
    [
        pa.array([0, 1, 0], pa.uint64()),
        pa.array([Decimal(0), Decimal(1), Decimal(0)]),
        pa.array([Decimal("0.00"), Decimal("1.00"), Decimal("0.00")]),
        pa.array(np.array([0, 1, 0], np.float16)),
        coded(pa.array([0, 1], pa.uint64()), [0, 1, 0]),
        pc.run_end_encode(pa.array([0, 1, 0])),
    ],
)
def test_integers_in_any_type_are_the_same_labels(numbers: pa.Array) -> None:
    """Decimals, unsigned and half-precision numbers that are whole are integers."""
    assert from_arrow(of(label=numbers)).label_name_list() == ["0", "1", "0"]


def test_integers_that_are_too_large_or_broken_are_faults_of_rows() -> None:
    """A label that no integer can hold names its row; the others stay under skip."""
    for numbers in (pa.array([0, 2**64 - 1, 0], pa.uint64()), pa.array([Decimal("0"), Decimal("0.5"), Decimal("0")])):
        with pytest.raises(DataError, match="row 2, column 'label': is"):
            from_arrow(of(label=numbers))
        assert from_arrow(of(label=numbers), ReadSettings(on_bad_row="skip")).texts == ["one", "three"]


def test_a_null_of_a_dictionary_is_no_label() -> None:
    """A factor with an NA level has no class called None, and the dataset can be shown."""
    table = of(label=coded(pa.array(["no", None, "yes"]), [0, 1, 2]))
    with pytest.raises(DataError, match="row 2, column 'label': has no label"):
        from_arrow(table)
    dataset = from_arrow(table, ReadSettings(labels="optional"))
    assert dataset.label_name_list() == ["no", None, "yes"]
    assert "labels: no, yes" in repr(dataset)


def test_bytes_that_are_not_utf8_are_faults_of_rows() -> None:
    """A column of bytes is read as UTF-8, with a note; a cell that is not is a fault of its row."""
    good = from_arrow(of(text=[b"one", "둘".encode(), b"three"]))
    assert good.texts == ["one", "둘", "three"]
    assert good.notes[0].what == "columns of bytes, read as UTF-8"
    broken = of(text=[b"one", b"caf\xe9", b"three"])
    for table in (broken, of(text=coded(pa.array([b"one", b"caf\xe9"]), [0, 1, 0]))):
        with pytest.raises(DataError, match="row 2, column 'text': has bytes that are not utf-8"):
            from_arrow(table)
        assert len(from_arrow(table, ReadSettings(on_bad_row="skip"))) == 2
        assert from_arrow(table, ReadSettings(on_bad_row="keep-replacement")).texts[1] == "caf\ufffd"


@pytest.mark.parametrize(
    "extra",
    [
        pa.array([{"a": "x"}, None, {"a": "y"}], pa.struct([("a", pa.string_view())])),
        pa.array([["x"], None, []], pa.list_(pa.string_view())),
        pa.array([["x"], None, []], pa.list_(pa.dictionary(pa.int8(), pa.string()))),
        pa.array([b"x", None, b"\xff"], pa.binary_view()),
        pa.array([None] * 3, pa.month_day_nano_interval()),
        pa.UnionArray.from_dense(
            pa.array([0, 0, 0], pa.int8()), pa.array([0, 1, 2], pa.int32()), [pa.array([1, 2, 3])]
        ),
        pa.ExtensionArray.from_storage(pa.uuid(), pa.array([b"x" * 16, None, b"y" * 16], pa.binary(16))),
    ],
)
def test_columns_that_are_not_needed_hinder_nobody(extra: pa.Array) -> None:
    """A column of an odd type beside the texts is kept in some form, under every policy."""
    for policy in ("error", "skip", "mend"):
        table = of(extra=extra, text=["one", "", "three"] if policy == "skip" else ["one", "two", "three"])
        dataset = from_arrow(table, ReadSettings(on_bad_row=policy))
        assert "extra" in dataset.table.column_names


def test_odd_columns_of_frames() -> None:
    """ColumnNames of pandas of mixed kinds are faults by row where they are needed, and text where they are not."""
    frame = pd.DataFrame({"text": ["a", "b", "c"], "label": ["x", "y", "x"]})
    notes = frame.assign(notes=[1, "two", object()], when=pd.period_range("2020", periods=3, freq="M"), n=[1j, 2j, 3j])
    assert from_pandas(notes).label_name_list() == ["x", "y", "x"]
    with pytest.raises(DataError, match=r"row 3, column 'label': is a number \(3\)"):
        from_pandas(frame.assign(label=["x", "2", np.int64(3)]))
    with pytest.raises(DataError, match=r"row 2, column 'text': is a number \(5\)"):
        from_pandas(frame.assign(text=["a", 5, "c"]))
    with pytest.raises(DataError, match="row 2, column 'text': has bytes that are not utf-8"):
        from_pandas(frame.assign(text=pd.Series(["a", "b\ud800", "c"], dtype=object)))
    with pytest.raises(DataError, match="'text' is named twice"):
        from_pandas(pd.DataFrame([["a", "b", "x"]], columns=["text", "text", "label"]))
    numbered = pd.DataFrame([["a", "x"], ["b", "y"]])
    assert from_pandas(numbered, ReadSettings(text_column="0", label_column="1")).texts == ["a", "b"]


def test_advice_of_python_names_settings() -> None:
    """What Python raises names settings, not options of the command line."""
    frame = pd.DataFrame({"text": ["a", ""], "label": ["x", "y"]})
    with pytest.raises(DataError, match='on_bad_row="skip"') as caught:
        from_pandas(frame)
    assert "--" not in str(caught.value)
    with pytest.raises(DataError, match="Give text_column"):
        from_pandas(frame.rename(columns={"text": "words"}))


def test_what_is_no_source_is_told_its_reader() -> None:
    """A table given to the reader of files is told where it belongs; frames that speak Arrow are read."""
    frame = pd.DataFrame({"text": ["a", "b"], "label": ["x", "y"]})
    with pytest.raises(SettingsError, match=r"limbeck\.from_pandas"):
        read(frame)  # type: ignore[arg-type]  # what newcomers try
    with pytest.raises(SettingsError, match=r"limbeck\.from_arrow"):
        from_pandas(pl.from_pandas(frame))
    with pytest.raises(SettingsError, match=r"limbeck\.read"):
        from_arrow("data.csv")
    assert from_arrow(pl.from_pandas(frame)).texts == ["a", "b"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["", "a", "names", "label_names", "ClassLabel"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["info", "features", "label", "names", "_type", "notes", "label_names", "what", "rows"]),
            inner,
        )
    ),
    max_leaves=12,
)


@pytest.mark.slow
@settings(max_examples=75, deadline=None)
@given(key=st.sampled_from(["limbeck", "huggingface"]), value=JSON, labels=st.sampled_from([[0, 1, 0], NAMES]))
def test_metadata_of_any_shape_break_nothing(key: str, value: Any, labels: list[Any]) -> None:
    """Metadata that nobody's library writes are passed over or refused in words."""
    table = of(label=labels).replace_schema_metadata({key: json.dumps(value)})
    try:
        dataset = from_arrow(table)
    except LimbeckError:
        return
    assert "Dataset of " in repr(dataset)


@pytest.mark.parametrize(
    "value", [{"notes": [1]}, {"notes": [{"foo": 1}]}, {"label_names": 5}, {"label_names": [1, 2]}, {"notes": 1}]
)
def test_own_metadata_of_another_shape_are_passed_over(value: Any) -> None:
    """The shapes of the review: what is no list of names, or no note, is not taken for one."""
    table = of(label=[0, 1, 0]).replace_schema_metadata({"limbeck": json.dumps(value)})
    assert from_arrow(table).label_names == ("0", "1")


CELLS = st.none() | st.integers(-(2**70), 2**70) | st.text(max_size=3) | st.booleans() | st.floats(width=16)


@pytest.mark.slow
@settings(max_examples=75, deadline=None)
@given(rows=st.lists(st.tuples(CELLS, CELLS, CELLS), min_size=1, max_size=4), policy=st.sampled_from(["error", "skip"]))
def test_any_cells_are_rows_or_an_error(rows: list[tuple[Any, Any, Any]], policy: Any, tmp_path_factory: Any) -> None:
    """Any table of cells is the same rows from a frame and from JSON lines, or one of limbeck's errors from both."""
    keys = ("text", "label", "extra")
    folder = tmp_path_factory.mktemp("cells")
    lines = [json.dumps(dict(zip(keys, row, strict=True))) for row in rows]
    (folder / "data.jsonl").write_text("\n".join(lines), "utf-8")
    frame = pd.DataFrame(dict(zip(keys, map(list, zip(*rows, strict=True)), strict=True)), dtype=object)
    found: list[Any] = []
    for made in (
        lambda: read(folder / "data.jsonl", on_bad_row=policy),
        lambda: from_pandas(frame, ReadSettings(on_bad_row=policy)),
    ):
        try:
            dataset = made()
            found.append((dataset.row_ids, dataset.texts, dataset.label_name_list()))
        except LimbeckError:
            found.append(None)
    assert found[0] == found[1]


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(labels=st.lists(st.none() | st.text(max_size=3), min_size=1, max_size=5), names=st.data())
def test_tables_and_files_of_names_agree(labels: list[str | None], names: Any, tmp_path_factory: Any) -> None:
    """Arrow, Parquet and pandas give the same rows of the same names, or all an error."""
    texts = names.draw(st.lists(st.none() | st.text(max_size=3), min_size=len(labels), max_size=len(labels)))
    table = pa.table({"text": pa.array(texts, pa.string()), "label": pa.array(labels, pa.string())})
    path = tmp_path_factory.mktemp("names") / "data.parquet"
    pq.write_table(table, path)
    skip = ReadSettings(on_bad_row="skip")
    found: list[Any] = []
    for made in (
        lambda: from_arrow(table, skip),
        lambda: from_pandas(table.to_pandas(), skip),
        lambda: read(path, on_bad_row="skip"),
    ):
        try:
            found.append(rows_of(made()))
        except LimbeckError:
            found.append(None)
    assert found[0] == found[1] == found[2]


def rows_of(dataset: Dataset) -> list[tuple[Any, ...]]:
    return list(zip(dataset.row_ids, dataset.texts, dataset.label_name_list(), strict=True))
