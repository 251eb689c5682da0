"""JSON text becomes values, with a second look: keys that stand twice, and faults said in words that help.

In: one JSON text, a line or a file. Out: Python values. It does not know rows nor columns.
"""

import json
import re
from collections.abc import Sequence
from typing import Any

_PYTHON_NOTATION = re.compile(r"\s*\[?\s*\{\s*'")
_RAW_SIGNS = {"\t": "a raw tab", "\n": "a line end", "\r": "a carriage return"}


class _DoubledObject(dict[str, Any]):
    """An object in which a key stands twice; the last value is kept, as `json` does."""

    def __init__(self, pairs: Sequence[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        names = [name for name, _ in pairs]
        self.key = next(name for place, name in enumerate(names) if name in names[:place])


def parse_json(text: str) -> Any:
    """Parse a JSON text; see `doubled_key` for what it remembers.

    Raises:
        ValueError: it is not JSON.
        RecursionError: it is nested too deeply.
    """
    return _DECODER.decode(text)


def doubled_key(value: Any) -> str | None:
    """Return a key that stands twice in one object, at any depth; None where there is none."""
    waiting = [value]
    while waiting:
        found = waiting.pop()
        if isinstance(found, _DoubledObject):
            return found.key
        inner = found.values() if isinstance(found, dict) else found if isinstance(found, list) else ()
        waiting.extend(item for item in inner if isinstance(item, dict | list))
    return None


def is_python_notation(text: str) -> bool:
    """Tell whether a text starts as Python prints a dictionary: in single quotes."""
    return _PYTHON_NOTATION.match(text) is not None


def explain(error: Exception, text: str) -> str:
    """Say what is wrong with a text that is not JSON, and how JSON writes it."""
    if isinstance(error, json.JSONDecodeError) and error.msg.startswith("Invalid control character"):
        sign = text[error.pos]
        named = _RAW_SIGNS.get(sign, f"the control character {sign!a}")
        return f"{named} inside a text at character {error.colno:,}: JSON writes it as {json.dumps(sign)[1:-1]}"
    if is_python_notation(text):
        return "it is Python notation (single quotes): write it with json.dumps, in double quotes"
    if isinstance(error, json.JSONDecodeError):
        before = text[: error.pos].rstrip()
        if before.endswith(",") and text[error.pos : error.pos + 1] in ("]", "}"):
            return (
                f"a comma stands after the last value, before line {error.lineno:,} column {error.colno:,}: take it out"
            )
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    return str(error)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    return found if len(found) == len(pairs) else _DoubledObject(pairs)


_DECODER = json.JSONDecoder(object_pairs_hook=_object)
