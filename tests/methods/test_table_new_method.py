"""A new method is one file and one entry of METHODS: whatever asks "which method?" then has it."""

import subprocess
import sys

import numpy as np
import pytest
from tests.methods.fifth_method import BlurredSettings, BlurredTraining

import limbeck
from limbeck.experiments.sweep_methods import Sweeping, sweep
from limbeck.features.cache import FeatureCache
from limbeck.methods import table
from limbeck.methods.options import training_of
from limbeck.methods.past_run import open_past_run, train_again
from limbeck.runs.past_data import read_data_of
from limbeck.settings import FeatureSettings, SweepSettings


@pytest.fixture
def rows(tmp_path, monkeypatch):
    """Labelled rows in a file, the method being in the table."""
    method = table.Method(
        training=BlurredTraining, summary="a head with blurred losses", home="tests.methods.fifth_method"
    )
    for known in (table.METHODS, table.CLASSIFIERS):
        monkeypatch.setitem(known, method.name, method)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    random = np.random.default_rng(3)
    words = {"joy": ["fine", "sun"], "sadness": ["sad", "rain"]}
    lines = [f"{random.choice(words[label])} {number},{label}" for number in range(20) for label in words]
    path = tmp_path / "data.csv"
    path.write_text("text,label\n" + "\n".join(lines) + "\n", "utf-8")
    return path


@pytest.mark.slow
def test_a_file_and_an_entry_are_a_method(rows, tmp_path, tiny_folder):
    """It is trained by name with seeds, swept, opened again, trained again, and hinted at."""
    options = {"encoder": str(tiny_folder), "batch_rows": 8, "device": "cpu", "precision": "float32"}
    run = limbeck.train(rows, tmp_path / "RUN", method="blurred", seeds=2, blur=0.5, **options)
    assert run.metrics["method"] == "blurred"
    assert len(run.metrics["seeds"]) == 2
    past = open_past_run(tmp_path / "RUN")
    assert past.training.blurred.blur == 0.5
    assert read_data_of(past.data).fingerprint() == run.dataset.fingerprint()
    again = train_again(past, limbeck.read(rows), tmp_path / "AGAIN", cache=FeatureCache(tmp_path / "cache"))
    assert "seeds" not in again.metrics
    with pytest.raises(limbeck.SettingsError, match="'blur' goes with method blurred"):
        training_of("probe", {"blur": 0.1})


@pytest.mark.slow
def test_it_is_swept(rows, tmp_path, tiny_folder):
    """What is varied is what its settings say."""
    pytest.importorskip("optuna")
    features = FeatureSettings(encoder=str(tiny_folder), device="cpu", precision="float32")
    base = BlurredTraining(features=features, blurred=BlurredSettings(epochs=1, batch_rows=8))
    wishes = Sweeping(base=base, search=SweepSettings(most_trials=2))
    found = sweep(limbeck.read(rows), tmp_path / "SWEEP", wishes, cache=FeatureCache(tmp_path / "cache"))
    assert set(found.best.values) == {"learning_rate", "blur"}
    assert "[blurred]" in (tmp_path / "SWEEP" / "best.toml").read_text("utf-8")


def test_a_method_of_one_file_costs_no_help_anything():
    """Its file is loaded with the command line: what it stands on loads nothing heavy."""
    code = (
        "import sys, tests.methods.fifth_method\n"
        "print(sorted({'torch', 'numpy', 'pyarrow', 'tokenizers'} & set(sys.modules)))"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == "[]"
