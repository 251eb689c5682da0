"""TextClassifier as a scikit-learn classifier: by name, as text estimators get no check by default."""

import copy
import pickle
from importlib.util import find_spec
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from sklearn.base import clone, is_classifier
from sklearn.calibration import CalibratedClassifierCV
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV, cross_val_predict, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from tests.threads import on_one_thread

import limbeck
from limbeck.classifier.text_classifier import TextClassifier
from limbeck.errors import DataError, SettingsError, StorageError
from limbeck.methods.probe import train_probe
from limbeck.methods.trainings import ProbeTraining
from limbeck.settings import FeatureSettings, SplitSettings

Weather = tuple[list[str], list[str]]
PROBE = {"pooling": "layers", "settings": {"penalties": (0.03, 0.3), "folds": 2}}
METHODS = {
    "probe": PROBE,
    "head": {"epochs": 15, "learning_rate": 0.02, "pooling": "layers", "settings": {"batch_rows": 8}},
    "finetune": {"epochs": 12, "learning_rate": 0.01, "settings": {"batch_rows": 8, "dropout": 0.0}},
}


@pytest.fixture(scope="module")
def expected(encoder_folder: Path, weather: Weather) -> np.ndarray:
    """What a probe of plain lists answers."""
    texts, labels = weather
    with on_one_thread():
        return TextClassifier(encoder=encoder_folder, **PROBE).fit(texts, labels).predict_proba(texts)


@pytest.fixture
def probe(encoder_folder: Path) -> TextClassifier:
    return TextClassifier(encoder=encoder_folder, **PROBE)


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_each_method_learns_in_memory(
    encoder_folder: Path, weather: Weather, tmp_path: Path, method: str, monkeypatch
) -> None:
    """Fit, predict, predict_proba and score; classes as y had them; no run is left behind."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    texts, labels = weather
    model = TextClassifier(method, encoder=encoder_folder, **METHODS[method])
    assert model.fit(texts, labels) is model
    assert model.classes_.tolist() == ["joy", "sadness", "슬픔"]
    assert model.n_features_in_ == 1
    assert model.score(texts, labels) > 0.9
    probabilities = model.predict_proba(texts)
    assert probabilities.shape == (60, 3)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    assert model.predict(texts).tolist() == model.classes_[probabilities.argmax(axis=1)].tolist()
    assert model.validation_.rows == (60 if method == "probe" else 6)
    assert model.metrics_["method"] == method
    assert list(tmp_path.glob("limbeck-*")) == []


@pytest.mark.slow
def test_it_is_the_command_lines_training(encoder_folder: Path, weather: Weather, tmp_path: Path) -> None:
    """The model is bit for bit that of train_probe on the same rows with the same seed and split."""
    texts, labels = weather
    share = {"validation_share": 0.1, "random_state": 4}
    model = TextClassifier(encoder=encoder_folder, pooling="mean", **share).fit(texts, labels)
    rows = limbeck.from_arrow(pa.table({"text": texts, "label": labels}))
    settings = ProbeTraining(
        split=SplitSettings(seed=4),
        features=FeatureSettings(encoder=str(encoder_folder)),
        probe=limbeck.ProbeSettings(seed=4),
    )
    run = train_probe(rows, tmp_path / "RUN", settings)
    assert model.metrics_["validation"] == run.metrics["validation"]
    theirs = limbeck.load(tmp_path / "RUN").predict(texts)
    np.testing.assert_array_equal(model.predictor_.predict(texts).probabilities, theirs.probabilities)


@pytest.mark.parametrize(
    ("kinds", "dtype"),
    [
        ((0, 1, 5), "i"),
        *(
            pytest.param(*given, marks=pytest.mark.slow)
            for given in (((False, True, True), "b"), (("b", "c", "a"), "U"), ((2.0, 1.0, 0.0), "f"))
        ),
    ],
)
def test_labels_come_back_as_they_were_given(
    probe: TextClassifier, weather: Weather, kinds: tuple[object, ...], dtype: str
) -> None:
    """Whole numbers, truth values, text: the same type, sorted, in classes_ and in every answer."""
    texts, labels = weather
    given = [dict(zip(("joy", "sadness", "슬픔"), kinds, strict=True))[label] for label in labels]
    model = probe.fit(texts, given)
    assert model.classes_.dtype.kind == dtype
    assert model.classes_.tolist() == sorted(set(given))
    assert set(model.predict(texts).tolist()) <= set(given)
    assert model.score(texts, given) > 0.9
    assert model.predictor_.label_names == tuple(map(str, sorted(set(given))))


@pytest.mark.slow
@pytest.mark.parametrize(
    "hold",
    [
        lambda values: values,
        lambda values: np.array(values, dtype=object),
        np.array,
        pd.Series,
        lambda values: pd.Series(values).astype("category"),
        lambda values: pd.DataFrame({"column": values}),
        pl.Series,
        pa.array,
        lambda values: pa.chunked_array([values[:7], values[7:]]),
    ],
    ids=["list", "object", "str", "pandas", "category", "frame", "polars", "arrow", "chunked"],
)
def test_any_column_gives_the_same_model(probe: TextClassifier, weather: Weather, expected, hold) -> None:
    """X and y may be held by any library; a one-column table gives the column's name."""
    texts, labels = weather
    column = hold(texts)
    model = probe.fit(column, hold(labels)["column"] if isinstance(column, pd.DataFrame) else hold(labels))
    np.testing.assert_array_equal(model.predict_proba(hold(texts)), expected)
    if isinstance(column, pd.DataFrame):
        assert model.feature_names_in_.tolist() == ["column"]


def test_parameters_are_scikit_learns() -> None:
    """get_params, set_params, clone and repr."""
    model = TextClassifier("head", epochs=3, settings={"head": "mlp"})
    assert model.get_params()["epochs"] == 3
    assert model.set_params(epochs=4).epochs == 4
    copied = clone(model)
    assert copied is not model
    assert copied.get_params() == model.get_params()
    assert repr(model) == "TextClassifier(epochs=4, method='head', settings={'head': 'mlp'})"
    assert is_classifier(model)
    assert model.__sklearn_tags__().input_tags.string
    with pytest.raises(ValueError, match="epoch"):
        model.set_params(epoch=4)


@pytest.mark.parametrize("call", [lambda model: model.predict(["a"]), lambda model: model.predict_proba(["a"]),
                                  lambda model: model.score(["a"], ["b"]), lambda model: model.save("x")])  # fmt: skip
def test_nothing_is_answered_before_fit(call) -> None:
    """Every method says that it must be fitted first."""
    with pytest.raises(NotFittedError):
        call(TextClassifier())


@pytest.mark.slow
def test_a_pipeline_and_a_grid(probe: TextClassifier, weather: Weather) -> None:
    """A step before it, and a grid over its parameters, numpy's numbers among them."""
    texts, labels = weather
    lower = FunctionTransformer(lambda rows: [row.lower() for row in rows])
    grid = GridSearchCV(
        make_pipeline(lower, probe),
        {"textclassifier__pooling": ["cls", "layers"], "textclassifier__max_tokens": np.array([8])},
        cv=2,
        error_score="raise",
    )
    grid.fit([text.upper() for text in texts], labels)
    assert grid.best_params_["textclassifier__pooling"] == "layers"
    assert grid.classes_.tolist() == ["joy", "sadness", "슬픔"]
    assert grid.score(texts, labels) > 0.8


@pytest.mark.slow
def test_cross_validation_in_other_processes(probe: TextClassifier, weather: Weather) -> None:
    """cross_val_score, one process a fold; cross_val_predict gives honest probabilities of every row."""
    texts, labels = weather
    scores = cross_val_score(probe, texts, labels, cv=2, n_jobs=2, error_score="raise")
    assert scores.shape == (2,)
    assert scores.mean() > 0.5
    assert cross_val_predict(probe, np.array(texts), labels, cv=2, method="predict_proba").shape == (60, 3)


@pytest.mark.slow
def test_calibration(probe: TextClassifier, weather: Weather) -> None:
    """CalibratedClassifierCV fits it in folds, or takes a fitted one as it is."""
    texts, labels = weather
    folds = CalibratedClassifierCV(probe, cv=2).fit(texts, labels)
    assert folds.predict_proba(texts).shape == (60, 3)
    assert folds.classes_.tolist() == ["joy", "sadness", "슬픔"]
    frozen = CalibratedClassifierCV(FrozenEstimator(clone(probe).fit(texts, labels)), method="temperature")
    assert frozen.fit(texts, labels).score(texts, labels) > 0.8


@pytest.mark.slow
@pytest.mark.skipif(find_spec("cleanlab") is None, reason="cleanlab is absent: it is in the dev group")
def test_cleanlab_runs_over_it(probe: TextClassifier, weather: Weather) -> None:
    """CleanLearning finds labels that were swapped, and trains without them."""
    from cleanlab.classification import CleanLearning

    texts, labels = weather
    numbers = np.unique(labels, return_inverse=True)[1]
    swapped = numbers.copy()
    swapped[[0, 1]] = (swapped[[0, 1]] + 1) % 3
    cleaner = CleanLearning(probe, cv_n_folds=3, seed=0).fit(np.array(texts), swapped)
    issues = cleaner.get_label_issues()
    assert issues["is_label_issue"][[0, 1]].all()
    assert cleaner.score(np.array(texts), numbers) > 0.9


@pytest.mark.slow
@pytest.mark.parametrize("method", ["probe", "finetune"])
def test_a_fitted_one_survives_copies_and_pickles(encoder_folder: Path, weather: Weather, method: str) -> None:
    """A deepcopy and a pickle give the same answers, figures and card; the bytes inside are a bundle's."""
    texts, labels = weather
    model = TextClassifier(method, encoder=encoder_folder, **METHODS[method]).fit(texts, labels)
    state = model.__getstate__()
    assert set(state["packed_bundle"]) >= {"model.safetensors", "limbeck.json", "manifest.json"}
    for again in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):  # noqa: S301  # our own bytes
        np.testing.assert_array_equal(again.predict_proba(texts), model.predict_proba(texts))
        assert again.classes_.tolist() == model.classes_.tolist()
        assert again.validation_.accuracy == model.validation_.accuracy
    unfitted = TextClassifier(method)
    assert pickle.loads(pickle.dumps(unfitted)).get_params() == unfitted.get_params()  # noqa: S301


@pytest.mark.slow
def test_joblib_takes_it(probe: TextClassifier, weather: Weather, tmp_path: Path) -> None:
    """joblib.dump and load, as scikit-learn's documentation saves models."""
    texts, labels = weather
    joblib.dump(probe.fit(texts, labels), tmp_path / "model.joblib")
    assert joblib.load(tmp_path / "model.joblib").score(texts, labels) == probe.score(texts, labels)


@pytest.mark.slow
def test_what_is_saved_opens_everywhere(encoder_folder: Path, weather: Weather, tmp_path: Path) -> None:
    """It writes a bundle with its card; limbeck and, fine-tuned, transformers answer alike."""
    from transformers import pipeline

    texts, labels = weather
    model = TextClassifier("finetune", encoder=encoder_folder, **METHODS["finetune"]).fit(texts, labels)
    folder = model.save(tmp_path / "saved")
    assert "On the validation split (6 rows)" in (folder / "README.md").read_text("utf-8")
    ours = limbeck.load(folder).predict(texts).probabilities
    np.testing.assert_allclose(ours, model.predict_proba(texts), atol=1e-6)
    answers = pipeline("text-classification", model=str(folder), device="cpu")(texts, top_k=None, truncation=True)
    theirs = [[{item["label"]: item["score"] for item in one}[name] for name in model.classes_] for one in answers]
    np.testing.assert_allclose(ours, theirs, atol=1e-5)
    with pytest.raises(StorageError, match="exists already"):
        model.save(folder)


@pytest.mark.slow
def test_validation_rows_can_be_given(probe: TextClassifier, weather: Weather) -> None:
    """They are judged by and not learned from; every row of X is then trained on."""
    texts, labels = weather
    model = probe.fit(texts[:45], labels[:45], validation=(texts[45:], labels[45:]))
    assert model.validation_.rows == 15
    assert model.metrics_["out_of_fold"]["rows"] == 45
    with pytest.raises(ValueError, match=r"(?s)labels that are not in y.*row 0: 'new'"):
        clone(probe).fit(texts, labels, validation=(texts[:1], ["new"]))
    with pytest.raises(SettingsError, match="not a pair"):
        clone(probe).fit(texts, labels, validation=texts)


@pytest.mark.slow
def test_a_run_folder_is_left_when_asked(probe: TextClassifier, weather: Weather, tmp_path: Path) -> None:
    """out= keeps figures, predictions and bundle; further fits do not overwrite it, but leave folders of their own."""
    texts, labels = weather
    model = probe.set_params(out=tmp_path / "RUN").fit(texts, labels)
    assert {"bundle", "metrics.json", "predictions"} <= {path.name for path in (tmp_path / "RUN").iterdir()}
    found = limbeck.load(tmp_path / "RUN").predict(texts).probabilities
    np.testing.assert_allclose(found, model.predict_proba(texts), atol=1e-6)
    assert model.run_folder_ == tmp_path / "RUN"
    before = (tmp_path / "RUN" / "metrics.json").read_bytes()
    assert model.fit(texts[:30], labels[:30]).run_folder_ == tmp_path / "RUN-2"
    cross_val_score(model, texts, labels, cv=2)
    assert sorted(path.name for path in tmp_path.glob("RUN*")) == ["RUN", "RUN-2", "RUN-3", "RUN-4"]
    assert (tmp_path / "RUN" / "metrics.json").read_bytes() == before
    assert (tmp_path / "RUN-4" / "metrics.json").exists()
    (tmp_path / "file").write_text("mine")
    with pytest.raises(StorageError, match="a file stands"):
        clone(probe).set_params(out=tmp_path / "file").fit(texts, labels)


@pytest.mark.slow
def test_a_probe_learns_from_all_rows(probe: TextClassifier, weather: Weather, tmp_path: Path) -> None:
    """Nothing is held out by default: its figures are those of cross-validation; a share of rows can be held out."""
    texts, labels = weather
    whole = clone(probe).set_params(out=tmp_path / "RUN").fit(texts, labels)
    figures = whole.metrics_
    assert figures["judged_by"] == "out_of_fold"
    assert figures["out_of_fold"]["rows"] == 60
    assert figures["validation"]["accuracy"] == figures["out_of_fold"]["accuracy"]
    assert figures["temperature"]["fitted_on"] == "out_of_fold"
    assert not (tmp_path / "RUN" / "predictions" / "validation.parquet").exists()
    shared = clone(probe).set_params(validation_share=0.2).fit(texts, labels)
    assert shared.metrics_["judged_by"] == "validation"
    assert shared.metrics_["out_of_fold"]["rows"] == 48
    for method in ("head", "finetune"):
        with pytest.raises(ValueError, match="validation_share is 0"):
            TextClassifier(method, encoder=probe.encoder, validation_share=0).fit(texts, labels)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"method": "prob"}, "give one of probe, head, finetune"),
        ({"epochs": 3}, "probe: 'epochs' goes with method head or finetune"),
        ({"settings": {"fold": 3}}, "did you mean 'folds'"),
        ({"settings": {"seed": 3}}, "give random_state only"),
        ({"random_state": None}, "random_state = None is not possible"),
        ({"random_state": np.random.RandomState(0)}, "is not possible"),
        ({"pooling": "sum"}, "pooling = 'sum' is not one of"),
        ({"max_tokens": 2}, "max_tokens = 2 is not possible"),
        ({"validation_share": 1.0}, "validation_share"),
        ({"method": "finetune", "pooling": "mean"}, "cannot be fine-tuned"),
    ],
)
def test_wrong_parameters_are_told(encoder_folder: Path, weather: Weather, parameters, message: str) -> None:
    """Both as limbeck's SettingsError and as the ValueError that scikit-learn expects."""
    with pytest.raises(SettingsError, match=message) as told:
        TextClassifier(encoder=encoder_folder).set_params(**parameters).fit(*weather)
    assert isinstance(told.value, ValueError)


@pytest.mark.parametrize(
    ("texts", "labels", "message"),
    [
        (["a", "b"], None, "y to be passed"),
        (["a", "b"], ["x"], "inconsistent numbers"),
        (["a", None], ["x", "y"], "text 1: None"),
        (["a", "b"], ["x", None], r"row 1 is None"),
        (["a", "b"], ["x", float("nan")], "missing labels"),
        (["a", "b", "c"], [0.5, 1.2, 3.3], "continuous"),
        (["a", "b"], ["x", "x"], "1 class"),
        (["a", "b"], ["", "x"], "without a name"),
        (["a", "b"], np.array(["1", 1], dtype=object), "one type"),
        (["a", " ", "c", "d"], ["x", "y", "x", "y"], "text 1 is empty"),
        ("one text", ["x"], r"give \[text\]"),
        (np.zeros((4, 3)), ["x", "y", "x", "y"], r"\(4, 3\)"),
    ],
)
def test_wrong_rows_are_told(probe: TextClassifier, texts, labels, message: str) -> None:
    """By row, as a ValueError."""
    with pytest.raises(ValueError, match=f"(?s){message}"):
        probe.fit(texts, labels)


def test_row_weights_are_refused(probe: TextClassifier, weather: Weather) -> None:
    """The signature has no sample_weight, so scikit-learn and cleanlab know that there is none."""
    with pytest.raises(TypeError, match="sample_weight"):
        probe.fit(*weather, sample_weight=np.ones(60))


def test_a_later_fault_leaves_the_fitted_model(probe: TextClassifier, weather: Weather) -> None:
    """A fit that fails changes nothing."""
    before = probe.fit(*weather).predict_proba(weather[0])
    with pytest.raises(DataError):
        probe.fit(["a", "b"], ["x", "x"])
    np.testing.assert_array_equal(probe.predict_proba(weather[0]), before)
