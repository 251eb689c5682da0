"""A knob: a setting that a sweep varies, and from where to where; the settings of each method say which it has.

In: plain values. Out: a `Knob`. It does not know how a sweep chooses.
"""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Knob:
    """A setting that is varied.

    Attributes:
        stage: the table that it stands in.
        name: its key.
        choices: the values it may take; or, when there are none:
        low: the lowest value.
        high: the highest value.
        log: whether its logarithm is drawn evenly.
    """

    stage: str
    name: str
    choices: tuple[Any, ...] = ()
    low: float = 0.0
    high: float = 0.0
    log: bool = False
