"""Long texts: one answer a text, of all its rows, whatever else is asked at the same time."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from limbeck.inference import long_texts
from limbeck.inference.predictor import Predictor
from limbeck.model.bundle import load_bundle, save_bundle
from limbeck.tokens import Window

TEXTS = ["so sad", "i feel so very fine today it is sun . " * 3, "", "rain ! " * 40, "it is so fine today . i feel sad"]


@pytest.fixture(params=["linear", "classification"])
def windowed(request, make_bundle):
    """A bundle of each kind of head that reads all of a text, in rows of 8 tokens."""
    bundle = make_bundle(request.param)
    return replace(bundle, facts=replace(bundle.facts, window="all", max_tokens=8))


def test_answers_are_of_the_mean_over_rows(windowed):
    """Of a linear head the mean of features, of a trained one the mean of logits; worked out text by text."""
    predictor = Predictor(windowed, device="cpu", engine="torch-float32")
    found = predictor.predict(TEXTS).probabilities
    tokenizer, network = windowed.loaded.tokenizer, windowed.network().eval()
    for text, answer in zip(TEXTS, found, strict=True):
        rows = tokenizer.read([text], Window(name="all", max_tokens=8)).rows
        with torch.inference_mode():
            logits = network(rows.take(range(len(rows)))).mean(dim=0)
        np.testing.assert_allclose(answer, logits.double().softmax(dim=0).numpy(), atol=1e-6)


def test_neighbours_and_groups_are_not_seen(windowed, monkeypatch):
    """Alone, among others, or with few rows computed at a time, a text has its own answer."""
    predictor = Predictor(windowed, device="cpu", engine="torch-float32")
    found = predictor.predict(TEXTS).probabilities
    alone = np.concatenate([predictor.predict([text]).probabilities for text in TEXTS])
    np.testing.assert_allclose(found, alone, atol=1e-6)
    monkeypatch.setattr(long_texts, "MOST_ROWS_ANSWERED", 3)
    np.testing.assert_allclose(predictor.predict(TEXTS).probabilities, found, atol=1e-6)


def test_no_more_rows_are_held_than_are_bounded(windowed, monkeypatch):
    """A thousand long texts are answered some rows at a time, not all at once."""
    monkeypatch.setattr(long_texts, "MOST_ROWS_ANSWERED", 20)
    predictor = Predictor(windowed, device="cpu", engine="torch-float32")
    compute, sizes = predictor.engine.features, []

    def counted(tokenized, *arguments, **options):
        sizes.append(len(tokenized))
        return compute(tokenized, *arguments, **options)

    monkeypatch.setattr(predictor.engine, "features", counted)
    predictor.predict(["so sad today ! " * 10] * 30)
    assert max(sizes) <= 20 < sum(sizes)


@pytest.mark.parametrize(
    "window", [*(pytest.param(one, marks=pytest.mark.slow) for one in ("head", "tail", "both")), "all"]
)
@pytest.mark.parametrize("kind", ["linear", pytest.param("classification", marks=pytest.mark.slow)])
def test_a_window_is_a_fact_of_the_bundle(make_bundle, tmp_path, kind, window):
    """Saved and opened again, a model reads the same of a text, counts what it does not, and says so."""
    bundle = make_bundle(kind)
    bundle = replace(bundle, facts=replace(bundle.facts, window=window))
    save_bundle(bundle, tmp_path / "B", card="# A model\n")
    opened = load_bundle(tmp_path / "B")
    assert opened.window == bundle.window == Window(name=window, max_tokens=12)
    before = Predictor(bundle, device="cpu", engine="torch-float32")
    after = Predictor(opened, device="cpu", engine="torch-float32")
    found = after.predict(TEXTS)
    assert (found.probabilities == before.predict(TEXTS).probabilities).all()
    assert found.tokens.tolist() == [4, 32, 2, 82, 11]
    assert found.truncated.tolist() == [size > 12 and window != "all" for size in found.tokens]
    says = {"head": "reads 12 tokens", "tail": "the last 12", "both": "the first 6 and the last 6", "all": "windows"}
    assert says[window] in repr(after)


def test_windows_answer_differently(make_bundle):
    """What is read decides the answer: a text whose ends differ gets other probabilities from each window."""
    bundle = make_bundle("classification")
    text = "so sad rain ! " * 6 + "sun fine today . " * 6
    answers = {
        name: Predictor(
            replace(bundle, facts=replace(bundle.facts, window=name)), device="cpu", engine="torch-float32"
        ).predict([text])
        for name in ("head", "tail", "both", "all")
    }
    assert len({found.probabilities.tobytes() for found in answers.values()}) == 4
