"""Files of known tools: limbeck's own predictions, SetFit's label_text, Prodigy's answers."""

import json
from pathlib import Path
from typing import Any

import pytest

from limbeck.errors import DataError
from limbeck.reading.read import read


def written(folder: Path, rows: list[dict[str, Any]], name: str = "data.jsonl") -> Path:
    path = folder / name
    if path.suffix == ".csv":
        path.write_text("\n".join([",".join(rows[0]), *(",".join(map(str, row.values())) for row in rows)]), "utf-8")
    else:
        path.write_text("\n".join(map(json.dumps, rows)), "utf-8")
    return path


OLD = [
    {"row_id": "test:1", "text": "'@anna hi", "label": "no", "true_label": "yes", "probability.yes": 0.4},
    {"row_id": "test:2", "text": "plain", "label": "no", "true_label": "no", "probability.yes": 0.2},
]
NEW = [{("prediction" if key == "label" else key): value for key, value in row.items()} for row in OLD]


@pytest.mark.parametrize("rows", [OLD, NEW])
def test_predictions_read_as_data_keep_truth_and_texts(tmp_path: Path, rows: list[dict[str, Any]]) -> None:
    """The model's answers are never taken for labels in silence, and a CSV gives the texts as they were."""
    dataset = read(written(tmp_path, rows, "data.csv"))
    assert dataset.label_name_list() == ["yes", "no"]
    assert dataset.texts == ["@anna hi", "plain"]
    assert any("true_label" in note.what for note in dataset.notes)
    assert any("apostrophe" in note.what for note in dataset.notes)
    # JSON lines hold texts as they are: an apostrophe there is the writer's own.
    assert read(written(tmp_path, rows)).texts[0] == "'@anna hi"


def test_answers_are_labels_when_asked_for(tmp_path: Path) -> None:
    """Pseudo labels are had by naming their column."""
    assert read(written(tmp_path, OLD), label_column="label").label_name_list() == ["no", "no"]
    assert read(written(tmp_path, NEW), label_column="prediction").label_name_list() == ["no", "no"]


def test_a_users_own_apostrophe_stays(tmp_path: Path) -> None:
    """Only in files of predictions is an apostrophe before a sign limbeck's."""
    assert read(written(tmp_path, [{"text": "'=1", "label": "x"}], "data.csv")).texts == ["'=1"]


def test_label_text_names_integers(tmp_path: Path) -> None:
    """SetFit's column of names is taken, in the order of the integers; a contradiction is a fault."""
    rows = [{"text": str(n) + "x", "label": n % 2, "label_text": ["sad", "joy"][n % 2]} for n in range(4)]
    dataset = read(written(tmp_path, rows))
    assert dataset.label_names == ("sad", "joy")
    assert "label_text" in dataset.notes[0].what
    with pytest.raises(DataError, match="which is 'joy' in other rows"):
        read(written(tmp_path, [*rows, {"text": "z", "label": 1, "label_text": "love"}]))
    named = [{**row, "label": "a"} for row in rows]
    assert read(written(tmp_path, named)).label_names == ("a",)


def test_rejected_answers_of_prodigy_are_left_out(tmp_path: Path) -> None:
    """A rejected label is no label; other columns called answer leave no row out."""
    rows = [{"text": f"t{n}", "label": "x", "answer": what} for n, what in enumerate(["accept", "reject", "ignore"])]
    dataset = read(written(tmp_path, rows))
    assert dataset.row_ids == ["train:1"]
    assert (dataset.notes[0].rows, dataset.notes[0].what) == (2, "rows whose answer is not accept (Prodigy), left out")
    assert len(read(written(tmp_path, [*rows, {"text": "q", "label": "x", "answer": "forty-two"}]))) == 4
