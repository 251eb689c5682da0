"""Ordered classes and numbers, from rows to answers, by every method that serves them."""

import json
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

import limbeck
from limbeck.data.dataset import Dataset
from limbeck.errors import DataError, SettingsError
from limbeck.evaluation.prediction_files import read_any_predictions
from limbeck.evaluation.rater_agreement import measure_agreement
from limbeck.features.cache import FeatureCache
from limbeck.inference.scoring import score
from limbeck.methods.table import CLASSIFIERS
from limbeck.methods.trainings import Finetuning, HeadTraining, ProbeTraining, Training
from limbeck.settings import FeatureSettings, FinetuneSettings, HeadSettings, ProbeSettings

GRADES = ("bad", "fair", "good")
METHODS = ("probe", "head", "finetune")
TASKS = ("ordinal", "regression")


def make_rows(task: str, rows: int = 90) -> Dataset:
    """Texts with up to two words that count: none is bad, both are good; as a number 100, 110 or 120."""
    random = np.random.default_rng(0)
    place_N = random.integers(0, 3, size=rows)
    texts = [
        " ".join(random.permutation(["i", "feel", *["fine", "sun"][:place], *["sad", "rain"][: 2 - place]]).tolist())
        for place in place_N
    ]
    split = ["train" if row % 3 else "validation" for row in range(rows)]
    if task == "regression":
        table = pa.table({"text": texts, "label": 100 + 10.0 * place_N, "split": split})
        return limbeck.from_arrow(table, task="regression")
    table = pa.table({"text": texts, "label": [GRADES[place] for place in place_N], "split": split})
    return limbeck.from_arrow(table, task="ordinal", label_order=GRADES)


def settings_of(method: str, encoder: Path, **changes: object) -> Training:
    features = {"encoder": str(encoder), "device": "cpu", "engine": "torch-float32"}
    if method == "probe":
        fitting = ProbeSettings(**{"folds": 3, "penalties": (0.1, 1.0), **changes})
        return ProbeTraining(features=FeatureSettings(**features, pooling="layers"), probe=fitting)
    if method == "head":
        loop = HeadSettings(**{"epochs": 3, "learning_rate": 0.05, "batch_rows": 16, **changes})
        return HeadTraining(features=FeatureSettings(**features, pooling="layers"), head=loop)
    tuning = FinetuneSettings(**{"epochs": 2, "learning_rate": 1e-3, "batch_rows": 16, **changes})
    return Finetuning(features=FeatureSettings(**features, pooling="cls"), finetune=tuning)


def train(task: str, method: str, encoder: Path, out: Path, **changes: object):
    settings = settings_of(method, encoder, **changes)
    return CLASSIFIERS[method].train(make_rows(task), out, settings, cache=FeatureCache(out.parent / "cache"))


@pytest.fixture(scope="module")
def trained(encoder_folder, tmp_path_factory):
    """Train by a method, once for all tests; they leave the run as it is."""
    place = tmp_path_factory.mktemp("trained")
    return cache(lambda *asked: train(*asked, encoder_folder, place / "-".join(asked)))


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize(
    "method", ["probe", *(pytest.param(one, marks=pytest.mark.slow) for one in METHODS if one != "probe")]
)
def test_a_run_answers_again_what_it_was_scored_by(task, method, trained):
    """The model that is opened gives what was written and scored; it and its card say what it gives."""
    run = trained(task, method)
    predictor = limbeck.load(run.folder.path, engine="torch-float32")
    assert predictor.bundle.task.name == task
    said = {"ordinal": "3 classes in their order: bad, fair, good", "regression": "a number per row"}[task]
    assert repr(predictor).startswith(f"Predictor of {said}\n")
    written = read_any_predictions(run.folder.path / "predictions" / "validation.parquet")
    rows = run.dataset.split("validation")
    again = predictor.predict(rows)
    metrics = json.loads((run.folder.path / "metrics.json").read_text())
    card = (run.folder.path / "bundle" / "README.md").read_text()
    scored = score(predictor, rows).evaluation
    if task == "regression":
        np.testing.assert_allclose(again.values, written.values, rtol=1e-5)
        assert metrics["validation"]["rmse"] == run.validation.rmse.value
        assert scored.rmse.value == pytest.approx(run.validation.rmse.value, rel=1e-4)
        assert "It gives a text a number." in card
    else:
        np.testing.assert_allclose(again.probabilities, written.probabilities, atol=1e-6)
        np.testing.assert_allclose(again.probabilities.sum(axis=1), 1, atol=1e-5)
        assert again.predicted_names == written.predicted_names
        assert metrics["validation"]["mae"] == run.validation.mae.value
        assert scored.quadratic_kappa.value == pytest.approx(run.validation.quadratic_kappa.value)
        assert "one of these, in their order: bad, fair, good" in card


def test_a_probe_learns_the_order_and_the_numbers(trained):
    """Words that the features tell apart decide: nearly no step is missed, numbers are near in their own unit."""
    ordered = trained("ordinal", "probe")
    assert ordered.validation.quadratic_kappa.value > 0.9
    assert ordered.out_of_fold.quadratic_kappa.value > 0.8
    assert ordered.validation.baseline.label == "fair"
    numbers = trained("regression", "probe")
    assert numbers.validation.pearson.value > 0.9
    assert numbers.validation.mae.value < 4
    assert numbers.validation.baseline_value == pytest.approx(make_rows("regression").split("train").targets.mean())


@pytest.mark.slow
def test_a_head_of_numbers_learns_in_their_own_unit(tiny_folder, tmp_path):
    """Numbers around 110 need no other learning rate than numbers around 0."""
    run = train("regression", "head", tiny_folder, tmp_path / "RUN", epochs=15)
    assert run.validation.mae.value < 0.7 * run.validation.baseline_mae
    assert {"pearson", "mae", "rmse"} < run.metrics["epochs"][0].keys()


@pytest.mark.parametrize("loss", ["huber", "cross-entropy"])
def test_numbers_have_two_losses(loss, tiny_folder, tmp_path):
    """Both train; the lowest loss on the validation rows decides which epoch is kept."""
    run = train("regression", "head", tiny_folder, tmp_path / "RUN", loss=loss)
    losses = [line["validation_loss"] for line in run.metrics["epochs"]]
    assert run.best_epoch == 1 + int(np.argmin(losses))


@pytest.mark.parametrize(
    ("task", "changes", "message"),
    [
        ("ordinal", {"loss": "huber"}, "is for a number per row"),
        ("ordinal", {"balance": "focal"}, "balance = 'focal' is not possible with one of ordered classes"),
        ("regression", {"balance": "weights"}, "balance = 'weights' is not possible with a number per row"),
        ("regression", {"label_smoothing": 0.1}, "label_smoothing is for classes without an order"),
        ("ordinal", {"best_by": "f1_macro"}, "best_by = 'f1_macro' is for classes without an order"),
        ("regression", {"loss": "binary"}, "loss = 'binary' is for two classes"),
    ],
)
def test_settings_that_mean_nothing_are_refused(task, changes, message, tiny_folder, tmp_path):
    """Before anything is loaded or computed."""
    with pytest.raises(SettingsError, match=message):
        train(task, "head", tiny_folder, tmp_path / "RUN", **changes)


@pytest.mark.slow
@pytest.mark.parametrize(("task", "problem"), [("ordinal", "multi_label_classification"), ("regression", "regression")])
def test_a_fine_tuned_model_says_what_it_is_to_transformers(task, problem, trained):
    """Its logits are there what they are here: "above bad", "above fair"; or the number."""
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    run = trained(task, "finetune")
    folder = str(run.folder.path / "bundle")
    theirs = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    assert theirs.config.problem_type == problem
    text = run.dataset.split("validation").texts[0]
    logits = theirs(**AutoTokenizer.from_pretrained(folder)(text, return_tensors="pt")).logits.detach().numpy()
    ours = limbeck.load(run.folder.path, engine="torch-float32").predict([text])
    expected = run.dataset.task.answers(logits)
    found = ours.values[:, None] if task == "regression" else ours.probabilities
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_rows_without_a_number_are_refused(trained):
    """Scoring needs numbers; rows with classes are not scored by a model of numbers."""
    run = trained("regression", "probe")
    classes = make_rows("ordinal")
    with pytest.raises(DataError, match="--task regression"):
        score(limbeck.load(run.folder.path, engine="torch-float32"), classes)


def test_raters_of_the_scored_rows_stand_beside_a_model_of_numbers(trained):
    """What evaluation says of people is `measure_agreement` of the column; other shapes have no such ceiling."""
    random = np.random.default_rng(0)
    rows = make_rows("regression").split("validation")
    ratings_NR = rows.targets[:, None] + random.normal(size=(len(rows), 4))
    with_ratings = replace(rows, table=rows.table.append_column("ratings", pa.array(ratings_NR.tolist())))
    predictor = limbeck.load(trained("regression", "probe").folder.path, engine="torch-float32")
    scored = score(predictor, with_ratings, raters_column="ratings")
    assert scored.raters == scored.evaluation.raters == measure_agreement(ratings_NR)
    assert "raters' ceiling" in scored.evaluation.figure_table().header
    ordered = limbeck.load(trained("ordinal", "probe").folder.path, engine="torch-float32")
    with pytest.raises(SettingsError, match="comparing with raters is for a number per row"):
        score(ordered, make_rows("ordinal").split("validation"), raters_column="ratings")
