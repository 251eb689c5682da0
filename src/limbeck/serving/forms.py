"""Forms: which names an object of JSON may have, and what each may hold; the check of a body and its documentation.

In: a decoded body. Out: a value for each name, None where it was not given; or one error with all that is wrong.
A value that is not known is refused, never left out. What texts are allowed is `asked_texts.py`'s matter.
"""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from limbeck.errors import DataError, FaultLog, RequestError

_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
    "array": (list,),
    "object": (dict,),
    "null": (type(None),),
}
_SPOKEN = {
    "string": "a text",
    "boolean": "true or false",
    "integer": "a whole number",
    "number": "a number",
    "array": "a list",
    "object": "an object",
    "null": "null",
}
_SHOWN_NAME_CHARS = 40


@dataclass(frozen=True, kw_only=True)
class Field:
    """A name of a form.

    Attributes:
        name: of the field.
        meaning: what it is for, as a sentence.
        schema: of its value, in the words of JSON Schema; `type`, `enum`, `minimum`, `exclusiveMinimum` and `maximum`
            are checked here, the rest by whoever reads the value.
        is_required: whether it must be there and not null.
    """

    name: str
    meaning: str
    schema: Mapping[str, Any]
    is_required: bool = False


@dataclass(frozen=True, kw_only=True)
class Form:
    """The names that an object may have.

    Attributes:
        name: of the form in the OpenAPI document.
        fields: in the order in which they are shown.
        example: a whole object that is taken.
        texts: name of the field with the texts that the model is asked about; None where it is asked about none, or
            they stand deeper.
    """

    name: str
    fields: tuple[Field, ...]
    example: Mapping[str, Any] = field(default_factory=dict)
    texts: str | None = None

    def read(self, body: Any, *, where: str = "the body") -> dict[str, Any]:
        """Return a value for each field, None where it was not given.

        Raises:
            RequestError: it is no object.
            DataError: gathers names that are missing or unknown, and values that are not possible.
        """
        if not isinstance(body, dict):
            raise RequestError(f"{where} is {json_kind(body)}; an object was expected: {{{self._said_names()}}}")
        faults = FaultLog()
        known = self._known
        for name in body.keys() - known.keys():
            near = difflib.get_close_matches(name[:_SHOWN_NAME_CHARS], known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"known: {self._said_names()}"
            faults.add(f"{name[:_SHOWN_NAME_CHARS]!a} is unknown; {hint}")
        for name, one in known.items():
            value = body.get(name)
            if value is None:
                if one.is_required:
                    faults.add(f"{name} is {'null' if name in body else 'missing'}: {one.meaning}")
            elif fault := _fault_of(value, one.schema):
                faults.add(f"{name} {fault}")
        faults.raise_as(DataError, what=f"{where} is wrong", todo="correct it and ask again; /docs shows what is taken")
        return {name: body.get(name) for name in known}

    @cached_property
    def _known(self) -> dict[str, Field]:
        return {one.name: one for one in self.fields}

    @property
    def schema(self) -> dict[str, Any]:
        """The form in the words of JSON Schema."""
        return {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                one.name: {
                    **(one.schema if one.is_required else _or_null(one.schema)),
                    "description": one.meaning,
                }
                for one in self.fields
            },
            "required": [one.name for one in self.fields if one.is_required],
            **({"examples": [dict(self.example)]} if self.example else {}),
        }

    def _said_names(self) -> str:
        return ", ".join(one.name for one in self.fields)


def json_kind(value: Any) -> str:
    """Say what a decoded value is: "a list", "true or false".

    Example:
        >>> json_kind(None), json_kind(True), json_kind(3)
        ('null', 'true or false', 'a whole number')
    """
    return next(_SPOKEN[name] for name in _TYPES if _is(value, name))


def _is(value: Any, name: str) -> bool:
    if isinstance(value, bool):
        return name == "boolean"
    return isinstance(value, _TYPES[name])


def _fault_of(value: Any, schema: Mapping[str, Any]) -> str | None:
    kinds = schema.get("type", ())
    kinds = (kinds,) if isinstance(kinds, str) else kinds
    if kinds and not any(_is(value, kind) for kind in kinds):
        return f"is {json_kind(value)}; {' or '.join(_SPOKEN[kind] for kind in kinds)} was expected"
    if "enum" in schema and value not in schema["enum"]:
        shown = ", ".join(map(repr, schema["enum"]))
        return f"is not one of {shown}"
    if isinstance(value, int | float) and not isinstance(value, bool):
        if value < schema.get("minimum", value) or value <= schema.get("exclusiveMinimum", value - 1):
            return f"is below what is possible, {schema.get('minimum', schema.get('exclusiveMinimum'))}"
        if value > schema.get("maximum", value):
            return f"is above what is possible, {schema['maximum']}"
    return None


def _or_null(schema: Mapping[str, Any]) -> dict[str, Any]:
    if "type" not in schema:
        return dict(schema)
    kinds = [schema["type"]] if isinstance(schema["type"], str) else list(schema["type"])
    more = {"enum": [*schema["enum"], None]} if "enum" in schema else {}
    return {**schema, "type": [*kinds, "null"], **more}
