"""Tables of settings: mappings and TOML become frozen settings, and settings become tables again.

In: defaults < a TOML file < flags. Out: one frozen value a stage, checked. None means off or not given; where it is not
the default it is written and given as "off". An unknown key is an error that names the nearest known one.
It does not know which settings there are.
"""

import csv
import io
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import Field, asdict, fields
from difflib import get_close_matches
from functools import cache
from math import isfinite
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

import tomli_w

from limbeck.errors import FaultLog, SettingsError

OFF = "off"
"""What None is called in files and on the command line, where it is not the default."""
SettingsT = TypeVar("SettingsT")
Hint = Callable[[str], str | None]
"""What to say of an unknown key; None to name the nearest known one."""
_ABSENT = object()


def settable(kind: type) -> dict[str, Field[Any]]:
    """Return the fields of a settings class that can be given, by name.

    A class that has no use for some of the fields that it inherits names them in `FIXED`.
    """
    return {one.name: one for one in fields(kind) if one.name not in getattr(kind, "FIXED", ())}


@cache
def meanings(kind: type) -> Mapping[str, str]:
    """Return what each field means: the words of the section `Attributes:` of a class and of those it inherits from.

    Words after "Default:" say what holds where the default is None.
    """
    found: dict[str, str] = {}
    for one in reversed(kind.__mro__):
        text = (one.__doc__ or "").partition("Attributes:\n")[2]
        for name, meaning in re.findall(r"^ {8}(\w+): (.*(?:\n {12}.*)*)", text, re.MULTILINE):
            found[name] = " ".join(meaning.split())
    return found


def build(
    kind: type[SettingsT], *layers: Mapping[str, Any], where: str = "settings", hint: Hint | None = None
) -> SettingsT:
    """Lay mappings over the defaults of `kind`, the later ones winning, and check every value.

    A value of None in a layer means "not given" and leaves what lies below it.

    Args:
        kind: a settings class.
        layers: values by key.
        where: what a message calls the place of the values.
        hint: says where an unknown key belongs.

    Raises:
        SettingsError: gathers every unknown key (with the nearest known one) and every value of a wrong type.

    Example:
        >>> build(SplitSettings, {"seed": 3}).seed
        3
    """
    hints = get_type_hints(kind)
    known = {name: hints[name] for name in settable(kind)}
    # A run's own record has every field; one that is fixed may be there with its one value.
    fixed = {one.name: one.default for one in fields(kind) if one.name not in known}  # type: ignore[arg-type]  # kind is a dataclass
    faults = FaultLog()
    values: dict[str, Any] = {}
    for layer in layers:
        given = (key for key in layer if layer[key] != fixed.get(key, _ABSENT))
        faults.extend(_unknown(given, known, where, hint))
        for key, value in layer.items():
            if key in known and value is not None:
                fitted = _read(value, known[key])
                if _fits(fitted, known[key]):
                    values[key] = fitted
                else:
                    faults.add(f"{where}: {key} = {value!r} is not {_spoken(known[key])}")
    faults.raise_as(SettingsError, what="the settings are wrong", todo="correct them and run the command again")
    return kind(**values)


def to_plain(settings: Any) -> dict[str, Any]:
    """Return settings as values for JSON, from which `build` makes the same settings."""
    usual = {field.name: field.default for field in fields(settings)}
    return {
        key: OFF if value is None and usual[key] is not None else list(value) if isinstance(value, tuple) else value
        for key, value in asdict(settings).items()
    }


def names_of(words: str) -> tuple[str, ...]:
    """Split `a,b,c` at commas; a name that holds one stands in double quotes, as in CSV.

    Raises:
        SettingsError: the quotes are not closed.
    """
    try:
        names = next(csv.reader([words], skipinitialspace=True, strict=True))
    except csv.Error as error:
        raise SettingsError(
            f"{words} cannot be divided ({error}): write a name that holds a comma in double quotes, and a double "
            "quote inside it twice"
        ) from error
    return tuple(name.strip() for name in names)


def said_names(names: Sequence[str]) -> str:
    """Write names as an option takes them: the other way round."""
    written = io.StringIO()
    csv.writer(written, lineterminator="").writerow(names)
    return written.getvalue()


def check_keys(given: Iterable[str], known: Iterable[str], *, where: str) -> None:
    """Refuse names that are not known.

    Raises:
        SettingsError: gathers every unknown name, with the nearest known one.
    """
    faults = FaultLog()
    faults.extend(_unknown(given, known, where))
    faults.raise_as(SettingsError, what="the settings are wrong", todo="correct them and run the command again")


def read_toml(path: Path) -> dict[str, Any]:
    """Read a settings file: one table a stage.

    Raises:
        SettingsError: the file is absent or is not TOML.
    """
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise SettingsError(f"cannot read the settings file {path}: {error.strerror}") from error
    except ValueError as error:
        raise SettingsError(f"{path} is not valid TOML: {error}") from error


def to_toml(stages: Mapping[str, Any]) -> str:
    """Write settings, one table a stage; a key that is not set is left out, so that reading gives the same value."""
    tables = {
        stage: {key: value for key, value in to_plain(settings).items() if value is not None}
        for stage, settings in stages.items()
    }
    return tomli_w.dumps(tables)


def _unknown(given: Iterable[str], known: Iterable[str], where: str, hint: Hint | None = None) -> Iterator[str]:
    """Say each name that is not known, with where it belongs or the nearest that is known."""
    names = list(known)
    for key in given:
        if key in names:
            continue
        if hint and (said := hint(key)):
            yield f"{where}: {said}"
            continue
        nearest = get_close_matches(key, names, n=1)
        way_out = f"did you mean {nearest[0]!r}?" if nearest else f"known: {', '.join(names)}"
        yield f"{where}: unknown key {key!r}; {way_out}"


def _read(value: Any, hint: Any) -> Any:
    """Give a value from a file or a flag the form that settings have: lists are tuples, "off" is None."""
    if value == OFF and _fits(None, hint) and not _fits(OFF, hint):
        return None
    return tuple(value) if isinstance(value, list) else value


def _fits(value: Any, hint: Any) -> bool:
    """Tell whether a value is of the annotated type; an int serves as a float, a bool or an infinity never."""
    if get_origin(hint) is Literal:
        return value in get_args(hint)
    if get_origin(hint) is tuple:
        return isinstance(value, tuple) and all(_fits(item, get_args(hint)[0]) for item in value)
    if get_args(hint):
        return any(_fits(value, option) for option in get_args(hint))
    if isinstance(value, bool):
        return hint is bool
    if hint is float:
        return isinstance(value, int | float) and isfinite(value)
    return isinstance(value, hint)


def _spoken(hint: Any) -> str:
    """Say an annotation in words."""
    if get_origin(hint) is Literal:
        return "one of " + ", ".join(map(str, get_args(hint)))
    if get_origin(hint) is tuple:
        return f"a list of {_spoken(get_args(hint)[0])} values"
    options = [option for option in get_args(hint) if option is not type(None)]
    if options:
        can_be_off = _fits(None, hint) and not _fits(OFF, hint)
        return " or ".join([*map(_spoken, options), *([OFF] if can_be_off else [])])
    return {"str": "text", "int": "a whole number", "float": "a number", "bool": "true or false"}.get(
        getattr(hint, "__name__", ""), str(hint)
    )
