"""TextClassifier and TextFeatures take two texts per row."""

import copy
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from limbeck.classifier.text_classifier import TextClassifier
from limbeck.classifier.text_features import TextFeatures
from limbeck.errors import DataError
from limbeck.inference.predictor import load

Weather = tuple[list[str], list[str]]


@pytest.fixture
def pairs(weather: Weather) -> tuple[list[tuple[str, str]], list[str]]:
    """Two texts about the weather each; the label is that of the second."""
    texts, labels = weather
    return list(zip(reversed(texts), texts, strict=True)), labels


@pytest.fixture
def model(encoder_folder: Path) -> TextClassifier:
    return TextClassifier(encoder=encoder_folder, pooling="layers", settings={"penalties": (0.3,), "folds": 2})


@pytest.mark.slow
def test_tuples_arrays_and_frames_give_the_same_model(model: TextClassifier, pairs) -> None:
    """However two columns are held; a frame gives their names."""
    rows, labels = pairs
    expected = model.fit(rows, labels).predict_proba(rows)
    assert model.n_features_in_ == 2
    assert model.predictor_.bundle.facts.pair == ("first", "second")
    np.testing.assert_array_equal(model.fit(np.array(rows), labels).predict_proba(rows), expected)
    frame = pd.DataFrame(rows, columns=["question", "answer"])
    np.testing.assert_array_equal(model.fit(frame, labels).predict_proba(frame), expected)
    assert model.feature_names_in_.tolist() == ["question", "answer"]
    assert model.predictor_.bundle.facts.pair == ("question", "answer")
    assert model.n_features_in_ == 2


def test_the_model_remembers_that_it_reads_pairs(model: TextClassifier, pairs, tmp_path: Path) -> None:
    """In copies and on disk; one text, or columns the other way round, are refused; a string may stand for a pair."""
    rows, labels = pairs
    frame = pd.DataFrame(rows, columns=["question", "answer"])
    model.fit(frame, labels)
    expected = model.predict_proba(frame)
    np.testing.assert_array_equal(copy.deepcopy(model).predict_proba(frame), expected)
    predictor = load(model.save(tmp_path / "bundle"))
    np.testing.assert_allclose(
        predictor.predict([" [SEP] ".join(row) for row in rows]).probabilities, expected, rtol=1e-6
    )
    assert "a pair of texts, question and answer" in (tmp_path / "bundle" / "README.md").read_text("utf-8")
    assert "a pair (question and answer)" in str(predictor)
    with pytest.raises(DataError, match="two texts per row, question and answer"):
        model.predict(["so sad"])
    with pytest.raises(DataError, match="question and answer, in this order"):
        model.predict(frame[["answer", "question"]])


def test_a_model_of_single_texts_refuses_pairs(model: TextClassifier, weather: Weather, pairs) -> None:
    """Nobody's second text is dropped."""
    model.fit(*weather)
    with pytest.raises(DataError, match="one text per row"):
        model.predict(pairs[0])


def test_validation_rows_are_of_the_same_kind(model: TextClassifier, pairs, weather: Weather) -> None:
    """Pairs are not judged by single texts."""
    with pytest.raises(DataError, match="same kind as X"):
        model.fit(*pairs, validation=weather)


def test_features_of_pairs(encoder_folder: Path, pairs) -> None:
    """Both texts change the features; the order does."""
    rows = pairs[0][:4]
    features = TextFeatures(encoder_folder, cache=False).fit(rows)
    assert features.n_features_in_ == 2
    there = features.transform(rows)
    assert not np.allclose(there, features.transform([(second, first) for first, second in rows]))
    assert not np.allclose(there, features.transform([(first, "so") for first, _ in rows]))
