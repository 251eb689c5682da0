"""Refit: a second look that learns little from doubted rows, and never from a row's own twin."""

import numpy as np
import pytest

from limbeck.errors import TrainingError
from limbeck.linear.refit import Doubted, refit_out_of_fold
from limbeck.settings import ProbeSettings

NAMES = ("a", "b")


def blobs(rows=240, distance=2.0, seed=0):
    """Two clouds of points in eight dimensions."""
    generator = np.random.default_rng(seed)
    labels = np.arange(rows) % 2
    features = generator.normal(size=(rows, 8)).astype(np.float32)
    features[:, 0] += distance * labels
    return features, labels.astype(np.int64)


def answers(features, labels, trust=None, group=None, settings=ProbeSettings(seed=3)):
    rows = len(labels)
    doubted = Doubted(
        labels_N=labels,
        trust_N=np.ones(rows) if trust is None else trust,
        group_N=np.arange(rows) if group is None else group,
        label_names=NAMES,
    )
    return refit_out_of_fold(features, doubted, columns=None, penalty=0.1, settings=settings)


def test_every_row_is_answered_with_a_distribution():
    """Probabilities of all rows, mostly right, the same each time."""
    features, labels = blobs()
    found = answers(features, labels)
    assert found.shape == (240, 2)
    assert found.sum(1) == pytest.approx(1, abs=1e-5)
    assert (found.argmax(1) == labels).mean() > 0.75
    assert (answers(features, labels) == found).all()


def test_doubted_rows_teach_nothing():
    """Half of one class is labelled wrong; without trust in those rows the answers are nearly those of clean labels."""
    features, labels = blobs(distance=4.0)
    wrong = labels.copy()
    flipped = np.flatnonzero(labels == 0)[::3]
    wrong[flipped] = 1
    trust = np.ones(240)
    trust[flipped] = 0.0
    trusting, doubting = answers(features, wrong), answers(features, wrong, trust)
    own = (flipped, np.zeros(len(flipped), np.int64))
    assert doubting[own].mean() > trusting[own].mean() + 0.05


def test_twins_are_held_out_together():
    """A row whose twin carries a wrong label is not judged by a model that learned it."""
    features, labels = blobs(rows=120, distance=0.0)
    # One feature a pair tells twins from all others, so that a model that saw the twin knows its label.
    codes = np.repeat(np.eye(60, dtype=np.float32), 2, axis=0) * 8
    features = np.concatenate([features, codes], 1)
    labels = np.tile([0, 0, 1, 1], 30).astype(np.int64)
    pairs = np.arange(120) // 2 * 2
    apart, together = answers(features, labels), answers(features, labels, group=pairs)
    own = (np.arange(120), labels)
    assert apart[own].mean() > 0.6
    assert together[own].mean() == pytest.approx(0.5, abs=0.06)


def test_a_class_that_nobody_trusts_is_said():
    """There is nothing to learn from."""
    features, labels = blobs()
    with pytest.raises(TrainingError, match="b has too few rows"):
        answers(features, labels, np.where(labels == 1, 0.0, 1.0))
