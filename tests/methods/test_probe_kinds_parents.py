"""Labels whose names state parents, from rows to answers: no answer has a child without its parent."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from tests.methods.test_probe_kinds import settings_of

import limbeck
from limbeck.data.dataset import Dataset
from limbeck.evaluation.multi_predictions import MultiPredictions
from limbeck.evaluation.prediction_files import read_any_predictions
from limbeck.features.cache import FeatureCache
from limbeck.inference.scoring import score
from limbeck.methods.table import CLASSIFIERS
from limbeck.model.facts import BundleFacts, parse_facts

WORDS = {"mood::glad": "fine", "mood::sad": "rain", "time": "today"}


def make_rows(*, label_parents: bool) -> Dataset:
    """Texts of words, each with the labels of its words."""
    random = np.random.default_rng(3)
    has_NC = random.random((90, len(WORDS))) < (0.4, 0.3, 0.2)
    texts = [
        " ".join(random.permutation(["i", "feel", *np.array(list(WORDS.values()))[has]]).tolist()) for has in has_NC
    ]
    labels = [[name for name, one in zip(WORDS, has, strict=True) if one] for has in has_NC]
    split = ["train" if row % 3 else "validation" for row in range(90)]
    table = pa.table({"text": texts, "label": labels, "split": split})
    return limbeck.from_arrow(table, label_parents=label_parents)


def assert_consistent(found: MultiPredictions) -> None:
    mood = found.label_names.index("mood")
    for name in ("mood::glad", "mood::sad"):
        child = found.label_names.index(name)
        assert (found.probabilities[:, mood] >= found.probabilities[:, child]).all()
        assert not (found.decided_NC[:, child] & ~found.decided_NC[:, mood]).any()


@pytest.mark.parametrize(
    "method", ["probe", *(pytest.param(one, marks=pytest.mark.slow) for one in ("head", "finetune"))]
)
def test_answers_have_the_parents_of_what_they_give(method: str, tiny_folder: Path, tmp_path: Path) -> None:
    """In the run's own predictions and in those of the opened model; rows without parents are scored as with them."""
    settings = settings_of(method, tiny_folder)
    run = CLASSIFIERS[method].train(
        make_rows(label_parents=True), tmp_path / "RUN", settings, cache=FeatureCache(tmp_path / "cache")
    )
    predictor = limbeck.load(tmp_path / "RUN", engine="torch-float32")
    assert predictor.bundle.facts.label_parents
    assert predictor.label_names == ("mood::glad", "mood::sad", "time", "mood")
    bare = score(predictor, make_rows(label_parents=False).split("validation"))
    whole = score(predictor, make_rows(label_parents=True).split("validation"))
    assert bare.evaluation.to_dict() == whole.evaluation.to_dict()
    written = read_any_predictions(tmp_path / "RUN" / "predictions" / "validation.parquet")
    for found in (bare.predictions, written, predictor.predict(["i feel fine", "rain today", ""])):
        assert isinstance(found, MultiPredictions)
        assert_consistent(found)
    assert "is a part of it" in (tmp_path / "RUN" / "bundle" / "README.md").read_text("utf-8")
    assert run.validation.rows == 30


@pytest.mark.slow
def test_rows_without_the_parents_make_a_model_without_them(tiny_folder: Path, tmp_path: Path) -> None:
    """Its record says nothing of parents, as that of an older model."""
    rows = make_rows(label_parents=False)
    settings = settings_of("probe", tiny_folder)
    CLASSIFIERS["probe"].train(rows, tmp_path / "RUN", settings, cache=FeatureCache(tmp_path / "cache"))
    facts = limbeck.load(tmp_path / "RUN", engine="torch-float32").bundle.facts
    assert not facts.label_parents
    assert "label_parents" not in facts.to_json()


def test_a_record_with_parents_that_are_no_labels_is_refused() -> None:
    """Parents are for several labels per row, and must be labels themselves."""
    facts = BundleFacts(
        head="linear", blocks=(), max_tokens=16, label_names=("a", "a::b"), task="multi", label_parents=True
    )
    said = {**facts.to_json(), "blocks": [{"layer": 1, "pooling": "mean"}], "label_names": ["a", "a::b"]}
    assert parse_facts(said, where="x").label_parents
    for wrong in ({"label_names": ["a", "b"]}, {"label_names": ["a::b", "c"]}, {"task": "single"}):
        with pytest.raises(limbeck.BundleError, match="label_parents is true, but no label names another"):
            parse_facts({**said, **wrong}, where="x")
    with pytest.raises(limbeck.BundleError, match="label_parents = 'yes' is neither true nor false"):
        parse_facts({**said, "label_parents": "yes"}, where="x")
