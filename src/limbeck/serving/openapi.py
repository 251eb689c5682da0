"""OpenAPI: the document that describes every route, made of the same values that serve them.

In: endpoints, and the name of the model. Out: a document of OpenAPI 3.1 as plain values. It does not know how a route
answers.
"""

import re
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any

import limbeck
from limbeck.serving.guards import TENSORS_TYPE
from limbeck.serving.routes import Endpoint

_ANY = (HTTPStatus.BAD_REQUEST, HTTPStatus.FORBIDDEN, HTTPStatus.INTERNAL_SERVER_ERROR)
_KEYED = (HTTPStatus.UNAUTHORIZED,)
_MODEL = (HTTPStatus.SERVICE_UNAVAILABLE,)
_POSTED = (
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    HTTPStatus.UNPROCESSABLE_ENTITY,
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.GATEWAY_TIMEOUT,
)
_VARIABLE = re.compile(r"\{(\w+)\}")


def openapi_document(endpoints: Iterable[Endpoint], *, model_name: str) -> dict[str, Any]:
    """Return the document.

    Args:
        endpoints: all that are served.
        model_name: as examples show it.
    """
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in endpoints:
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = _operation(endpoint, model_name)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "limbeck serve",
            "version": limbeck.__version__,
            "description": "A text classifier on your own machine.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {"securitySchemes": {"key": {"type": "http", "scheme": "bearer"}}},
    }


def _operation(endpoint: Endpoint, model_name: str) -> dict[str, Any]:
    words = re.findall(r"[A-Za-z0-9]+", endpoint.path)
    operation: dict[str, Any] = {
        "operationId": "_".join([endpoint.method.lower(), *words]),
        "summary": endpoint.says,
        "tags": [endpoint.dialect.words],
        "security": [] if endpoint.is_open else [{}, {"key": []}],
        "responses": _responses(endpoint),
    }
    if names := _VARIABLE.findall(endpoint.path):
        values = {"model": model_name, "version": "1", "file": "page.css"}
        operation["parameters"] = [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string", "examples": [values[name]]}}
            for name in names
        ]
    if endpoint.form is not None:
        content: dict[str, Any] = {"application/json": {"schema": endpoint.form.schema}}
        if endpoint.body == "tensors":
            content[TENSORS_TYPE] = {"schema": {"type": "string", "format": "binary"}}
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _responses(endpoint: Endpoint) -> dict[str, Any]:
    good: dict[str, Any] = {}
    if endpoint.answer_schema is not None:
        good["application/json"] = {"schema": dict(endpoint.answer_schema)}
        if endpoint.body == "tensors":
            good[TENSORS_TYPE] = {"schema": {"type": "string", "format": "binary"}}
    else:
        good |= {kind: {"schema": {}} for kind in endpoint.answer_types}
    found: dict[str, Any] = {"200": {"description": HTTPStatus.OK.phrase, "content": good}}
    for status in sorted(_statuses(endpoint)):
        found[str(int(status))] = _wrong(status, endpoint.dialect.wrong_schema)
        if endpoint.answer_types == ("application/json",) and status == HTTPStatus.SERVICE_UNAVAILABLE:
            found[str(int(status))]["content"]["application/json"]["schema"] = {}
    return found


def _statuses(endpoint: Endpoint) -> set[int]:
    return {
        *_ANY,
        *(() if endpoint.is_open else _KEYED),
        *(_MODEL if endpoint.needs_model else ()),
        *(_POSTED if endpoint.method == "POST" else ()),
        *endpoint.statuses,
    }


def _wrong(status: int, schema: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "description": HTTPStatus(status).phrase,
        "content": {"application/json": {"schema": dict(schema)}},
    }
