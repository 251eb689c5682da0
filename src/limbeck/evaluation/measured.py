"""A score and how sure it is. In: three numbers. Out: one value. It does not know what was scored."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from limbeck.evaluation.intervals import Interval


@dataclass(frozen=True, kw_only=True)
class Measured:
    """A score and its 95 % bootstrap interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.4f} ({self.low:.4f}–{self.high:.4f})"

    @property
    def ends(self) -> dict[str, float]:
        """Low and high end, for JSON."""
        return {"low": self.low, "high": self.high}


def measured(value: Any, low: Any, high: Any) -> Measured:
    """Make plain floats of three numbers."""
    return Measured(value=float(value), low=float(low), high=float(high))


def with_interval(value: Any, interval: Interval) -> Measured:
    """Put a score and its interval together."""
    return measured(value, interval.low, interval.high)


def joined(facts: Mapping[str, Any], name: str) -> Measured:
    """Find a score and, under `intervals`, its ends in what JSON said."""
    return measured(facts[name], facts["intervals"][name]["low"], facts["intervals"][name]["high"])
