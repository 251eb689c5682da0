"""Label noise: how often a label is wrong and what it is mistaken for, and what that makes of a row's label.

In: out-of-fold probabilities (N, C) and given labels (N,). Out: `LabelNoise`, the probability of each given label under
each true one; and of each row, the probability of each true label when its given one is taken into account.
It does not know texts, neighbours or models.

Confident learning's noise rate takes every confident mistake of the model for a wrong label, so a weak model makes
labels look worse than they are (benchmarks/results/labels.json). Here only each class's surest rows are looked at, its
anchors, where the model is wrong least often; the labels that they carry are counted.

Source: the anchors are those of Patrini et al. 2017, "Making Deep Neural Networks Robust to Label Noise", section 3.3,
taken as a share of the rows and counted instead of read off one row.
"""

from dataclasses import dataclass

import numpy as np

from limbeck.evaluation import metrics

ANCHOR_SHARE = 0.1
"""Anchors of a class, as a share of the rows that carry its label."""
LEAST_ANCHORS = 20
"""Anchors of a class at least, while it has so many rows."""
RATES = (0.005, 0.5)
"""Bounds of the noise rate: below, one odd answer of the model would outweigh everything; above, labels say nothing."""
MIXUP_TRUST = 1.5
"""How far wrong labels are taken to follow the anchors' mix-ups instead of falling on any other class alike, as a
multiple of the noise rate (at most wholly). Anchors cannot tell a label that people often mistake from a class that
the model often mistakes; the more labels are wrong, the more of what they show is the labels' doing. A larger one finds
more flips along confusions and fewer of those that fall anywhere (docs/log.md has the trials)."""


@dataclass(frozen=True, kw_only=True, eq=False)
class LabelNoise:
    """How labels go wrong.

    Attributes:
        rate: estimated share of labels that are wrong, within `RATES`.
        given_CC: probability of each given label (row) under each true label (column); columns add up to 1.
    """

    rate: float
    given_CC: np.ndarray


def estimate_noise(probabilities_NC: np.ndarray, labels_N: np.ndarray) -> LabelNoise:
    """Estimate from each class's anchors how often labels are wrong, and what for.

    Args:
        probabilities_NC: out-of-fold, each row adding up to 1.
        labels_N: given labels, 0 … C-1.

    Raises:
        DataError: shapes differ, a label is out of range, or a row is no distribution.
    """
    metrics.row_losses(probabilities_NC, labels_N)  # refuses what cannot be scored
    classes = probabilities_NC.shape[1]
    counts_C = np.bincount(labels_N, minlength=classes)
    anchors_CC = np.zeros((classes, classes))
    for true in np.flatnonzero(counts_C):
        number = min(counts_C[true], max(LEAST_ANCHORS, round(ANCHOR_SHARE * counts_C[true])))
        rows = np.argsort(-probabilities_NC[:, true], kind="stable")[:number]
        anchors_CC[:, true] = np.bincount(labels_N[rows], minlength=classes) / number
    right = float(anchors_CC.diagonal() @ counts_C / counts_C.sum())
    rate = float(np.clip(1.0 - right, *RATES))
    return LabelNoise(rate=rate, given_CC=_given(anchors_CC, rate))


def weigh_labels(probabilities_NC: np.ndarray, labels_N: np.ndarray, noise: LabelNoise) -> np.ndarray:
    """Return the probability of each true label given the text and the label it carries, float64 (N, C).

    posterior(k) ∝ p(k) · P(given label | k). What stands at the given label is the probability that it is right.
    Where wrong labels fall on any class alike, its order is that of p alone.

    Example:
        >>> noise = LabelNoise(rate=0.1, given_CC=np.array([[0.9, 0.1], [0.1, 0.9]]))
        >>> weigh_labels(np.array([[0.1, 0.9]]), np.array([0]), noise).round(2).tolist()
        [[0.5, 0.5]]
    """
    weighed_NC = np.asarray(probabilities_NC, dtype=np.float64) * noise.given_CC[labels_N]
    return np.asarray(weighed_NC / weighed_NC.sum(axis=1, keepdims=True).clip(min=np.finfo(np.float64).tiny))


def trust_rows(probabilities_NC: np.ndarray, labels_N: np.ndarray) -> np.ndarray:
    """Return how far each row's label can be learned from, float64 (N,), 0 … 1: the probability that it is right."""
    noise = estimate_noise(probabilities_NC, labels_N)
    return np.asarray(weigh_labels(probabilities_NC, labels_N, noise)[np.arange(len(labels_N)), labels_N])


def _given(anchors_CC: np.ndarray, rate: float) -> np.ndarray:
    """Mix the anchors' mix-ups with even ones, and give every class the same rate."""
    trust = min(1.0, MIXUP_TRUST * rate)
    classes = len(anchors_CC)
    even_CC = (1.0 - np.eye(classes)) / max(1, classes - 1)
    mixups_CC = anchors_CC * (1.0 - np.eye(classes))
    sums_C = mixups_CC.sum(axis=0)
    found_CC = np.where(sums_C > 0, mixups_CC / np.where(sums_C > 0, sums_C, 1.0), even_CC)
    wrong_CC = trust * found_CC + (1.0 - trust) * even_CC
    return np.asarray(rate * wrong_CC + (1.0 - rate) * np.eye(classes))
