"""Lists, frames and tables become datasets, with the options and the messages that files have."""

from dataclasses import fields
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import limbeck
from limbeck.errors import DataError, SettingsError
from limbeck.reading.in_memory import from_arrow, from_lists, from_pandas, from_polars
from limbeck.reading.read import ReadOptions, read
from limbeck.settings import ReadSettings

TEXTS, LABELS = ["fine", "angry", "glad"], ["joy", "anger", "joy"]
LISTS = {
    "list": list,
    "tuple": tuple,
    "numpy": np.array,
    "numpy objects": lambda values: np.array(values, object),
    "numpy column": lambda values: np.array(values)[:, None],
    "pandas": pd.Series,
    "polars": pl.Series,
    "arrow": pa.array,
    "frame": lambda values: pd.DataFrame({"any": values}),
}


def test_read_options_are_the_read_settings() -> None:
    """Every field of ReadSettings is a keyword of `read`, and no other is."""
    assert {
        field.name for field in fields(ReadSettings)
    } == ReadOptions.__required_keys__ | ReadOptions.__optional_keys__


@pytest.mark.parametrize("kind", LISTS)
def test_lists_of_any_kind(kind: str) -> None:
    """Texts and labels in whatever has rows in an order give what a table of both gives."""
    dataset = from_lists(LISTS[kind](TEXTS), LISTS[kind](LABELS))
    assert dataset.fingerprint() == from_arrow(pa.table({"text": TEXTS, "label": LABELS})).fingerprint()


def test_lists_without_labels() -> None:
    """Texts alone are rows without labels, numbered as those of a file."""
    dataset = from_lists(TEXTS)
    assert dataset.texts == TEXTS
    assert dataset.row_ids == ["1", "2", "3"]
    assert not dataset.is_labelled


@pytest.mark.parametrize("kind", ["list", "numpy", "pandas", "polars", "arrow"])
def test_integers_in_lists_are_named(kind: str) -> None:
    """Integers are labels, named in their order as everywhere."""
    assert from_lists(TEXTS, LISTS[kind]([1, 0, 1]), label_names=["anger", "joy"]).label_name_list() == LABELS


@pytest.mark.parametrize(
    "none", [[1, None, 0], pd.Series([1, None, 0]), pl.Series([1, None, 0]), [1.0, float("nan"), 0]]
)
def test_missing_labels_in_lists(none: object) -> None:
    """A missing label is a fault, unless the settings let texts be without one."""
    with pytest.raises(DataError, match="has no label"):
        from_lists(TEXTS, none)
    dataset = from_lists(TEXTS, none, ReadSettings(labels="optional", label_names=("anger", "joy")))
    assert dataset.label_name_list() == ["joy", None, "anger"]


def test_faults_of_lists() -> None:
    """Rows at fault in lists are gathered with their row, and left out on demand, as those of a file."""
    texts = ["fine", "", None, 5, "glad"]
    with pytest.raises(DataError, match="3 faults") as caught:
        from_lists(texts, list("abcde"))
    assert "row 4" in str(caught.value)
    assert from_lists(texts, list("xyzyx"), on_bad_row="skip").texts == ["fine", "glad"]


@pytest.mark.parametrize(
    ("texts", "labels", "options", "says"),
    [
        (TEXTS, LABELS[:2], {}, "3 texts and 2 labels"),
        ("one text", None, {}, "not one string"),
        (TEXTS, "joy", {}, "labels in a list"),
        ({"a": 1}, None, {}, "dict"),
        (np.zeros((2, 2)), None, {}, "shape"),
        ([], None, {}, "no rows"),
        (TEXTS, LABELS, {"text_column": "words"}, "text_column"),
        (TEXTS, LABELS, {"label_name": ["a"]}, "label_names"),
        (TEXTS, LABELS, {"on_bad_row": "drop"}, "on_bad_row"),
    ],
)
def test_wrong_lists_are_told(texts: object, labels: object, options: dict[str, object], says: str) -> None:
    """What is no list, fits no list, or is no option of lists is one sentence that says so."""
    with pytest.raises((DataError, SettingsError), match=says):
        from_lists(texts, labels, **options)  # type: ignore[arg-type]  # wrong on purpose


def test_frames_take_options_by_keyword() -> None:
    """What is set for a file by keyword is set for frames and tables in the same way."""
    columns = {"words": TEXTS, "answer": [1, 0, 1]}
    options = {"text_column": "words", "label_column": "answer", "label_names": ("anger", "joy")}
    frames = (
        from_pandas(pd.DataFrame(columns), **options),
        from_polars(pl.DataFrame(columns), **options),
        from_arrow(pa.table(columns), **options),
        from_arrow(pa.table(columns), ReadSettings(**options)),
        from_arrow(
            pa.table(columns), ReadSettings(text_column="words"), label_column="answer", label_names=("anger", "joy")
        ),
    )
    assert {frame.fingerprint() for frame in frames} == {from_lists(TEXTS, LABELS).fingerprint()}


def test_frames_of_the_other_library_are_told() -> None:
    """A frame given to the wrong reader is called by its library, and the right reader is named."""
    with pytest.raises(SettingsError, match=r"not DataFrame of polars: .*from_polars"):
        from_pandas(pl.DataFrame({"text": TEXTS}))
    with pytest.raises(SettingsError, match=r"not DataFrame of pandas: .*from_pandas"):
        from_polars(pd.DataFrame({"text": TEXTS}))
    with pytest.raises(SettingsError, match=r"collect\(\)"):
        from_polars(pl.DataFrame({"text": TEXTS}).lazy())


def test_python_reads_files_without_labels(tmp_path: Path) -> None:
    """`read` reads the texts alone of a file without labels, or of one whose labels do not matter."""
    bare = tmp_path / "bare.csv"
    bare.write_text("text\nfine\nangry\n")
    with pytest.raises(DataError):
        limbeck.read(bare)
    assert limbeck.read(bare, labels="ignored").texts == ["fine", "angry"]
    full = tmp_path / "full.csv"
    full.write_text("text,label\nfine,joy\nangry,\n")
    assert not limbeck.read(full, labels="ignored").label_names
    assert limbeck.read(full, labels="optional").label_name_list() == ["joy", None]
    assert read(full, ReadSettings(labels="optional"), on_bad_row="skip").label_name_list() == ["joy", None]
