"""A knob: a setting that a sweep varies, and from where to where; the settings of each method say which it has.

In: plain values. Out: a `Knob`, and those of them that mean something for a task. It does not know how a sweep chooses.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from limbeck.settings import TaskKind

_BALANCED_TASKS: dict[str, tuple[TaskKind, ...]] = {
    "weights": ("single", "multi", "ordinal"),
    "focal": ("single", "multi"),
    "oversample": ("single",),
    "smote": ("single",),
}
"""The shapes of answer that each balance is for."""
_SMOOTHED_TASKS: tuple[TaskKind, ...] = ("single", "multi")


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


def knobs_for(task: TaskKind, knobs: Sequence[Knob]) -> tuple[Knob, ...]:
    """Return the knobs that a task has a use for, each with the choices that mean something for it.

    Where only one choice is left, there is nothing to vary.

    Example:
        >>> balance = Knob(stage="probe", name="balance", choices=("none", "weights", "oversample"))
        >>> knobs_for("multi", [balance])[0].choices, knobs_for("regression", [balance])
        (('none', 'weights'), ())
    """
    found = []
    for knob in knobs:
        choices = tuple(value for value in knob.choices if _means_something(knob.name, value, task))
        if len(choices) > 1 or choices == knob.choices:
            found.append(replace(knob, choices=choices))
    return tuple(found)


def _means_something(name: str, value: Any, task: TaskKind) -> bool:
    """Tell whether a task can be trained with a value of a setting."""
    if name == "balance":
        return value not in _BALANCED_TASKS or task in _BALANCED_TASKS[value]
    return name != "label_smoothing" or not value or task in _SMOOTHED_TASKS
