"""The routes as a page shows them, read from an OpenAPI document.

In: the document. Out: frozen values that a template shows: routes with their fields, examples and answers.
It does not know routes: what the document does not say is not on the page.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

DEEPEST = 4
"""Levels of fields that are shown; schemas may contain themselves."""
_VERBS = ("get", "post", "put", "patch", "delete", "head", "options")


@dataclass(frozen=True, kw_only=True)
class ShownField:
    """A value of a body or of an address.

    Attributes:
        name: with the names that it stands under: `data[].label`.
        kind: its types in words.
        meaning: as the document says it.
        is_needed: whether a request must have it.
    """

    name: str
    kind: str
    meaning: str
    is_needed: bool


@dataclass(frozen=True, kw_only=True)
class ShownAnswer:
    """What a route may answer.

    Attributes:
        statuses: of HTTP, each with its meaning as the document says it; several where the rest is the same.
        fields: of the body.
        example: of the body, as JSON; empty where there is none.
    """

    statuses: tuple[tuple[str, str], ...]
    fields: tuple[ShownField, ...]
    example: str


@dataclass(frozen=True, kw_only=True)
class ShownRoute:
    """A method of a path.

    Attributes:
        verb: GET, POST, …
        path: of the route.
        summary, meaning: as the document says them.
        parameters: in the address and the headers.
        fields: of the body.
        example: of the body, as JSON; empty where there is none.
        answers: in the order of their status.
    """

    verb: str
    path: str
    summary: str
    meaning: str
    parameters: tuple[ShownField, ...]
    fields: tuple[ShownField, ...]
    example: str
    answers: tuple[ShownAnswer, ...]

    @property
    def key(self) -> str:
        """For the address of this route on the page."""
        return f"{self.verb.lower()}-{self.path.strip('/').replace('/', '-') or 'root'}"


@dataclass(frozen=True, kw_only=True)
class ShownDocument:
    """A document.

    Attributes:
        title, meaning: as the document says them.
        groups: routes by their first tag, in the order of the document.
    """

    title: str
    meaning: str
    groups: Mapping[str, tuple[ShownRoute, ...]]


def documented(document: Mapping[str, Any]) -> ShownDocument:
    """Read an OpenAPI document (3.1)."""
    groups: dict[str, list[ShownRoute]] = {tag["name"]: [] for tag in document.get("tags", ())}
    for path, item in document["paths"].items():
        shared = item.get("parameters", [])
        for verb in (one for one in _VERBS if one in item):
            route = _route(
                document, verb, path, {**item[verb], "parameters": [*shared, *item[verb].get("parameters", [])]}
            )
            groups.setdefault(next(iter(item[verb].get("tags", ())), ""), []).append(route)
    info = document.get("info", {})
    return ShownDocument(
        title=info.get("title", ""),
        meaning=info.get("description", ""),
        groups={tag: tuple(routes) for tag, routes in groups.items() if routes},
    )


def _route(document: Mapping[str, Any], verb: str, path: str, operation: Mapping[str, Any]) -> ShownRoute:
    parameters = [_resolved(one, document) for one in operation["parameters"]]
    body = _media(_resolved(operation.get("requestBody", {}), document))
    schema = _resolved(body.get("schema", {}), document)
    return ShownRoute(
        verb=verb.upper(),
        path=path,
        summary=operation.get("summary", ""),
        meaning=operation.get("description", ""),
        parameters=tuple(
            ShownField(
                name=one["name"],
                kind=kind_in_words(_resolved(one.get("schema", {}), document), document),
                meaning=one.get("description", ""),
                is_needed=one.get("required", False),
            )
            for one in parameters
        ),
        fields=tuple(fields_of(schema, document)),
        example=_example(body, schema),
        answers=_together(
            _answer(document, status, stated) for status, stated in sorted(operation.get("responses", {}).items())
        ),
    )


def _answer(document: Mapping[str, Any], status: str, stated: Mapping[str, Any]) -> ShownAnswer:
    stated = _resolved(stated, document)
    body = _media(stated)
    schema = _resolved(body.get("schema", {}), document)
    return ShownAnswer(
        statuses=((status, stated.get("description", "")),),
        fields=tuple(fields_of(schema, document)),
        example=_example(body, schema),
    )


def _together(answers: Iterable[ShownAnswer]) -> tuple[ShownAnswer, ...]:
    """Make one of answers that differ in nothing but their status."""
    found: dict[tuple[Any, ...], ShownAnswer] = {}
    for one in answers:
        key = (one.fields, one.example)
        before = found[key].statuses if key in found else ()
        found[key] = replace(one, statuses=(*before, *one.statuses))
    return tuple(found.values())


def fields_of(
    schema: Mapping[str, Any], document: Mapping[str, Any], above: str = "", deep: int = 0
) -> Iterator[ShownField]:
    """Give the fields of a schema, those of objects in it under their names; nothing below `DEEPEST`.

    Args:
        schema: of an object or a list; others have no fields.
        document: that references of the schema lead into.
        above: name of what the schema stands under.
        deep: levels above it.
    """
    schema = _resolved(schema, document)
    if deep >= DEEPEST:
        return
    for part in schema.get("allOf", ()):
        yield from fields_of(part, document, above, deep)
    if "items" in schema:
        yield from fields_of(schema["items"], document, f"{above}[]", deep + 1)
    for one in _alternatives(schema):
        yield from fields_of(one, document, above, deep + 1)
    needed = schema.get("required", ())
    for name, stated in schema.get("properties", {}).items():
        inner = _resolved(stated, document)
        full = f"{above}.{name}" if above else name
        yield ShownField(
            name=full,
            kind=kind_in_words(inner, document),
            meaning=stated.get("description", inner.get("description", "")),
            is_needed=name in needed,
        )
        yield from fields_of(inner, document, full, deep + 1)


def kind_in_words(schema: Mapping[str, Any], document: Mapping[str, Any]) -> str:
    """Say what values a schema takes: "list of string", "integer or null".

    Example:
        >>> kind_in_words({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "integer"}}]}, {})
        'string or list of integer'
    """
    schema = _resolved(schema, document)
    if alternatives := _alternatives(schema):
        return " or ".join(dict.fromkeys(kind_in_words(one, document) for one in alternatives))
    if "const" in schema:
        return json.dumps(schema["const"], ensure_ascii=False)
    if "enum" in schema:
        return " or ".join(json.dumps(value, ensure_ascii=False) for value in schema["enum"])
    kinds = schema.get("type", "object" if "properties" in schema else "any")
    kinds = [kinds] if isinstance(kinds, str) else kinds
    items = schema.get("items")
    of = f"list of {kind_in_words(items, document)}" if items else "list"
    return " or ".join(of if kind == "array" else kind for kind in kinds)


def _alternatives(schema: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [*schema.get("anyOf", ()), *schema.get("oneOf", ())]


def _resolved(stated: Mapping[str, Any], document: Mapping[str, Any]) -> Mapping[str, Any]:
    """Follow `$ref`, which leads into the document itself."""
    for _ in range(DEEPEST):
        if "$ref" not in stated:
            break
        found: Any = document
        for part in stated["$ref"].removeprefix("#/").split("/"):
            found = found[part.replace("~1", "/").replace("~0", "~")]
        stated = found
    return stated


def _media(stated: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the JSON body of what is stated, or the first of another kind."""
    content = stated.get("content", {})
    found: Mapping[str, Any] = content.get("application/json") or next(iter(content.values()), {})
    return found


def _example(body: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    several = body.get("examples") or {}
    found = [one.get("value") for one in several.values()] if isinstance(several, Mapping) else list(several)
    stated = [*([body["example"]] if "example" in body else []), *found, *schema.get("examples", ())]
    if not stated:
        return ""
    return stated[0] if isinstance(stated[0], str) else json.dumps(stated[0], ensure_ascii=False, indent=2)
