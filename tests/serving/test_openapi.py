"""OpenAPI: the document says what the server does; schemathesis holds it to account."""

import re
import threading
from collections.abc import Iterator
from functools import cache

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi import checks
from tests.serving.in_process import InProcess, ask, bundle_of, front_of, identity_holds, running

from limbeck.inference.predictor import Predictor
from limbeck.model.loaded_encoder import LoadedEncoder
from limbeck.serving import app
from limbeck.serving.app import Front
from limbeck.serving.dialects.spoken import ENDPOINTS
from limbeck.serving.openapi import openapi_document
from limbeck.serving.page_routes import page_endpoints
from limbeck.serving.serve_settings import ServeSettings

ROUTES = (*ENDPOINTS, *page_endpoints(ServeSettings(), dict))
DOCUMENT = openapi_document(ROUTES, model_name="tiny")
OPERATIONS = [(one.path, one.method) for one in ROUTES]
HELD_TO = [
    schemathesis.checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]


def test_every_route_is_described():
    """Each method of each path, once, with an id of its own and what it answers."""
    described = {(path, method.upper()): op for path, ops in DOCUMENT["paths"].items() for method, op in ops.items()}
    assert sorted(described) == sorted(OPERATIONS)
    assert len({op["operationId"] for op in described.values()}) == len(described)
    for op in described.values():
        assert op["summary"].endswith(".")
        assert "200" in op["responses"]


def test_every_example_is_answered(make_front):
    """What the document shows as a request is one."""
    front, _ = make_front()
    for endpoint in ENDPOINTS:
        if endpoint.form is not None:
            body = {**endpoint.form.example}
            body |= {"model": "tiny"} if "model" in body else {}
            assert ask(front, endpoint.path.format(model="tiny", version="1"), body).status == 200, endpoint.path


def test_no_answer_needs_the_network(make_front):
    """The document names no other host."""
    front, _ = make_front()
    text = ask(front, "/openapi.json").body.decode()
    assert re.findall(r"https?://[^\"]+", text) == []


@pytest.fixture
def served(tiny_loaded: LoadedEncoder) -> Iterator[tuple[Front, str]]:
    """A front on a port."""
    front = front_of(InProcess(Predictor(bundle_of("single", tiny_loaded), device="cpu", engine="torch-float32")))
    with running(front) as url:
        yield front, url


@cache
def schema() -> schemathesis.BaseSchema:
    """The document as schemathesis reads it."""
    return schemathesis.openapi.from_dict(DOCUMENT)


@pytest.mark.slow
@pytest.mark.parametrize(("path", "method"), OPERATIONS, ids=[f"{method} {path}" for path, method in OPERATIONS])
def test_no_request_leaves_what_is_documented(path, method, served):
    """Requests as the document has them, and such as it forbids: never a status, a type or a body that it has not.

    No request is answered with a fault of the server, and each is counted once.
    """
    front, url = served
    operation = schema()[path][method]
    strategies = [operation.as_strategy(mode) for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)]

    @settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(st.one_of(strategies) if method == "POST" or "{" in path else strategies[0])
    def hold(case):
        response = case.call(base_url=url, session=session)
        case.validate_response(response, checks=HELD_TO)

    with requests.Session() as session:
        hold()
    assert identity_holds(front)


@pytest.mark.slow
def test_many_clients_at_once_are_counted_once_each(served):
    """Eight threads on the same routes: every count is exact afterwards."""
    front, url = served
    paths = [("/classify", {"input": ["so sad"]}), ("/embed", {"inputs": "a"}), ("/classify", {"input": 5})]

    def load():
        with requests.Session() as session:
            for number in range(60):
                path, body = paths[number % 3]
                session.post(f"{url}{path}", json=body, timeout=20)

    threads = [threading.Thread(target=load) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    counts = front.accounts.requests
    assert (counts["own", "ok"], counts["own", "refused"], counts["tei", "ok"]) == (160, 160, 160)
    assert identity_holds(front)


def test_the_document_is_made_once(make_front, monkeypatch):
    """It takes milliseconds and needs no key: whoever asks for it a thousand times holds up nobody."""
    front, _ = make_front()
    names = []
    describe = app.openapi_document

    def counted(endpoints, *, model_name):
        names.append(model_name)
        return describe(endpoints, model_name=model_name)

    monkeypatch.setattr(app, "openapi_document", counted)
    first = [ask(front, path).body for path in ("/openapi.json", "/openapi.json", "/docs")]
    assert first[0] == first[1]
    front.is_loaded = False
    ask(front, "/openapi.json")
    assert names == ["tiny", "MODEL"]
