"""Any number of labels per row, from rows to answers, by every method that serves them."""

import json
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

import limbeck
from limbeck.data.dataset import Dataset
from limbeck.errors import DataError, SettingsError
from limbeck.evaluation.prediction_files import read_any_predictions
from limbeck.features.cache import FeatureCache
from limbeck.inference.scoring import score
from limbeck.methods.table import CLASSIFIERS
from limbeck.methods.trainings import Finetuning, HeadTraining, ProbeTraining, Training
from limbeck.settings import FeatureSettings, FinetuneSettings, HeadSettings, ProbeSettings, SplitSettings

WORDS = {"glad": "fine", "weather": "rain", "now": "today"}
"""A text has a label where it has a word."""


def make_rows(seed: int = 0, rows: int = 90) -> Dataset:
    """Texts of words, each with the labels of its words; some have none."""
    random = np.random.default_rng(seed)
    has_NC = random.random((rows, len(WORDS))) < (0.5, 0.3, 0.2)
    texts = [
        " ".join(random.permutation(["i", "feel", *np.array(list(WORDS.values()))[has]]).tolist()) for has in has_NC
    ]
    labels = [[name for name, one in zip(WORDS, has, strict=True) if one] for has in has_NC]
    split = ["train" if row % 3 else "validation" for row in range(rows)]
    return limbeck.from_arrow(pa.table({"text": texts, "label": labels, "split": split}))


def settings_of(method: str, encoder: Path, **split: float) -> Training:
    features = {"encoder": str(encoder), "device": "cpu", "engine": "torch-float32"}
    parted = SplitSettings(**split)
    if method == "probe":
        return ProbeTraining(
            features=FeatureSettings(**features, pooling="layers"), probe=ProbeSettings(folds=3), split=parted
        )
    if method == "head":
        loop = HeadSettings(epochs=3, learning_rate=0.05, batch_rows=16)
        return HeadTraining(features=FeatureSettings(**features, pooling="layers"), head=loop, split=parted)
    loop = FinetuneSettings(epochs=2, learning_rate=1e-3, batch_rows=16)
    return Finetuning(features=FeatureSettings(**features, pooling="cls"), finetune=loop, split=parted)


def train(method: str, encoder: Path, out: Path, **split: float):
    settings = settings_of(method, encoder, **split)
    return CLASSIFIERS[method].train(make_rows(), out, settings, cache=FeatureCache(out.parent / "cache"))


@pytest.fixture(scope="module")
def trained(encoder_folder, tmp_path_factory):
    """Train by a method, once for all tests; they leave the run as it is."""
    place = tmp_path_factory.mktemp("trained")
    return cache(lambda *asked: train(*asked, encoder_folder, place / "-".join(asked)))


@pytest.mark.parametrize(
    "method", ["probe", *(pytest.param(one, marks=pytest.mark.slow) for one in ("head", "finetune"))]
)
def test_a_run_of_label_sets_answers_again_what_it_was_scored_by(method, trained):
    """The model that is opened gives the written probabilities and its own thresholds; the figures are of these."""
    run = trained(method)
    predictor = limbeck.load(run.folder.path, engine="torch-float32")
    assert predictor.bundle.task.name == "multi"
    assert predictor.label_names == tuple(sorted(WORDS))
    written = read_any_predictions(run.folder.path / "predictions" / "validation.parquet")
    again = predictor.predict(run.dataset.split("validation"))
    np.testing.assert_allclose(again.probabilities, written.probabilities, atol=1e-6)
    np.testing.assert_array_equal(again.thresholds, predictor.bundle.facts.label_thresholds)
    np.testing.assert_array_equal(again.decided_NC, again.probabilities >= again.thresholds)
    metrics = json.loads((run.folder.path / "metrics.json").read_text())
    assert metrics["validation"]["f1_micro"] == run.validation.f1_micro.value
    chosen = metrics["thresholds"]
    assert chosen["chosen_on"] == ("out_of_fold" if method == "probe" else "validation")
    assert [one["value"] for one in chosen["per_label"].values()] == again.thresholds.tolist()
    card = (run.folder.path / "bundle" / "README.md").read_text()
    assert "any number of these labels, also none: glad, now, weather" in card
    assert "labels per row" in str(run.validation)


def test_a_probe_learns_which_word_gives_which_label(trained):
    """Words that the features tell apart are found: on rows that nothing was chosen on, most labels are right."""
    run = trained("probe")
    scored = score(limbeck.load(run.folder.path, engine="torch-float32"), run.dataset.split("validation"))
    assert scored.evaluation.f1_micro.value == pytest.approx(run.validation.f1_micro.value)
    assert scored.evaluation.f1_macro.value > 0.9
    assert scored.evaluation.baseline.figures["f1_macro"] < 0.5
    assert scored.risk_coverage is None


@pytest.mark.slow
def test_without_validation_rows_the_folds_judge(tiny_folder, tmp_path):
    """Every figure is of rows answered by a fit that did not see them, and by thresholds chosen on others."""
    settings = settings_of("probe", tiny_folder, validation_share=0.0)
    rows = make_rows()
    rows = rows.split("train").with_splits(["train"] * len(rows.split("train")))
    run = CLASSIFIERS["probe"].train(rows, tmp_path / "RUN", settings, cache=FeatureCache(tmp_path / "cache"))
    assert run.validation is run.out_of_fold
    assert run.validation.rows == len(rows)
    assert not (tmp_path / "RUN" / "predictions" / "validation.parquet").exists()


@pytest.mark.parametrize("method", ["head", "finetune"])
def test_epochs_are_judged_by_the_figures_of_label_sets(method, trained):
    """The table has micro, weighted and macro F1, and the epoch with the best macro F1 is kept."""
    run = trained(method)
    assert {"f1_micro", "f1_weighted", "f1_macro"} < run.metrics["epochs"][0].keys()
    figures = [line["f1_macro"] for line in run.metrics["epochs"]]
    assert run.best_epoch == 1 + int(np.argmax(figures))


def test_a_fine_tuned_model_says_what_it_is_to_transformers(trained):
    """Its problem type is there, so that a pipeline gives each label a probability of its own."""
    run = trained("finetune")
    config = json.loads((run.folder.path / "bundle" / "config.json").read_text())
    assert config["problem_type"] == "multi_label_classification"
    assert list(config["id2label"].values()) == sorted(WORDS)


def test_labels_of_another_shape_are_refused(trained):
    """Rows with one label each are not scored by a model of label sets, unless they are read as such."""
    run = trained("probe")
    single = limbeck.from_arrow(pa.table({"text": ["i feel fine", "rain"], "label": ["glad", "weather"]}))
    with pytest.raises(DataError, match="--task multi"):
        score(limbeck.load(run.folder.path, engine="torch-float32"), single)


@pytest.mark.parametrize("balance", ["oversample", "smote"])
def test_a_balance_by_copies_is_refused(balance, tiny_folder, tmp_path):
    """It names what serves label sets."""
    settings = settings_of("probe", tiny_folder).with_fitting(balance=balance)
    with pytest.raises(SettingsError, match="--balance weights"):
        CLASSIFIERS["probe"].train(make_rows(), tmp_path / "RUN", settings, cache=FeatureCache(tmp_path / "cache"))
