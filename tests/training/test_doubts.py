"""Doubts: what a training's own figures say against it."""

import numpy as np
import pytest

from limbeck.evaluation.evaluation import evaluate
from limbeck.training.doubts import FEW_UPDATES, doubts_of, doubts_of_epochs
from limbeck.training.journal import EpochScores

NAMES = tuple("abcdef")


def scored(labels, answers, names=NAMES):
    probabilities = np.full((len(labels), len(names)), 0.01)
    probabilities[np.arange(len(labels)), answers] = 1 - 0.01 * (len(names) - 1)
    return evaluate(probabilities, np.array(labels), names, majority_label=0, seed=0)


def table(losses):
    rest = {"train_loss": 1.0, "accuracy": 0.5, "f1_weighted": 0.5, "f1_macro": 0.5, "seconds": 1.0}
    return [EpochScores(epoch=number, validation_loss=loss, **rest) for number, loss in enumerate(losses, start=1)]


@pytest.mark.parametrize("method", ["probe", "head", "finetune", "distil"])
def test_classes_that_are_never_answered_are_named(method):
    """By name and number; a class without validation rows is none of them."""
    [found] = doubts_of(scored([0, 1, 2, 3, 4], [0, 0, 2, 2, 2]), method=method)
    assert found["kind"] == "never_answered"
    assert "3 of 6 classes are never answered on the validation rows ('b', 'd', 'e')" in found["text"]
    assert ("try the probe first" in found["text"]) == (method in ("head", "finetune"))


def test_many_classes_are_counted():
    """A hundred names are not a line that anybody reads."""
    names = tuple(f"class {number}" for number in range(100))
    [found] = doubts_of(scored(range(100), [0] * 100, names), method="probe")
    assert "99 of 100" in found["text"]
    assert "and 89 more" in found["text"]


def test_a_model_that_answers_every_class_is_not_doubted():
    """Right or wrong."""
    assert doubts_of(scored([0, 1, 2, 3, 4, 5], [1, 0, 3, 2, 5, 4]), method="probe") == []


@pytest.mark.parametrize(
    ("losses", "steps", "planned", "kinds"),
    [
        ([0.9, 0.8, 0.7], 500, 3, ["still_falling"]),
        ([0.9, 0.8, 0.79], 500, 3, []),
        ([0.9, 0.5, 0.7], 500, 3, []),
        ([0.9, 0.95, 0.9], 500, 3, []),
        ([0.5, 0.9, 0.8], 500, 3, []),
        ([0.9, 0.8, 0.7], 500, 9, []),
        ([0.9, 0.5, 0.7], 15, 3, ["few_updates"]),
        ([0.9], 15, 1, ["few_updates"]),
        ([0.9, 0.8], FEW_UPDATES - 1, 2, ["few_updates", "still_falling"]),
        ([0.9, 0.8, 0.8], FEW_UPDATES, 3, []),
    ],
)
@pytest.mark.parametrize("method", ["head", "finetune", "distil"])
def test_a_training_that_ended_too_soon_says_so(losses, steps, planned, kinds, method):
    """Few steps, or a loss that was still falling; not where the training ended because nothing got better."""
    found = doubts_of_epochs(table(losses), method=method, steps=steps, planned_epochs=planned)
    assert [one["kind"] for one in found] == kinds
    assert all("--epochs" in one["text"] for one in found)
