"""Reading as Python asks for it: options by keyword, and faults that name them as Python does.

In: keywords. Out: `ReadSettings`. It reads nothing.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any, Literal, TypedDict

from limbeck.errors import DataError, SettingsError
from limbeck.settings import OnBadRow, ReadSettings, build

_NAMED = "(on-bad-row|text-column|label-column|label-names|encoding)"
_VALUED_OPTION = re.compile(rf"--{_NAMED} (skip\b|[a-z]+[\d-][\w-]*)")
_OPTION = re.compile(rf"--{_NAMED}")


class ListOptions(TypedDict, total=False):
    """The keywords of `from_lists`: fields of `ReadSettings`, which says what they mean."""

    label_names: Sequence[str] | None
    on_bad_row: OnBadRow


class ReadOptions(ListOptions, total=False):
    """The keywords of `read`, `from_pandas` and their like: the fields of `ReadSettings`, which says what they mean."""

    text_column: str | None
    label_column: str | None
    encoding: str
    labels: Literal["required", "optional", "ignored"]


def settings_of(options: Mapping[str, Any], settings: ReadSettings | None = None, *, where: str) -> ReadSettings:
    """Return the settings with these options laid over them.

    Raises:
        SettingsError: an option is not known, or has a value of a wrong type.
    """
    given = dict(options)
    names = given.get("label_names")
    # One string is no list of names; it is left as it is, for the check to say so.
    if isinstance(names, Sequence) and not isinstance(names, str):
        given["label_names"] = tuple(names)
    return build(ReadSettings, asdict(settings or ReadSettings()), given, where=where)


def wrong_object(value: object, *, where: str, takes: str) -> SettingsError:
    """Return the error about an object that `where` does not take, with what reads such an object."""
    kind, home = type(value).__name__, type(value).__module__.partition(".")[0]
    what = kind if home == "builtins" else f"{kind} of {home}"
    return SettingsError(
        f"{where} takes {takes}, not {what}: a DataFrame is read by limbeck.from_pandas, a polars frame by "
        "limbeck.from_polars, an Arrow table by limbeck.from_arrow, texts in a list by limbeck.from_lists, a file or "
        "folder by limbeck.read"
    )


@contextmanager
def said_in_python() -> Iterator[None]:
    """Name settings as Python does, `on_bad_row="skip"`, where advice names the options of the command line."""
    try:
        yield
    except (DataError, SettingsError) as error:
        said = _VALUED_OPTION.sub(lambda found: f'{found[1].replace("-", "_")}="{found[2]}"', str(error))
        said = _OPTION.sub(lambda found: found[1].replace("-", "_"), said)
        if said == str(error):
            raise
        raise type(error)(said) from error.__cause__
