"""Bodies: bounded in bytes and seconds, and JSON as RFC 8259 has it."""

import asyncio
import contextlib
import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.serving.in_process import ask

from limbeck.errors import RequestError, TooLargeError
from limbeck.serving.bodies import ClientGoneError, read_body, strict_json

# After nst/JSONTestSuite: a case of each kind that parsers must refuse (n_), or must take (y_).
REFUSED = [
    b"",
    b" ",
    b"[1,]",
    b"[,1]",
    b'{"a":1,}',
    b"{'a':1}",
    b"{a:1}",
    b'{"a" 1}',
    b"[1 2]",
    b"[NaN]",
    b"[Infinity]",
    b"[-Infinity]",
    b"[1e999]",
    b"[-1e400]",
    b"[.5]",
    b"[1.]",
    b"[+1]",
    b"[0x1]",
    b"[01]",
    b"[1e]",
    b"[" + b"9" * 200 + b"]",
    b"[1." + b"0" * 5000 + b"]",
    b'["\x00"]',
    b'["\n"]',
    b'["\\x"]',
    b'["\\u12"]',
    b'["a',
    b"[1]x",
    b"[1][2]",
    b"\xef\xbb\xbf[1]",
    b'["\xff"]',
    b'["\xc0\xaf"]',
    b'["\xed\xa0\x80"]',
    "[1]".encode("utf-16"),
    b"/* */[1]",
    b"tru",
    b'{"a":1,"a":2}',
    b'{"b":{"a":1,"a":1}}',
    b"[" * 100_000,
    b'{"a":' * 50_000,
    b"[" * 5_000 + b"]" * 5_000,
]
TAKEN = [
    b"[]",
    b"{}",
    b"null",
    b" [1] ",
    b'["\\u0000"]',
    b'["\\ud83d\\ude00"]',
    b"[1E+2,-0,1e-400]",
    '["슬픔"]'.encode(),
    b"[" + b"9" * 100 + b"]",
    b"[" * 50 + b"]" * 50,
    b'{"":0}',
    b'["\x7f"]',
]


@pytest.mark.parametrize("body", REFUSED, ids=range(len(REFUSED)))
def test_what_is_no_json_is_refused(body, make_front):
    """400, as a route answers it, in a short message; never another status, never an answer."""
    with pytest.raises(RequestError) as caught:
        strict_json(body)
    assert len(str(caught.value)) < 300
    front, _ = make_front()
    reply = ask(front, "/classify", body)
    assert (reply.status, reply.json["error_type"]) == (400, "malformed")


@pytest.mark.parametrize("body", TAKEN, ids=range(len(TAKEN)))
def test_what_is_json_is_taken(body):
    """The same value as Python's own reader gives."""
    assert strict_json(body) == json.loads(body)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=25, deadline=None)
@given(JSON)
def test_whatever_python_writes_is_read(value):
    """All values, but those that RFC 8259 does not have."""
    text = json.dumps(value, allow_nan=False)
    assert strict_json(text.encode()) == json.loads(text)


@given(st.binary(max_size=60))
def test_any_bytes_are_a_value_or_one_error(body):
    """Nothing else is ever raised."""
    with contextlib.suppress(RequestError):
        strict_json(body)


def test_a_body_at_the_limit_is_taken_and_one_byte_more_is_not(make_front):
    """At the limit 200; above it 413 with the limit, whether its length is said or it comes in pieces."""
    body = json.dumps({"input": "so sad"}).encode()
    front, _ = make_front(max_body_bytes=len(body))
    assert ask(front, "/classify", body).status == 200
    assert ask(front, "/classify", body, chunks=7).status == 200
    for headers in ({}, {"content-length": "", "transfer-encoding": "chunked"}):
        reply = ask(front, "/classify", body + b" ", headers=headers, chunks=5)
        assert (reply.status, reply.json["limit"]) == (413, len(body))
        assert "--max-body-bytes" in reply.json["error"]
        assert reply.headers["connection"] == "close"


def test_a_body_that_says_too_much_is_not_read():
    """Nothing is taken from the wire where the length alone refuses it."""

    async def receive():
        raise AssertionError("it was read")

    with pytest.raises(TooLargeError):
        asyncio.run(read_body(receive, {"content-length": "11"}, most_bytes=10, timeout_s=1))


@pytest.mark.parametrize("encoding", ["gzip", "br", "deflate", "gzip, identity", "x"])
def test_compressed_bodies_are_refused(encoding, make_front):
    """415: a small body that becomes a large one has no way in."""
    front, _ = make_front()
    assert ask(front, "/classify", b"x", headers={"content-encoding": encoding}).status == 415


def test_a_body_that_trickles_is_refused_in_time():
    """408 after the time for a body, however slowly it goes on coming."""

    async def receive():
        await asyncio.sleep(0.01)
        return {"type": "http.request", "body": b"x", "more_body": True}

    begun = time.monotonic()
    with pytest.raises(RequestError) as caught:
        asyncio.run(read_body(receive, {}, most_bytes=10**6, timeout_s=0.05))
    assert caught.value.http_status == 408
    assert time.monotonic() - begun < 5


def test_a_client_that_leaves_is_told_apart():
    """A connection that closes within the body is no fault of the body."""

    async def receive():
        return {"type": "http.disconnect"}

    with pytest.raises(ClientGoneError):
        asyncio.run(read_body(receive, {}, most_bytes=10, timeout_s=1))
