"""Noise of labels: how often a label is wrong and what it is mistaken for, estimated in two ways.

In: out-of-fold probabilities (N, C) and given labels (N,). Out: `LabelNoise`, what a label says of the true one, and
with it the probability of each true label of a row; `ConfidentLearning`, the rows that it points at and the mix-ups.
Both are made of counts, which may be those of batches of rows, added up (see `issue_passes`).
It does not know texts, neighbours or models, nor in what order rows should be read (see `issues`).

**Anchors** (`estimate_noise`) decide the order. Confident learning's noise rate takes every confident mistake of the
model for a wrong label, so a weak model makes labels look worse than they are (benchmarks/results/labels.json). Here
only each class's surest rows are looked at, its anchors, where the model is wrong least often; the labels that they
carry are counted.

**Confident learning** (`learn_confidently`) names the mix-ups. A row counts as confidently of class j when its
probability of j reaches the mean probability that rows labelled j have of j. So an overconfident class needs more, and
a rare or hard one less, than a fixed 0.5. Given labels by confident class, counted, is the confident joint; scaled to
the given labels' counts it estimates the joint of given and true.

Sources: the anchors are those of Patrini et al. 2017, "Making Deep Neural Networks Robust to Label Noise", section 3.3,
taken as a share of the rows and counted instead of read off one row. Northcutt, Jiang, Chuang 2021, "Confident
Learning: Estimating Uncertainty in Dataset Labels", section 3.1, equations 1 to 3. As in cleanlab 2: of several classes
that are confident the most probable counts, a class has at least one on the diagonal, and a row whose given label is
the most probable one is not pointed at.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from limbeck.errors import DataError
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
UNREACHED = 2.0
"""Threshold of a class that no row has: no probability reaches it."""
SLACK = 1e-6
"""How far below its threshold a probability still counts, against rounding."""


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
    carried_CC = np.zeros((classes, classes), np.int64)
    for true, number in enumerate(anchor_numbers(counts_C)):
        rows = np.argsort(-probabilities_NC[:, true], kind="stable")[:number]
        carried_CC[:, true] = np.bincount(labels_N[rows], minlength=classes)
    return noise_of_anchors(carried_CC, counts_C)


def anchor_numbers(counts_C: np.ndarray) -> np.ndarray:
    """Return how many anchors each class has by the rows that carry its label, int64 (C,)."""
    shares_C = np.rint(ANCHOR_SHARE * counts_C).astype(np.int64)
    return np.asarray(np.minimum(counts_C, np.maximum(LEAST_ANCHORS, shares_C)))


def noise_of_anchors(carried_CC: np.ndarray, counts_C: np.ndarray) -> LabelNoise:
    """Estimate the noise from the labels (row) that the anchors of each class (column) carry, counted.

    Args:
        carried_CC: int (C, C); a class that no row has, has no anchors.
        counts_C: rows by label.
    """
    anchors_CC = carried_CC / np.maximum(1, carried_CC.sum(axis=0))
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


@dataclass(frozen=True, kw_only=True)
class LabelMixup:
    """Rows that carry one label where another is probably true.

    Attributes:
        given: the label they carry.
        true: the label that is probably true.
        share: estimated share of the rows with the given label, 0 to 1.
        rows: rows that were pointed at.
    """

    given: str
    true: str
    share: float
    rows: int

    def __str__(self) -> str:
        return f"labelled {self.given}, probably {self.true}: {self.share:.3f} of the rows labelled {self.given}"


@dataclass(frozen=True, kw_only=True, eq=False)
class ConfidentJoint:
    """What confident learning finds of all rows together.

    Shapes: C classes.

    Attributes:
        thresholds_C: mean probability of a class over the rows labelled with it; `UNREACHED` where there are none.
        counts_CC: the confident joint: rows by given label (row) and confident class (column), int64.
        joint_CC: estimated joint distribution of given (row) and true label (column), float64, adds up to 1.
        issues: rows that are confidently of another class than given.
    """

    thresholds_C: np.ndarray
    counts_CC: np.ndarray
    joint_CC: np.ndarray
    issues: int

    @property
    def noise_rate(self) -> float:
        """Estimated share of labels that are wrong, 0 to 1."""
        return float(1.0 - np.trace(self.joint_CC))

    @property
    def true_shares(self) -> np.ndarray:
        """Of each given label (row) the estimated share of each true one (column); 0 where a label has no rows."""
        rows_C1 = self.joint_CC.sum(axis=1, keepdims=True)
        return np.asarray(np.divide(self.joint_CC, rows_C1, out=np.zeros_like(self.joint_CC), where=rows_C1 > 0))

    def mixups(self, label_names: tuple[str, ...]) -> tuple[LabelMixup, ...]:
        """Name every pair of given and probably true label that some row was counted for, the most rows first."""
        shares = self.true_shares
        found = [
            LabelMixup(
                given=label_names[given],
                true=label_names[true],
                share=float(shares[given, true]),
                rows=int(self.counts_CC[given, true]),
            )
            for given, true in np.argwhere(self.counts_CC)
            if given != true
        ]
        return tuple(sorted(found, key=lambda one: (-one.rows, -one.share)))

    def to_dict(self, label_names: tuple[str, ...]) -> dict[str, Any]:
        """Return plain values for JSON; matrices have given labels as rows and true ones as columns."""
        return {
            "noise_rate": self.noise_rate,
            "issues": self.issues,
            "labels": list(label_names),
            "thresholds": self.thresholds_C.tolist(),
            "confident_joint": self.counts_CC.tolist(),
            "joint": self.joint_CC.tolist(),
        }


@dataclass(frozen=True, kw_only=True, eq=False)
class ConfidentLearning(ConfidentJoint):
    """What confident learning finds of N rows.

    Attributes:
        flagged_N: bool, rows that are confidently of another class than given.
    """

    flagged_N: np.ndarray


def learn_confidently(probabilities_NC: np.ndarray, labels_N: np.ndarray) -> ConfidentLearning:
    """Estimate from out-of-fold probabilities which labels are wrong.

    Shapes: probabilities_NC (N, C) floats, each row adding up to 1; labels_N (N,) integers 0 … C-1.

    Raises:
        DataError: shapes differ, a label is out of range, a row is no distribution, or there is one class.

    Example:
        >>> no, yes = [0.9, 0.1], [0.1, 0.9]
        >>> found = learn_confidently(np.array([no, no, no, yes]), np.array([0, 0, 1, 1]))
        >>> found.counts_CC.tolist(), found.flagged_N.tolist()
        ([[2, 0], [1, 1]], [False, False, True, False])
    """
    metrics.row_losses(probabilities_NC, labels_N)  # refuses what cannot be scored
    classes = probabilities_NC.shape[1]
    require_two_classes(classes)
    probabilities = np.asarray(probabilities_NC, dtype=np.float64)
    labels = np.asarray(labels_N, dtype=np.int64)
    given_C = np.bincount(labels, minlength=classes)
    own_N = probabilities[np.arange(len(labels)), labels]
    thresholds_C = mean_thresholds(np.bincount(labels, own_N, minlength=classes), given_C)
    confident_CC, flagged_N = count_confident(probabilities, labels, thresholds_C)
    found = confident_joint(confident_CC, given_C, thresholds_C, issues=int(flagged_N.sum()))
    return ConfidentLearning(**vars(found), flagged_N=flagged_N)


def require_two_classes(classes: int) -> None:
    """Refuse a single class.

    Raises:
        DataError: there is one.
    """
    if classes < 2:
        raise DataError("there is one class: no label can be mistaken for another")


def mean_thresholds(own_C: np.ndarray, given_C: np.ndarray) -> np.ndarray:
    """Return the threshold of each class from the sum of its probability over its rows, and their number."""
    return np.where(given_C > 0, own_C / np.maximum(given_C, 1), UNREACHED)


def count_confident(
    probabilities_NC: np.ndarray, labels_N: np.ndarray, thresholds_C: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Count rows by given label and confident class, int64 (C, C), and tell which are flagged, bool (N,)."""
    reaches_NC = probabilities_NC >= thresholds_C - SLACK
    confident_N = reaches_NC.any(axis=1)
    # Of several that are reached the most probable of all counts, as in cleanlab, reached itself or not.
    guess_N = np.where(reaches_NC.sum(axis=1) > 1, probabilities_NC.argmax(axis=1), reaches_NC.argmax(axis=1))
    counts_CC = np.zeros((len(thresholds_C), len(thresholds_C)), dtype=np.int64)
    np.add.at(counts_CC, (labels_N[confident_N], guess_N[confident_N]), 1)
    own_N = probabilities_NC[np.arange(len(labels_N)), labels_N]
    beaten_N = probabilities_NC.max(axis=1) > own_N + SLACK
    return counts_CC, confident_N & (guess_N != labels_N) & beaten_N


def confident_joint(
    confident_CC: np.ndarray, given_C: np.ndarray, thresholds_C: np.ndarray, *, issues: int
) -> ConfidentJoint:
    """Return what the counts of all rows say together."""
    counts_CC = confident_CC.copy()
    np.fill_diagonal(counts_CC, counts_CC.diagonal().clip(min=1))
    return ConfidentJoint(
        thresholds_C=thresholds_C, counts_CC=counts_CC, joint_CC=_joint(counts_CC, given_C), issues=issues
    )


def _joint(counts_CC: np.ndarray, given_C: np.ndarray) -> np.ndarray:
    """Scale each given label's counts to the rows that have the label, and all to 1 (equation 2)."""
    rows_C1 = counts_CC.sum(axis=1, keepdims=True)
    joint_CC = counts_CC / rows_C1 * given_C[:, None]
    return np.asarray(joint_CC / joint_CC.sum())
