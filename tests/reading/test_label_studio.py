"""Label Studio's export as JSON."""

import json
from pathlib import Path
from typing import Any

import pytest

from limbeck.errors import DataError
from limbeck.reading.read import read
from limbeck.task import MULTI, SINGLE


def exported(folder: Path, *annotations: list[Any]) -> Path:
    """Write an export: a task for each list of annotations, an annotation being what was chosen, None if cancelled."""
    tasks = [
        {
            "id": number,
            "data": {"text": f"text {number}", "source": "web"},
            "annotations": [
                {
                    "was_cancelled": chosen is None,
                    "result": []
                    if not chosen
                    else [{"from_name": "topic", "to_name": "text", "type": "choices", "value": {"choices": chosen}}],
                }
                for chosen in given
            ],
        }
        for number, given in enumerate(annotations, 1)
    ]
    path = folder / "export.json"
    path.write_text(json.dumps(tasks), "utf-8")
    return path


def test_choices_are_labels(tmp_path: Path) -> None:
    """Tasks become rows with the task's data; nothing chosen is none of the labels, nobody's task is not labelled."""
    path = exported(tmp_path, [["a", "b"]], [[]], [["b"], ["b"]], [], [None])
    dataset = read(path, labels="optional")
    assert dataset.task == MULTI
    assert dataset.label_name_sets() == [("a", "b"), (), ("b",), None, None]
    assert dataset.table["source"].to_pylist() == ["web"] * 5


def test_one_choice_each_is_one_label_per_row(tmp_path: Path) -> None:
    """An export of one choice per task is read as any file of one label per row."""
    dataset = read(exported(tmp_path, [["a"]], [["b"]]))
    assert (dataset.task, dataset.label_name_list()) == (SINGLE, ["a", "b"])


def test_annotators_that_differ_are_told(tmp_path: Path) -> None:
    """No annotation is taken by its place: rows whose annotators differ are named."""
    with pytest.raises(
        DataError, match=r"1 of 2 rows have annotations that differ \(first: row 2, \[\['a'\]\] \| \[\['b'\]\]"
    ):
        read(exported(tmp_path, [["a"]], [["a"], ["b"]]))
