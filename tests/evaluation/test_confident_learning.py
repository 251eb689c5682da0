"""Confident learning: by hand, beside cleanlab, and on rows that have nothing to teach."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from limbeck.errors import DataError
from limbeck.evaluation.confident_learning import NEVER, learn_confidently

cleanlab_count = pytest.importorskip("cleanlab.count", reason="cleanlab is the oracle: pip install cleanlab")
cleanlab_filter = pytest.importorskip("cleanlab.filter")


def drawn(rows, classes, seed, sharpness=2.0):
    """Probabilities that know most labels, and labels of which some are wrong; every class has rows."""
    generator = np.random.default_rng(seed)
    true = np.concatenate([np.arange(classes), generator.integers(classes, size=rows - classes)])
    logits = generator.normal(size=(rows, classes)) + sharpness * np.eye(classes)[true]
    probabilities = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    wrong = generator.random(rows) < 0.15
    wrong[:classes] = False
    return probabilities, np.where(wrong, generator.integers(classes, size=rows), true)


def test_by_hand():
    """Four rows of class 0, two of class 1; thresholds are (0.9 + 0.7 + 0.8 + 0.2) / 4 = 0.65 and 0.5.

    Confident of 0: rows 0, 1, 2 and 5; of 1: rows 3 and 4. So the joint is [[3, 1], [1, 1]], its rows scaled to 4 and 2
    rows: [[3, 1], [1, 1]] / 6; a third of the labels is wrong.
    """
    probabilities = np.array([[0.9, 0.1], [0.7, 0.3], [0.8, 0.2], [0.2, 0.8], [0.1, 0.9], [0.9, 0.1]])
    found = learn_confidently(probabilities, np.array([0, 0, 0, 0, 1, 1]))
    assert found.thresholds_C == pytest.approx([0.65, 0.5])
    assert found.counts_CC.tolist() == [[3, 1], [1, 1]]
    assert found.joint_CC == pytest.approx(np.array([[3, 1], [1, 1]]) / 6)
    assert found.noise_rate == pytest.approx(1 / 3)
    assert np.flatnonzero(found.flagged_N).tolist() == [3, 5]
    mixups = found.mixups(("no", "yes"))
    assert [(one.given, one.true, one.rows) for one in mixups] == [("yes", "no", 1), ("no", "yes", 1)]
    assert str(mixups[0]) == "labelled yes, probably no: 0.500 of the rows labelled yes"
    json.dumps(found.to_dict(("no", "yes")), allow_nan=False)


@given(st.integers(20, 400), st.integers(2, 7), st.integers(0, 10_000), st.sampled_from([0.0, 1.0, 3.0]))
@settings(max_examples=60, deadline=None)
def test_cleanlab_finds_the_same(rows, classes, seed, sharpness):
    """The counts and the flagged rows are cleanlab's; the joint differs by its rounding to whole rows only."""
    probabilities, labels = drawn(rows, classes, seed, sharpness)
    found = learn_confidently(probabilities, labels)
    theirs = cleanlab_count.compute_confident_joint(labels, probabilities, calibrate=False)
    assert found.counts_CC.tolist() == theirs.tolist()
    joint = cleanlab_count.estimate_joint(labels, probabilities)
    assert found.joint_CC == pytest.approx(joint, abs=1.0 / rows)
    assert found.issues == cleanlab_count.num_label_issues(labels, probabilities)
    flagged = cleanlab_filter.find_label_issues(labels, probabilities, filter_by="confident_learning", n_jobs=1)
    assert found.flagged_N.tolist() == flagged.tolist()


def test_a_class_without_rows_is_never_confident():
    """Its threshold is out of reach, so nothing is said to be of it, and its share is 0."""
    probabilities = np.array([[0.5, 0.1, 0.4], [0.1, 0.1, 0.8], [0.1, 0.8, 0.1]])
    found = learn_confidently(probabilities, np.array([0, 0, 1]))
    assert found.thresholds_C[2] == NEVER
    assert found.counts_CC[:, 2].tolist() == [0, 0, 1]
    assert found.joint_CC[2].tolist() == [0, 0, 0]
    assert found.true_shares[2].tolist() == [0, 0, 0]


def test_wrong_input_is_refused():
    """One class, a label out of range, rows that are no distribution."""
    with pytest.raises(DataError, match="one class"):
        learn_confidently(np.ones((2, 1)), np.zeros(2, np.int64))
    with pytest.raises(DataError, match="out of range"):
        learn_confidently(np.full((2, 2), 0.5), np.array([0, 2]))
    with pytest.raises(DataError, match="no probability distribution"):
        learn_confidently(np.full((2, 2), 0.7), np.array([0, 1]))


@given(st.integers(2, 5), st.integers(0, 1000))
@settings(max_examples=30, deadline=None)
def test_the_joint_is_a_distribution_with_the_given_labels_shares(classes, seed):
    """It adds up to 1, and by given label to the shares of the labels, as equation 2 asks."""
    probabilities, labels = drawn(80, classes, seed)
    found = learn_confidently(probabilities, labels)
    assert found.joint_CC.sum() == pytest.approx(1)
    assert found.joint_CC.sum(1) == pytest.approx(np.bincount(labels, minlength=classes) / 80)
    assert 0 <= found.noise_rate <= 1
