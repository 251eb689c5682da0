"""Conformal intervals: from where to where the truth lies, promised of new rows without knowing how errors are spread.

In: errors of rows that the model did not learn from. Out: how far an interval reaches on both sides of a prediction.
It does not know models or units.

Of n such rows and a new one, drawn from one population, the new one's error is as likely to be the smallest as any
other. So the k-th smallest of the n errors, k = ⌈(n + 1) · level⌉, is exceeded by the new one with a chance of at most
1 - level, whatever the model and the errors are like. With fewer than level / (1 - level) rows nothing can be promised,
and the interval is endless. The promise is of the average row: where errors are large it is broken more often, where
they are small less often.

Source: Lei, G'Sell, Rinaldo, Tibshirani & Wasserman, Distribution-Free Predictive Inference for Regression (2018),
algorithm 2 (split conformal) and theorem 2.2; Vovk, Gammerman & Shafer, Algorithmic Learning in a Random World (2005).
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from limbeck.errors import DataError, SettingsError

PROMISED = 0.9
"""Share of new rows whose truth lies inside, unless told otherwise."""


@dataclass(frozen=True, kw_only=True)
class ConformalWidth:
    """How far intervals reach.

    Attributes:
        level: share of new rows whose truth lies inside, at least.
        half_width: to either side of the prediction; infinite where there were too few rows to promise anything.
        rows: that it was found on; None where that is not known.
        found_on: which rows these are: training rows, each answered by a fit that did not see it ("out_of_fold"), or
            "validation" rows; None where that is not known.
    """

    level: float
    half_width: float
    rows: int | None
    found_on: Literal["out_of_fold", "validation"] | None = None

    def to_dict(self) -> dict[str, float | int | str | None]:
        """Return plain values for JSON; an endless interval has null."""
        return {
            "level": self.level,
            "half_width": self.half_width if math.isfinite(self.half_width) else None,
            "rows": self.rows,
            "found_on": self.found_on,
        }

    @property
    def is_promised(self) -> bool:
        """Whether there were rows enough to promise anything."""
        return math.isfinite(self.half_width)

    @property
    def said(self) -> str:
        """What is promised, and on which rows it was found, in words."""
        rows = {
            "out_of_fold": "training rows, each answered by a fit that did not see it",
            "validation": "validation rows",
            None: "rows",
        }[self.found_on]
        found = "" if self.rows is None else f"; found on {self.rows:,} {rows}"
        return f"± {self.half_width:.4g} holds the true number of {self.level:.0%} of new rows (split conformal{found})"

    @classmethod
    def from_dict(cls, facts: Mapping[str, Any]) -> "ConformalWidth":
        """Make a value of what `to_dict` returned."""
        half_width = facts["half_width"]
        return cls(
            level=float(facts["level"]),
            half_width=math.inf if half_width is None else float(half_width),
            rows=None if facts["rows"] is None else int(facts["rows"]),
            found_on=facts.get("found_on"),
        )


def find_conformal_width(errors_N: np.ndarray, *, level: float = PROMISED) -> ConformalWidth:
    """Return how far intervals must reach to hold the truth of that share of new rows.

    Args:
        errors_N: predicted minus true values of rows that the model did not learn from.
        level: the share.

    Raises:
        SettingsError: the level is no share.
        DataError: an error is no number.

    Example:
        >>> find_conformal_width(np.array([0.3, -0.1, 0.2, -0.5]), level=0.8).half_width
        0.5
    """
    if not 0 < level < 1:
        raise SettingsError(f"level = {level} is not possible: give a share above 0 and below 1, such as 0.9")
    if not np.isfinite(errors_N).all():
        raise DataError("an error is no finite number: leave rows without a prediction or a truth out")
    rows = len(errors_N)
    place = math.ceil((rows + 1) * level - 1e-9)
    half_width = math.inf if place > rows else float(np.partition(np.abs(errors_N), place - 1)[place - 1])
    return ConformalWidth(level=level, half_width=half_width, rows=rows)
