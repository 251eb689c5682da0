"""A search space of one's own, and settings with the values that a sweep chose.

In: a TOML table, knobs and values. Out: `Knob`s. It does not know how a sweep chooses.

    [search]
    learning_rate = { low = 5e-5, high = 8e-4, log = true }
    batch_rows = { choices = [32, 64] }
"""

from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from limbeck.errors import FaultLog, SettingsError
from limbeck.methods.knobs import Knob
from limbeck.setting_tables import read_toml

_KEYS = ({"choices"}, {"low", "high"}, {"low", "high", "log"})


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
