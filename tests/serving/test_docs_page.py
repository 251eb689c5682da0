"""The page of the routes: all that the document says is there, as text."""

import json
from typing import Any

from limbeck.serving.docs_page import documented, fields_of, kind_in_words
from limbeck.serving.serve_settings import ServeSettings
from limbeck.serving.try_page import BrowserPages, Visit

DOCUMENT: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {"title": "t", "version": "1", "description": "What `limbeck` answers."},
    "tags": [{"name": "health"}, {"name": "own"}],
    "paths": {
        "/classify": {
            "post": {
                "tags": ["own"],
                "summary": "<b>Labels</b> of texts",
                "requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Asked"}}}},
                "responses": {
                    "429": {"$ref": "#/components/responses/Wrong"},
                    "422": {"$ref": "#/components/responses/Wrong"},
                    "200": {"description": "ok", "content": {"application/json": {"example": {"data": [1]}}}},
                },
            }
        },
        "/models/{name}": {
            "parameters": [{"name": "name", "in": "path", "required": True, "schema": {"type": "string"}}],
            "get": {"responses": {}},
        },
        "/healthz": {"get": {"tags": ["health"], "responses": {"200": {"description": "lives"}}}},
    },
    "components": {
        "schemas": {
            "Asked": {
                "type": "object",
                "required": ["input"],
                "properties": {
                    "input": {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]},
                    "more": {"type": "array", "items": {"$ref": "#/components/schemas/Asked"}},
                },
                "examples": [{"input": "안녕"}],
            }
        },
        "responses": {"Wrong": {"description": "A text is wrong."}},
    },
}


def test_every_route_is_there_once_by_its_group() -> None:
    """Groups stand as the document lists them; a route without a group stands last."""
    shown = documented(DOCUMENT)
    assert {group: [(one.verb, one.path) for one in routes] for group, routes in shown.groups.items()} == {
        "health": [("GET", "/healthz")],
        "own": [("POST", "/classify")],
        "": [("GET", "/models/{name}")],
    }


def test_a_route_has_its_fields_examples_and_answers() -> None:
    """References are followed, alike answers stand together, and parameters of the path count for each method."""
    groups = documented(DOCUMENT).groups
    route, named = groups["own"][0], groups[""][0]
    assert [(one.name, one.kind, one.is_needed) for one in route.fields][:2] == [
        ("input", "string or list of string", True),
        ("more", "list of object", False),
    ]
    assert json.loads(route.example) == {"input": "안녕"}
    assert "안녕" in route.example
    assert [one.statuses for one in route.answers] == [
        (("200", "ok"),),
        (("422", "A text is wrong."), ("429", "A text is wrong.")),
    ]
    assert json.loads(route.answers[0].example) == {"data": [1]}
    assert [(one.name, one.is_needed) for one in named.parameters] == [("name", True)]


def test_a_schema_that_contains_itself_ends() -> None:
    """Fields are shown to a depth, and named by their way."""
    names = [one.name for one in fields_of({"$ref": "#/components/schemas/Asked"}, DOCUMENT)]
    assert names[:4] == ["input", "more", "more[].input", "more[].more"]
    assert len(names) < 20


def test_kinds_in_words() -> None:
    """Types, choices, constants and lists, in the document's words."""
    for schema, words in (
        ({"type": ["integer", "null"]}, "integer or null"),
        ({"enum": ["a", None]}, '"a" or null'),
        ({"const": True}, "true"),
        ({"type": "array"}, "list"),
        ({"properties": {}}, "object"),
        ({}, "any"),
    ):
        assert kind_in_words(schema, DOCUMENT) == words


def test_the_page_holds_it_as_text() -> None:
    """Every path and word, escaped; in both languages; addresses on the page are unique."""
    pages = BrowserPages(ServeSettings())
    for language in ("en", "ko"):
        answer = pages.docs(Visit(headers={}, language=language, has_key=False), DOCUMENT)
        html = bytes(answer.body).decode()
        for path in ("/classify", "/models/{name}", "/healthz", "more[].input"):
            assert path in html
        assert "<b>Labels" not in html
        assert "&lt;b&gt;Labels" in html
        assert html.count('id="post-classify"') == 1
        assert "<code>limbeck</code>" in html
