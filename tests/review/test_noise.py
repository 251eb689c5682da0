"""Noise of labels: by hand, beside cleanlab, what the surest rows say, and rows that have nothing to teach."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from limbeck.errors import DataError
from limbeck.review.noise import (
    RATES,
    UNREACHED,
    LabelNoise,
    estimate_noise,
    learn_confidently,
    trust_rows,
    weigh_labels,
)


def test_anchors_are_counted_by_hand():
    """30 rows a class: the 20 surest rows of class 0 carry label 1 four times, those of class 1 are all right."""
    sure = np.linspace(0.99, 0.6, 30)
    probabilities = np.concatenate([np.stack([sure, 1 - sure], 1), np.stack([1 - sure, sure], 1)])
    labels = np.repeat([0, 1], 30)
    labels[:4] = 1
    found = estimate_noise(probabilities, labels)
    # label 0 has 26 rows: 0.8 of its anchors are right; label 1 has 34, all right
    assert found.rate == pytest.approx(1 - (26 * 0.8 + 34) / 60)
    assert found.given_CC.tolist() == [
        pytest.approx([1 - found.rate, found.rate]),
        pytest.approx([found.rate, 1 - found.rate]),
    ]


def test_mixups_follow_the_anchors_as_far_as_the_rate_allows():
    """Of three classes, 0 is labelled 1 and never 2; a quarter of its anchors is wrong, so 2 keeps a share of it.

    The rate is 10 / 20 of class 0's 30 rows: 30 / 120 · 0.5 = 0.125, the trust 1.5 · 0.125, the rest falls evenly.
    """
    probabilities = np.repeat(np.eye(3) * 0.94 + 0.02, 40, axis=0)
    labels = np.repeat([0, 1, 2], 40)
    labels[:10] = 1
    found = estimate_noise(probabilities, labels)
    trust = 1.5 * 0.125
    assert found.rate == pytest.approx(0.125)
    assert found.given_CC[:, 0] == pytest.approx([0.875, 0.125 * (trust + (1 - trust) / 2), 0.125 * (1 - trust) / 2])
    assert found.given_CC[:, 2] == pytest.approx([0.0625, 0.0625, 0.875])


@given(st.integers(2, 6), st.integers(0, 1000), st.floats(0.01, 0.5))
@settings(max_examples=40, deadline=None)
def test_where_wrong_labels_fall_anywhere_the_order_is_that_of_the_loss(classes, seed, rate):
    """Bayes with one rate for all keeps self-confidence's order; quality is a probability."""
    generator = np.random.default_rng(seed)
    probabilities = generator.dirichlet(np.ones(classes), size=50)
    labels = generator.integers(classes, size=50)
    given_CC = np.full((classes, classes), rate / (classes - 1))
    np.fill_diagonal(given_CC, 1 - rate)
    posterior = weigh_labels(probabilities, labels, LabelNoise(rate=rate, given_CC=given_CC))
    own, quality = probabilities[np.arange(50), labels], posterior[np.arange(50), labels]
    assert posterior.sum(1) == pytest.approx(1)
    assert (np.diff(quality[np.argsort(own)]) >= -1e-12).all()


def test_rows_are_trusted_as_their_labels_are_probable():
    """A sure right label is learned from wholly, a sure wrong one hardly, an unclear one mostly."""
    probabilities = np.concatenate([np.repeat([[0.97, 0.03]], 40, 0), np.repeat([[0.03, 0.97]], 40, 0), [[0.5, 0.5]]])
    labels = np.array([*[0] * 39, 1, *[1] * 40, 0])
    trust = trust_rows(probabilities, labels)
    assert trust[0] > 0.99
    assert trust[39] < 0.9
    assert trust[39] < trust[80] < trust[0]


def test_the_rate_stays_in_bounds():
    """Perfect labels are no proof that none is wrong; labels that are all wrong are no labels."""
    probabilities = np.repeat(np.eye(2), 30, axis=0)
    labels = np.repeat([0, 1], 30)
    assert estimate_noise(probabilities, labels).rate == RATES[0]
    assert estimate_noise(probabilities, 1 - labels).rate == RATES[1]


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


@pytest.mark.slow
@given(st.integers(20, 400), st.integers(2, 7), st.integers(0, 10_000), st.sampled_from([0.0, 1.0, 3.0]))
@settings(max_examples=60, deadline=None)
def test_cleanlab_finds_the_same(rows, classes, seed, sharpness):
    """The counts and the flagged rows are cleanlab's; the joint differs by its rounding to whole rows only."""
    cleanlab_count = pytest.importorskip("cleanlab.count", reason="cleanlab is the oracle: pip install cleanlab")
    cleanlab_filter = pytest.importorskip("cleanlab.filter")
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
    assert found.thresholds_C[2] == UNREACHED
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
