"""Sweeps: what is tried, what is ended early, what is left, and going on after a kill. Trials are functions here."""

import json
import os
import signal
import tomllib

import pyarrow as pa
import pytest

from limbeck.errors import (
    DataError,
    Interrupted,
    ModelError,
    NoMemoryError,
    SettingsError,
    StorageError,
    TrainingError,
)
from limbeck.experiments import sweep_methods
from limbeck.experiments.search_space import first_values, read_space, with_values
from limbeck.experiments.sweep import FIRST_TRIALS, SweepPlan, run_sweep
from limbeck.methods.knobs import Knob
from limbeck.methods.table import METHODS
from limbeck.methods.trainings import Finetuning, HeadTraining
from limbeck.progress import Silent
from limbeck.reading.in_memory import from_arrow
from limbeck.settings import FeatureSettings, FinetuneSettings, HeadSettings, SweepSettings
from limbeck.training.journal import EpochScores

KNOBS = (
    Knob(stage="finetune", name="learning_rate", low=1e-5, high=1e-3, log=True),
    Knob(stage="finetune", name="batch_rows", choices=(16, 32, 64)),
)


class Trainings:
    """Trials that learn best at a rate of 2e-4, in three epochs."""

    def __init__(self):
        self.settings, self.epochs = [], 0

    def train(self, settings, out, after_epoch, progress):
        self.settings.append(settings.finetune)
        out.mkdir(parents=True, exist_ok=True)
        (out / "bundle").mkdir(exist_ok=True)
        top = 0.9 - abs(settings.finetune.learning_rate - 2e-4) * 500
        lines = []
        for epoch in (1, 2, 3):
            self.epochs += 1
            figures = dict.fromkeys(("accuracy", "f1_weighted", "f1_macro"), top - 0.1 / epoch)
            lines.append(dict(epoch=epoch, train_loss=1.0, validation_loss=1 - top, seconds=1.0, **figures))
            after_epoch(EpochScores(**lines[-1]))
        return {"epochs": lines, "best_epoch": 3}


def limits(error, beyond):
    """Trials that fail above a rate."""

    class Limited(Trainings):
        def train(self, settings, out, after_epoch, progress):
            if settings.finetune.learning_rate > beyond:
                self.settings.append(settings.finetune)
                raise error
            return super().train(settings, out, after_epoch, progress)

    return Limited()


def plan_of(trainings, **changes):
    base = Finetuning(finetune=FinetuneSettings(learning_rate=1e-3))
    first = first_values(base, KNOBS, {})
    return SweepPlan(base=base, knobs=KNOBS, first=first, train=trainings.train, fingerprint="a", **changes)


def search(place, trainings, *, resume=False, **wishes):
    return run_sweep(place, plan_of(trainings), SweepSettings(**wishes), resume=resume)


def test_the_first_trial_is_the_settings_as_given(tmp_path):
    """So that the best is never worse than those; and it is found that another rate is better."""
    trainings = Trainings()
    found = search(tmp_path / "S", trainings, most_trials=12)
    assert trainings.settings[0].learning_rate == 1e-3
    assert len(found.trials) == 12
    assert found.best.figure > found.trials[0].figure
    assert abs(found.best.values["learning_rate"] - 2e-4) < 3e-4


def test_what_is_left(tmp_path):
    """A table, a record, settings that `train --config` reads, and the model of the best alone."""
    found = search(tmp_path / "S", Trainings(), most_trials=6)
    told = json.loads((tmp_path / "S" / "sweep.json").read_text("utf-8"))
    assert told["best"]["number"] == found.best.number
    lines = (tmp_path / "S" / "sweep.csv").read_text("utf-8").splitlines()
    assert lines[0] == "trial,accuracy,ended_early,failed,epochs,seconds,learning_rate,batch_rows"
    assert len(lines) == 7
    best = tomllib.loads((tmp_path / "S" / "best.toml").read_text("utf-8"))
    assert best["finetune"]["learning_rate"] == found.best.values["learning_rate"]
    models = [path.parent.name for path in (tmp_path / "S" / "trials").glob("*/bundle")]
    assert models == [found.best.folder.removeprefix("trials/")]


def test_what_is_worse_than_the_median_is_ended(tmp_path):
    """After the first trials, at an epoch's end; an ended trial is never the best."""
    found = search(tmp_path / "S", Trainings(), most_trials=15)
    assert not any(trial.ended_early for trial in found.trials[:FIRST_TRIALS])
    ended = [trial for trial in found.trials if trial.ended_early]
    assert ended
    assert all(trial.epochs < 3 for trial in ended)
    assert not found.best.ended_early


def test_the_time_ends_it(tmp_path):
    """A budget of a moment: one epoch of one trial, and that is said to be ended early."""
    found = search(tmp_path / "S", Trainings(), budget_minutes=1e-9)
    assert [trial.epochs for trial in found.trials] == [1]
    assert found.trials[0].ended_early


def test_a_killed_sweep_goes_on(tmp_path):
    """After kill -9 within a trial: its folder and settings are taken up, the trials before it count."""
    place, trainings = tmp_path / "S", Trainings()
    child = os.fork()
    if not child:
        honest = trainings.train

        def killed(settings, out, after_epoch, progress):
            if len(trainings.settings) == 3:
                out.mkdir(parents=True)
                (out / "half").write_text(repr(settings.finetune.learning_rate), "utf-8")
                os.kill(os.getpid(), signal.SIGKILL)
            return honest(settings, out, after_epoch, progress)

        trainings.train = killed
        search(place, trainings, most_trials=6)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    with pytest.raises(SettingsError, match="--resume"):
        search(place, Trainings(), most_trials=6)
    with pytest.raises(SettingsError, match="another sweep"):
        search(place, Trainings(), most_trials=6, by="loss", resume=True)
    found = search(place, trainings, most_trials=6, resume=True)
    assert len(found.trials) == 6
    assert len({trial.folder for trial in found.trials}) == 6
    taken_up = next(trial for trial in found.trials if trial.folder == "trials/0003")
    assert repr(taken_up.values["learning_rate"]) == (place / "trials" / "0003" / "half").read_text("utf-8")


@pytest.mark.parametrize(
    "error", [TrainingError("the loss is not finite"), SettingsError("cannot be"), NoMemoryError("too large")]
)
def test_a_trial_that_fails_does_not_end_the_sweep(tmp_path, error):
    """It is told with its reason, counted, and not repeated when the sweep goes on; the best is of the others."""
    place, trainings = tmp_path / "S", limits(error, 3e-4)
    found = search(place, trainings, most_trials=12)
    assert found.trials[0].failed == str(error)
    assert found.trials[0].figure is None
    assert found.best.values["learning_rate"] <= 3e-4
    lines = (place / "sweep.csv").read_text("utf-8").splitlines()
    assert len(lines) == 13
    assert lines[1].startswith("0,,False,True,")
    told = json.loads((place / "sweep.json").read_text("utf-8"))
    assert told["trials"][0]["failed"] == str(error)
    done = len(trainings.settings)
    assert len(search(place, trainings, most_trials=14, resume=True).trials) == 14
    assert len(trainings.settings) == done + 2
    assert not any(trainings.settings[-1] == one for one in trainings.settings[:-1])


def test_a_space_in_which_everything_fails_is_said(tmp_path):
    """After the first trials, with the reason of each: what they share is wrong."""
    trainings = limits(TrainingError("the loss is not finite"), 0)
    with pytest.raises(SettingsError, match="all trials failed") as caught:
        search(tmp_path / "S", trainings, most_trials=50)
    assert str(caught.value).count("the loss is not finite") == len(trainings.settings) == FIRST_TRIALS


@pytest.mark.parametrize("error", [DataError("a row"), StorageError("full"), ModelError("none"), Interrupted("asked")])
def test_what_no_other_settings_could_mend_ends_the_sweep(tmp_path, error):
    """A fault of the data, the disk or the encoder is that of every trial."""
    trainings = limits(error, 0)
    with pytest.raises(type(error), match=str(error)):
        search(tmp_path / "S", trainings, most_trials=9)
    assert len(trainings.settings) == 1


@pytest.mark.parametrize(
    "knobs",
    [
        (
            Knob(stage="finetune", name="batch_rows", choices=(16, 32)),
            Knob(stage="finetune", name="epochs", low=1, high=3),
        ),
        (Knob(stage="finetune", name="unfreeze", choices=("all", "gradual")),),
        (Knob(stage="finetune", name="top_layers", low=0, high=6),),
    ],
)
@pytest.mark.parametrize("failing", [False, True])
def test_equal_settings_are_not_tried_twice(tmp_path, knobs, failing):
    """A space that can be counted is gone through once, and the sweep ends when all of it was tried."""
    trainings = Trainings()
    honest = trainings.train

    def train(settings, out, after_epoch, progress):
        if failing and len(trainings.settings) % 2:
            trainings.settings.append(settings.finetune)
            raise TrainingError("every second fails")
        return honest(settings, out, after_epoch, progress)

    base = Finetuning(finetune=FinetuneSettings(learning_rate=2e-4, epochs=1, top_layers=0))
    plan = SweepPlan(base=base, knobs=knobs, first=first_values(base, knobs, {}), train=train, fingerprint="a")
    found = run_sweep(tmp_path / "S", plan, SweepSettings(most_trials=100))
    seen = [tuple(trial.values.values()) for trial in found.trials]
    every = 1
    for knob in knobs:
        every *= len(knob.choices) or knob.high - knob.low + 1
    assert len(seen) == len(set(seen)) == every == len(trainings.settings)


def test_the_loss_is_brought_down(tmp_path):
    """By loss the least is the best."""
    found = search(tmp_path / "S", Trainings(), by="loss", most_trials=8)
    assert found.best.figure == min(trial.figure for trial in found.trials)


@pytest.mark.parametrize("wish", [{"budget_minutes": 0.0}, {"most_trials": 0}])
def test_budgets_that_mean_nothing_are_refused(tmp_path, wish):
    """And nothing is made."""
    with pytest.raises(SettingsError, match="is not possible"):
        search(tmp_path / "S", Trainings(), **wish)
    assert not (tmp_path / "S").exists()


@pytest.mark.parametrize(
    "settings",
    [
        HeadTraining(features=FeatureSettings(pooling="cls"), head=HeadSettings(weight_decay=0.5)),
        *(method.training() for method in METHODS.values()),
    ],
)
def test_every_method_has_a_space_that_its_settings_fit(settings):
    """Each knob is a setting, and the first values lie within."""
    knobs = settings.knobs(1e-3)
    first = first_values(settings, knobs, {"learning_rate": 1e-3, "dropout": 0.1})
    for knob in knobs:
        assert first[knob.name] in knob.choices if knob.choices else knob.low <= first[knob.name] <= knob.high
    assert with_values(settings, knobs, first).stages().keys() == settings.stages().keys()


def test_a_space_of_ones_own(tmp_path):
    """Read from TOML; faults are gathered, each with its name."""
    path = tmp_path / "space.toml"
    path.write_text("[search]\nepochs = { low = 1, high = 5 }\nbatch_rows = { choices = [8] }\n", "utf-8")
    knobs = read_space(path, "finetune", Finetuning())
    assert [(knob.name, knob.choices, knob.high) for knob in knobs] == [("epochs", (), 5), ("batch_rows", (8,), 0.0)]
    wrong = ("epoch = { low = 1, high = 5 }", "batch_rows = [8]", "dropout = { low = 0, high = 1, log = true }")
    path.write_text("\n".join(("[search]", *wrong)), "utf-8")
    with pytest.raises(SettingsError, match="3 faults") as caught:
        read_space(path, "finetune", Finetuning())
    assert "epoch is no setting" in str(caught.value)
    assert "above 0 where log is true" in str(caught.value)


def test_a_sweep_of_label_sets_is_judged_by_macro_f1(tmp_path, monkeypatch):
    """They have no accuracy, which is the default: what stands for it is said, and is what trials are kept by."""
    data = from_arrow(pa.table({"text": ["a", "b"], "label": [["x", "y"], []]}))
    asked = []
    monkeypatch.setattr(sweep_methods, "run_sweep", lambda out, plan, search, **_: asked.append((plan, search)))
    said: list[str] = []
    progress = Silent()
    monkeypatch.setattr(progress, "say", said.append)
    base = HeadTraining(head=HeadSettings(learning_rate=1e-3))
    sweep_methods.sweep(data, tmp_path / "S", sweep_methods.Sweeping(base=base), progress=progress)
    ((plan, search),) = asked
    assert (search.by, plan.base.head.best_by) == ("f1_macro", "f1_macro")
    assert "judged by f1_macro: --by accuracy means that where a row has any number of labels" in "".join(said)
