"""Calibration of each label by itself: whether a probability of 0.2 of a label is right two times of ten.

In: probabilities (N, C), each in 0 … 1 by itself, and targets bool (N, C). Out: each label's calibration error, and
what chance alone makes of it.
It does not know label names, nor how to mend what it finds. The bins are those of `calibration`.
"""

from dataclasses import dataclass

import numpy as np

from limbeck.evaluation.calibration import BINS, is_beyond
from limbeck.evaluation.intervals import LEVEL

_DRAWS = 1000
_BLOCK_CELLS = 1 << 20


@dataclass(frozen=True, kw_only=True, eq=False)
class LabelCalibration:
    """How far each label's probabilities can be taken at their word.

    Attributes:
        ece_C: expected calibration error of each label, equal width, float64 (C,); 0 is best.
        chance_high_C: what the error of a perfectly calibrated label with these probabilities stays below, 95 of 100.
    """

    ece_C: np.ndarray
    chance_high_C: np.ndarray

    @property
    def mean(self) -> float:
        """The mean error of the labels."""
        return float(self.ece_C.mean())

    @property
    def beyond_chance(self) -> int:
        """Labels whose error is more than chance explains; of calibrated labels these are one in twenty."""
        pairs = zip(self.ece_C.tolist(), self.chance_high_C.tolist(), strict=True)
        return sum(is_beyond(ece, chance_high) for ece, chance_high in pairs)


def measure_label_calibration(
    probabilities_NC: np.ndarray, targets_NC: np.ndarray, *, seed: int = 0
) -> LabelCalibration:
    """Measure how far each label's probabilities can be taken at their word.

    What chance does is drawn bin by bin: as many of the bin's rows have the label as a binomial with their mean
    probability says. Its variance is never below that of rows with probabilities of their own, so a calibrated label
    is rather called calibrated.

    Source: Guo et al., On Calibration of Modern Neural Networks (2017), equation 3, for each label as a yes-or-no
    answer; Bröcker & Smith, Increasing the Reliability of Reliability Diagrams (2007), for what chance alone does.
    """
    return calibration_of_bins(*_binned(probabilities_NC, targets_NC), seed=seed)


def calibration_of_bins(
    counts_CB: np.ndarray, summed_CB: np.ndarray, true_CB: np.ndarray, *, seed: int = 0
) -> LabelCalibration:
    """Return the same from the bins of each label: rows, the sum of their probabilities, and those that have it."""
    classes, rows = len(counts_CB), counts_CB[0].sum()
    generator = np.random.default_rng(seed)
    chance_high_C = np.empty(classes)
    for label in range(classes):
        filled = counts_CB[label] > 0
        counts_B, summed_B = counts_CB[label, filled].astype(np.int64), summed_CB[label, filled]
        drawn_RB = generator.binomial(counts_B, np.clip(summed_B / counts_B, 0.0, 1.0), size=(_DRAWS, len(counts_B)))
        chance_high_C[label] = np.quantile(np.abs(drawn_RB - summed_B).sum(axis=1) / rows, LEVEL)
    return LabelCalibration(ece_C=np.abs(true_CB - summed_CB).sum(axis=1) / rows, chance_high_C=chance_high_C)


def mean_label_ece(probabilities_NC: np.ndarray, targets_NC: np.ndarray) -> float:
    """Return the mean of the labels' expected calibration errors; 0 is best.

    Example:
        >>> mean_label_ece(np.array([[0.5], [0.5]]), np.array([[True], [True]]))
        0.5
    """
    _, summed_CB, true_CB = _binned(probabilities_NC, targets_NC)
    return float((np.abs(true_CB - summed_CB).sum(axis=1) / len(targets_NC)).mean())


def _binned(probabilities_NC: np.ndarray, targets_NC: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return, of each label's bins, the rows, the sum of their probabilities and those that have the label, (C, B)."""
    rows, classes = probabilities_NC.shape
    counts_CB, summed_CB, true_CB = (np.empty((classes, BINS)) for _ in range(3))
    inner = np.arange(1, BINS) / BINS
    size = max(1, _BLOCK_CELLS // rows)
    for start in range(0, classes, size):
        labels = slice(start, start + size)
        shares_NK = probabilities_NC[:, labels].astype(np.float64)
        columns = shares_NK.shape[1]
        place_NK = np.searchsorted(inner, shares_NK, side="left") + BINS * np.arange(columns)
        for out_CB, weights_NK in (
            (counts_CB, None),
            (summed_CB, shares_NK.ravel()),
            (true_CB, targets_NC[:, labels].ravel()),
        ):
            summed = np.bincount(place_NK.ravel(), weights=weights_NK, minlength=columns * BINS)
            out_CB[labels] = summed.reshape(columns, BINS)
    return counts_CB, summed_CB, true_CB
