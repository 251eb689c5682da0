"""METHODS: whatever is trained by steps has seeds, sweeps and several processes, and is asked for in one place."""

import json
from dataclasses import replace

import numpy as np
import pytest
from safetensors.torch import load_file
from tests.training.test_team import ended, start

from limbeck import read
from limbeck.errors import SettingsError
from limbeck.experiments.sweep_methods import Sweeping, sweep
from limbeck.features.cache import FeatureCache
from limbeck.methods.distil import Curriculum
from limbeck.methods.distil_settings import Distillation, DistillationSettings
from limbeck.methods.pretrain_settings import Pretraining, PretrainingSettings
from limbeck.methods.table import CLASSIFIERS, METHODS, method_named, method_of
from limbeck.methods.trainings import Finetuning, HeadTraining, ProbeTraining
from limbeck.reading.text_stream import open_stream
from limbeck.settings import FeatureSettings, FinetuneSettings, HeadSettings, SweepSettings

STEPPED = [name for name, method in METHODS.items() if method.by_steps]
LOOP = {"epochs": 1, "batch_rows": 8, "learning_rate": 1e-3}


@pytest.fixture
def world(tmp_path, tiny_folder):
    """What each method learns from, and its settings on a tiny encoder; a teacher is made where one is asked for."""
    random = np.random.default_rng(3)
    words = {"joy": ["fine", "sun"], "sadness": ["sad", "rain"]}
    rows = [
        f"so it is {random.choice(words[label])} {' '.join(random.choice(['i', 'feel', 'very', 'today'], 3))},{label}"
        for label in [*words] * 20
    ]
    path = tmp_path / "data.csv"
    path.write_text("text,label\n" + "\n".join(rows) + "\n", "utf-8")
    features = FeatureSettings(encoder=str(tiny_folder), pooling="cls", device="cpu", precision="float32")
    finetune = Finetuning(features=features, finetune=FinetuneSettings(**LOOP, precision="float32"))
    settings = {
        "probe": ProbeTraining(features=features),
        "head": HeadTraining(features=features, head=HeadSettings(**LOOP)),
        "finetune": finetune,
        "distil": Distillation(distil=DistillationSettings(**LOOP, layers=1, precision="float32", device="cpu")),
        "pretrain": Pretraining(
            pretrain=PretrainingSettings(
                **{**LOOP, "epochs": 2}, teacher=str(tiny_folder), layers=1, steps=4, head_steps=2, max_tokens=8,
                precision="float32", device="cpu",
            )
        ),
    }  # fmt: skip
    cache = FeatureCache(tmp_path / "cache")

    def material(name):
        if name == "pretrain":
            return open_stream(path, text_column="text")
        if name != "distil":
            return read(path)
        teacher = tmp_path / "TEACHER"
        if not teacher.exists():
            METHODS["finetune"].train(read(path), teacher, finetune)
        return Curriculum(teachers=[teacher], dataset=read(path))

    return material, settings, cache


def weights_of(folder):
    (path,) = [*folder.glob("bundle/model.safetensors"), *folder.glob("encoder/model.safetensors")]
    return load_file(path)


def same(one, other):
    return one.keys() == other.keys() and all((one[name] == other[name]).all() for name in one)


@pytest.mark.slow
@pytest.mark.parametrize("name", STEPPED)
def test_every_method_has_seeds(world, tmp_path, name):
    """Two seeds are two whole runs, bit by bit those of single trainings; the better one stands where theirs is."""
    material, settings, cache = world
    out = tmp_path / "TWO"
    run = METHODS[name].train(material(name), out, settings[name].with_fitting(seeds=2), cache=cache)
    written = json.loads((out / "metrics.json").read_text("utf-8"))
    assert written == run.metrics
    assert [one["seed"] for one in written["seeds"]] == [0, 1]
    assert all(told["mean"] == pytest.approx((told["min"] + told["max"]) / 2) for told in written["spread"].values())
    runs = [weights_of(out / "seeds" / number) for number in ("0", "1")]
    assert same(weights_of(out), runs[written["kept_seed"]])
    assert not same(*runs)
    METHODS[name].train(material(name), tmp_path / "ONE", settings[name].with_fitting(seed=1), cache=cache)
    assert same(weights_of(tmp_path / "ONE"), runs[1])


@pytest.mark.slow
@pytest.mark.parametrize("name", METHODS)
def test_every_method_can_be_swept(world, tmp_path, name):
    """The first trial is that of the settings as given; the best is written as a file of settings."""
    pytest.importorskip("optuna")
    material, settings, cache = world
    wishes = Sweeping(base=settings[name], search=SweepSettings(most_trials=2, by="loss"))
    found = sweep(material(name), tmp_path / "SWEEP", wishes, cache=cache)
    assert len(found.trials) == 2
    assert found.best.figure == min(trial.figure for trial in found.trials if trial.figure is not None)
    assert f"[{name}]" in (tmp_path / "SWEEP" / "best.toml").read_text("utf-8")


def test_a_pretraining_is_swept_by_its_loss(world, tmp_path):
    """It has no accuracy: that is said, with what to do."""
    material, settings, _ = world
    with pytest.raises(SettingsError, match="--by loss"):
        sweep(material("pretrain"), tmp_path / "SWEEP", Sweeping(base=settings["pretrain"]))


@pytest.mark.slow
@pytest.mark.parametrize("name", STEPPED)
def test_every_method_trains_in_two_processes(world, tmp_path, name):
    """Both end; the first one writes a run with all that a run of one process has."""
    material, settings, cache = world
    learnt, wanted = material(name), settings[name]

    def work(_rank):
        METHODS[name].train(learnt, tmp_path / "TEAM", wanted, cache=cache)

    assert ended(start(work)) == [0, 0]
    METHODS[name].train(learnt, tmp_path / "ALONE", wanted, cache=cache)
    assert weights_of(tmp_path / "ALONE").keys() == weights_of(tmp_path / "TEAM").keys()
    metrics = [json.loads((tmp_path / place / "metrics.json").read_text("utf-8")) for place in ("ALONE", "TEAM")]
    assert metrics[0]["steps"] == metrics[1]["steps"]
    assert metrics[0].keys() == metrics[1].keys()


def test_a_method_is_named_once():
    """Names, tables of settings and settings agree; an unknown one is refused with those that there are."""
    assert {name: method.training().method for name, method in METHODS.items()} == {name: name for name in METHODS}
    assert all(name in method.training().stages() for name, method in METHODS.items())
    assert all(method_of(method.training()) is method for method in METHODS.values())
    with pytest.raises(SettingsError, match=f"'boost' is not known: give one of {', '.join(CLASSIFIERS)}"):
        method_named("boost")


def test_a_probe_has_nothing_to_go_on_from(world, tmp_path):
    """It is fitted in one go: to resume it is refused, as it is where a recipe is asked for."""
    material, settings, cache = world
    with pytest.raises(SettingsError, match="not resumed"):
        METHODS["probe"].train(material("probe"), tmp_path / "RUN", settings["probe"], start="resume", cache=cache)
    with pytest.raises(SettingsError, match="not trained by steps"):
        METHODS["probe"].recipe(replace(settings["probe"]), material("probe"), cache)
