"""Exports of annotation tools: one label per row out of its wrapping; under `--task single` several are a fault."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from limbeck.data.dataset import Dataset
from limbeck.errors import DataError
from limbeck.reading.in_memory import from_arrow
from limbeck.reading.read import read
from limbeck.settings import ReadSettings


def lines(folder: Path, labels: list[Any], **more: Any) -> Dataset:
    rows = [{"text": f"text {place}", "label": label} for place, label in enumerate(labels)]
    path = folder / "data.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)), "utf-8")
    return read(path, **more)


@pytest.mark.parametrize(
    "labels",
    [
        [["good"], ["bad"], ["good"]],
        [{"choices": ["good"]}, {"choices": ["bad"]}, {"choices": ["good"]}],
        [{"good": 1.0, "bad": 0.0}, {"good": 0.0, "bad": 1.0}, {"good": 1.0, "bad": 0.0}],
        [{"good": True, "bad": False}, {"bad": True}, {"good": True}],
        ['["good"]', "['bad']", '{"choices": ["good"]}'],
        ["good", {"choices": ["bad"]}, ["good"]],
    ],
)
def test_one_label_in_a_wrapping_is_that_label(tmp_path: Path, labels: list[Any]) -> None:
    """Lists of one (doccano), choices (Label Studio) and scores of 0 and 1 (spaCy) are labels, with a note."""
    dataset = lines(tmp_path, labels)
    assert dataset.label_name_list() == ["good", "bad", "good"]
    assert dataset.label_names == ("bad", "good")
    assert "of one label" in dataset.notes[0].what


@pytest.mark.parametrize(
    ("labels", "says"),
    [
        ([["good"], ["good", "bad"], ["bad"]], r"holds 2 labels \('good', 'bad'\)"),
        (["good", '["good", "bad"]', "bad"], "holds 2 labels"),
        ([{"a": 1, "b": 0}, {"a": 1, "b": 1}, {"a": 0, "b": 1}], r"holds 2 labels \('a', 'b'\)"),
        ([{"a": 1.0, "b": 0.0}, {"a": 0.7, "b": 0.3}, {"a": 0.0, "b": 1.0}], r"holds .*0\.7"),
        ([["good"], [], ["bad"]], "has no label"),
    ],
)
def test_rows_without_exactly_one_label_are_named(tmp_path: Path, labels: list[Any], says: str) -> None:
    """Where one label is insisted on, a row of several, none, or shares is a fault; others stay under skip."""
    with pytest.raises(DataError, match=rf"row 2, column 'label': {says}"):
        lines(tmp_path, labels, task="single")
    assert lines(tmp_path, labels, task="single", on_bad_row="skip").row_ids == ["train:1", "train:3"]


def test_names_that_only_look_wrapped_stay_names(tmp_path: Path) -> None:
    """Brackets alone are no wrapping: a class may be called [INST]."""
    names = ["[INST]", "{x}", "[1]", "[]x", '{"a": 1}']
    assert lines(tmp_path, names).label_name_list() == names


def test_lists_of_integers_in_arrow() -> None:
    """A multi-label column of which each row holds one integer is a label column."""
    table = pa.table({"text": ["a", "b"], "label": pa.array([[1], [0]], pa.list_(pa.int64(), 1))})
    assert from_arrow(table, ReadSettings(label_names=("no", "yes"))).label_name_list() == ["yes", "no"]


def test_an_export_of_spacy_is_read_as_it_is(tmp_path: Path) -> None:
    """The column `cats` is found without being named, and that it was taken is said."""
    rows = [{"text": f"text {place}", "cats": {"good": place % 2, "bad": 1 - place % 2}} for place in range(4)]
    (tmp_path / "train.jsonl").write_text("\n".join(map(json.dumps, rows)), "utf-8")
    dataset = read(tmp_path / "train.jsonl")
    assert dataset.label_name_list() == ["bad", "good", "bad", "good"]
    assert any("label is column 'cats'" in note.what for note in dataset.notes)
