"""How sure a share is: intervals and bounds of k of n, exact or nearly so at any n.

In: counts. Out: low and high ends. It does not know what was counted.
"""

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike

from limbeck.evaluation.intervals import LEVEL, Interval

Z = NormalDist().inv_cdf(0.5 + LEVEL / 2)
"""Standard deviations on either side of a normal's middle `LEVEL`: 1.96."""


@dataclass(frozen=True, kw_only=True)
class Share:
    """A share of rows and its 95 % Wilson interval.

    Attributes:
        count: rows that did.
        rows: rows in all, at least 1.
        low, high: ends of the interval.
    """

    count: int
    rows: int
    low: float
    high: float

    @property
    def value(self) -> float:
        """The share, 0 to 1."""
        return self.count / self.rows

    def __str__(self) -> str:
        return f"{self.value:.3f} ({self.low:.3f}–{self.high:.3f})"

    def to_dict(self) -> dict[str, float | int]:
        """Return plain values for JSON: `value`, `low`, `high`, `count`, `rows`."""
        return {"value": self.value, "low": self.low, "high": self.high, "count": self.count, "rows": self.rows}


def share_of(count: int, rows: int) -> Share:
    """Return k of n with its Wilson interval; of no row, the share is not defined.

    Example:
        >>> print(share_of(8, 10))
        0.800 (0.490–0.943)
    """
    ends = wilson(count, rows)
    return Share(count=int(count), rows=int(rows), low=float(ends.low), high=float(ends.high))


def wilson(count: ArrayLike, rows: ArrayLike) -> Interval:
    """Return the 95 % Wilson score interval of shares, any shape; NaN where there is no row.

    Unlike a bootstrap interval it is of use for 0 of n and n of n.

    Source: Wilson, Probable Inference (1927); Brown, Cai & DasGupta, Interval Estimation for a Binomial Proportion
    (2001), equation 4.
    """
    k, n = np.asarray(count, dtype=np.float64), np.asarray(rows, dtype=np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        share = k / n
        centre = (k + Z * Z / 2) / (n + Z * Z)
        half = Z / (n + Z * Z) * np.sqrt(n * share * (1 - share) + Z * Z / 4)
    none = n == 0
    return Interval(
        low=np.where(none, np.nan, np.where(k == 0, 0.0, centre - half)),
        high=np.where(none, np.nan, np.where(k == n, 1.0, centre + half)),
    )


def f1_ends(hits: ArrayLike, support: ArrayLike, predicted: ArrayLike) -> Interval:
    """Return the 95 % interval of a class's F1, any shape; NaN where the class is neither true nor predicted.

    Of the rows that are of the class, or were given it, a share J is both, and F1 = 2 J / (1 + J): it rises with J.
    J is a share of counted rows, so the ends of its Wilson interval, put into that formula, are those of F1.

    Args:
        hits: rows of the class that were given it.
        support: rows of the class.
        predicted: rows that were given it.

    Source: Hand, Christen & Kirielle, F*: An Interpretable Transformation of the F-measure (2021), for F1 and J.

    Example:
        >>> ends = f1_ends(6, 6, 6)
        >>> print(f"{ends.low:.3f} {ends.high:.3f}")
        0.758 1.000
    """
    k = np.asarray(hits, dtype=np.float64)
    ends = wilson(k, np.asarray(support) + np.asarray(predicted) - k)
    return Interval(low=2 * ends.low / (1 + ends.low), high=2 * ends.high / (1 + ends.high))


def least_share(count: ArrayLike, rows: ArrayLike, *, confidence: ArrayLike = LEVEL) -> np.ndarray:
    """Return the one-sided Clopper-Pearson lower bound of shares: exact, never too bold; 0 where nothing was counted.

    Args:
        count: rows that did, any shape.
        rows: rows in all.
        confidence: chance, 0 to 1, that the bound lies below the true share.

    Source: Clopper & Pearson, The Use of Confidence or Fiducial Limits (1934).

    Example:
        >>> round(float(least_share(59, 59)), 4)  # the fewest rows that can show 0.95
        0.9505
    """
    k, n = np.asarray(count, dtype=np.float64), np.asarray(rows, dtype=np.float64)
    from scipy.special import betaincinv  # late: it takes long, and answers need none of it

    bound = betaincinv(np.maximum(k, 1), n - np.minimum(k, n) + 1, 1 - np.asarray(confidence))
    return np.where(k == 0, 0.0, bound)
