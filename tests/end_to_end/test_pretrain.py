"""Pretraining as a whole command: what is left behind, that it learns, and the same bits after an interruption."""

import json
import random
import signal

import numpy as np
import pytest
import torch

from limbeck.catalog.presets import load_encoder_folder
from limbeck.errors import Interrupted
from limbeck.methods.language import LanguageLosses
from limbeck.methods.pretrain import pretrain
from limbeck.methods.pretrain_settings import PretrainingSettings
from limbeck.reading.text_stream import open_stream

pytestmark = pytest.mark.slow

WORDS = ("i", "feel", "fine", "sad", "so", "very", "today", "it", "is", "rain", "sun", ".", "!")


@pytest.fixture(scope="module")
def stream_file(tmp_path_factory):
    """Texts whose words follow each other by a rule that can be learnt."""
    drawing = random.Random(3)  # noqa: S311
    lines = []
    for _ in range(240):
        first = drawing.randrange(len(WORDS))
        lines.append(" ".join(WORDS[(first + step) % len(WORDS)] for step in range(drawing.randint(5, 14))))
    path = tmp_path_factory.mktemp("stream") / "texts.txt"
    path.write_text("\n".join(lines), "utf-8")
    return path


def settings_of(encoder_folder, **changes):
    values = {
        "teacher": str(encoder_folder),
        "layers": 1,
        "steps": 12,
        "epochs": 3,
        "head_steps": 6,
        "max_tokens": 16,
        "precision": "float32",
        "checkpoint_every_s": None,
        **changes,
    }
    return PretrainingSettings(**values)


def weights_of(run):
    return load_encoder_folder(run.folder.encoder).encoder.state_dict()


def test_a_pretraining_leaves_an_encoder(limbeck, encoder_folder, stream_file, tmp_path):
    """Figures, an encoder that `--encoder` takes, and a table of perplexities."""
    out = tmp_path / "RUN"
    ended = limbeck(
        *("pretrain", stream_file, "--teacher", encoder_folder, "--layers", "1", "--out", out, "--steps", "12"),
        *("--stretches", "3", "--head-steps", "6", "--max-tokens", "16", "--precision", "float32"),
    )
    assert ended.status == 0, ended.err
    assert "one is trained first" in ended.err
    assert "perplexity" in ended.out
    metrics = json.loads((out / "metrics.json").read_text())
    assert metrics["steps"] == 12
    assert metrics["student"]["layers"] == 1
    assert metrics["validation"]["perplexity"] > 1
    assert metrics["tokens_per_s"] > 0
    assert not (out / "checkpoints").exists()
    assert load_encoder_folder(out / "encoder").config.n_layers == 1


def test_what_needs_a_classifier_refuses_a_pretraining(limbeck, encoder_folder, stream_file, tmp_path):
    """A report and a search for wrong labels say that there is none, in one line."""
    pretrain(open_stream(stream_file), tmp_path / "RUN", settings_of(encoder_folder, steps=3))
    for words in (("report", tmp_path / "RUN"), ("labels", tmp_path / "RUN", "--cross-fit", "2")):
        ended = limbeck(*words)
        assert ended.status == 2, ended.err
        assert "'pretrain'" in ended.err
        assert "Traceback" not in ended.err


def test_it_opens_in_transformers(encoder_folder, stream_file, tmp_path):
    """As DistilBertForMaskedLM, with the same guesses."""
    from transformers import AutoModelForMaskedLM

    from limbeck.model.language_head import load_language_head

    run = pretrain(open_stream(stream_file), tmp_path / "RUN", settings_of(encoder_folder))
    peer = AutoModelForMaskedLM.from_pretrained(run.folder.encoder).eval()
    loaded = load_encoder_folder(run.folder.encoder)
    head = load_language_head(run.folder.encoder, loaded.config)
    tokenized = loaded.tokenizer.encode(["it is rain today ."])
    with torch.inference_mode():
        batch = tokenized.take([0])
        found = head(loaded.encoder(batch), loaded.encoder.embeddings.word_embeddings.weight)
        expected = peer(input_ids=torch.from_numpy(batch.ids.astype(np.int64))[None]).logits[0]
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)


def test_masked_tokens_are_learnt(encoder_folder, stream_file, tmp_path):
    """The perplexity of held-out texts falls well below what it was."""
    settings = settings_of(encoder_folder, objective="mlm", layers=None, steps=120, epochs=4, learning_rate=5e-3)
    run = pretrain(open_stream(stream_file), tmp_path / "RUN", settings)
    assert run.metrics["validation"]["perplexity"] < 0.8 * run.metrics["before"]["perplexity"]


@pytest.mark.parametrize(
    "changes", [{}, {"objective": "mlm"}, {"width": 8}, {"start": "nothing"}, {"whole_words": True}]
)
@pytest.mark.parametrize("at", [1, 9])
def test_an_interrupted_run_ends_with_the_same_bits(encoder_folder, stream_file, tmp_path, monkeypatch, changes, at):
    """In the head's training, or the student's: what goes on is what would have been."""
    settings = settings_of(encoder_folder, checkpoint_every_s=0.0, **changes)
    whole = pretrain(open_stream(stream_file), tmp_path / "whole", settings_of(encoder_folder, **changes))
    calls = []
    honest = LanguageLosses.losses

    def interrupting(self, rows):
        calls.append(len(rows))
        if len(calls) == at:
            signal.raise_signal(signal.SIGINT)
        return honest(self, rows)

    with monkeypatch.context() as patched:
        patched.setattr(LanguageLosses, "losses", interrupting)
        with pytest.raises(Interrupted, match="--resume"):
            pretrain(open_stream(stream_file), tmp_path / "broken", settings)
    torch.manual_seed(12345)
    again = pretrain(open_stream(stream_file), tmp_path / "broken", settings, start="resume")
    one, other = weights_of(whole), weights_of(again)
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_a_budget_decides_the_steps_once(encoder_folder, stream_file, tmp_path):
    """And keeps to them when it is resumed."""
    settings = settings_of(encoder_folder, steps=None, budget_minutes=0.002)
    run = pretrain(open_stream(stream_file), tmp_path / "RUN", settings)
    kept = json.loads(run.folder.budget.read_text())
    assert run.metrics["steps"] >= kept["steps"]
    assert kept["minutes"] == 0.002


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (("--steps", "0"), "at least 1"),
        (("--steps", "5", "--budget-minutes", "1"), "give one of them"),
        (("--layers", "7", "--max-tokens", "16"), "give 1 to 2"),
        (("--max-tokens", "999"), "max_tokens = 999"),
        (("--soft-weight", "0", "--masked-weight", "0", "--cosine-weight", "0"), "nothing would be learnt"),
        (("--objective", "both"), "'triple', 'mlm'"),
    ],
)
def test_wrong_flags_are_explained(limbeck, encoder_folder, stream_file, tmp_path, flags, says):
    """One line that says what would be right."""
    ended = limbeck("pretrain", stream_file, "--teacher", encoder_folder, "--out", tmp_path / "RUN", *flags)
    assert ended.status == 2
    assert says in ended.err
    assert "Traceback" not in ended.err


def test_a_file_that_is_not_there(limbeck, tmp_path):
    """Says so."""
    ended = limbeck("pretrain", tmp_path / "nothing.txt", "--out", tmp_path / "RUN")
    assert ended.status == 3
    assert "does not exist" in ended.err
