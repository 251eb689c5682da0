"""Calibration, thresholds, slices and comparison as commands, on a tiny run with a Hangul label."""

import json
import shutil

import numpy as np
import pytest

import limbeck as library
from limbeck.evaluation.prediction_files import read_predictions
from limbeck.model.bundle import load_bundle

pytestmark = pytest.mark.slow


def figures(run):
    return json.loads((run / "metrics.json").read_text("utf-8"))


def test_a_probe_is_calibrated_by_its_out_of_fold_answers(trained):
    """Temperature, what it was fitted on and what it changed are in metrics.json; the bundle states it."""
    found = figures(trained)["temperature"]
    assert found["fitted_on"] == "out_of_fold"
    assert found["rows"] == 240
    assert found["temperature"] == load_bundle(trained / "bundle").facts.folded_temperature != 1
    validation = figures(trained)["validation"]
    assert found["after"]["log_loss"] == pytest.approx(validation["log_loss"], abs=1e-5)
    assert found["after"]["ece"] == pytest.approx(validation["ece"], abs=1e-5)
    assert validation["intervals"]["ece"]["low"] <= validation["ece"] <= validation["intervals"]["ece"]["high"]


def test_calibration_is_left_out_on_request_and_changes_no_label(limbeck, trained, weather, encoder_folder, tmp_path):
    """--no-calibrate: temperature 1, the reason, and the same labels as with it."""
    plain = tmp_path / "PLAIN"
    words = ("--encoder", encoder_folder, "--pooling", "layers", "--out", plain)
    ended = limbeck("train", weather, *words, "--no-calibrate")
    assert ended.status == 0, ended.err
    found = figures(plain)["temperature"]
    assert (found["temperature"], found["why_not"]) == (1.0, "it was not asked for")
    with_it, without = (read_predictions(run / "predictions" / "validation.parquet") for run in (trained, plain))
    assert with_it.predicted_names == without.predicted_names
    assert not np.allclose(with_it.probabilities, without.probabilities, atol=1e-4)
    assert "calibrate = false" in (plain / "settings.toml").read_text("utf-8")


@pytest.mark.parametrize("method", ["head", "finetune"])
def test_a_training_by_gradients_is_calibrated_by_its_validation_rows(
    limbeck, weather, encoder_folder, tmp_path, method
):
    """The bundle gives the probabilities that were written; the figures after are cross-fitted."""
    out = tmp_path / "RUN"
    words = ("--encoder", encoder_folder, "--epochs", "3", "--batch-size", "16", "--learning-rate", "0.003")
    ended = limbeck("train", weather, "--method", method, *words, "--precision", "float32", "--out", out)
    assert ended.status == 0, ended.err
    found = figures(out)["temperature"]
    assert found["fitted_on"] == "validation"
    assert "other half" in found["judged_by"]
    assert load_bundle(out / "bundle").facts.folded_temperature == found["temperature"] != 1
    written = read_predictions(out / "predictions" / "validation.parquet")
    again = library.load(out, precision="float32").predict(list(written.texts or ()))
    np.testing.assert_allclose(again.probabilities, written.probabilities, atol=1e-5)


def test_thresholds_make_rows_unsure_everywhere(limbeck, trained, weather, tmp_path):
    """Chosen, written, shown by predict, carried by files, reported by evaluate, and taken out again."""
    ended = limbeck("threshold", trained, "--coverage", "0.5", "--json")
    assert ended.status == 0, ended.err
    chosen = json.loads(ended.out)["thresholds"]
    assert set(chosen["values"]) == {"joy", "sadness", "슬픔"}
    assert chosen["chosen"][0]["answered"]["value"] >= 0.5
    facts = load_bundle(trained / "bundle").facts
    assert facts.thresholds == tuple(chosen["values"][name] for name in facts.label_names)
    assert facts.provenance["thresholds"]["source"] == "validation.parquet"

    out = tmp_path / "labels.csv"
    assert limbeck("predict", trained, "--input", weather / "test.txt", "--output", out).status == 0
    labelled = read_predictions(out)
    assert labelled.unsure is not None
    assert 0 < labelled.unsure.sum() < 60
    unsure = (labelled.texts or ())[int(np.flatnonzero(labelled.unsure)[0])]
    shown = limbeck("predict", trained, unsure).out
    assert "unsure (" in shown
    rows = json.loads(limbeck("predict", trained, unsure, "--json").out)["rows"]
    assert rows[0]["unsure"] is True
    assert rows[0]["prediction"] in facts.label_names

    scored = json.loads(limbeck("evaluate", trained, weather, "--json").out)
    assert scored["answered"]["coverage"]["count"] == int((~labelled.unsure).sum())
    assert scored["risk_coverage"]["coverage"][-1] == 1
    assert "correct, of the answered" in limbeck("evaluate", trained, weather).out

    assert limbeck("threshold", trained, "--clear").status == 0
    assert load_bundle(trained / "bundle").facts.thresholds is None
    assert "unsure" not in limbeck("predict", trained, unsure).out


def test_thresholds_by_class_are_shown_by_class(limbeck, trained):
    """--per-class has one line a class, the Hangul one too."""
    ended = limbeck("threshold", trained, "--coverage", "0.5", "--per-class")
    assert ended.status == 0, ended.err
    assert "슬픔" in ended.out


def test_what_cannot_be_promised_is_not_written(limbeck, trained):
    """An unreachable precision is an error that says what is reachable; the bundle stays as it was."""
    before = (trained / "bundle" / "limbeck.json").read_bytes()
    ended = limbeck("threshold", trained, "--precision", "0.99")
    assert ended.status == 3
    assert "cannot be promised" in ended.err
    assert (trained / "bundle" / "limbeck.json").read_bytes() == before
    assert limbeck("threshold", trained).status == 2
    assert limbeck("threshold", trained, "--precision", "95").status == 2
    assert limbeck("threshold", trained, "--clear", "--coverage", "0.5").status == 2


def test_thresholds_of_a_bundle_need_predictions(limbeck, trained, weather, tmp_path):
    """A bundle has no validation predictions: they are asked for; another model's are refused."""
    ended = limbeck("threshold", trained / "bundle", "--coverage", "0.5")
    assert ended.status == 2
    assert "--predictions" in ended.err
    out = tmp_path / "test.parquet"
    assert limbeck("evaluate", trained, weather, "--out", out).status == 0
    ended = limbeck("threshold", trained / "bundle", "--coverage", "0.5", "--predictions", out)
    assert ended.status == 0, ended.err
    assert "test.parquet" in (trained / "bundle" / "limbeck.json").read_text("utf-8")


def test_slices_are_shown_and_told(limbeck, trained, weather, tmp_path):
    """The own groupings, and a column of the data; too small slices are counted."""
    ended = limbeck("evaluate", trained, weather, "--slices")
    assert ended.status == 0, ended.err
    assert "By label, not shown: 3 slices of 60 rows" in ended.out  # three labels of 20 rows: no empty table
    assert "By label (all rows" not in ended.out
    assert "slices that differ from the rest" in ended.out
    lines = [line.rsplit(";", 1) for line in (weather / "test.txt").read_text("utf-8").splitlines()]
    rows = "".join(f"{text},{label},{'shop' if row % 2 else 'web'}\n" for row, (text, label) in enumerate(lines))
    (tmp_path / "test.csv").write_text(f"text,label,source\n{rows}", "utf-8")
    found = json.loads(limbeck("evaluate", trained, tmp_path / "test.csv", "--slice-by", "source", "--json").out)
    assert [one["name"] for one in found["slices"]["groupings"]] == ["source"]
    assert {one["name"] for one in found["slices"]["groupings"][0]["slices"]} == {"shop", "web"}
    ended = limbeck("evaluate", trained, tmp_path / "test.csv", "--slice-by", "sauce")
    assert ended.status == 2
    assert "it has source" in ended.err


def test_runs_are_compared(limbeck, trained, weather, encoder_folder, tmp_path):
    """A better run is called so, a copy is not, and other rows are refused."""
    other = tmp_path / "OTHER"
    words = ("--encoder", encoder_folder, "--pooling", "mean", "--layer", "0", "--out", other)
    assert limbeck("train", weather, *words).status == 0
    ended = limbeck("compare", trained, other)
    assert ended.status == 0, ended.err
    assert "McNemar" in ended.out
    assert "슬픔" in ended.out
    copied = shutil.copytree(trained, tmp_path / "COPY")
    assert "no difference shown" in limbeck("compare", trained, copied).out
    found = json.loads(limbeck("compare", trained, copied, "--json").out)
    assert found["pairs"][0]["details"]["mcnemar"] == {"mended": 0, "broken": 0, "p_value": 1.0}
    ended = limbeck("compare", trained, trained, "--split", "nowhere")
    assert ended.status == 2
    assert "it has out_of_fold, validation" in ended.err
