"""Knobs: a sweep varies only what its task can be trained with."""

from dataclasses import replace

import numpy as np
import pytest

from limbeck.errors import SettingsError
from limbeck.linear.fit import ProbeRows, fit_probe
from limbeck.linear.label_fit import LabelRows, fit_label_probe
from limbeck.linear.ridge_fit import NumberRows, fit_numbers
from limbeck.linear.step_fit import fit_steps
from limbeck.methods.knobs import knobs_for
from limbeck.methods.table import METHODS
from limbeck.methods.trainings import ProbeTraining
from limbeck.task import TASKS
from limbeck.training.setting_checks import check_training

BY_STEPS = ("head", "finetune")


def fit_some(task, settings):
    """Fit a probe of a task on rows of noise."""
    random = np.random.default_rng(0)
    features_NF = random.normal(size=(40, 3)).astype(np.float32)
    labels_N, names = np.arange(40) % 3, ("a", "b", "c")
    if task == "single":
        fit_probe(features_NF, ProbeRows(labels_N=labels_N, label_names=names), settings=settings)
    elif task == "ordinal":
        fit_steps(features_NF, ProbeRows(labels_N=labels_N, label_names=names), settings=settings)
    elif task == "multi":
        rows = LabelRows(targets_NL=labels_N[:, None] == np.arange(3), label_names=names)
        fit_label_probe(features_NF, rows, settings=settings)
    else:
        fit_numbers(features_NF, NumberRows(numbers_N=labels_N.astype(np.float64)), settings=settings)


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("method", BY_STEPS)
def test_a_training_by_steps_can_have_every_value_that_is_varied_and_no_other(method, task):
    """What a task leaves out is just what its settings are refused for."""
    training = METHODS[method].training()
    knobs = training.knobs(1e-3)
    kept = {knob.name: knob.choices for knob in knobs_for(task, knobs)}
    for knob in knobs:
        for value in knob.choices:
            settings = replace(training.fitting, **{knob.name: value}, best_by="loss")
            if value in kept.get(knob.name, knob.choices[:1]):
                check_training(settings, n_labels=3, task=TASKS[task])
            else:
                with pytest.raises(SettingsError, match=knob.name):
                    check_training(settings, n_labels=3, task=TASKS[task])


@pytest.mark.parametrize("task", TASKS)
def test_a_probe_can_have_every_balance_that_is_varied_and_no_other(task):
    """Numbers have no classes to balance, so that nothing is varied; rows of several labels are not copied."""
    (balance,) = (knob for knob in ProbeTraining().knobs(0.0) if knob.name == "balance")
    kept = {knob.name: knob.choices for knob in knobs_for(task, [balance])}
    for value in balance.choices:
        settings = replace(ProbeTraining().probe, balance=value, penalties=(0.01,), folds=2)
        if value in kept.get("balance", ("none",)):
            fit_some(task, settings)
        else:
            with pytest.raises(SettingsError, match="balance"):
                fit_some(task, settings)
