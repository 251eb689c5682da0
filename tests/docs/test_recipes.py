"""Every recipe of docs/recipes.md runs as it is printed, on a small file, without the network."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import limbeck
from limbeck.inference import choice
from limbeck.model.loaded_encoder import LoadedEncoder

PAGE = Path(__file__).parents[2] / "docs" / "recipes.md"
RECIPES = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text("utf-8"), re.DOTALL | re.MULTILINE)
TITLES = [f"{number}-{recipe.split()[1]}" for number, recipe in enumerate(RECIPES, 1)]
JOY = (
    "what a lovely sunny day",
    "i feel great and happy",
    "this made me smile",
    "i am so glad we met",
    "wonderful news today",
)
SADNESS = (
    "i miss her so much",
    "i feel lonely and sad",
    "this made me cry",
    "what a gloomy rainy day",
    "terrible news today",
)
THINGS = ("my friend", "the film", "this town", "our team", "the book", "my work")


@pytest.fixture
def reviews(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in, with 60 labelled texts of two classes."""
    write_reviews(tmp_path, THINGS)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write_reviews(folder: Path, things: tuple[str, ...]) -> None:
    """Write ten texts about each thing."""
    lines = [
        f'"{text}, said {thing}",{label}'
        for label, texts in (("joy", JOY), ("sadness", SADNESS))
        for text in texts
        for thing in things
    ]
    (folder / "reviews.csv").write_text("text,label\n" + "\n".join(lines) + "\n", "utf-8")


@pytest.fixture
def offline(minilm: LoadedEncoder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The embedded encoder, converted once, in float32 at once; caches of this test run."""
    import datasets.config  # late: a second that only these tests need

    monkeypatch.setattr(choice, "SMALL_ENCODER_PARAMETERS", 10**9)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "hf"))
    datasets.disable_progress_bars()


def pandas(made, out):
    """The run is better than the baseline; rows on which the model differs from the label are shown."""
    assert made["run"].validation.accuracy.value > made["run"].validation.baseline.accuracy + 0.2
    assert set(made["doubtful"]["prediction"] == made["doubtful"]["true_label"]) <= {False}
    assert "always the same label:" in out


def polars(made, out):
    """Every row of the frame has its own answer, most of them right."""
    frame = made["frame"]
    assert frame["answer"].to_list() == limbeck.load("RUN").predict(frame["text"]).predicted_names
    assert (frame["answer"] == frame["label"]).mean() > 0.7


def datasets(made, out):
    """Names in their order, and an answer for each row."""
    assert out.startswith("True ")
    assert set(made["rows"]["answer"]) == {"joy", "sadness"}
    assert len(made["rows"]) == 60


def scikit_learn(made, out):
    """Three folds of each of two models, shares of rows; here the first is right of nearly all."""
    scores = [float(one) for one in re.findall(r"[01]\.\d*", out)]
    assert len(scores) == 6
    assert min(scores[:3]) > 0.9
    assert all(0 <= one <= 1 for one in scores)


def several_labels(made, out):
    """Two columns of 0 and 1, and two probabilities; the text has the word that one label stands for."""
    assert out.startswith("['joy' 'news'] [[1 1]] [[0.")


def a_number(made, out):
    """Each row has the number of a model that did not see it; here they are far apart."""
    said = made["rows"].groupby("label")["said"].mean()
    assert said["joy"] > said["sadness"] + 1


def texts_beside_columns(made, out):
    """The forest has learned its first rows."""
    assert list(made["model"].predict(made["rows"].head(3))) == list(made["rows"]["label"].head(3))


def cleanlab(made, out):
    """Issues are rows of the file, and what is kept opens and answers by the names of the classes."""
    assert len(made["cleaner"].get_label_issues()) == 60
    assert limbeck.load("CLEANED").predict([JOY[0]]).probabilities.shape == (1, 2)


def into_transformers(made, out):
    """Both say the same of the same text."""
    theirs = {one["label"]: one["score"] for one in made["classify"](["i feel fine"], top_k=None)[0]}
    ours = limbeck.load("RUN", precision="float32").predict(["i feel fine"])
    for name, probability in zip(ours.label_names, ours.probabilities[0], strict=True):
        assert theirs[name] == pytest.approx(probability, abs=1e-3)


def out_of_transformers(made, out):
    """The labels of the checkpoint, in their order, and a share of rows."""
    assert made["model"].label_names == ("joy", "sadness")
    accuracy = re.match(r"0\.\d+", out.splitlines()[-1])
    assert accuracy
    assert 0.3 < float(accuracy[0]) < 0.7, "it has learned nothing"


def lists_of_labels(made, out):
    """A text has its own label and the word's, and the run is scored as several labels are."""
    assert made["run"].dataset.task.name == "multi"
    assert "macro F1" in out
    assert "joy" in out.splitlines()[-1]


def ordered_classes(made, out):
    """Three classes in the order that was given."""
    assert made["run"].dataset.label_names == ("bad", "fair", "good")
    assert made["run"].validation.mae.value < 1
    assert "quadratic kappa" in out


def pairs(made, out):
    """Both texts were read, and a pair has one answer."""
    assert limbeck.load("PAIRS").bundle.facts.pair == ("words", "speaker")
    assert out.splitlines()[-1] in {"['joy']", "['sadness']"}


CHECKS = (
    pandas, polars, datasets, scikit_learn, several_labels, a_number, texts_beside_columns, cleanlab,
    into_transformers, out_of_transformers, lists_of_labels, ordered_classes, pairs,
)  # fmt: skip
"""What each recipe promises, in the order of the page."""


@pytest.mark.slow
@pytest.mark.encoder
@pytest.mark.parametrize(("recipe", "check"), list(zip(RECIPES, CHECKS, strict=True)), ids=TITLES)
def test_a_recipe_runs(
    recipe: str,
    check: Callable[[dict[str, Any], str], None],
    reviews: Path,
    offline: None,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """It ends, and does what the page says of it."""
    if "TRAINER_OUTPUT" in recipe:
        make_checkpoint(reviews / "TRAINER_OUTPUT" / "checkpoint-3")
    if 'method="finetune"' in recipe:
        write_reviews(reviews, THINGS[:2])  # what it learns is not looked at
    made: dict[str, Any] = {"__name__": "__main__"}
    exec(compile(recipe, str(PAGE), "exec"), made)  # noqa: S102  # the page is ours
    check(made, capsys.readouterr().out)


def test_recipes_are_short() -> None:
    """Ten lines at most, and all of them are found."""
    assert len(RECIPES) == 13
    assert all(len([line for line in recipe.splitlines() if line.strip()]) <= 10 for recipe in RECIPES)


def make_checkpoint(folder: Path) -> None:
    """What Trainer leaves, of a classifier that learned nothing."""
    from transformers import AutoTokenizer, DistilBertConfig, DistilBertForSequenceClassification

    from limbeck.catalog.presets import find_encoder

    torch.manual_seed(0)
    names = {0: "joy", 1: "sadness"}
    config = DistilBertConfig(dim=16, n_heads=2, n_layers=1, hidden_dim=16, id2label=names)
    DistilBertForSequenceClassification(config).save_pretrained(folder)
    AutoTokenizer.from_pretrained(find_encoder("minilm").folder).save_pretrained(folder)
