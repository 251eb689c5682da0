"""The doorway: a refusal at the door is the usual one, and whatever is not surely refused goes the usual way."""

import contextlib
import json
import socket

import pytest
from tests.serving.in_process import identity_holds, running

from limbeck.errors import OverloadedError
from limbeck.serving.dialects.spoken import ENDPOINTS

FULL = OverloadedError("900 tokens wait: come back in 3 s", retry_after_s=3)
HEAD = "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\nx-request-id: job\r\n"
AT_DOOR = [one for one in ENDPOINTS if one.form is not None and one.form.texts is not None and "{" not in one.path]


def request_of(path="/classify", body=None, *, more=""):
    """Write a request for a text."""
    raw = json.dumps({"input": "so sad"} if body is None else body).encode()
    return (HEAD.format(path=path) + more + f"content-length: {len(raw)}\r\n\r\n").encode() + raw


@contextlib.contextmanager
def connected(url):
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as client:
        yield client


def answers(url, sent, *, count=1):
    """Send bytes, in parts, over one connection; return so many answers as status, headers and body."""
    found = []
    with connected(url) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        data = b""
        for part in sent if isinstance(sent, list) else [sent]:
            client.sendall(part)
        while len(found) < count:
            while b"\r\n\r\n" not in data:
                data += client.recv(65536) or b"HTTP/1.1 000 \r\ncontent-length: 0\r\n\r\n"
            head, _, data = data.partition(b"\r\n\r\n")
            lines = head.decode().lower().split("\r\n")
            headers = dict(line.split(": ", 1) for line in lines[1:])
            size = int(headers["content-length"])
            while len(data) < size:
                data += client.recv(65536)
            found.append((int(lines[0].split(" ")[1]), headers, data[:size]))
            data = data[size:]
    return found


def full_front(make_front, kind="single", **settings):
    front, service = make_front(kind, **settings)
    service.fault, service.is_full = FULL, True
    return front, service


@pytest.mark.parametrize("endpoint", AT_DOOR, ids=lambda one: one.path)
def test_a_refusal_at_the_door_is_the_usual_one(endpoint, make_front):
    """The same status, headers, body and account as `app.py` gives, in each dialect; the service is not asked."""
    body = dict(endpoint.form.example)
    if "model" in body:
        body["model"] = "tiny"
    if endpoint.form.name != "Predict":  # a list there is a pair
        body[endpoint.form.texts] = ["i feel fine", "so sad"]
    texts = 2 if isinstance(body[endpoint.form.texts], list) else 1
    front, service = full_front(make_front)
    with running(front) as url:
        at_door = answers(url, request_of(endpoint.path, body))
        assert service.asked == []
        service.is_full = False
        usual = answers(url, request_of(endpoint.path, body))
    assert len(service.asked) == 1
    for (_, headers, _), _ in zip(at_door, usual, strict=True):
        assert headers["retry-after"] == "3"
    without_date = [
        [(status, {**headers, "date": ""}, body) for status, headers, body in one] for one in (at_door, usual)
    ]
    assert without_date[0] == without_date[1]
    assert at_door[0][0] == 429
    assert identity_holds(front)
    assert front.accounts.requests[endpoint.dialect.name, "refused"] == 2
    assert front.accounts.texts["refused"] == 2 * texts


def test_every_dialect_of_texts_has_a_route_at_the_door():
    """A dialect that asks for texts by a plain path is refused as cheaply as our own."""
    assert {one.dialect.name for one in AT_DOOR} >= {"own", "tei", "hugging_face", "openai"}


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (request_of(body={"input": "a", "colour": 1}), 422),
        (request_of(body={"input": 5}), 422),
        (request_of(body={"input": ["a", 5]}), 422),
        (request_of(body={"input": []}), 422),
        (request_of(body={"input": "a", "timeout_s": 0}), 422),
        (request_of(more="host: elsewhere\r\n"), 400),
        (request_of().replace(b"host: localhost", b"host: elsewhere.org"), 403),
        (request_of(more="origin: http://elsewhere.org\r\n"), 403),
        (request_of().replace(b"application/json", b"text/plain"), 415),
        (request_of(more="content-encoding: gzip\r\n"), 415),
        (request_of("/nowhere"), 404),
        (request_of("/tokenize", {"inputs": "a"}), 200),
        (b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n", 200),
        (b"GET /classify HTTP/1.1\r\nhost: localhost\r\n\r\n", 405),
    ],
)
def test_what_is_wrong_or_needs_no_engine_goes_the_usual_way(sent, status, make_front):
    """However full it is, who asks wrongly hears what is wrong, and who asks for nothing that waits is answered."""
    front, service = full_front(make_front)
    with running(front) as url:
        full = answers(url, sent)[0]
        service.is_full = False
        usual = answers(url, sent)[0]
    assert full[0] == usual[0] == status
    assert identity_holds(front)


def test_a_key_is_asked_for_first(make_front, monkeypatch):
    """Without the key nobody learns how full it is."""
    monkeypatch.setenv("LIMBECK_SERVE_KEY", "k" * 32)
    front, _ = full_front(make_front)
    with running(front) as url:
        assert answers(url, request_of())[0][0] == 401
        assert answers(url, request_of(more=f"authorization: Bearer {'k' * 32}\r\n"))[0][0] == 429


@pytest.mark.parametrize(("kind", "settings"), [("pair", {}), ("single", {"log_texts": True})])
def test_what_needs_more_than_a_look_goes_the_usual_way(kind, settings, make_front):
    """Pairs of texts, and requests that are written down: refused by the service, which was asked."""
    front, service = full_front(make_front, kind, **settings)
    with running(front) as url:
        body = {"input": [["a", "b"]]} if kind == "pair" else None
        assert answers(url, request_of(body=body))[0][0] == 429
    assert len(service.asked) == 1


def test_a_body_that_comes_in_parts_goes_the_usual_way(make_front):
    """A request is held only as long as its bytes are read; the refusal is the same."""
    front, service = full_front(make_front)
    raw = request_of()
    with running(front) as url, connected(url) as client:
        client.sendall(raw[:-4])
        while front.accounts.open_requests == 0:
            pass
        client.sendall(raw[-4:])
        assert client.recv(65536)[9:12] == b"429"
    assert len(service.asked) == 1
    assert identity_holds(front)


def test_requests_behind_each_other_are_each_refused(make_front):
    """Three in one packet have three answers, in their order; what is not refused between them is answered."""
    front, service = full_front(make_front)
    tokenize = request_of("/tokenize", {"inputs": "a"})
    with running(front) as url:
        found = answers(url, request_of() + tokenize + request_of(), count=3)
    assert [status for status, _, _ in found] == [429, 200, 429]
    assert identity_holds(front)
    assert len(service.asked) == 1  # behind one that is being answered, it goes the usual way


@pytest.mark.parametrize(
    "raw",
    [request_of(more="connection: close\r\n"), request_of().replace(b"HTTP/1.1", b"HTTP/1.0")],
    ids=["asked", "HTTP/1.0"],
)
def test_a_connection_that_is_to_end_ends(raw, make_front):
    """The refusal says so, and nothing comes after it."""
    front, _ = full_front(make_front)
    with running(front) as url, connected(url) as client:
        client.sendall(raw)
        reply = b""
        while part := client.recv(65536):
            reply += part
    assert reply[9:12] == b"429"
    assert b"connection: close" in reply


def test_while_the_server_ends_or_loads_the_door_says_nothing(make_front):
    """Then the usual way says what holds: loading, or an answer that closes its connection."""
    front, _ = full_front(make_front)
    with running(front) as url:
        front.is_loaded = False
        assert answers(url, request_of())[0][0] == 503
        front.is_loaded, front.is_draining = True, True
        status, headers, _ = answers(url, request_of())[0]
        assert (status, headers["connection"]) == (429, "close")
