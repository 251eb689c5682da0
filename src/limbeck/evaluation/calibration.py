"""Calibration: whether a probability of 0.8 is right eight times of ten.

In: probabilities (N, C) and labels (N,). Out: calibration errors, the bins of a reliability diagram, the Brier score.
It does not know models, nor how to mend what it finds (see `temperature`). Calibration of engines is something else.

The confidence of a row is its highest probability. The expected calibration error (ECE) bins rows by confidence and
averages |accuracy - mean confidence| over the bins, weighted by their rows: 15 bins of equal width, ]0, 1/15] to
]14/15, 1], as in Guo et al., unless said otherwise. The equal-mass variant has bins of equally many rows.

An ECE is never 0: by chance alone the accuracy of a bin lies beside its mean confidence, the more so the fewer rows it
has. So two things stand beside it: `chance_high`, what a perfectly calibrated classifier with these very confidences
would stay below 95 times of 100; and an interval that corrects for this bias. It is the basic bootstrap interval (the
percentile interval reflected at the value), from 0 where chance explains the value, and never without the value itself.
The usual percentile interval of an ECE is of no use: see docs/calibration.md.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from limbeck.errors import DataError
from limbeck.evaluation import metrics
from limbeck.evaluation.intervals import LEVEL, RESAMPLES, percentile_interval
from limbeck.evaluation.measured import Measured, measured
from limbeck.evaluation.proportions import wilson

BINS = 15
"""Bins of the expected calibration error, as in Guo et al."""
LEAST_ERROR = 0.001
"""An ECE below this is none: a model that is sure and right differs from 1 in the last digits of its answers only."""
Binning = Literal["width", "mass"]


@dataclass(frozen=True, kw_only=True, eq=False)
class ReliabilityBins:
    """The bins of a reliability diagram; every array is (B,), NaN in the shares of a bin without rows.

    Attributes:
        low, high: confidences between which a bin's rows lie, low excluded and high included.
        counts: rows, int64.
        confidence: mean confidence of the rows.
        accuracy: share of the rows that are right.
        accuracy_low, accuracy_high: ends of its 95 % Wilson interval.
    """

    low: np.ndarray
    high: np.ndarray
    counts: np.ndarray
    confidence: np.ndarray
    accuracy: np.ndarray
    accuracy_low: np.ndarray
    accuracy_high: np.ndarray

    @property
    def gaps(self) -> np.ndarray:
        """|accuracy - confidence| of each bin, (B,); 0 where there is no row."""
        gaps: np.ndarray = np.where(self.counts > 0, np.abs(self.accuracy - self.confidence), 0.0)
        return gaps

    def to_dict(self) -> dict[str, list[float | int | None]]:
        """Return lists for JSON; a share of no row is null."""
        return {
            name: [None if np.isnan(value) else value for value in getattr(self, name).tolist()] for name in _BIN_ARRAYS
        }

    @classmethod
    def from_dict(cls, facts: Mapping[str, Any]) -> "ReliabilityBins":
        """Make bins of what `to_dict` returned."""
        arrays = {
            name: np.array([np.nan if value is None else value for value in facts[name]], dtype=np.float64)
            for name in _BIN_ARRAYS
        }
        return cls(**{**arrays, "counts": arrays["counts"].astype(np.int64)})


_BIN_ARRAYS = ("low", "high", "counts", "confidence", "accuracy", "accuracy_low", "accuracy_high")


@dataclass(frozen=True, kw_only=True, eq=False)
class Calibration:
    """How far probabilities can be taken at their word.

    Attributes:
        ece: expected calibration error, equal width; 0 to 1, 0 is best.
        chance_high: what the ECE of a perfectly calibrated classifier with these confidences stays below, 95 of 100.
        ece_mass: the same with bins of equally many rows.
        mce: largest gap of a bin (equal width).
        ece_by_class: (C,), of each class's probability taken as a yes-or-no answer.
        brier: mean squared distance of probabilities and truth, summed over classes: 0 to 2.
        bins: of the reliability diagram, equal width.
        bins_mass: bins of equally many rows.
    """

    ece: Measured
    chance_high: float
    ece_mass: float
    mce: float
    ece_by_class: tuple[float, ...]
    brier: float
    bins: ReliabilityBins
    bins_mass: ReliabilityBins

    @property
    def is_shown(self) -> bool:
        """Whether the ECE is larger than chance explains, and large enough to matter to anybody."""
        return is_beyond(self.ece.value, self.chance_high)

    @property
    def classwise_ece(self) -> float:
        """Mean of `ece_by_class`."""
        return float(np.mean(self.ece_by_class))

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON; keys and their order are stable."""
        return {
            "ece": self.ece.value,
            **{f"ece_{end}": value for end, value in self.ece.ends.items()},
            "chance_high": self.chance_high,
            "ece_mass": self.ece_mass,
            "mce": self.mce,
            "classwise_ece": self.classwise_ece,
            "ece_by_class": list(self.ece_by_class),
            "brier": self.brier,
            "bins": self.bins.to_dict(),
            "bins_mass": self.bins_mass.to_dict(),
        }

    @classmethod
    def from_dict(cls, facts: Mapping[str, Any]) -> "Calibration":
        """Make a value of what `to_dict` returned."""
        return cls(
            ece=measured(facts["ece"], facts["ece_low"], facts["ece_high"]),
            chance_high=float(facts["chance_high"]),
            ece_mass=float(facts["ece_mass"]),
            mce=float(facts["mce"]),
            ece_by_class=tuple(map(float, facts["ece_by_class"])),
            brier=float(facts["brier"]),
            bins=ReliabilityBins.from_dict(facts["bins"]),
            bins_mass=ReliabilityBins.from_dict(facts["bins_mass"]),
        )


def measure_calibration(
    probabilities_NC: np.ndarray, labels_N: np.ndarray, *, seed: int = 0, resamples: int = RESAMPLES
) -> Calibration:
    """Measure how far probabilities can be taken at their word.

    Raises:
        DataError: shapes differ, a label is out of range, or a row is no distribution.

    Source: Guo, Pleiss, Sun & Weinberger, On Calibration of Modern Neural Networks (2017), equations 3 and 4; Nixon et
    al., Measuring Calibration in Deep Learning (2019), for equal mass and by class; Brier (1950); Bröcker & Smith,
    Increasing the Reliability of Reliability Diagrams (2007), for what chance alone does.
    """
    metrics.row_losses(probabilities_NC, labels_N)  # refuses what is no distribution, and labels that do not fit
    confidence_N = confidence_of(probabilities_NC)
    right_N = metrics.predicted_labels(probabilities_NC) == labels_N
    bins, bins_mass = reliability(confidence_N, right_N), reliability(confidence_N, right_N, binning="mass")
    value = expected_calibration_error(bins)
    place_N = places_in(confidence_N, bins.high)
    generator = np.random.default_rng(seed)
    chance_high = _chance_high(place_N, confidence_N, generator, resamples)
    resampled_R = _resampled(place_N, right_N - confidence_N, generator, resamples)
    return Calibration(
        ece=reflected(value, resampled_R, chance_high),
        chance_high=chance_high,
        ece_mass=expected_calibration_error(bins_mass),
        mce=float(bins.gaps.max()),
        ece_by_class=tuple(
            expected_calibration_error(reliability(as_shares(probabilities_NC[:, label]), labels_N == label))
            for label in range(probabilities_NC.shape[1])
        ),
        brier=brier_score(probabilities_NC, labels_N),
        bins=bins,
        bins_mass=bins_mass,
    )


def reflected(ece: float, resampled_R: np.ndarray, chance_high: float) -> Measured:
    """Return an ECE with its interval: that of its resamples, reflected at it; from 0 where chance explains the ECE."""
    resampled = percentile_interval(resampled_R)
    low = max(0.0, 2 * ece - float(resampled.high)) if is_beyond(ece, chance_high) else 0.0
    return measured(ece, low, max(ece, 2 * ece - float(resampled.low)))


def ece_of(probabilities_NC: np.ndarray, labels_N: np.ndarray) -> float:
    """Return the expected calibration error alone, equal width."""
    right_N = metrics.predicted_labels(probabilities_NC) == labels_N
    return expected_calibration_error(reliability(confidence_of(probabilities_NC), right_N))


def reliability(
    confidence_N: np.ndarray, right_N: np.ndarray, *, bins: int = BINS, binning: Binning = "width"
) -> ReliabilityBins:
    """Bin rows by confidence.

    Args:
        confidence_N: probability of the answer, 0 to 1.
        right_N: whether the answer is right.
        bins: how many.
        binning: bins of equal width, or of equal mass: the quantiles of the confidences. Equal confidences share a
            bin, so bins of equal mass may have different numbers of rows, and may be fewer.

    Raises:
        DataError: there is no row, or one of the arrays is longer.

    Example:
        >>> found = reliability(np.array([0.55, 0.95]), np.array([False, True]), bins=2)
        >>> found.counts.tolist(), found.accuracy.tolist()
        ([0, 2], [nan, 0.5])
    """
    if not len(confidence_N) or len(confidence_N) != len(right_N):
        raise DataError(f"{len(confidence_N):,} confidences and {len(right_N):,} answers: give one of each a row")
    confidence_N = np.asarray(confidence_N, dtype=np.float64)
    if binning == "width":
        edges = np.arange(bins + 1) / bins
    else:
        inner = np.quantile(confidence_N, np.arange(1, bins) / bins, method="inverted_cdf")
        edges = np.concatenate([[0.0], np.unique(inner[inner < confidence_N.max()]), [1.0]])
    place_N = places_in(confidence_N, edges[1:])
    counts = np.bincount(place_N, minlength=len(edges) - 1)
    right = np.bincount(place_N, weights=right_N, minlength=len(edges) - 1)
    return bins_of(edges, counts, right, np.bincount(place_N, weights=confidence_N, minlength=len(edges) - 1))


def bins_of(edges: np.ndarray, counts: np.ndarray, right: np.ndarray, summed: np.ndarray) -> ReliabilityBins:
    """Return bins by what was counted in each: rows, right ones, and the sum of their confidences.

    Shapes: edges (B+1,), the others (B,).
    """
    interval = wilson(right, counts)
    with np.errstate(invalid="ignore"):
        return ReliabilityBins(
            low=edges[:-1],
            high=edges[1:],
            counts=counts,
            confidence=summed / counts,
            accuracy=right / counts,
            accuracy_low=interval.low,
            accuracy_high=interval.high,
        )


def expected_calibration_error(bins: ReliabilityBins) -> float:
    """Return the mean gap of the bins, weighted by their rows.

    Source: Guo et al. (2017), equation 3.
    """
    return float((bins.counts * bins.gaps).sum() / bins.counts.sum())


def brier_score(probabilities_NC: np.ndarray, labels_N: np.ndarray) -> float:
    """Return the mean squared distance of probabilities and truth, summed over all classes: 0 to 2.

    For two classes it is twice scikit-learn's `brier_score_loss`, which looks at one of them.
    """
    away_NC = as_shares(probabilities_NC).copy()
    away_NC[np.arange(len(labels_N)), labels_N] -= 1
    return float((away_NC**2).sum(axis=1).mean())


def confidence_of(probabilities_NC: np.ndarray) -> np.ndarray:
    """Return the highest probability of each row, float64 (N,)."""
    return as_shares(probabilities_NC.max(axis=1))


def as_shares(values: np.ndarray) -> np.ndarray:
    """Return probabilities as float64, none above 1 by rounding."""
    return np.minimum(values.astype(np.float64), 1.0)


def places_in(confidence_N: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Return the bin of each row: the first whose high end is not below its confidence."""
    return np.searchsorted(high[:-1], confidence_N, side="left")


def _resampled(place_N: np.ndarray, over_N: np.ndarray, generator: np.random.Generator, resamples: int) -> np.ndarray:
    """Return the ECE of resampled rows, (R,); `over_N` is right minus confidence, whose sum in a bin is its gap."""
    rows = len(place_N)
    found = np.empty(resamples)
    for resample in range(resamples):
        drawn = generator.integers(rows, size=rows)
        found[resample] = np.abs(np.bincount(place_N[drawn], weights=over_N[drawn])).sum() / rows
    return found


def is_beyond(ece: float, chance_high: float) -> bool:
    """Tell whether an ECE is an error: beyond chance, and no matter of a sure model's last digits."""
    return ece > chance_high and ece >= LEAST_ERROR


def _chance_high(
    place_N: np.ndarray, confidence_N: np.ndarray, generator: np.random.Generator, resamples: int
) -> float:
    """Return the ECE that answers which are right exactly as often as they say stay below, 95 times of 100."""
    rows = len(place_N)
    found = np.empty(resamples)
    for resample in range(resamples):
        over_N = (generator.random(rows) < confidence_N) - confidence_N
        found[resample] = np.abs(np.bincount(place_N, weights=over_N)).sum() / rows
    return float(np.quantile(found, LEVEL))
