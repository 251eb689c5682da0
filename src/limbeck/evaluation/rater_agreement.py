"""Rater agreement: how well people agree about numbers, and what no model can exceed because of it.

In: ratings (N, R), several a row, NaN where a rater gave none. Out: what one rater reaches, how reliable the mean of a
row's raters is, and the ceiling of a model's correlation with that mean, each with its interval.
It does not know models, nor who a rater is: the raters of a row are taken as drawn from one crowd, as they are where
each row was rated by others.

**One rater** is left out and correlated with the mean of the row's others: what a person reaches.
**Reliability** is the share of the mean rating's variance that is the rows' own. One-way analysis of variance gives the
reliability of one rating, ICC(1); Spearman and Brown's formula that of the mean of k, ICC(1, k). It equals the
correlation of the means of two crowds of k. (Splitting a row's raters into halves estimates the same, with the luck of
the split.)
**The ceiling**: a model that knew every row's true value would correlate with the mean of k raters by the square root
of its reliability, since the rest of that mean is chance.

Source: Shrout & Fleiss, Intraclass Correlations (1979), case 1; Spearman (1910) and Brown (1910) for means of k;
Spearman, The Proof and Measurement of Association between Two Things (1904), for the square root.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from limbeck.errors import DataError
from limbeck.evaluation.intervals import RESAMPLES, resampled_sums
from limbeck.evaluation.measured import Measured, brief, centred, read_told, told
from limbeck.evaluation.value_scores import pearson_of


@dataclass(frozen=True, kw_only=True)
class RaterAgreement:
    """How well the raters of N rows agree.

    Attributes:
        rows: with two ratings or more.
        ratings_per_row: harmonic mean.
        one_rater: Pearson's correlation of one rater with the mean of the row's others.
        reliability: of the mean of a row's ratings, 0 to 1.
        ceiling: what Pearson's correlation with that mean can reach.
    """

    rows: int
    ratings_per_row: float
    one_rater: Measured
    reliability: Measured
    ceiling: Measured

    def __str__(self) -> str:
        return (
            f"{self.rows:,} rows, {self.ratings_per_row:.1f} ratings per row: one rater with the others' mean "
            f"{brief(self.one_rater)}, ceiling of a model {brief(self.ceiling)}"
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "rows": self.rows,
            "ratings_per_row": self.ratings_per_row,
            **{name: told(getattr(self, name)) for name in ("one_rater", "reliability", "ceiling")},
        }

    @classmethod
    def from_dict(cls, facts: Mapping[str, Any]) -> "RaterAgreement":
        """Make a value of what `to_dict` returned."""
        return cls(
            rows=int(facts["rows"]),
            ratings_per_row=float(facts["ratings_per_row"]),
            **{name: read_told(facts[name]) for name in ("one_rater", "reliability", "ceiling")},
        )


def measure_agreement(ratings_NR: np.ndarray, *, seed: int = 0, resamples: int = RESAMPLES) -> RaterAgreement:
    """Measure how well raters agree, from the rows that have two ratings or more.

    Raises:
        DataError: fewer than two rows have two ratings.

    Example:
        >>> found = measure_agreement(np.array([[1.0, 1.0], [2.0, 2.0], [4.0, 4.0]]), resamples=10)
        >>> found.one_rater.value, found.ceiling.value
        (1.0, 1.0)
    """
    ratings_NR = np.asarray(ratings_NR, dtype=np.float64)
    if ratings_NR.ndim != 2:
        raise DataError(f"ratings must have shape (rows, raters), NaN where there is none: got {ratings_NR.shape}")
    there_NR = np.isfinite(ratings_NR)
    enough_N = there_NR.sum(axis=1) >= 2
    if enough_N.sum() < 2:
        raise DataError("agreement needs two rows with two ratings each, or more")
    there_NR = there_NR[enough_N]
    ratings_NR = np.where(there_NR, ratings_NR[enough_N], 0.0)
    ratings_NR = np.where(there_NR, ratings_NR - ratings_NR.sum() / there_NR.sum(), 0.0)
    count_N, sum_N = there_NR.sum(axis=1).astype(np.float64), ratings_NR.sum(axis=1)
    others_NR = np.where(there_NR, (sum_N[:, None] - ratings_NR) / (count_N[:, None] - 1), 0.0)
    values_NK = np.column_stack(
        [
            count_N,
            sum_N,
            others_NR.sum(axis=1),
            (ratings_NR**2).sum(axis=1),
            (others_NR**2).sum(axis=1),
            (ratings_NR * others_NR).sum(axis=1),
            np.ones_like(count_N),
            count_N**2,
            1 / count_N,
            sum_N**2 / count_N,
        ]
    )
    sums_K, sums_RK = values_NK.sum(axis=0), resampled_sums(values_NK, seed=seed, resamples=resamples)
    reliability, drawn_R = _reliability(sums_K), _reliability(sums_RK)
    return RaterAgreement(
        rows=len(count_N),
        ratings_per_row=float(sums_K[6] / sums_K[8]),
        one_rater=centred(pearson_of(sums_K[:6]), pearson_of(sums_RK[:, :6]), least=-1.0, most=1.0),
        reliability=centred(reliability, drawn_R, least=0.0, most=1.0),
        ceiling=centred(np.sqrt(reliability), np.sqrt(drawn_R), least=0.0, most=1.0),
    )


def _reliability(sums: np.ndarray) -> np.ndarray:
    """Return the reliability of the mean of a row's ratings, of sums (..., K); NaN where all ratings are equal."""
    ratings, total, squares, rows = sums[..., 0], sums[..., 1], sums[..., 3], sums[..., 6]
    between, counted = sums[..., 9], sums[..., 7]
    with np.errstate(invalid="ignore", divide="ignore"):
        within = (squares - between) / (ratings - rows)
        size = (ratings - counted / ratings) / (rows - 1)
        own = np.maximum(0.0, ((between - total**2 / ratings) / (rows - 1) - within) / size)
        return np.where(own + within > 0, own / (own + within * sums[..., 8] / rows), np.nan)
