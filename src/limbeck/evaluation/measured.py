"""A score and how sure it is. In: three numbers. Out: one value. It does not know what was scored."""

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from limbeck.errors import DataError
from limbeck.evaluation.intervals import Interval, percentile_interval

ROUNDING = 1e-12
"""Scores that differ by no more are the same."""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """A score and its 95 % interval; both ends are NaN where nothing is known of it."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.4f} ({self.between(4)})"

    @property
    def is_known(self) -> bool:
        """Whether there is an interval: of a score of no row there is none."""
        return not math.isnan(self.low)

    def between(self, digits: int, sign: str = "–") -> str:
        """Say both ends with so many digits: "0.758–1.000"; or that they are not known."""
        return f"{self.low:.{digits}f}{sign}{self.high:.{digits}f}" if self.is_known else "not known"

    @property
    def ends(self) -> dict[str, float | None]:
        """Low and high end, for JSON: null where they are not known."""
        return {"low": self.low, "high": self.high} if self.is_known else {"low": None, "high": None}


def measured(value: Any, low: Any, high: Any) -> Measured:
    """Make plain floats of three numbers."""
    return Measured(value=float(value), low=float(low), high=float(high))


def brief(score: Measured) -> str:
    """Return a score with its interval in three digits: "0.804 (0.786–0.821)"; a dash where there is no score."""
    if math.isnan(score.value):
        return "–"
    return f"{score.value:.3f} ({score.between(3)})"


def signed(difference: Measured) -> str:
    """Return a difference with its interval: "+0.012 (-0.003 to +0.027)"; a dash where there is none."""
    if math.isnan(difference.value):
        return "–"
    ends = f"{difference.low:+.3f} to {difference.high:+.3f}" if difference.is_known else "not known"
    return f"{difference.value:+.3f} ({ends})"


def with_interval(value: Any, interval: Interval) -> Measured:
    """Put a score and its interval together."""
    return measured(value, interval.low, interval.high)


def joined(facts: Mapping[str, Any], name: str) -> Measured:
    """Find a score and, under `intervals`, its ends in what JSON said."""
    ends = facts["intervals"][name]
    low, high = (math.nan if ends[end] is None else ends[end] for end in ("low", "high"))
    return measured(facts[name], low, high)


def centred(value: Any, drawn_R: np.ndarray, *, least: float = -math.inf, most: float = math.inf) -> Measured:
    """Put a score and the spread of its resamples together: the middle 95 % of them, moved so that their mean is it.

    A figure that is a mean over many rare labels is biased in resamples, since each one misses some of the labels'
    few rows: the plain percentile interval would lie beside the score. Of an unbiased figure both are the same.
    Resamples that have no score (NaN) are left out; where none differs from the others, nothing is known.

    Args:
        value: the score; NaN where there is none.
        drawn_R: the resampled scores.
        least: the lowest score that is possible.
        most: the highest.
    """
    known = drawn_R[np.isfinite(drawn_R)]
    if math.isnan(value) or not len(known) or known.max() - known.min() <= ROUNDING:
        return measured(value, math.nan, math.nan)
    ends = percentile_interval(known - known.mean())
    low, high = float(value) + float(ends.low), float(value) + float(ends.high)
    return measured(value, max(least, low), min(most, high))


def told(score: Measured) -> dict[str, float | None]:
    """Return a score and its ends for JSON; null where there is none."""
    return {"value": None if math.isnan(score.value) else score.value, **score.ends}


def read_told(facts: Mapping[str, Any]) -> Measured:
    """Make a score of what `told` returned."""
    return measured(*(math.nan if facts[name] is None else facts[name] for name in ("value", "low", "high")))


@contextmanager
def reading_figures() -> Iterator[None]:
    """Explain what is wrong with plain values that an evaluation is made of.

    Raises:
        DataError: a key is missing or a value is of the wrong kind.
    """
    try:
        yield
    except KeyError as error:
        raise DataError(
            f"the evaluation has no key {error}: was it written by another version? Evaluate again"
        ) from error
    except (TypeError, ValueError, IndexError) as error:
        raise DataError(f"the evaluation has a value of the wrong kind ({error}): evaluate again") from error
