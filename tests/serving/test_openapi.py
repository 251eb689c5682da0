"""OpenAPI: the document says what the server does; schemathesis holds it to account."""

import re

from tests.serving.in_process import ask

from limbeck.serving.dialects.spoken import ENDPOINTS
from limbeck.serving.openapi import openapi_document

DOCUMENT = openapi_document(ENDPOINTS, model_name="tiny")
PATHS = sorted({(one.method, one.path) for one in ENDPOINTS})


def test_every_route_is_described():
    """Each method of each path, once, with an id of its own and what it answers."""
    described = {(method.upper(), path): op for path, ops in DOCUMENT["paths"].items() for method, op in ops.items()}
    assert set(described) == {(one.method, one.path) for one in ENDPOINTS}
    assert len({op["operationId"] for op in described.values()}) == len(described)
    for op in described.values():
        assert op["summary"].endswith(".")
        assert "200" in op["responses"]


def test_every_example_is_answered(make_front):
    """What the document shows as a request is one."""
    front, _ = make_front()
    for endpoint in ENDPOINTS:
        if endpoint.form is not None:
            path = endpoint.path.format(model="tiny", version="1")
            body = {**endpoint.form.example}
            body |= {"model": "tiny"} if "model" in body else {}
            assert ask(front, path, body).status == 200, path


def test_no_answer_needs_the_network(make_front):
    """The document names no other host."""
    front, _ = make_front()
    text = ask(front, "/openapi.json").body.decode()
    assert re.findall(r"https?://[^\"]+", text) == []
