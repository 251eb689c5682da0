"""App: routes, methods, readiness, clients that leave, and what every answer has."""

import asyncio
import json

import pytest
from tests.serving.in_process import ask, identity_holds


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("/nowhere", {"error", "error_type", "request_id"}),
        ("/classify/", {"error", "error_type", "request_id"}),
        ("/v1/nowhere", {"error"}),
        ("/v2/nowhere", {"error"}),
        ("/..%2f..%2fetc/passwd", {"error", "error_type", "request_id"}),
    ],
)
def test_a_path_that_is_not_there(path, names, make_front):
    """404, in the words of whose path it would be."""
    front, _ = make_front()
    for body in (None, {"input": "a"}):
        reply = ask(front, path, body)
        assert (reply.status, set(reply.json)) == (404, names)
    assert identity_holds(front)


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "HEAD"])
def test_a_method_that_a_path_has_not(method, make_front):
    """405 names those that it has; there is no leave for pages of other sites (OPTIONS)."""
    front, _ = make_front()
    reply = ask(front, "/classify", method=method)
    assert (reply.status, reply.headers["allow"]) == (405, "POST")
    assert not any(name.startswith("access-control") for name in reply.headers)


def test_head_is_get(make_front):
    """What looks after the server may ask without a body."""
    front, _ = make_front()
    assert ask(front, "/healthz", method="HEAD").status == 200


def test_every_answer_has_an_id(make_front):
    """The client's own, where it is a plain word, else a new one: in the header and in what is wrong."""
    front, _ = make_front()
    assert ask(front, "/healthz", headers={"x-request-id": "job-7.a"}).headers["x-request-id"] == "job-7.a"
    for wished in ("a b", "x" * 65, "<script>", "é"):
        reply = ask(front, "/classify", {}, headers={"x-request-id": wished})
        assert reply.headers["x-request-id"] == reply.json["request_id"] != wished
    assert reply.headers["x-content-type-options"] == "nosniff"


def test_before_the_model_is_loaded(make_front):
    """Alive and not ready; a text is told to come again, not lost."""
    front, service = make_front()
    front.is_loaded = False
    assert ask(front, "/healthz").status == 200
    assert ask(front, "/readyz").status == 503
    assert ask(front, "/metrics").status == 200
    assert ask(front, "/openapi.json").status == 200
    reply = ask(front, "/classify", {"input": "a"})
    assert (reply.status, reply.headers["retry-after"]) == (503, "1")
    assert service.asked == []


@pytest.mark.parametrize("path", ["/readyz", "/health", "/health/ready", "/ping", "/v2/health/ready"])
def test_ready_follows_the_service(path, make_front):
    """Whoever asks in whichever dialect hears what the service says, and why."""
    front, service = make_front()
    assert (ask(front, path).status, ask(front, path).json["ready"]) == (200, True)
    service.is_ready = False
    reply = ask(front, path)
    assert (reply.status, reply.json["ready"], reply.json["why"]) == (503, False, "the engine is being replaced")
    assert ask(front, "/healthz").status == 200


def test_while_draining_texts_are_answered(make_front):
    """Not ready, alive, and every answer closes its connection: who sends has time to see it."""
    front, _ = make_front()
    front.is_draining = True
    assert ask(front, "/readyz").status == 503
    reply = ask(front, "/classify", {"input": "a"})
    assert (reply.status, reply.headers["connection"]) == (200, "close")


CANARY = "kanarienvogel"


@pytest.mark.parametrize("is_wished", [False, True])
def test_texts_stand_in_no_log_unless_they_are_wished(is_wished, make_front, capsys):
    """Nor in metrics, nor in what is said of a fault, whatever the fault."""
    front, service = make_front(log_texts=is_wished)
    bodies = [{"input": CANARY}, {"input": [CANARY, 5]}, {"input": [[CANARY, CANARY]]}, {"inputs": [CANARY] * 3}]
    said = ""
    for path in ("/classify", "/predict", "/", "/embed", "/v1/embeddings", "/v1/models/tiny:predict"):
        for body in (*bodies, f'{{"input":"{CANARY}'.encode(), f'"{CANARY}"'.encode()):
            said += ask(front, path, body).body.decode()
    service.fault = ZeroDivisionError(CANARY)
    said += ask(front, "/classify", {"input": CANARY}).body.decode()
    captured = capsys.readouterr()
    assert CANARY not in said + captured.out + ask(front, "/metrics").body.decode()
    assert (CANARY in captured.err) == is_wished
    assert "ZeroDivisionError at " in captured.err


def test_two_hosts_are_refused(make_front):
    """Nobody knows which is meant: a proxy may have seen the other."""
    front, _ = make_front()
    sent = []
    scope = _scope(headers=[(b"host", b"127.0.0.1"), (b"host", b"evil.example")])
    asyncio.run(front(scope, _receiving(b"{}"), _sending(sent)))
    assert sent[0]["status"] == 400


def test_a_client_that_leaves_costs_nothing_more(make_front):
    """The service's work is cancelled at once, nothing is sent, and the request is counted as abandoned."""
    front, service = make_front()
    service.delay_s = 60.0
    sent = []

    async def leave():
        messages = [{"type": "http.request", "body": json.dumps({"input": ["a", "b"]}).encode(), "more_body": False}]

        async def receive():
            if messages:
                return messages.pop()
            while not service.asked:
                await asyncio.sleep(0)
            return {"type": "http.disconnect"}

        await front(_scope(), receive, _sending(sent))

    asyncio.run(asyncio.wait_for(leave(), 5))
    assert (sent, service.cancelled) == ([], 1)
    assert front.accounts.requests["own", "abandoned"] == 1
    assert front.accounts.texts["abandoned"] == 2
    assert identity_holds(front)


@pytest.mark.parametrize("inputs", [["a"] * 1024, ["a " * 40_000]], ids=["many texts", "a long text"])
def test_an_answer_that_is_large_lets_others_have_their_turn(make_front, inputs):
    """A request that comes while a large answer is made is answered before it."""
    front, _ = make_front()
    order = []

    async def both():
        large = json.dumps({"inputs": inputs}).encode()
        small = json.dumps({"input": "a"}).encode()

        async def one(name, path, body):
            sent = []
            await front(_scope(path=path), _receiving(body), _sending(sent))
            assert sent[0]["status"] == 200
            order.append(name)

        first = asyncio.create_task(one("large", "/tokenize", large))
        await asyncio.sleep(0)
        await asyncio.gather(first, asyncio.create_task(one("small", "/classify", small)))

    asyncio.run(both())
    assert order == ["small", "large"]


def _scope(path="/classify", headers=((b"host", b"127.0.0.1"),)):
    return {
        "type": "http",
        "method": "POST",
        "path": path,
        "root_path": "",
        "client": None,
        "headers": [*headers, (b"content-type", b"application/json")],
    }


def _receiving(body):
    messages = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive():
        if messages:
            return messages.pop()
        await asyncio.Event().wait()
        raise AssertionError

    return receive


def _sending(sent):
    async def send(message):
        sent.append(dict(message))

    return send
