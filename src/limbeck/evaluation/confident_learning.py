"""Confident learning: how many labels are wrong, and which label stands where which should.

In: out-of-fold probabilities (N, C) and given labels (N,). Out: `ConfidentLearning`: the confident joint, the noise
rate, the rows that it points at. It does not know texts, nor in what order rows should be read (see `label_issues`).

A row counts as confidently of class j when its probability of j reaches the mean probability that rows labelled j have
of j. So an overconfident class needs more, and a rare or hard one less, than a fixed 0.5. Given labels by confident
class, counted, is the confident joint; scaled to the given labels' counts it estimates the joint of given and true.

Source: Northcutt, Jiang, Chuang 2021, "Confident Learning: Estimating Uncertainty in Dataset Labels", section 3.1,
equations 1 to 3. As in cleanlab 2: of several classes that are confident the most probable counts, a class has at
least one on the diagonal, and a row whose given label is the most probable one is not pointed at.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from limbeck.errors import DataError
from limbeck.evaluation import metrics

NEVER = 2.0
"""Threshold of a class that no row has: no probability reaches it."""
SLACK = 1e-6
"""How far below its threshold a probability still counts, against rounding."""


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
class ConfidentLearning:
    """What confident learning finds.

    Shapes: N rows, C classes.

    Attributes:
        thresholds_C: mean probability of a class over the rows labelled with it; `NEVER` where there are none.
        counts_CC: the confident joint: rows by given label (row) and confident class (column), int64.
        joint_CC: estimated joint distribution of given (row) and true label (column), float64, adds up to 1.
        flagged_N: bool, rows that are confidently of another class than given.
    """

    thresholds_C: np.ndarray
    counts_CC: np.ndarray
    joint_CC: np.ndarray
    flagged_N: np.ndarray

    @property
    def noise_rate(self) -> float:
        """Estimated share of labels that are wrong, 0 to 1."""
        return float(1.0 - np.trace(self.joint_CC))

    @property
    def issues(self) -> int:
        """Rows that were pointed at."""
        return int(self.flagged_N.sum())

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


def learn_confidently(probabilities_NC: np.ndarray, labels_N: np.ndarray) -> ConfidentLearning:
    """Estimate from out-of-fold probabilities which labels are wrong.

    Shapes: probabilities_NC (N, C) floats, each row adding up to 1; labels_N (N,) integers 0 … C-1.

    Raises:
        DataError: shapes differ, a label is out of range, a row is no distribution, or there is one class.

    Example:
        >>> no, yes = [0.9, 0.1], [0.1, 0.9]
        >>> found = learn_confidently(np.array([no, no, no, yes]), np.array([0, 0, 1, 1]))
        >>> found.counts_CC.tolist(), found.flagged_N.tolist()
        ([[1, 0], [1, 1]], [False, False, True, False])
    """
    metrics.row_losses(probabilities_NC, labels_N)  # refuses what cannot be scored
    class_count = probabilities_NC.shape[1]
    if class_count < 2:
        raise DataError("there is one class: no label can be mistaken for another")
    probabilities = np.asarray(probabilities_NC, dtype=np.float64)
    labels = np.asarray(labels_N, dtype=np.int64)
    thresholds_C = _thresholds(probabilities, labels, class_count)
    reaches_NC = probabilities >= thresholds_C - SLACK
    confident_N = reaches_NC.any(axis=1)
    # Of several that are reached the most probable of all counts, as in cleanlab, reached itself or not.
    guess_N = np.where(reaches_NC.sum(axis=1) > 1, probabilities.argmax(axis=1), reaches_NC.argmax(axis=1))
    counts_CC = np.zeros((class_count, class_count), dtype=np.int64)
    np.add.at(counts_CC, (labels[confident_N], guess_N[confident_N]), 1)
    np.fill_diagonal(counts_CC, counts_CC.diagonal().clip(min=1))
    own_N = probabilities[np.arange(len(labels)), labels]
    beaten_N = probabilities.max(axis=1) > own_N + SLACK
    return ConfidentLearning(
        thresholds_C=thresholds_C,
        counts_CC=counts_CC,
        joint_CC=_joint(counts_CC, np.bincount(labels, minlength=class_count)),
        flagged_N=confident_N & (guess_N != labels) & beaten_N,
    )


def _thresholds(probabilities_NC: np.ndarray, labels_N: np.ndarray, class_count: int) -> np.ndarray:
    counts_C = np.bincount(labels_N, minlength=class_count)
    own_N = probabilities_NC[np.arange(len(labels_N)), labels_N]
    sums_C = np.bincount(labels_N, own_N, minlength=class_count)
    return np.where(counts_C > 0, sums_C / np.maximum(counts_C, 1), NEVER)


def _joint(counts_CC: np.ndarray, given_C: np.ndarray) -> np.ndarray:
    """Scale each given label's counts to the rows that have the label, and all to 1 (equation 2)."""
    rows_C1 = counts_CC.sum(axis=1, keepdims=True)
    joint_CC = counts_CC / rows_C1 * given_C[:, None]
    return np.asarray(joint_CC / joint_CC.sum())
