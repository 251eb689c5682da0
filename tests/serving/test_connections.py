"""Connections: what one client can hold is bounded, and the others are served meanwhile."""

import asyncio
import contextlib
import json
import socket
import time

import pytest
from tests.serving.in_process import running

from limbeck.serving import connections
from limbeck.serving.connections import BoundedConnection

HEAD = b"POST /classify HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
REQUEST = HEAD % 18 + b'{"input":"so sad"}'


@contextlib.contextmanager
def connected(url):
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as client:
        yield client


def answer(client):
    """Read until the server closes."""
    parts = []
    with contextlib.suppress(ConnectionResetError):
        while part := client.recv(65536):
            parts.append(part)
    return b"".join(parts)


def one_answer(client):
    """Read one answer of a connection that stays open."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += client.recv(65536)
    head, _, body = data.partition(b"\r\n\r\n")
    size = int(next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")).split(b":")[1])
    while len(body) < size:
        body += client.recv(65536)
    return int(head.split(b" ")[1]), json.loads(body)


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET / HTTP/1.1\r\nhost: localhost\r\nx: ", b"408"),
        (b"GET ", b"408"),
        (b"", b""),
        (HEAD % 9 + b"{", b"408"),
    ],
    ids=["headers", "line", "nothing", "body"],
)
def test_what_trickles_is_cut(sent, status, make_front):
    """A head or a body that does not come whole in its time; a silent connection is closed."""
    front, _ = make_front(header_timeout_s=0.2, body_timeout_s=0.2)
    with running(front, header_timeout_s=0.2, body_timeout_s=0.2) as url, connected(url) as client:
        client.sendall(sent)
        assert answer(client)[9:12] == status


def test_a_head_that_trickles_on_a_kept_connection_is_cut(make_front):
    """The second request of a connection has no more time than the first."""
    front, _ = make_front()
    with running(front, header_timeout_s=0.2) as url, connected(url) as client:
        client.sendall(REQUEST)
        assert one_answer(client)[0] == 200
        client.sendall(b"GET /healthz HTTP/1.1\r\n")
        assert answer(client)[9:12] == b"408"


@pytest.mark.parametrize("line", [b"x: %b\r\n" % (b"a" * 1000), b"x: %b" % (b"a" * 1000)], ids=["many", "one"])
def test_a_head_that_is_too_large_is_refused(line, make_front):
    """431 beyond 64 KiB, in many headers or in one that does not end."""
    front, _ = make_front()
    with running(front) as url, connected(url) as client:
        client.sendall(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n")
        with contextlib.suppress(ConnectionError):
            client.sendall(line * 100)
        assert answer(client)[9:12] in (b"431", b"400")


@pytest.mark.parametrize("sent", [b"\x16\x03\x01\x00\xa5", b"HELLO\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\0" * 100])
def test_what_is_not_http_is_told_so(sent, make_front):
    """400 as JSON, and the connection ends."""
    front, _ = make_front()
    with running(front) as url, connected(url) as client:
        client.sendall(sent)
        reply = answer(client)
        assert reply[9:12] == b"400"
        assert b'"error_type":"bad_request"' in reply


def test_the_connection_that_was_idle_longest_makes_room(make_front):
    """Idle ones beyond the limit are closed, oldest first; a newcomer is served at once."""
    front, _ = make_front()
    with running(front, max_connections=3) as url, contextlib.ExitStack() as stack:
        idle = []
        for _ in range(10):
            idle.append(stack.enter_context(connected(url)))
            time.sleep(0.005)
        with connected(url) as client:
            client.sendall(REQUEST)
            assert one_answer(client)[0] == 200
        assert answer(idle[0]) == b""
        idle[-1].sendall(REQUEST)
        assert one_answer(idle[-1])[0] == 200


def test_where_all_are_busy_a_newcomer_is_told(make_front):
    """429 with Retry-After; those under way are answered."""
    front, service = make_front()
    service.delay_s = 0.5
    with running(front, max_connections=2) as url, contextlib.ExitStack() as stack:
        busy = [stack.enter_context(connected(url)) for _ in range(2)]
        for client in busy:
            client.sendall(REQUEST)
        while len(service.asked) < 2:
            time.sleep(0.005)
        with connected(url) as client:
            reply = answer(client)
            assert reply[9:12] == b"429"
            assert b"retry-after: 1" in reply
        assert [one_answer(client)[0] for client in busy] == [200, 200]
    assert front.accounts.refused_connections == 1


def test_a_body_that_is_too_large_is_answered_before_its_end(make_front):
    """The client reads 413, although it goes on sending; it needs no end of the body for that."""
    front, _ = make_front(max_body_bytes=1000)
    head = HEAD % 500_000
    with running(front) as url, connected(url) as client:
        client.sendall(head + b"x" * 2000)
        assert one_answer(client)[0] == 413
        with contextlib.suppress(ConnectionError):
            client.sendall(b"x" * 2000)


def test_requests_behind_each_other_are_answered_in_order(make_front):
    """Two requests in one packet (pipelining) have two answers."""
    front, _ = make_front()
    with running(front) as url, connected(url) as client:
        client.sendall(REQUEST * 2 + REQUEST.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n"))
        assert answer(client).count(b"HTTP/1.1 200") == 3


@pytest.mark.slow
def test_an_answer_that_nobody_reads_is_cut(make_front):
    """A client that asks for megabytes and reads nothing is let go; the others are served meanwhile."""
    front, _ = make_front()
    body = json.dumps({"inputs": ["so sad today it is rain " * 20] * 1000}).encode()
    head = HEAD.replace(b"/classify", b"/tokenize") % len(body)
    with running(front, body_timeout_s=0.5, keep_alive_s=0.1) as url:
        host, port = url.removeprefix("http://").split(":")
        with socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect((host, int(port)))
            client.sendall(head + body)
            with connected(url) as other:
                other.sendall(REQUEST)
                assert one_answer(other)[0] == 200
            while not front.accounts.requests["tei", "ok"]:
                time.sleep(0.01)
            time.sleep(1.2)
            client.settimeout(10)
            assert is_cut(client)


def test_an_answer_leaves_in_one_write():
    """Head and body together; a head alone in the next round of the loop; what is held leaves before a close."""

    class Written:
        def __init__(self):
            self.parts = []

        def write(self, data):
            self.parts.append(data)

        def close(self):
            self.parts.append(b"closed")

    async def live():
        head, seen = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n", Written()
        one = connections._OneWrite(seen, asyncio.get_running_loop())
        one.write(head)
        one.write(b"ab")
        one.write(b"cd")
        assert seen.parts == [head + b"ab", b"cd"]
        one.write(head)
        assert len(seen.parts) == 2
        await asyncio.sleep(0)
        assert seen.parts[2:] == [head]
        one.write(head)
        one.close()
        await asyncio.sleep(0)
        assert seen.parts[3:] == [head, b"closed"]

    asyncio.run(live())


@pytest.fixture
def small_buffers(monkeypatch):
    """The system holds little of what clients do not read; on one machine it would hold megabytes."""
    made = BoundedConnection.connection_made

    def connection_made(self, transport):
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
        made(self, transport)

    monkeypatch.setattr(BoundedConnection, "connection_made", connection_made)


def asks_much(url, more=b""):
    """Connect, ask for some 400 kB, and read nothing."""
    host, port = url.removeprefix("http://").split(":")
    body = json.dumps({"inputs": ["so sad today it is rain " * 20] * 60}).encode()
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.settimeout(20)
    client.connect((host, int(port)))
    client.sendall(HEAD.replace(b"/classify", b"/tokenize") % len(body) + body + more)
    return client


def is_cut(client):
    """Tell whether a connection was ended before the end of its answer; reads it."""
    head = b""
    try:
        while b"\r\n\r\n" not in head:
            head += client.recv(65536)
        left = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0]) - len(head.partition(b"\r\n\r\n")[2])
        while left > 0:
            part = client.recv(1 << 20)
            if not part:
                return True
            left -= len(part)
    except ConnectionResetError:
        return True
    return False


@pytest.mark.slow
def test_who_asks_again_without_reading_is_cut_as_well(make_front, small_buffers):
    """A second request behind an answer that is not read does not keep the connection for ever."""
    front, _ = make_front()
    with running(front, body_timeout_s=0.3, keep_alive_s=0.1) as url:
        clients = [asks_much(url, more=REQUEST) for _ in range(2)]
        asked = asks_much(url)
        while front.accounts.requests["tei", "ok"] < 3:
            time.sleep(0.01)
        asked.sendall(REQUEST)
        time.sleep(0.8)
        assert [is_cut(client) for client in (*clients, asked)] == [True] * 3
        for client in (*clients, asked):
            client.close()


@pytest.mark.slow
def test_answers_that_are_not_read_have_a_bound_together(make_front, small_buffers, monkeypatch):
    """Beyond it the one that was unread longest is cut; the last comes whole, and others are served."""
    monkeypatch.setattr("limbeck.serving.connections.MOST_UNREAD_BYTES", 1_000_000)
    front, _ = make_front()
    with running(front) as url:
        clients = []
        for number in range(6):
            clients.append(asks_much(url))
            while front.accounts.requests["tei", "ok"] <= number:
                time.sleep(0.01)
        with connected(url) as other:
            other.sendall(REQUEST)
            assert one_answer(other)[0] == 200
        cut = [is_cut(client) for client in clients]
        assert cut == sorted(cut, reverse=True)
        assert (cut[0], cut[-1]) == (True, False)
        for client in clients:
            client.close()


def test_a_large_body_may_come_at_once(make_front, monkeypatch):
    """Head and body in one piece of 256 KiB, as a busy server reads them, are no head that is too large."""
    front, service = make_front()
    answer_it = service.answer

    async def slowly(asked):
        time.sleep(0.2)  # the loop stands still meanwhile
        return await answer_it(asked)

    monkeypatch.setattr(service, "answer", slowly)
    body = json.dumps({"input": ["so sad today it is rain " * 40] * 1000}).encode()
    with running(front) as url, connected(url) as first, connected(url) as second:
        first.sendall(REQUEST)
        time.sleep(0.05)
        second.sendall(HEAD % len(body) + body)
        assert one_answer(second)[0] == 200
