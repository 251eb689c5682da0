"""Label errors through the commands: find, review, apply, score again; and cross-fitting that survives an end."""

import csv
import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from tests.review.test_issues import no_votes

from limbeck import read
from limbeck.evaluation.prediction_files import read_predictions, write_predictions
from limbeck.review import label_search as search
from limbeck.review.label_doubts import SHEET_ROWS
from limbeck.review.sheet import COLUMNS

pytestmark = pytest.mark.slow


def rows_of(sheet):
    with sheet.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def fill(sheet, decide, encoding="utf-8-sig", separator=","):
    rows = rows_of(sheet)
    for row in rows:
        row["new_label"] = decide(row)
    with sheet.open("w", encoding=encoding, newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, delimiter=separator)
        writer.writeheader()
        writer.writerows(rows)


@pytest.fixture
def sheet(limbeck, trained, tmp_path):
    out = tmp_path / "review.csv"
    ended = limbeck("labels", trained, "--out", out, "--rows", "24", "--cache-dir", tmp_path / "cache")
    assert ended.status == 0, ended.err
    return out


def test_labels_ranks_the_rows_whose_label_is_wrong(limbeck, trained, sheet, tmp_path):
    """One row in ten of the data speaks of another label; those come first, with a reason, and JSON says the same."""
    rows = rows_of(sheet)
    assert len(rows) == 24
    assert tuple(rows[0]) == COLUMNS
    numbers = [int(row["row_id"].removeprefix("train:")) - 1 for row in rows]
    assert sum(number % 10 == 9 for number in numbers[:10]) >= 6
    assert all(row["reason"].startswith("out of fold the model gives") for row in rows)
    told = json.loads(limbeck("labels", trained, "--json", "--rows", "24", "--cache-dir", tmp_path / "cache").out)
    assert [one["row_id"] for one in told["worst"]] == [row["row_id"] for row in rows]
    assert told["second_fit"] is True
    assert 0 < told["noise_rate"]["anchors"] < 0.5


def test_the_screen_says_what_to_do_next(limbeck, trained, tmp_path):
    """How many, which mix-ups, the worst rows, the next command; the group takes a run without naming find."""
    ended = limbeck("labels", "find", trained, "--out", tmp_path / "r.csv", "--cache-dir", tmp_path / "cache")
    assert ended.status == 0, ended.err
    assert "of 240 labels look wrong to the model (" in ended.out
    assert "95 % interval" in ended.out
    assert "at most about" in ended.out
    assert "Mixed up most" in ended.out
    assert "limbeck labels apply" in ended.out
    assert len(rows_of(tmp_path / "r.csv")) == 100


def test_what_a_second_fit_answered_is_kept_in_the_run(limbeck, trained, tmp_path, monkeypatch):
    """`labels` twice and a report fit once and say the same; other out-of-fold answers, or a damaged file, fit anew."""
    fits, own = [], search.refit_out_of_fold
    monkeypatch.setattr(search, "refit_out_of_fold", lambda *args, **kept: fits.append(1) or own(*args, **kept))
    words = ("labels", trained, "--json", "--cache-dir", tmp_path / "cache")
    first, again = (json.loads(limbeck(*words).out) for _ in range(2))
    assert first == again
    assert limbeck("report", trained, "--cache-dir", tmp_path / "cache").status == 0
    assert len(fits) == 1
    kept = trained / "second_fit.safetensors"
    whole = kept.read_bytes()
    kept.write_bytes(whole[: len(whole) // 2])
    assert json.loads(limbeck(*words).out) == first
    place = trained / "predictions" / "out_of_fold.parquet"
    found = read_predictions(place)
    write_predictions(place, replace(found, probabilities=found.probabilities[:, [1, 2, 0]]))
    assert limbeck(*words).status == 0
    assert len(fits) == 3


def test_without_a_doubtful_label_there_is_no_sheet(limbeck, trained, tmp_path, monkeypatch):
    """It says that no label looks wrong, and writes no hundred rows to review; asked for rows, it writes them."""
    place = trained / "predictions" / "out_of_fold.parquet"
    found = read_predictions(place)
    sure = np.eye(3, dtype=np.float32)[found.known_labels] * 0.97 + 0.01
    write_predictions(place, replace(found, probabilities=sure))
    monkeypatch.setattr(search, "refit_out_of_fold", lambda *_, **__: sure)
    monkeypatch.setattr(search, "count_votes", lambda *_, **__: no_votes(len(found), 3))
    sheet = tmp_path / "r.csv"
    ended = limbeck("labels", trained, "--out", sheet, "--cache-dir", tmp_path / "cache")
    assert ended.status == 0, ended.err
    assert "No label of the 240 rows looks wrong" in ended.out
    assert "No sheet is written" in ended.out
    assert not sheet.exists()
    assert limbeck("labels", trained, "--out", sheet, "--rows", "5", "--cache-dir", tmp_path / "cache").status == 0
    assert len(rows_of(sheet)) == 5


def test_apply_makes_the_corrected_data(limbeck, sheet, weather, tmp_path):
    """Saved by a Korean Excel with ok in some cells: data, log and counts; nothing else changed."""
    fill(sheet, lambda row: "ok" if row["label_quality"] < "0.5" else "", encoding="cp949", separator=";")
    accepted = {row["row_id"]: row["suggested_label"] for row in _read(sheet) if row["new_label"]}
    out = tmp_path / "corrected"
    ended = limbeck("labels", "apply", sheet, weather, "--out", out)
    assert ended.status == 0, ended.err
    before, after = read(weather), read(out / "data")
    labels = dict(zip(after.row_ids, after.label_name_list(), strict=True))
    assert accepted
    assert {row_id: labels[row_id] for row_id in accepted} == accepted
    assert sorted(after.texts) == sorted(before.texts)
    counts = json.loads((out / "labels.json").read_text("utf-8"))
    assert (counts["changed"], counts["reviewed"]) == (len(accepted), 24)
    assert counts["fingerprint_before"] == before.fingerprint()
    assert len(rows_of(out / "changes.csv")) == len(accepted)


def _read(sheet):
    with sheet.open(encoding="cp949", newline="") as file:
        return list(csv.DictReader(file, delimiter=";"))


def test_rescore_says_whether_the_change_is_more_than_noise(limbeck, trained, sheet, weather, tmp_path):
    """Both models on the run's own validation rows, with an interval and McNemar's test."""
    fill(sheet, lambda row: "ok")
    out = tmp_path / "corrected"
    ended = limbeck(
        "labels", "apply", sheet, weather, "--out", out, "--rescore", trained, "--cache-dir", tmp_path / "cache"
    )
    assert ended.status == 0, ended.err
    assert "McNemar p = " in ended.out
    found = json.loads((out / "rescore.json").read_text("utf-8"))
    assert found["changed_validation"] == 0
    assert [one["measured_by"] for one in found["found"]] == ["corrected labels"]
    assert found["found"][0]["rows"] == 60
    validation = read_predictions(trained / "predictions" / "validation.parquet")
    accuracy = (validation.predicted == validation.known_labels).mean()
    assert found["found"][0]["accuracy_before"] == pytest.approx(accuracy)
    assert (out / "run" / "metrics.json").is_file()


def test_corrected_validation_labels_are_measured_by_both(limbeck, trained, weather, tmp_path):
    """The yardstick has changed: that is said, and both yardsticks are used."""
    first = read(weather).split("validation")
    path = tmp_path / "r.csv"
    other = next(name for name in first.label_names if name != first.label_name_list()[0])
    path.write_text(f"row_id,label,new_label\n{first.row_ids[0]},{first.label_name_list()[0]},{other}\n", "utf-8")
    out = tmp_path / "corrected"
    ended = limbeck("labels", "apply", path, weather, "--out", out, "--rescore", trained, "--cache-dir", tmp_path / "c")
    assert ended.status == 0, ended.err
    assert "the yardstick has changed" in ended.out
    assert "by labels as they were" in ended.out


@pytest.mark.parametrize(
    ("content", "status", "message"),
    [
        ("row_id,label,new_label\ntrain:1,joy,\n", 3, "empty in every row"),
        ("row_id,label,new_label\ntrain:9999,joy,sadness\n", 3, "no row has this id"),
        ("row_id,label,new_label\ntrain:1,joy,happiness\n", 3, "is no class"),
        ("label,new_label\njoy,sadness\n", 3, "expected the columns"),
    ],
)
def test_wrong_sheets_end_with_words(limbeck, weather, tmp_path, content, status, message):
    """No traceback, no folder."""
    path = tmp_path / "r.csv"
    path.write_text(content, "utf-8")
    ended = limbeck("labels", "apply", path, weather, "--out", tmp_path / "out")
    assert (ended.status, "Traceback" in ended.err) == (status, False)
    assert message in ended.err
    assert not (tmp_path / "out").exists()


def test_wrong_words_end_with_words(limbeck, trained, tmp_path):
    """A bundle, a probe that needs no cross-fit, a sheet of another format, no rows."""
    for words, message in (
        ((trained / "bundle",), "no finished run"),
        ((trained, "--cross-fit", "3"), "leave --cross-fit out"),
        ((trained, "--out", tmp_path / "r.xlsx"), "end its name with .csv"),
        ((trained, "--rows", "0"), "1 or more"),
    ):
        ended = limbeck("labels", *words)
        assert (ended.status, "Traceback" in ended.err) == (2, False)
        assert message in ended.err


@pytest.fixture
def headed(limbeck, weather, encoder_folder, tmp_path):
    """A run of a head, which has no out-of-fold predictions."""
    run = tmp_path / "HEAD"
    command = ("train", weather, "--out", run, "--method", "head", "--encoder", encoder_folder, "--epochs", "3")
    ended = limbeck(*command, "--cache-dir", tmp_path / "cache")
    assert ended.status == 0, ended.err
    return run


def test_a_run_without_answers_says_how_to_get_them(limbeck, headed):
    """Ranking rows by a model that learned them would be wrong: --cross-fit is named."""
    ended = limbeck("labels", headed)
    assert ended.status == 2
    assert "--cross-fit 5" in ended.err


def test_cross_fit_answers_every_row_by_a_model_that_did_not_see_it(limbeck, headed, tmp_path):
    """A run a fold, answers of all training rows in order; killed after a fold it goes on with the next."""
    words = ("labels", headed, "--cross-fit", "3", "--out", tmp_path / "r.csv", "--cache-dir", tmp_path / "cache")
    ended = limbeck(*words)
    assert ended.status == 0, ended.err
    place = headed / "predictions" / "out_of_fold.parquet"
    found = read_predictions(place)
    assert found.row_ids == tuple(f"train:{number + 1}" for number in range(240))
    folds = headed / "cross_fit" / "3_folds"
    assert not (folds / "0" / "bundle").exists()
    assert "a second fit is made for probes only" in ended.out
    place.unlink()
    (folds / "2.parquet").unlink()
    shutil.rmtree(folds / "2")
    refused = limbeck(*words)
    assert refused.status == 2, "a sheet that somebody may have reviewed was replaced"
    again = limbeck(*words, "--overwrite")
    assert again.status == 0, again.err
    assert again.err.count("is there already") == 2
    assert (read_predictions(place).probabilities == found.probabilities).all()


def test_cross_fit_needs_the_data_of_the_run(limbeck, headed, weather, tmp_path):
    """Moved data are asked for, changed ones are refused."""
    moved = tmp_path / "moved"
    weather.rename(moved)
    ended = limbeck("labels", headed, "--cross-fit", "3")
    assert ended.status == 2
    assert "give the data after the run" in ended.err
    (moved / "train.txt").write_text((moved / "train.txt").read_text("utf-8") + "i feel fine;joy\n", "utf-8")
    ended = limbeck("labels", headed, moved, "--cross-fit", "3")
    assert ended.status == 3
    assert "is not what" in ended.err


def test_evaluate_shows_hard_cases(limbeck, trained, weather):
    """The two tables of the course and the confusions in words; JSON has them by class and by confusion."""
    ended = limbeck("evaluate", trained, weather, "--hard", "3")
    assert ended.status == 0, ended.err
    assert "Highest loss" in ended.out
    assert "Lowest loss" in ended.out
    assert " of 20; 95 %" in ended.out
    told = json.loads(limbeck("evaluate", trained, weather, "--hard", "3", "--json").out)
    losses = [case["loss"] for case in told["hard"]["highest"]]
    assert len(losses) == 3
    assert losses == sorted(losses, reverse=True)
    assert {part["name"] for part in told["hard"]["by_class"]} == {"joy", "sadness", "슬픔"}
    assert told["confusions"][0]["in_words"]
    assert json.loads(limbeck("evaluate", trained, weather, "--hard", "0", "--json").out)["hard"] is None


def test_the_help_names_the_number_that_is_used(limbeck):
    """What `--rows` takes for its default is what `SHEET_ROWS` says: one fact, not two."""
    printed = " ".join(limbeck("labels", "find", "--help").out.split())
    assert f"those whose label looks wrong, {SHEET_ROWS} at least" in printed
