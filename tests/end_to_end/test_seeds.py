"""`limbeck train --seeds 3` as a whole command: several runs, their spread, going on with the one that is missing."""

import json
import shutil

import pytest

pytestmark = pytest.mark.slow

QUICK = ("--method", "head", "--epochs", "2", "--batch-size", "32", "--learning-rate", "0.02")


def figures(run):
    return json.loads((run / "metrics.json").read_text("utf-8"))


@pytest.fixture
def train(limbeck, weather, encoder_folder, tmp_path):
    """Train heads on the weather."""

    def run(*words):
        return limbeck("train", weather, "--encoder", encoder_folder, "--cache-dir", tmp_path / "cache", *words)

    return run


def test_seeds_are_whole_runs_and_their_spread_is_told(train, tmp_path):
    """Each is what a single training with that seed gives; the best stands where a single run's model is."""
    out = tmp_path / "RUN"
    ended = train(*QUICK, "--head", "mlp", "--pooling", "cls", "--seeds", "3", "--out", out)
    assert ended.status == 0, ended.err
    found = figures(out)
    assert [one["seed"] for one in found["seeds"]] == [0, 1, 2]
    accuracies = [figures(out / one["folder"])["validation"]["accuracy"] for one in found["seeds"]]
    assert [one["accuracy"] for one in found["seeds"]] == accuracies
    assert found["spread"]["accuracy"]["mean"] == pytest.approx(sum(accuracies) / 3)
    assert found["validation"]["accuracy"] == max(accuracies)
    assert found["seeds"][found["kept_seed"]]["accuracy"] == max(accuracies)
    kept = out / "seeds" / str(found["kept_seed"])
    assert (out / "bundle" / "manifest.json").read_bytes() == (kept / "bundle" / "manifest.json").read_bytes()
    assert "standard deviation" in ended.out
    single = train(*QUICK, "--head", "mlp", "--pooling", "cls", "--seed", "1", "--out", tmp_path / "ONE")
    assert single.status == 0
    weights = [run / "bundle" / "model.safetensors" for run in (tmp_path / "ONE", out / "seeds" / "1")]
    assert weights[0].read_bytes() == weights[1].read_bytes()


def test_the_missing_seed_is_gone_on_with(train, tmp_path):
    """`--resume` trains what is not finished and leaves the rest; the number of seeds is remembered."""
    out = tmp_path / "RUN"
    assert train(*QUICK, "--seeds", "3", "--out", out).status == 0
    whole = (out / "bundle" / "model.safetensors").read_bytes()
    (out / "metrics.json").unlink()
    shutil.rmtree(out / "seeds" / "1")
    refused = train(*QUICK, "--seeds", "3", "--out", out)
    assert refused.status == 2
    assert "--resume" in refused.err
    ended = train("--out", out, "--resume")
    assert ended.status == 0, ended.err
    assert ended.err.count("is finished already") == 2
    assert "Epoch 2" in ended.err
    assert (out / "bundle" / "model.safetensors").read_bytes() == whole


def test_a_probe_has_no_seeds_to_spread(train, tmp_path):
    """No flag is ignored."""
    ended = train("--method", "probe", "--seeds", "3", "--out", tmp_path / "RUN")
    assert ended.status == 2
    assert "probe: 'seeds' goes with method head or finetune" in ended.err


def test_a_student_and_an_encoder_have_seeds(limbeck, weather, encoder_folder, tmp_path):
    """`distil --seeds` and `pretrain --seeds` report the spread of their own figures."""
    quick = ("--epochs", "1", "--batch-size", "32", "--learning-rate", "0.002")
    cache = ("--cache-dir", tmp_path / "cache")
    teacher = tmp_path / "TEACHER"
    made = limbeck("train", weather, "--method", "finetune", "--encoder", encoder_folder, *quick, "--out", teacher)
    assert made.status == 0, made.err
    student = tmp_path / "STUDENT"
    ended = limbeck("distil", teacher, weather, "--layers", "1", *quick, *cache, "--seeds", "2", "--out", student)
    assert ended.status == 0, ended.err
    assert "2 seeds on the validation split" in ended.out
    assert set(figures(student)["spread"]) == {"accuracy", "f1_weighted", "f1_macro", "log_loss"}
    texts, encoder = weather / "train.txt", tmp_path / "ENCODER"
    ended = limbeck(
        "pretrain", texts, "--teacher", encoder_folder, "--layers", "1", "--steps", "3", "--stretches", "1",
        "--head-steps", "2", "--max-tokens", "16", "--seeds", "2", "--out", encoder,
    )  # fmt: skip
    assert ended.status == 0, ended.err
    assert set(figures(encoder)["spread"]) == {"perplexity", "guessed", "loss"}
    assert (encoder / "encoder" / "model.safetensors").exists()
