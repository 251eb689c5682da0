"""Label noise: what the surest rows of each class say, and what that makes of a label."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from limbeck.evaluation.label_noise import RATES, LabelNoise, estimate_noise, trust_rows, weigh_labels


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
