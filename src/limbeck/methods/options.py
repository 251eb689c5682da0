"""Options by keyword, and tables by stage: of them the settings of a whole training are made.

In: a method's name, options such as `pooling="layers"`, and the tables of a settings file. Out: the settings of every
stage, checked. It does not know where options come from, nor how a method trains.
"""

from collections.abc import Mapping
from difflib import get_close_matches
from functools import partial
from types import MappingProxyType
from typing import Any

from limbeck.errors import FaultLog, SettingsError
from limbeck.methods.table import CLASSIFIERS, Method, method_named
from limbeck.setting_tables import build, settable, to_plain
from limbeck.settings import LoopSettings, ReadSettings
from limbeck.training.setting_checks import check_training

Tables = Mapping[str, Mapping[str, Any]]
"""Values by key, by the name of a stage."""
NO_TABLES: Tables = MappingProxyType({})


def training_of(
    method: str,
    options: Mapping[str, Any],
    tables: Tables = NO_TABLES,
    *,
    among: Mapping[str, Method] = CLASSIFIERS,
) -> Any:
    """Build the settings of a method's training: its defaults, tables laid over them, and options over both.

    An option goes to every stage that has it: `seed` is of the splits and of the method, `precision` of features and
    of fine-tuning.

    Args:
        method: its name.
        options: by keyword.
        tables: by stage.
        among: the methods that there are.

    Raises:
        SettingsError: the method is unknown; gathers every unknown option, with the nearest known one, and every value
            of a wrong type.

    Example:
        >>> training_of("probe", {"pooling": "layers", "folds": 3}).probe.folds
        3
    """
    kind = method_named(method, among).training
    stages = kind().stages()
    _refuse_unknown(method, options, stages)
    built = {}
    for name, default in stages.items():
        own = {key: options[key] for key in settable(type(default)) if key in options}
        hint = partial(_goes_with, besides=method) if name == method else None
        built[name] = build(type(default), to_plain(default), tables.get(name, {}), own, where=name, hint=hint)
        if isinstance(built[name], LoopSettings):
            check_training(built[name])
    return kind(**built)


def reading_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return those of the options that say how a file is read."""
    return {key: value for key, value in options.items() if key in settable(ReadSettings)}


def _goes_with(key: str, *, besides: str) -> str | None:
    """Say which other methods have a setting."""
    others = [
        name
        for name, method in CLASSIFIERS.items()
        if name != besides and key in settable(type(method.training().fitting))
    ]
    return f"{key!r} goes with method {' or '.join(others)}" if others else None


def _refuse_unknown(method: str, options: Mapping[str, Any], stages: Mapping[str, Any]) -> None:
    known = {key: stage for stage, default in stages.items() for key in settable(type(default))}
    faults = FaultLog()
    for key in options:
        if key in known:
            continue
        near = get_close_matches(key, known, n=1)
        if others := _goes_with(key, besides=method):
            faults.add(f"{method}: {others}")
        elif near:
            faults.add(f"{key!r} is no option; did you mean {near[0]!r} (of {known[near[0]]})?")
        else:
            faults.add(f"{key!r} is no option; those of {method} are {', '.join(known)}")
    faults.raise_as(SettingsError, what=f"options of {method} are wrong", todo="correct them and run it again")
