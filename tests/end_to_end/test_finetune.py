"""Heads and fine-tuning as whole commands: what is left behind, what can be resumed, what transformers makes of it."""

import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
import transformers  # its parts are loaded when a test asks for them
from tests.threads import on_one_thread

from limbeck import load, read
from limbeck.features.cache import FeatureCache
from limbeck.folder_lock import lock
from limbeck.inference.torch_engine import TorchEngine
from limbeck.methods.finetune import finetune
from limbeck.methods.head import train_head
from limbeck.methods.trainings import Finetuning, HeadTraining
from limbeck.model.bundle import load_bundle
from limbeck.settings import FeatureSettings, FinetuneSettings, HeadSettings

pytestmark = pytest.mark.slow

QUICK = ("--epochs", "2", "--batch-size", "32", "--precision", "float32")


@pytest.fixture(scope="module")
def tuned_once(finished: Path, encoder_folder: Path, tmp_path_factory) -> Path:
    """A finished fine-tuning in all its parts, made once."""
    place = tmp_path_factory.mktemp("tuned")
    shutil.copytree(finished / "weather", place / "weather")
    settings = Finetuning(
        features=FeatureSettings(encoder=str(encoder_folder), pooling="cls", precision="float32"),
        finetune=FinetuneSettings(epochs=8, batch_rows=16, learning_rate=3e-3, precision="float32"),
    )
    with on_one_thread():
        finetune(read(place / "weather"), place / "RUN", settings)
    return place


def figures(run):
    return json.loads((run / "metrics.json").read_text("utf-8"))


def bits(run):
    bundle = load_bundle(run / "bundle")
    return {name: values.numpy().tobytes() for name, values in bundle.network().hugging_face_state().items()}


def test_fine_tuning_learns_and_leaves_a_whole_run(tuned_once):
    """Better than the baseline; every part of the run folder is there, and no checkpoint is left."""
    run = tuned_once / "RUN"
    found = figures(run)
    assert found["validation"]["accuracy"] > found["validation"]["baseline"]["accuracy"] + 0.2
    made = {item.relative_to(run).as_posix() for item in run.rglob("*") if item.is_file()}
    assert made >= {
        "run.json",
        "settings.toml",
        "metrics.jsonl",
        "predictions/validation.parquet",
        "bundle/config.json",
    }
    assert not (run / "checkpoints").exists()
    assert len(found["epochs"]) == 8
    best = found["epochs"][found["best_epoch"] - 1]
    assert best["accuracy"] == max(line["accuracy"] for line in found["epochs"])
    assert found["validation"]["accuracy"] == pytest.approx(best["accuracy"])
    assert pq.read_table(run / "predictions" / "validation.parquet").num_rows == 60


def test_transformers_opens_the_bundle_and_gives_the_same_probabilities(tuned_once):
    """`pipeline("text-classification", model=RUN/bundle)` answers what limbeck answers."""
    texts = ["i feel so sad", "today it is fine", "rain rain !", "it is so very sunn sun today"]
    ours = load(tuned_once / "RUN", precision="float32").predict(texts)
    classify = transformers.pipeline("text-classification", model=str(tuned_once / "RUN" / "bundle"), device="cpu")
    for row, answer in enumerate(classify(texts, top_k=None)):
        theirs = {item["label"]: item["score"] for item in answer}
        np.testing.assert_allclose([theirs[name] for name in ours.label_names], ours.probabilities[row], atol=1e-5)


def test_the_trained_encoder_has_a_fingerprint_of_its_own(tuned_once, encoder_folder):
    """Otherwise cached features of the one would pass for those of the other."""
    trained = load_bundle(tuned_once / "RUN" / "bundle")
    said = trained.facts.provenance["encoder"]["weights"]
    assert trained.loaded.fingerprint != said
    assert bits(tuned_once / "RUN")["distilbert.transformer.layer.0.ffn.lin1.weight"]


def test_the_command_shows_the_table_of_the_course(limbeck, weather, encoder_folder, tmp_path, drawn):
    """Training Loss, Validation Loss, Accuracy, F1 weighted, F1 macro: on the screen and in metrics.jsonl."""
    out = tmp_path / "TUNED"
    ended = limbeck("train", weather, "--method", "finetune", "--encoder", encoder_folder, "--out", out, *QUICK)
    assert ended.status == 0, ended.err
    for word in ("Training", "Validation", "Accuracy", "F1 weighted", "F1 macro", "(kept)"):
        assert word in ended.out
    assert "Epoch 2, Training Loss" in ended.err
    assert (out / "pictures" / "learning_curves.png").stat().st_size > 5_000
    scored = limbeck("evaluate", out, weather, "--split", "validation", "--json")
    assert json.loads(scored.out)["accuracy"] == figures(out)["validation"]["accuracy"]


def test_settings_of_a_run_repeat_it(limbeck, tuned_once, tmp_path):
    """`--config RUN/settings.toml` alone says the method and gives the same bits."""
    again = tmp_path / "AGAIN"
    settings = tuned_once / "RUN" / "settings.toml"
    ended = limbeck("train", tuned_once / "weather", "--config", settings, "--out", again)
    assert ended.status == 0, ended.err
    assert bits(again) == bits(tuned_once / "RUN")


def test_ctrl_c_is_resumed_by_flag_alone(limbeck, weather, encoder_folder, tmp_path, monkeypatch):
    """Exit status 130 and how to go on; `train DATA --out RUN --resume` finds the rest in the run; same bits."""
    whole, broken = tmp_path / "WHOLE", tmp_path / "BROKEN"
    command = ("train", weather, "--method", "finetune", "--encoder", encoder_folder, *QUICK)
    assert limbeck(*command, "--out", whole).status == 0

    import os
    import signal

    from limbeck.training.examples import TextExamples

    honest, calls = TextExamples.logits, []

    def interrupted(self, rows):
        calls.append(rows)
        if len(calls) == 11:
            os.kill(os.getpid(), signal.SIGINT)
        return honest(self, rows)

    with monkeypatch.context() as patched:
        patched.setattr(TextExamples, "logits", interrupted)
        ended = limbeck(*command, "--out", broken)
    assert ended.status == 130
    assert "--resume" in ended.err
    refused = limbeck(*command, "--out", broken)
    assert refused.status == 2
    assert "unfinished run: give --resume" in refused.err
    other = limbeck(*command, "--out", broken, "--resume", "--learning-rate", "0.5")
    assert other.status == 2
    assert "settings.finetune.learning_rate: was 0.001, is 0.5" in other.err
    resumed = limbeck("train", weather, "--out", broken, "--resume")
    assert resumed.status == 0, resumed.err
    assert "going on from step" in resumed.err
    assert bits(broken) == bits(whole)
    assert limbeck("train", weather, "--out", broken, "--resume").status == 2


def test_other_data_is_not_gone_on_with(limbeck, weather, encoder_folder, tmp_path, monkeypatch):
    """A resumed run would be of two data sets."""
    out = tmp_path / "RUN"
    command = ("train", weather, "--method", "finetune", "--encoder", encoder_folder, *QUICK, "--out", out)
    from limbeck.training.loop import Loop

    def broken(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Loop, "_judge_epoch", broken)
        assert limbeck(*command, "--resume").status == 130
    (weather / "train.txt").write_text((weather / "train.txt").read_text("utf-8") + "so fine;joy\n", "utf-8")
    ended = limbeck("train", weather, "--out", out, "--resume")
    assert ended.status == 2
    assert "data.fingerprint" in ended.err


def test_a_second_process_is_refused(limbeck, weather, encoder_folder, tmp_path):
    """Exit status 7; the folder is named."""
    with lock(tmp_path / "RUN"):
        command = ("train", weather, "--method", "finetune", "--encoder", encoder_folder, *QUICK)
        ended = limbeck(*command, "--out", tmp_path / "RUN")
    assert ended.status == 7
    assert "in use by another" in ended.err


@pytest.mark.parametrize("pooling", ["cls", "mean", "layers"])
def test_a_head_is_trained_on_cached_features(limbeck, weather, encoder_folder, tmp_path, pooling):
    """It runs to the end, and a second run encodes nothing and gives the same bits."""
    runs = [tmp_path / "A", tmp_path / "B"]
    for out in runs:
        command = ("train", weather, "--method", "head", "--encoder", encoder_folder, "--pooling", pooling)
        ended = limbeck(*command, "--out", out, "--cache-dir", tmp_path / "cache", "--learning-rate", "0.02")
        assert ended.status == 0, ended.err
    assert bits(runs[0]) == bits(runs[1])
    found = figures(runs[0])
    assert len(found["epochs"]) == 10
    scored = limbeck("evaluate", runs[0], weather, "--split", "validation", "--json")
    assert json.loads(scored.out)["accuracy"] == found["validation"]["accuracy"]


def test_the_encoder_runs_once_for_ten_epochs(weather, encoder_folder, tmp_path, monkeypatch):
    """Each different text goes through it once, whether one epoch is trained or ten."""
    passes = []
    honest = TorchEngine.features

    def counted(self, tokenized, blocks, **options):
        passes.append(len(tokenized))
        return honest(self, tokenized, blocks, **options)

    monkeypatch.setattr(TorchEngine, "features", counted)
    settings = HeadTraining(features=FeatureSettings(encoder=str(encoder_folder)))
    data = read(weather)
    train_head(data, tmp_path / "RUN", settings, cache=FeatureCache(tmp_path / "cache"))
    assert sum(passes) == len({*data.split("train").texts, *data.split("validation").texts})


def test_cached_features_give_the_bits_of_the_uncached_loop(weather, encoder_folder, tmp_path, monkeypatch):
    """The same head as when the encoder runs again for every batch of every epoch."""
    from limbeck.training.examples import FeatureExamples

    data = read(weather)
    settings = HeadTraining(
        features=FeatureSettings(encoder=str(encoder_folder), precision="float32"), head=HeadSettings(epochs=3)
    )
    train_head(data, tmp_path / "CACHED", settings, cache=FeatureCache(tmp_path / "cache"))

    from limbeck.catalog.presets import load_encoder_folder
    from limbeck.model.blocks import blocks_for

    engine = TorchEngine(load_encoder_folder(encoder_folder))
    passes = []

    def uncached(self, rows):
        texts = data.split("train" if len(self.facts) == 240 else "validation").texts
        features_NF = engine.features(engine.loaded.tokenizer.encode(texts), blocks_for("mean", None, 2))
        passes.append(len(rows))
        return self._head(torch.from_numpy(features_NF[rows]))

    monkeypatch.setattr(FeatureExamples, "logits", uncached)
    train_head(data, tmp_path / "UNCACHED", settings, cache=FeatureCache(tmp_path / "other"))
    assert sum(passes) == 3 * (240 + 60)
    assert bits(tmp_path / "CACHED") == bits(tmp_path / "UNCACHED")


@pytest.mark.parametrize("method", ["head", "finetune"])
def test_one_logit_for_two_classes(limbeck, weather, encoder_folder, tmp_path, method):
    """Binary cross-entropy on request; the bundle has two classes as any other, for transformers too."""
    for file in weather.iterdir():
        lines = file.read_text("utf-8").splitlines(keepends=True)
        file.write_text("".join(line for line in lines if "슬픔" not in line), "utf-8")
    command = ("train", weather, "--method", method, "--encoder", encoder_folder, "--loss", "binary")
    out = tmp_path / "RUN"
    extra = ("--head", "mlp", "--pooling", "cls", "--precision", "float32")
    extra = extra if method == "head" else ("--precision", "float32")
    ended = limbeck(*command, *extra, "--out", out, "--epochs", "10", "--batch-size", "8", "--learning-rate", "0.003")
    assert ended.status == 0, ended.err
    found = figures(out)
    assert found["validation"]["accuracy"] > 0.7
    best = found["epochs"][found["best_epoch"] - 1]
    assert found["validation"]["log_loss"] <= best["validation_loss"] + 1e-5  # the temperature is fitted on these rows
    texts = ["i feel so sad", "today it is fine"]
    ours = load(out, precision="float32").predict(texts)
    classify = transformers.pipeline("text-classification", model=str(out / "bundle"), device="cpu")
    for row, answer in enumerate(classify(texts, top_k=None)):
        theirs = {item["label"]: item["score"] for item in answer}
        np.testing.assert_allclose([theirs[name] for name in ours.label_names], ours.probabilities[row], atol=1e-5)


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--method", "probe", "--epochs", "3"), "probe: 'epochs' goes with method head or finetune"),
        (("--method", "finetune", "--folds", "3"), "finetune: 'folds' goes with method probe"),
        (("--method", "finetune", "--head", "mlp"), "finetune: 'head' goes with method head"),
        (("--method", "finetune", "--pooling", "mean"), "cannot be fine-tuned"),
        (("--method", "finetune", "--top-layers", "7"), "this encoder has 2 layers"),
        (("--method", "finetune", "--epochs", "0", "--dropout", "1.5"), "2 faults"),
        (("--method", "finetune", "--loss", "binary"), "two classes"),
        (("--method", "head", "--balance", "smote"), "one of none, weights, focal"),
        (("--method", "head", "--head", "mlp", "--pooling", "mean"), "head = 'mlp'"),
        (("--method", "head", "--resume", "--overwrite"), "exclude each other"),
        (("--method", "head", "--elastic", "--overwrite"), "exclude each other"),
        (("--method", "probe", "--resume"), "a probe is not resumed"),
    ],
)
def test_flags_that_mean_nothing_are_refused(limbeck, weather, encoder_folder, tmp_path, flags, said):
    """No flag is ignored: the message names it."""
    ended = limbeck("train", weather, "--encoder", encoder_folder, "--out", tmp_path / "RUN", *flags)
    assert ended.status == 2
    assert said in ended.err


def test_elastic_needs_new_meetings(limbeck, weather, tmp_path, monkeypatch):
    """Where torchrun would let processes meet at the old place, it is said what to set before anything is read."""
    monkeypatch.setenv("TORCHELASTIC_USE_AGENT_STORE", "True")
    ended = limbeck("train", weather, "--method", "head", "--elastic", "--out", tmp_path / "RUN")
    assert ended.status == 2
    assert "TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1" in ended.err


def test_top_layers_leave_the_others_as_they_are(limbeck, weather, encoder_folder, tmp_path):
    """Only the upper layer and the head change; frozen words too stay."""
    from safetensors.torch import load_file

    before = load_file(encoder_folder / "model.safetensors")
    command = ("train", weather, "--method", "finetune", "--encoder", encoder_folder, *QUICK)
    for place, flags in {"TOP": ("--top-layers", "1"), "WORDS": ("--freeze-words",)}.items():
        assert limbeck(*command, *flags, "--out", tmp_path / place).status == 0
        after = load_file(tmp_path / place / "bundle" / "model.safetensors")
        same = {name: torch.equal(values, after[f"distilbert.{name}"]) for name, values in before.items()}
        assert same["embeddings.word_embeddings.weight"]
        assert not same["transformer.layer.1.ffn.lin1.weight"]
        assert same["transformer.layer.0.ffn.lin1.weight"] == (place == "TOP")
