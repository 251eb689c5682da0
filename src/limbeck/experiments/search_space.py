"""The search space: which settings a sweep varies, and from where to where.

In: the name of a method and its settings, or a TOML table. Out: `Knob`s. It does not know how a sweep chooses.

    [search]
    learning_rate = { low = 5e-5, high = 8e-4, log = true }
    batch_rows = { choices = [32, 64] }
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from limbeck.errors import FaultLog, SettingsError
from limbeck.settings import read_toml

_KEYS = ({"choices"}, {"low", "high"}, {"low", "high", "log"})


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


def space_of(method: str, settings: Any, rate: float | None) -> tuple[Knob, ...]:
    """Return what is sensible to vary.

    Args:
        method: "probe", "head" or "finetune".
        settings: of the whole training.
        rate: the learning rate that suits the encoder; a sweep looks from a quarter to four times that.
    """
    if method == "probe":
        return (
            Knob(stage="features", name="pooling", choices=("cls", "mean", "max", "layers")),
            Knob(stage="probe", name="balance", choices=("none", "weights", "oversample")),
        )
    own = 1e-3 if rate is None else rate
    if method == "head":
        return (
            Knob(stage="head", name="learning_rate", low=own / 10, high=own * 10, log=True),
            Knob(stage="head", name="batch_rows", choices=(16, 32, 64, 128)),
            Knob(stage="head", name="label_smoothing", choices=(0.0, 0.05, 0.1)),
            Knob(stage="head", name="weight_decay", choices=(0.0, 0.001, 0.01, 0.1)),
            *_kinds_of_head(settings),
        )
    return (
        Knob(stage="finetune", name="learning_rate", low=own / 4, high=own * 4, log=True),
        Knob(stage="finetune", name="batch_rows", choices=(16, 32, 64)),
        Knob(stage="finetune", name="warmup_share", low=0.0, high=0.3),
        Knob(stage="finetune", name="weight_decay", low=1e-3, high=1e-1, log=True),
        Knob(stage="finetune", name="label_smoothing", choices=(0.0, 0.05, 0.1)),
        Knob(stage="finetune", name="dropout", low=0.0, high=0.2),
        Knob(stage="finetune", name="layer_decay", low=0.7, high=1.0),
    )


def read_space(path: Path, method: str, settings: Any) -> tuple[Knob, ...]:
    """Read a search space of one's own from the table [search] of a TOML file.

    Raises:
        SettingsError: gathers every fault.
    """
    tables = read_toml(path)
    table = tables.get("search")
    if not isinstance(table, dict) or not table or len(tables) > 1:
        raise SettingsError(f"{path} must hold one table, [search], with the settings to vary")
    faults, knobs = FaultLog(), []
    stages = {name: {field.name for field in fields(getattr(settings, name))} for name in (method, "features")}
    for name, wish in table.items():
        stage = next((stage for stage, known in stages.items() if name in known), None)
        fault = _fault(name, wish, stage, {key for known in stages.values() for key in known})
        if fault:
            faults.add(f"{path}: {fault}")
        elif stage:
            knobs.append(Knob(stage=stage, name=name, **{**wish, "choices": tuple(wish.get("choices", ()))}))
    faults.raise_as(SettingsError, what="the search space is wrong", todo="correct it and run the command again")
    return tuple(knobs)


def with_values(settings: Any, knobs: tuple[Knob, ...], values: Mapping[str, Any]) -> Any:
    """Return settings with the values that were chosen."""
    for stage in {knob.stage for knob in knobs}:
        own = {knob.name: values[knob.name] for knob in knobs if knob.stage == stage}
        settings = replace(settings, **{stage: replace(getattr(settings, stage), **own)})
    return settings


def first_values(settings: Any, knobs: tuple[Knob, ...], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values that the settings have now; where they have none its default, and the nearest within the space.

    Args:
        settings: of a whole training.
        knobs: the settings that are varied.
        defaults: what a setting that is not set comes to.
    """
    found = {}
    for knob in knobs:
        value = getattr(getattr(settings, knob.stage), knob.name)
        value = defaults.get(knob.name) if value in (None, "auto") else value
        if knob.choices:
            found[knob.name] = value if value in knob.choices else knob.choices[0]
        else:
            found[knob.name] = knob.low if value is None else min(max(value, knob.low), knob.high)
    return found


def _kinds_of_head(settings: Any) -> list[Knob]:
    """Give the choice of a head where there is one: that of two layers sees [CLS] of the last layer only."""
    features = settings.features
    if features.pooling != "cls" or features.layer is not None:
        return []
    return [Knob(stage="head", name="head", choices=("linear", "mlp"))]


def _fault(name: str, wish: Any, stage: str | None, known: set[str]) -> str | None:
    if stage is None:
        return f"{name} is no setting of this method; there are {', '.join(sorted(known))}"
    if not isinstance(wish, dict) or set(wish) not in _KEYS:
        return f"{name} must be {{ choices = […] }} or {{ low = …, high = …, log = true or false }}"
    if "choices" in wish:
        return None if wish["choices"] else f"{name}: choices is empty"
    is_number = all(isinstance(wish[key], int | float) and not isinstance(wish[key], bool) for key in ("low", "high"))
    if not is_number or not wish["low"] < wish["high"]:
        return f"{name}: low must be below high, both numbers"
    return f"{name}: low must be above 0 where log is true" if wish.get("log") and wish["low"] <= 0 else None
