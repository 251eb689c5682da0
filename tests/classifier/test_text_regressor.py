"""TextRegressor as a scikit-learn regressor."""

import copy
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from sklearn.base import clone, is_regressor
from sklearn.exceptions import NotFittedError
from sklearn.metrics import r2_score
from sklearn.model_selection import GridSearchCV, cross_val_predict, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

import limbeck
from limbeck.classifier.text_regressor import TextRegressor
from limbeck.errors import SettingsError

Weather = tuple[list[str], list[str]]
METHODS = {
    "probe": {"pooling": "layers", "settings": {"folds": 2}},
    "head": {"epochs": 15, "learning_rate": 0.02, "pooling": "layers", "settings": {"batch_rows": 8}},
    "finetune": {"epochs": 12, "learning_rate": 0.01, "settings": {"batch_rows": 8, "dropout": 0.0}},
}
MOODS = {"joy": 2.0, "sadness": -1.0, "슬픔": -2.5}


@pytest.fixture
def rows(weather: Weather) -> tuple[list[str], list[float]]:
    """Texts about the weather, and how good it is."""
    texts, labels = weather
    return texts, [MOODS[label] for label in labels]


@pytest.fixture
def model(encoder_folder: Path) -> TextRegressor:
    return TextRegressor(encoder=encoder_folder, **METHODS["probe"])


@pytest.mark.parametrize(
    "method",
    ["probe", pytest.param("head", marks=pytest.mark.slow), pytest.param("finetune", marks=pytest.mark.slow)],
)
def test_each_method_learns_numbers(encoder_folder: Path, rows, method: str) -> None:
    """Fit, predict and score, which is R²; the figures are those of numbers."""
    texts, numbers = rows
    model = TextRegressor(method, encoder=encoder_folder, **METHODS[method])
    assert model.fit(texts, numbers) is model
    found = model.predict(texts)
    assert (found.shape, found.dtype) == ((60,), np.float64)
    assert model.score(texts, numbers) == pytest.approx(r2_score(numbers, found))
    assert model.score(texts, numbers) > 0.4
    assert model.n_features_in_ == 1
    assert model.validation_.rows == (60 if method == "probe" else 6)
    assert not hasattr(model, "classes_")


@pytest.mark.slow
def test_it_is_the_command_lines_training(model: TextRegressor, rows, tmp_path: Path) -> None:
    """The numbers are bit for bit those of limbeck.train on the same rows."""
    texts, numbers = rows
    data = limbeck.from_arrow(pa.table({"text": texts, "label": numbers}), task="regression")
    options = {"encoder": str(model.encoder), "pooling": "layers", "folds": 2, "validation_share": 0.0}
    run = limbeck.train(data, tmp_path / "RUN", method="probe", **options)
    ours = model.fit(texts, numbers)
    assert ours.metrics_["validation"] == run.metrics["validation"]
    np.testing.assert_array_equal(ours.predict(texts), limbeck.load(tmp_path / "RUN").predict(texts).values)


@pytest.mark.parametrize(
    "hold",
    [
        np.array,
        *(
            pytest.param(hold, marks=pytest.mark.slow)
            for hold in (pd.Series, pl.Series, pa.array, lambda values: pd.DataFrame({"column": values}))
        ),
    ],
    ids=["array", "pandas", "polars", "arrow", "frame"],
)
def test_any_column_gives_the_same_model(model: TextRegressor, rows, hold) -> None:
    """X and y may be held by any library; a one-column table gives the column's name."""
    texts, numbers = rows
    expected = clone(model).fit(texts, numbers).predict(texts)
    found = model.fit(hold(texts), hold(numbers))
    np.testing.assert_array_equal(found.predict(hold(texts)), expected)
    if isinstance(hold(texts), pd.DataFrame):
        assert found.feature_names_in_.tolist() == ["column"]


def test_parameters_are_scikit_learns() -> None:
    """get_params, set_params, clone, repr and tags; there is no balance of classes."""
    model = TextRegressor("head", epochs=3)
    assert model.set_params(epochs=4).epochs == 4
    assert clone(model).get_params() == model.get_params()
    assert repr(model) == "TextRegressor(epochs=4, method='head')"
    assert is_regressor(model)
    assert "balance" not in model.get_params()
    assert limbeck.TextRegressor is TextRegressor
    for call in (model.predict, model.save):
        with pytest.raises(NotFittedError):
            call(["a"])


@pytest.mark.slow
def test_a_fitted_one_survives_copies_pickles_and_the_disk(model: TextRegressor, rows, tmp_path: Path) -> None:
    """The same numbers, bit for bit in copies."""
    texts, numbers = rows
    expected = model.fit(texts, numbers).predict(texts)
    for again in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):  # noqa: S301  # our own bytes
        np.testing.assert_array_equal(again.predict(texts), expected)
    np.testing.assert_allclose(limbeck.load(model.save(tmp_path / "saved")).predict(texts).values, expected, atol=1e-6)


@pytest.mark.slow
def test_validation_rows_and_pairs(model: TextRegressor, rows) -> None:
    """Rows to judge by can be given; two texts per row are read together."""
    texts, numbers = rows
    assert model.fit(texts[:45], numbers[:45], validation=(texts[45:], numbers[45:])).validation_.rows == 15
    pairs = list(zip(reversed(texts), texts, strict=True))
    assert model.fit(pairs, numbers).n_features_in_ == 2
    assert model.predict(pairs).shape == (60,)


@pytest.mark.parametrize(
    ("texts", "numbers", "message"),
    [
        (["a", "b"], None, "y to be passed"),
        (["a", "b"], [1.0], "inconsistent numbers"),
        (["a", "b"], [1.0, float("nan")], "row 1 is nan"),
        (["a", "b"], ["x", "y"], "row 0 is 'x'"),
        (["a", None], [1.0, 2.0], "text 1: None"),
        (["a", "b"], np.zeros((2, 2)), r"\(2, 2\)"),
        (["a", "b", "c", "d"], [1.0] * 4, "nothing to learn"),
    ],
)
def test_wrong_rows_are_told(model: TextRegressor, texts, numbers, message: str) -> None:
    """By row, as a ValueError."""
    with pytest.raises(ValueError, match=f"(?s){message}"):
        model.fit(texts, numbers)


def test_what_means_nothing_for_numbers_is_refused(encoder_folder: Path, rows) -> None:
    """A balance of classes, as a setting."""
    with pytest.raises(SettingsError, match="balance"):
        TextRegressor(encoder=encoder_folder, settings={"balance": "smote"}).fit(*rows)


@pytest.mark.slow
def test_cross_validation_grids_and_pipelines(model: TextRegressor, rows) -> None:
    """cross_val_score, cross_val_predict, a pipeline in a grid."""
    texts, numbers = np.array(rows[0]), np.array(rows[1])
    scores = cross_val_score(model, texts, numbers, cv=2, scoring="neg_mean_absolute_error", error_score="raise")
    assert np.isfinite(scores).all()
    assert cross_val_predict(model, texts, numbers, cv=2).shape == (60,)
    lower = FunctionTransformer(lambda rows: [str(row).lower() for row in rows])
    grid = GridSearchCV(make_pipeline(lower, model), {"textregressor__pooling": ["cls", "layers"]}, cv=2)
    assert grid.fit(texts, numbers).predict(texts).shape == (60,)
