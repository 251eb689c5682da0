"""A temperature of any number of labels: in the head's weights, and only where rows that it did not see agree."""

import numpy as np
import pytest

from limbeck.evaluation.label_metrics import log_loss_of_labels
from limbeck.model.heads import LinearHead
from limbeck.runs import calibrated
from limbeck.runs.calibrated import calibrate_labels_on, left_alone
from limbeck.task import MULTI


def too_sure(rows=400):
    """A head whose logits are twice too large, features, and which of three labels each row has."""
    generator = np.random.default_rng(0)
    features = generator.normal(size=(rows, 4)).astype(np.float32)
    weight = generator.normal(size=(3, 4))
    targets = generator.random((rows, 3)) < 1 / (1 + np.exp(-(features @ weight.T - 1)))
    return LinearHead(2 * weight, -2 * np.ones(3)), features, targets


def test_the_head_says_what_is_written():
    """After the fold, the head's own answers are the calibrated ones; the loss falls, cross-fitted, too."""
    head, features, targets = too_sure()
    before = MULTI.answers(head.logits(features))
    found = calibrate_labels_on(head, before, targets)
    assert found.temperature == pytest.approx(2, rel=0.2)
    np.testing.assert_allclose(MULTI.answers(head.logits(features)), found.probabilities, atol=1e-5)
    record = found.record
    assert (record["temperature"], record["fitted_on"], record["rows"]) == (found.temperature, "validation", 400)
    assert record["before"]["log_loss"] == log_loss_of_labels(before, targets).mean()
    assert record["after"]["log_loss"] < record["before"]["log_loss"]
    assert record["after"]["ece"] < record["before"]["ece"]


def test_a_temperature_that_other_rows_contradict_is_left_out(monkeypatch):
    """Cross-fitted worse: nothing is folded in, and the record says why."""
    head, features, targets = too_sure()
    before = MULTI.answers(head.logits(features))
    monkeypatch.setattr(calibrated, "cross_fitted", lambda shares, _: 1 - shares)
    found = calibrate_labels_on(head, before, targets)
    assert (found.temperature, found.record["why_not"]) == (1.0, calibrated.NO_GAIN)
    assert found.record["after"] == found.record["before"]
    np.testing.assert_array_equal(found.probabilities, before)
    np.testing.assert_array_equal(MULTI.answers(head.logits(features)), before)


def test_a_model_of_labels_may_be_left_as_it_was_trained():
    """Not asked for: the same answers, judged by the measures of labels."""
    head, features, targets = too_sure()
    before = MULTI.answers(head.logits(features))
    found = left_alone(head, before, targets)
    assert found.probabilities is before
    assert found.record["why_not"] == calibrated.NOT_ASKED
    assert found.record["before"]["log_loss"] == log_loss_of_labels(before, targets).mean()
