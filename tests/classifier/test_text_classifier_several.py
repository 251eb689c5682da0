"""TextClassifier with scikit-learn's multilabel indicator: any number of labels per row."""

import pickle
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.metrics import f1_score
from sklearn.model_selection import GridSearchCV, cross_val_predict, cross_validate
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from limbeck.classifier.text_classifier import TextClassifier
from limbeck.inference.predictor import load

Weather = tuple[list[str], list[str]]
METHODS = {
    "probe": {"pooling": "layers", "settings": {"penalties": (0.3,), "folds": 2}},
    "head": {"epochs": 15, "learning_rate": 0.02, "pooling": "layers", "settings": {"batch_rows": 8}},
    "finetune": {"epochs": 12, "learning_rate": 0.01, "settings": {"batch_rows": 8, "dropout": 0.0}},
}


@pytest.fixture
def rows(weather: Weather) -> tuple[list[str], np.ndarray]:
    """Texts that have each label whose word they hold: two of 30 texts joined, one, or none."""
    texts, labels = weather
    joined = [f"{one} {other}" for one, other in zip(texts[:30], reversed(texts[30:]), strict=True)]
    plain = ["it is so today", "i feel very", "so . it is", "very very today"]
    told = np.array([[label == name for name in ("joy", "sadness", "슬픔")] for label in labels])
    sets = np.vstack([told[:30] | told[30:][::-1], told[:20], np.zeros((4, 3), bool)])
    return [*joined, *texts[:20], *plain], sets.astype(np.int64)


@pytest.fixture
def model(encoder_folder: Path) -> TextClassifier:
    return TextClassifier(encoder=encoder_folder, **METHODS["probe"])


@pytest.mark.parametrize(
    "method", ["probe", pytest.param("head", marks=pytest.mark.slow), pytest.param("finetune", marks=pytest.mark.slow)]
)
def test_each_method_learns_label_sets(encoder_folder: Path, rows, method: str) -> None:
    """Answers have the shape of y, of 0 and 1; probabilities are by label; labels are given from thresholds on."""
    texts, sets = rows
    model = TextClassifier(method, encoder=encoder_folder, **METHODS[method]).fit(texts, sets)
    assert model.classes_.tolist() == [0, 1, 2]
    answers, probabilities = model.predict(texts), model.predict_proba(texts)
    assert answers.shape == probabilities.shape == sets.shape
    assert answers.dtype == np.int64
    assert probabilities.dtype == np.float64
    assert f1_score(sets, answers, average="macro") > 0.7
    thresholds = np.array(model.predictor_.bundle.facts.label_thresholds)
    np.testing.assert_array_equal(answers, probabilities >= thresholds.astype(np.float32))
    assert model.score(texts, sets) == (answers == sets).all(axis=1).mean()
    assert model.validation_.figures["f1_macro"].value > 0


@pytest.mark.slow
def test_a_table_names_the_labels(model: TextClassifier, rows, tmp_path: Path) -> None:
    """classes_ and the saved model have the names of the columns, in their order; sparse y gives the same model."""
    texts, sets = rows
    frame = pd.DataFrame(sets, columns=["sun", "gloom", "rain"])
    expected = clone(model).fit(texts, frame).predict_proba(texts)
    np.testing.assert_array_equal(clone(model).fit(texts, csr_array(sets)).predict_proba(texts), expected)
    model.fit(texts, frame)
    assert model.classes_.tolist() == ["sun", "gloom", "rain"]
    again = load(model.save(tmp_path / "saved"))
    assert again.label_names == ("sun", "gloom", "rain")
    np.testing.assert_allclose(again.predict(texts).probabilities, expected, atol=1e-6)
    assert model.score(texts, frame) == model.score(texts, sets)


def test_it_answers_as_scikit_learns_own(model: TextClassifier, rows) -> None:
    """Types and shapes of fit, predict, predict_proba and classes_ are those of MLPClassifier."""
    texts, sets = rows
    theirs = MLPClassifier(hidden_layer_sizes=(), max_iter=5)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs.fit([[len(text)] for text in texts], sets)
    ours = model.fit(texts, sets)
    for method in ("predict", "predict_proba"):
        one, other = getattr(ours, method)(texts), getattr(theirs, method)([[len(text)] for text in texts])
        assert (type(one), one.shape, one.dtype) == (type(other), other.shape, other.dtype)
    np.testing.assert_array_equal(ours.classes_, theirs.classes_)
    assert ours.__sklearn_tags__().classifier_tags.multi_label


@pytest.mark.slow
def test_a_label_that_no_row_has_is_never_given(model: TextClassifier, rows) -> None:
    """It keeps its column, of zeros; a warning names it, as scikit-learn's OneVsRestClassifier does."""
    texts, sets = rows
    frame = pd.DataFrame(sets, columns=["sun", "gloom", "rain"])
    frame.insert(1, "snow", 0)
    with pytest.warns(UserWarning, match="fewer than 2 rows of y have, or have not, snow"):
        model.fit(texts, frame)
    assert model.classes_.tolist() == ["sun", "snow", "gloom", "rain"]
    assert not model.predict(texts)[:, 1].any()
    assert not model.predict_proba(texts)[:, 1].any()
    assert model.predictor_.label_names == ("sun", "gloom", "rain")
    again = pickle.loads(pickle.dumps(model))  # noqa: S301  # our own bytes
    np.testing.assert_array_equal(again.predict_proba(texts), model.predict_proba(texts))
    with pytest.raises(ValueError, match="nothing to learn"):
        clone(model).fit(texts, np.zeros((len(texts), 3)))


@pytest.mark.parametrize("other", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_a_label_that_nearly_every_row_has_is_always_given(model: TextClassifier, rows, other: int) -> None:
    """A fold of a cross-validation may hold one, as it may one that a single row has."""
    texts, sets = rows
    rare = np.arange(len(texts)) < other
    with pytest.warns(UserWarning, match="have not, 3, 4"):
        model.fit(texts, np.column_stack([sets, ~rare, rare]))
    np.testing.assert_array_equal(model.predict_proba(texts)[:, 3:], np.tile([1.0, 0.0], (len(texts), 1)))
    np.testing.assert_array_equal(model.predict(texts)[:, 3:], np.tile([1, 0], (len(texts), 1)))


@pytest.mark.slow
def test_one_label_per_row_can_be_learned_after_several(model: TextClassifier, rows, weather: Weather) -> None:
    """A second fit forgets the first."""
    texts, labels = weather
    model.fit(*rows)
    assert model.fit(texts, labels).predict(texts).shape == (60,)
    assert model.predict_proba(texts).shape == (60, 3)


def test_validation_rows_can_be_given(model: TextClassifier, rows) -> None:
    """They are judged by and not learned from; other labels are refused."""
    texts, sets = rows
    found = model.fit(texts[:40], sets[:40], validation=(texts[40:], sets[40:]))
    assert found.validation_.rows == len(texts) - 40
    with pytest.raises(ValueError, match="other columns"):
        clone(model).fit(texts, sets, validation=(texts[:3], np.zeros((3, 5))))
    with pytest.raises(ValueError, match="inconsistent numbers"):
        model.fit(texts, sets[:-1])


@pytest.mark.slow
def test_cross_validation_grids_and_pipelines(model: TextClassifier, rows) -> None:
    """Scorers of scikit-learn for label sets, by decisions and by probabilities."""
    texts, sets = np.array(rows[0]), rows[1]
    scoring = ("f1_macro", "f1_samples", "roc_auc", "average_precision", "accuracy")
    scores = cross_validate(model, texts, sets, cv=2, scoring=scoring, error_score="raise")
    assert all(np.isfinite(scores[f"test_{name}"]).all() for name in scoring)
    assert cross_val_predict(model, texts, sets, cv=2, method="predict_proba").shape == sets.shape
    lower = FunctionTransformer(lambda rows: [str(row).lower() for row in rows])
    grid = GridSearchCV(
        make_pipeline(lower, model),
        {"textclassifier__pooling": ["cls", "layers"]},
        cv=2,
        scoring="f1_macro",
        error_score="raise",
    ).fit(texts, sets)
    assert grid.best_estimator_.predict(texts).shape == sets.shape
