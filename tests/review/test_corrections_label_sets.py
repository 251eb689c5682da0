"""Corrections of rows with several labels: the sheet goes out and comes back, and what does not fit is said."""

import csv

import numpy as np
import pyarrow as pa
import pytest

from limbeck.data.dataset import Dataset, core_schema
from limbeck.data.label_sets import LABEL_SETS
from limbeck.errors import DataError
from limbeck.evaluation.multi_predictions import MultiPredictions
from limbeck.review.corrections import apply_corrections
from limbeck.review.sheet import COLUMNS, write_sheet
from limbeck.review.tag_issues import review_tags
from limbeck.task import MULTI


def made():
    """Six rows with labels of three, and issues of them: the model doubts "a" of row 0 and misses "b" in row 1."""
    sets = pa.array([[0], [0], [1], [], [1, 2], [2]], LABEL_SETS)
    columns = {
        "row_id": pa.array([f"train:{row + 1}" for row in range(6)], pa.large_string()),
        "split": pa.array(["train"] * 6).dictionary_encode(),
        "text": pa.array([f"text {row}" for row in range(6)], pa.large_string()),
        "label": sets,
    }
    table = pa.table(columns, schema=core_schema(MULTI))
    dataset = Dataset(table=table, label_names=("a", "b", "c"), source="six rows", task=MULTI)
    shares = np.where(np.array(dataset.targets), 0.9, 0.1)
    shares[0, 0], shares[1, 1] = 0.01, 0.99
    predictions = MultiPredictions(
        row_ids=tuple(dataset.row_ids),
        label_names=dataset.label_names,
        probabilities=shares,
        true_labels=dataset.table["label"],
        tokens=np.full(6, 4),
        truncated=np.zeros(6, bool),
        texts=tuple(dataset.texts),
    )
    return dataset, review_tags(predictions)


def decided(path, decisions):
    """Fill in new_label of the sheet's rows by label and suggested label."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        row["new_label"] = decisions.get((row["row_id"], row["label"], row["suggested_label"]), "")
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)


def test_ok_adds_what_is_missing_and_takes_out_what_is_too_much(tmp_path):
    """The two doubted pairs come first; ok does what is suggested, an empty cell keeps the labels."""
    dataset, issues = made()
    first, second = dataset.row_ids[:2]
    worst = [(one.row_id, one.label, one.mistake) for one in issues.worst_of_both(2)]
    assert set(worst) == {(first, "a", "superfluous"), (second, "b", "missing")}
    write_sheet(tmp_path / "sheet.csv", issues, count=18)
    decided(tmp_path / "sheet.csv", {(first, "a", ""): "ok", (second, "", "b"): "예"})
    found = apply_corrections(dataset, tmp_path / "sheet.csv", tmp_path / "out")
    assert found.dataset.label_name_sets() == [(), ("a", "b"), ("b",), (), ("b", "c"), ("c",)]
    assert (found.reviewed, found.changes.num_rows, found.kept) == (18, 2, 16)
    assert set(found.to_dict()["changed_by_pair"]) == {"a → –", "– → b"}
    assert (tmp_path / "out" / "data").is_dir()


def test_another_label_stands_in_the_place_of_one(tmp_path):
    """A name in new_label replaces the label that the row of the sheet is about."""
    dataset, issues = made()
    write_sheet(tmp_path / "sheet.csv", issues, count=18)
    decided(tmp_path / "sheet.csv", {(dataset.row_ids[0], "a", ""): "C"})
    assert apply_corrections(dataset, tmp_path / "sheet.csv").dataset.label_name_sets()[0] == ("c",)


def test_what_does_not_fit_is_listed_and_nothing_changed(tmp_path):
    """A label that nobody knows, and one that the row no longer has."""
    dataset, issues = made()
    write_sheet(tmp_path / "sheet.csv", issues, count=18)
    decided(tmp_path / "sheet.csv", {(dataset.row_ids[0], "a", ""): "ok", (dataset.row_ids[1], "", "b"): "bb"})
    other = apply_corrections(dataset, _only(tmp_path / "sheet.csv", dataset.row_ids[0])).dataset
    with pytest.raises(DataError, match="2 faults") as caught:
        apply_corrections(other, tmp_path / "sheet.csv")
    assert "has not the label 'a', which the sheet says it has" in str(caught.value)
    assert "'bb' is no label: did you mean 'b'?" in str(caught.value)


def _only(path, row_id):
    """Return a sheet of the decisions about one row."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["row_id"] == row_id]
    place = path.with_name("only.csv")
    with place.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    return place
