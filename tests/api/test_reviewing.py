"""Label review as functions: issues, a sheet, decisions, corrected rows."""

import csv

import pytest

import limbeck
from limbeck.errors import SettingsError


def test_labels_are_reviewed(run, data, tmp_path):
    """Issues of a run, a sheet, a decision, and the corrected rows."""
    issues = limbeck.find_label_issues(run)
    sheet = limbeck.write_sheet(issues, tmp_path / "review.csv", rows=4)
    with pytest.raises(SettingsError, match="give overwrite=True to replace it"):
        limbeck.write_sheet(issues, tmp_path / "review.csv", rows=4)
    with sheet.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 4
    rows[0]["new_label"] = "ok"
    with (tmp_path / "reviewed.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    corrected = limbeck.apply_corrections(data, tmp_path / "reviewed.csv")
    assert corrected.changes.num_rows == 1
    again = limbeck.train(corrected, tmp_path / "AGAIN", folds=2, encoder=run_encoder(run), validation_share=0.3)
    assert len(again.dataset) == len(data)


def run_encoder(run):
    """The encoder that a run was made with."""
    from limbeck.setting_tables import read_toml

    return read_toml(run.folder.settings)["features"]["encoder"]


def test_predictions_alone_have_issues_too(run):
    """Out-of-fold predictions without a run are ranked by themselves."""
    answers = limbeck.read_predictions(run.folder.predictions("out_of_fold"))
    assert len(limbeck.find_label_issues(answers)) == len(answers)
