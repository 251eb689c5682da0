"""The window that suits: found in training rows, kept in the run, and answered by the model."""

import json

import numpy as np
import pytest

import limbeck
from limbeck.data.dataset import Dataset
from limbeck.errors import TrainingError
from limbeck.inference.torch_engine import TorchEngine
from limbeck.methods.finetune import finetune
from limbeck.methods.head import train_head
from limbeck.methods.probe import train_probe
from limbeck.methods.trainings import Finetuning, HeadTraining, ProbeTraining
from limbeck.methods.window_choice import choose_window
from limbeck.settings import FeatureSettings, FinetuneSettings, HeadSettings, ProbeSettings, SplitSettings

LIMIT = 6
ONE_THREAD = pytest.mark.usefixtures("one_thread")


def rows(where: str, *, rows: int = 60, seed: int = 0) -> Dataset:
    """Long texts that tell their label by the third and fourth word from one end: half of each end does not see it."""
    random = np.random.default_rng(seed)
    texts = []
    for number in range(rows):
        words = random.choice(["it", "is", "today", "."], size=14).tolist()
        words[2:4] = [["sad", "fine"][number % 2]] * 2
        texts.append(" ".join(words if where == "head" else words[::-1]))
    return limbeck.from_lists(texts, ["sadness", "joy"] * (rows // 2))


def features(folder, **changes):
    return FeatureSettings(encoder=str(folder), pooling="mean", max_tokens=LIMIT, window="auto", **changes)


@pytest.fixture
def engine(tiny_loaded):
    return TorchEngine(tiny_loaded, device="cpu")


@ONE_THREAD
@pytest.mark.parametrize("where", [pytest.param("head", marks=pytest.mark.slow), "tail"])
def test_the_end_that_tells_is_chosen(engine, where):
    """Where only one end of a text tells its label, that end is read; the others' log losses are higher."""
    chosen = choose_window(rows(where), engine, features("x"))
    assert chosen.name == where
    assert chosen.cut == chosen.rows == 60
    assert all(one.log_loss > 0.5 for name, one in chosen.scores.items() if name != where)
    assert chosen.scores[where].accuracy > 0.9
    assert f"window {where}: the lowest log loss in 5 folds of 60 training rows" in str(chosen)


@ONE_THREAD
@pytest.mark.parametrize(
    ("task", "figure"),
    [
        pytest.param("multi", "log_loss", marks=pytest.mark.slow),
        pytest.param("ordinal", "log_loss", marks=pytest.mark.slow),
        ("regression", "squared_error"),
    ],
)
def test_the_end_that_tells_is_chosen_whatever_is_answered(engine, task, figure):
    """Labels, ordered classes and numbers that the tail alone tells: it has the lowest loss, and the record says it."""
    texts = rows("tail").texts
    labels = {
        "multi": [["sad"], ["fine", "day"]] * 30,
        "ordinal": ["1", "2"] * 30,
        "regression": [-1.5, 2.0] * 30,
    }
    data = limbeck.from_lists(texts, labels[task], task=task)
    chosen = choose_window(data, engine, features("x"))
    assert chosen.name == "tail"
    assert min(chosen.scores.values(), key=lambda one: one.loss) is chosen.scores["tail"]
    assert figure in chosen.record()["scores"]["tail"]
    assert f"the lowest {figure.replace('_', ' ')} in 5 folds of 60 training rows" in str(chosen)


@ONE_THREAD
def test_labels_that_too_few_rows_have_choose_no_window(engine):
    """It says what to do."""
    data = limbeck.from_lists(rows("tail").texts, [["a", "b"], *([["a"]] * 59)], task="multi")
    with pytest.raises(TrainingError, match=r"no label is had, and lacked, by 10 of 60 training rows.*--window head"):
        choose_window(data, engine, features("x"))


@ONE_THREAD
def test_texts_that_fit_leave_nothing_to_choose(engine):
    """Nothing is computed where no text is longer than the limit; what the tokenizer says is taken."""
    short = limbeck.from_lists(["so sad", "i feel fine"] * 10, ["sadness", "joy"] * 10)
    chosen = choose_window(short, engine, features("x"))
    assert (chosen.name, chosen.cut, chosen.scores) == ("head", 0, {})


@ONE_THREAD
@pytest.mark.parametrize(
    "method", ["head", *(pytest.param(one, marks=pytest.mark.slow) for one in ("probe", "finetune"))]
)
def test_every_method_trains_with_what_was_chosen(tiny_folder, tmp_path, method):
    """The choice is in settings, record, figures and model; the same run by its name gives the same answers."""
    data = rows("tail", rows=80)
    tables = {
        "probe": (train_probe, ProbeTraining, {"probe": ProbeSettings(folds=3)}),
        "head": (train_head, HeadTraining, {"head": HeadSettings(epochs=1)}),
        "finetune": (finetune, Finetuning, {"finetune": FinetuneSettings(epochs=1)}),
    }
    train, kind, own = tables[method]
    given = features(tiny_folder, device="cpu", engine="torch-float32")
    if method == "finetune":
        given = FeatureSettings(**{**vars(given), "pooling": "cls"})
    settings = kind(features=given, split=SplitSettings(validation_share=0.2), **own)
    run = train(data, tmp_path / "RUN", settings)
    assert run.metrics["window"]["name"] == "tail"
    assert set(run.metrics["window"]["scores"]) == {"head", "tail", "both"}
    assert run.metrics["texts_cut"]["window"] == "tail"
    assert 'window = "tail"' in (tmp_path / "RUN" / "settings.toml").read_text("utf-8")
    facts = json.loads((tmp_path / "RUN" / "bundle" / "limbeck.json").read_text("utf-8"))
    assert (facts["window"], facts["max_tokens"]) == ("tail", LIMIT)
    assert "the last 6 tokens" in (tmp_path / "RUN" / "bundle" / "README.md").read_text("utf-8")
    named = kind(features=FeatureSettings(**{**vars(given), "window": "tail"}), split=settings.split, **own)
    again = train(data, tmp_path / "NAMED", named)
    assert "window" not in again.metrics
    texts = data.texts[:5]
    before, after = (limbeck.load(tmp_path / name).predict(texts).probabilities for name in ("RUN", "NAMED"))
    assert (before == after).all()


@pytest.mark.slow
@ONE_THREAD
def test_rows_that_judge_are_not_looked_at(tiny_folder, tmp_path):
    """Validation and test rows that tell their label elsewhere change nothing of the choice."""
    for name, part in (("train", rows("tail")), ("val", rows("head", seed=1)), ("test", rows("head", seed=2))):
        lines = [f"{text};{part.label_names[label]}" for text, label in zip(part.texts, part.labels, strict=True)]
        (tmp_path / f"{name}.txt").write_text("\n".join(lines), "utf-8")
    data = limbeck.read(tmp_path)
    settings = ProbeTraining(features=features(tiny_folder, device="cpu", engine="torch-float32"))
    run = train_probe(data, tmp_path / "RUN", settings)
    assert run.metrics["window"]["name"] == "tail"
    assert run.metrics["window"]["rows"] == 60
