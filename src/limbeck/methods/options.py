"""Options by keyword: each goes to every stage of a method that has a setting of that name.

In: a method's name and options such as `pooling="layers"`. Out: the settings of a whole training, checked.
It does not know where options come from, nor how a method trains.
"""

from collections.abc import Mapping
from dataclasses import fields
from difflib import get_close_matches
from typing import Any

from limbeck.errors import FaultLog, SettingsError
from limbeck.methods.table import CLASSIFIERS, method_named
from limbeck.settings import LoopSettings, ReadSettings, build, settable, to_plain
from limbeck.training.setting_checks import check_training


def training_of(method: str, options: Mapping[str, Any]) -> Any:
    """Build the settings of a method's training: its defaults, and the options laid over them.

    An option goes to every stage that has it: `seed` is of the splits and of the method, `precision` of features and
    of fine-tuning.

    Raises:
        SettingsError: the method is unknown; gathers every unknown option, with the nearest known one, and every value
            of a wrong type.

    Example:
        >>> training_of("probe", {"pooling": "layers", "folds": 3}).probe.folds
        3
    """
    kind = method_named(method).training
    usual = kind()
    stages = {field.name: getattr(usual, field.name) for field in fields(kind)}
    _refuse_unknown(method, options, stages)
    built = {}
    for name, default in stages.items():
        own = {key: options[key] for key in settable(type(default)) if key in options}
        built[name] = build(type(default), to_plain(default), own, where=name)
        if isinstance(built[name], LoopSettings):
            check_training(built[name])
    return kind(**built)


def reading_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return those of the options that say how a file is read."""
    return {key: value for key, value in options.items() if key in settable(ReadSettings)}


def _refuse_unknown(method: str, options: Mapping[str, Any], stages: Mapping[str, Any]) -> None:
    known = {key: stage for stage, default in stages.items() for key in settable(type(default))}
    faults = FaultLog()
    for key in options:
        if key in known:
            continue
        others = [
            name
            for name, kind in ((name, one.training) for name, one in CLASSIFIERS.items())
            if name != method and any(key in settable(type(getattr(kind(), field.name))) for field in fields(kind))
        ]
        near = get_close_matches(key, known, n=1)
        if others:
            faults.add(f"{key!r} goes with method {' or '.join(others)}, not {method}")
        elif near:
            faults.add(f"{key!r} is no option; did you mean {near[0]!r} (of {known[near[0]]})?")
        else:
            faults.add(f"{key!r} is no option; those of {method} are {', '.join(known)}")
    faults.raise_as(SettingsError, what=f"options of {method} are wrong", todo="correct them and call again")
