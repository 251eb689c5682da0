"""The re-told notebooks of examples/ run to their end on tiny folders, with a tiny encoder, without the network."""

import importlib.util
import json
import random
from pathlib import Path

import platformdirs
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from limbeck.model.config import EncoderConfig
from limbeck.model.encoder import Encoder
from limbeck.model.loaded_encoder import write_encoder
from limbeck.tokens import Tokenizer

EXAMPLES = Path(__file__).parents[2] / "examples"
MOST_LINES = 120
FEELINGS = {
    "joy": ("fine", "sunn sun"),
    "sadness": ("sad", "rain"),
    "love": ("sunny", "fine sun"),
    "anger": ("!", "sad !"),
}


def load(name):
    """Import an example as `python examples/NAME.py` would run it, but for its last line."""
    spec = importlib.util.spec_from_file_location(f"example_{name}", EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def encoder(tiny_tokenizer, tmp_path, monkeypatch):
    """A tiny encoder that reads 512 tokens, and caches that end with the test."""
    monkeypatch.setattr(platformdirs, "user_cache_path", lambda name: tmp_path / "cache")
    torch.manual_seed(7)
    sizes = EncoderConfig(vocab_size=20, dim=16, n_layers=2, n_heads=4, hidden_dim=32, initializer_range=0.3)
    tokenizer = Tokenizer(json.loads(tiny_tokenizer.content), max_tokens=512, where="the tiny tokenizer")
    folder = tmp_path / "encoder"
    folder.mkdir()
    write_encoder(Encoder(sizes), tokenizer, folder)
    return folder


def feeling_rows(count, seed):
    drawing = random.Random(seed)  # noqa: S311  # rows, not a secret
    labels = [list(FEELINGS)[number % len(FEELINGS)] for number in range(count)]
    return [
        (f"i feel {drawing.choice(('so', 'very', 'today'))} {drawing.choice(FEELINGS[one])} .", one) for one in labels
    ]


@pytest.mark.slow
def test_emotion_runs_on_a_folder(encoder, tmp_path, capsys):
    """Every step of the notebook says something, and leaves its pictures."""
    for seed, (split, count) in enumerate({"train": 120, "val": 40, "test": 40}.items()):
        lines = [f"{text};{label}\n" for text, label in feeling_rows(count, seed)]
        (tmp_path / "data").mkdir(exist_ok=True)
        (tmp_path / "data" / f"{split}.txt").write_text("".join(lines), "utf-8")
    out = tmp_path / "runs"
    words = ["--local", tmp_path / "data", "--encoder", encoder, "--out", out, "--quick"]
    load("emotion").main(list(map(str, words)))
    said = capsys.readouterr().out
    for part in (
        "Dataset of 200 rows",
        "tokens a text",
        "cls, smote",
        "layers",
        "Validation Loss",
        "Highest loss",
        "Lowest loss",
    ):
        assert part in said, part
    drawn = {path.stem for path in out.rglob("*.png")}
    assert drawn >= {"class_frequency", "feature_map", "class_density", "confusion", "learning_curves"}


@pytest.mark.slow
def test_imdb_runs_on_a_folder(encoder, tmp_path, capsys):
    """Ten epochs, then the accuracy of the rows that were learned from and of the test rows."""
    (tmp_path / "data").mkdir()
    for seed, split in enumerate(("train", "test")):
        rows = [(text, int(label in {"joy", "love"})) for text, label in feeling_rows(160, seed)]
        rows.sort(key=lambda row: row[1])  # as the real files are
        columns = {"text": [text for text, _ in rows], "label": [label for _, label in rows]}
        pq.write_table(pa.table(columns), tmp_path / "data" / f"{split}.parquet")
    out = tmp_path / "runs"
    load("imdb").main(["--local", str(tmp_path / "data"), "--encoder", str(encoder), "--out", str(out), "--quick"])
    said = capsys.readouterr().out
    assert "at 400 tokens 0.0% of the reviews are cut" in said
    lines = said.splitlines()
    head = next(place for place, line in enumerate(lines) if line.startswith("Epoch"))
    assert [line.split()[0] for line in lines[head + 1 : head + 11]] == list(map(str, range(1, 11)))
    scored = {line.split()[0]: line for line in lines if line.startswith(("train", "validation", "test"))}
    assert set(scored) == {"train", "validation", "test"}
    learned, judged = (int(scored[name].split()[1]) for name in ("train", "validation"))
    assert learned + judged == 160
    assert scored["test"].split()[1] == "160"


@pytest.mark.parametrize("name", ["emotion", "imdb"])
def test_an_example_is_read_in_one_sitting(name):
    """At most 120 lines, and it takes the hub's data when no folder is given."""
    text = (EXAMPLES / f"{name}.py").read_text("utf-8")
    assert len(text.splitlines()) <= MOST_LINES
    assert 'limbeck.read(chosen.local or "hub:' in text
