"""What a model's record says of the machine it was made on, and need not say in public.

In: the provenance of a bundle. Out: the same without folders of this machine and without excerpts of the data.
It does not know where it is published.
"""

from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from limbeck.hub.ids import is_hub_id

_PLACES = ("source", "name", "encoder", "teacher")
"""Keys whose values may be folders, relative ones too."""
_MARKUP = "\\|`*_[]<>"


def public_record(value: Any, key: str = "") -> Any:
    """Return a record with each folder become its last name, and each note without its example, which may quote a text.

    Example:
        >>> public_record({"source": "/home/kim/customers/mails.csv", "rows": 3})
        {'source': 'mails.csv', 'rows': 3}
    """
    if isinstance(value, Mapping):
        left_out = "example" if {"what", "rows"} <= value.keys() else None
        return {name: public_record(item, name) for name, item in value.items() if name != left_out}
    if isinstance(value, list | tuple):
        return [public_record(item, key) for item in value]
    if isinstance(value, str):
        return _last_name(value) if _is_place(value, key) else value
    return value


def public_text(text: str, record: Any) -> str:
    """Return Markdown in which the folders that `record` names have become their last names."""
    for place in sorted(_places_in(record), key=len, reverse=True):
        for written in (place, _escaped(place)):
            text = text.replace(written, _escaped(_last_name(place)))
    return text


def _places_in(value: Any, key: str = "") -> set[str]:
    if isinstance(value, Mapping):
        return set().union(*(_places_in(item, name) for name, item in value.items()))
    if isinstance(value, list | tuple):
        return set().union(*(_places_in(item, key) for item in value))
    return {value} if isinstance(value, str) and _is_place(value, key) else set()


def _is_place(text: str, key: str) -> bool:
    if is_hub_id(text) or "\n" in text:
        return False
    return text.startswith(("/", "~", "./", "../")) or (key in _PLACES and "/" in text)


def _last_name(place: str) -> str:
    return PurePath(place).name or "folder"


def _escaped(text: str) -> str:
    """Write a name as model cards write it."""
    flat = " ".join(text.split())
    for sign in _MARKUP:
        flat = flat.replace(sign, "\\" + sign)
    return flat
