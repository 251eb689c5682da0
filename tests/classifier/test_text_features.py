"""TextFeatures as a scikit-learn transformer: by name, as text estimators get no check by default."""

import copy
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

import limbeck
from limbeck.classifier.probe_classifier import ProbeClassifier
from limbeck.classifier.text_features import TextFeatures
from limbeck.errors import DataError, SettingsError, WeightsError
from limbeck.features.cache import FeatureCache

Weather = tuple[list[str], list[str]]


@pytest.fixture
def features(encoder_folder: Path, tmp_path: Path) -> TextFeatures:
    return TextFeatures(encoder_folder, cache_dir=tmp_path / "features")


@pytest.mark.parametrize("pooling", ["cls", "mean", "layers"])
def test_they_are_the_encoders(features: TextFeatures, weather: Weather, pooling: str) -> None:
    """What load_encoder gives, column for column, with a name each."""
    found = features.set_params(pooling=pooling).fit_transform(weather[0])
    expected = limbeck.load_encoder(features.encoder).encode(weather[0], pooling=pooling)
    np.testing.assert_array_equal(found, expected)
    names = features.get_feature_names_out().tolist()
    assert len(set(names)) == found.shape[1]
    assert names[0] == {"cls": "cls@2_0", "mean": "mean@2_0"}.get(pooling, names[0])
    assert features.n_features_in_ == 1


def test_tables_come_out_when_asked(features: TextFeatures, weather: Weather) -> None:
    """set_output gives pandas and polars frames with the columns' names, and pandas its index."""
    frame = pd.DataFrame({"tweet": weather[0]}, index=range(100, 160))
    found = features.set_output(transform="pandas").fit_transform(frame)
    assert found.columns.tolist() == features.get_feature_names_out().tolist()
    assert found.index.tolist() == frame.index.tolist()
    assert features.feature_names_in_.tolist() == ["tweet"]
    assert isinstance(features.set_output(transform="polars").transform(weather[0]), pl.DataFrame)


def test_texts_are_encoded_once(features: TextFeatures, weather: Weather, tmp_path: Path) -> None:
    """What was computed is in the cache; without one nothing is kept."""
    found = features.fit_transform(weather[0])
    before = FeatureCache(tmp_path / "features").listings()
    np.testing.assert_array_equal(clone(features).fit(weather[0]).transform(weather[0]), found)
    after = FeatureCache(tmp_path / "features").listings()
    assert [(entry.texts, entry.size_bytes) for entry in after] == [(60, before[0].size_bytes)]
    bare = clone(features).set_params(cache=False, cache_dir=tmp_path / "none")
    np.testing.assert_array_equal(bare.fit_transform(weather[0]), found)
    assert not (tmp_path / "none").exists()


@pytest.mark.slow
@pytest.mark.parametrize("head", [LogisticRegression(max_iter=1000), ProbeClassifier(folds=2)])
def test_a_pipeline_and_a_grid(features: TextFeatures, weather: Weather, head) -> None:
    """Any classifier goes behind it; pooling is searched like any parameter."""
    grid = GridSearchCV(
        make_pipeline(features, head), {"textfeatures__pooling": ["cls", "layers"]}, cv=2, error_score="raise"
    )
    assert grid.fit(*weather).best_score_ > 0.5
    assert grid.best_estimator_[:-1].get_feature_names_out().tolist()[0].endswith("_0")


def test_one_column_among_others(features: TextFeatures, weather: Weather) -> None:
    """A ColumnTransformer hands it the column of texts and passes numbers through."""
    frame = pd.DataFrame({"tweet": weather[0], "length": [len(text) for text in weather[0]]})
    columns = make_column_transformer((features, "tweet"), ("passthrough", ["length"]))
    assert columns.fit_transform(frame).shape == (60, 17)
    assert columns.get_feature_names_out()[-1] == "passthrough__length"


def test_nothing_is_answered_before_fit() -> None:
    """Both transform and get_feature_names_out say that it must be fitted first."""
    with pytest.raises(NotFittedError):
        TextFeatures().transform(["a"])
    with pytest.raises(NotFittedError):
        TextFeatures().get_feature_names_out()


def test_copies_open_the_same_encoder(encoder_folder: Path, weather: Weather, tmp_path: Path) -> None:
    """A pickle holds no weights but their fingerprint; another encoder in the folder is refused."""
    import shutil

    import torch

    from limbeck.catalog.presets import load_encoder_folder
    from limbeck.model.loaded_encoder import write_encoder

    own = tmp_path / "own"
    shutil.copytree(encoder_folder, own)
    fitted = TextFeatures(own, cache=False).fit(weather[0])
    stored = pickle.dumps(fitted)
    assert len(stored) < 2000
    np.testing.assert_array_equal(
        pickle.loads(stored).transform(weather[0]),  # noqa: S301  # our own bytes
        fitted.transform(weather[0]),
    )
    loaded = load_encoder_folder(own)
    with torch.no_grad():
        loaded.encoder.embeddings.word_embeddings.weight.mul_(2)
    shutil.rmtree(own)
    own.mkdir()
    write_encoder(loaded.encoder, loaded.tokenizer, own)
    with pytest.raises(WeightsError, match="holds another encoder"):
        copy.deepcopy(fitted).transform(weather[0])


@pytest.mark.parametrize(
    ("parameters", "texts", "kind", "message"),
    [
        ({"pooling": "sum"}, ["a"], SettingsError, "sum"),
        ({"layer": 9}, ["a"], SettingsError, "9"),
        ({"max_tokens": 2}, ["a"], SettingsError, "max_tokens = 2"),
        ({}, "a", SettingsError, r"give \[text\]"),
        ({}, ["a", None], DataError, "text 1"),
    ],
)
def test_faults_are_of_both_trees(features: TextFeatures, parameters, texts, kind, message: str) -> None:
    """A ValueError for scikit-learn, limbeck's own kind for everybody else."""
    with pytest.raises(ValueError, match=message) as told:
        features.set_params(**parameters).fit_transform(texts)
    assert isinstance(told.value, kind)
