"""Every recipe of docs/recipes.md runs as it is printed, on a small file, without the network."""

import re
from pathlib import Path

import pytest
import torch
from datasets import disable_progress_bars

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
    lines = [
        f'"{text}, said {thing}",{label}'
        for label, texts in (("joy", JOY), ("sadness", SADNESS))
        for text in texts
        for thing in THINGS
    ]
    (tmp_path / "reviews.csv").write_text("text,label\n" + "\n".join(lines) + "\n", "utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def offline(minilm: LoadedEncoder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The embedded encoder, converted once, in float32 at once; caches of this test run."""
    import datasets.config

    monkeypatch.setattr(choice, "SMALL_ENCODER_PARAMETERS", 10**9)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "hf"))
    disable_progress_bars()


@pytest.mark.slow
@pytest.mark.encoder
@pytest.mark.parametrize("recipe", RECIPES, ids=TITLES)
def test_a_recipe_runs(recipe: str, reviews: Path, offline: None, capsys: pytest.CaptureFixture[str]) -> None:
    """It says something, and ends."""
    if "TRAINER_OUTPUT" in recipe:
        make_checkpoint(reviews / "TRAINER_OUTPUT" / "checkpoint-3")
    exec(compile(recipe, str(PAGE), "exec"), {"__name__": "__main__"})  # noqa: S102  # the page is ours
    assert capsys.readouterr().out.strip()


def test_recipes_are_short() -> None:
    """Ten lines at most, and all of them are found."""
    assert len(RECIPES) == 8
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
