"""Server: it says when it is ready, exchanges its model, and ends in order: every request that came is answered."""

import contextlib
import http.client
import json
import os
import random
import re
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from limbeck.errors import SettingsError
from limbeck.serving.serve_settings import ServeSettings, check_serving
from limbeck.serving.server import is_own_address, listen

ROOT = Path(__file__).parents[2]


class Started:
    """A server in a process of its own."""

    def __init__(self, tokenizer_file, folder="model", stdin=None, **settings):
        words = json.dumps({"port": 0, **settings})
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.serving.stub_server", words, str(tokenizer_file), folder],
            cwd=ROOT,
            stdin=stdin,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"},
        )
        self.lines = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        self.port = int(self.line(r"served at http://127\.0\.0\.1:(\d+)"))

    def _read(self):
        self.lines.extend(iter(self.process.stderr.readline, ""))

    def end(self):
        """End it, whatever it does."""
        self.process.kill()
        self.process.wait()
        self._reader.join()
        self.process.stderr.close()

    def line(self, pattern):
        """Wait for a line."""
        until = time.monotonic() + 90
        while time.monotonic() < until:
            for line in list(self.lines):
                if found := re.search(pattern, line):
                    return found[1] if found.groups() else found[0]
            assert self.process.poll() is None or self.lines, "the server ended"
            time.sleep(0.002)
        raise AssertionError(f"no line {pattern!r} in {self.lines}")

    def ask(self, milliseconds=0):
        """Ask on a connection of one's own; return status and digest."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request(
                "POST", "/classify", json.dumps({"input": str(milliseconds)}), {"content-type": "application/json"}
            )
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read()).get("model_sha")
        finally:
            connection.close()

    def get(self, path):
        """GET; return the status."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request("GET", path)
            return connection.getresponse().status
        finally:
            connection.close()

    def signal(self, number):
        self.process.send_signal(number)


@pytest.fixture(scope="session")
def tokenizer_file(tiny_tokenizer, tmp_path_factory):
    path = tmp_path_factory.mktemp("tokenizer") / "tokenizer.json"
    path.write_text(tiny_tokenizer.content)
    return path


@pytest.fixture
def start(tokenizer_file):
    with contextlib.ExitStack() as stack:

        def begin(**settings):
            started = Started(tokenizer_file, **settings)
            stack.callback(started.end)
            return started

        yield begin


@pytest.mark.slow
def test_at_the_end_every_request_that_came_is_answered(start):
    """SIGTERM at a random moment under load from eight clients: none is lost, and the exit status is 0.

    A client that finds nobody listening was not taken; one that was connected must have its answer. (Linux drops what
    asks for a connection at the very end, and the client asks again by itself: `last_connections`.)
    """
    started = start(drain_s=0.2, grace_s=10)
    counts, chance = Counter(), random.Random(7)  # noqa: S311  # moments, not secrets
    moments = [[chance.uniform(0, 20) for _ in range(2000)] for _ in range(8)]

    def load(milliseconds):
        for one in milliseconds:
            try:
                status, _ = started.ask(one)
                counts[status] += 1
            except ConnectionRefusedError:
                return
            except (OSError, http.client.HTTPException) as error:
                counts[repr(error)] += 1

    threads = [threading.Thread(target=load, args=(one,)) for one in moments]
    for thread in threads:
        thread.start()
    time.sleep(chance.uniform(0.1, 0.5))
    started.signal(signal.SIGTERM)
    assert started.process.wait(15) == 0
    for thread in threads:
        thread.join()
    assert set(counts) == {200}
    assert counts[200] > 8
    started.line("every request that came was answered")


@pytest.mark.slow
def test_the_two_phases_of_the_end(start):
    """Not ready at once, and still answering, what was connected and silent too; what is half sent is awaited."""
    started = start(drain_s=0.6, grace_s=10)
    half = socket.create_connection(("127.0.0.1", started.port))
    half.sendall(b"POST /classify HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n")
    silent = socket.create_connection(("127.0.0.1", started.port))
    started.signal(signal.SIGTERM)
    started.line("ending")
    assert started.get("/readyz") == 503
    assert started.get("/healthz") == 200
    assert started.ask()[0] == 200
    silent.sendall(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n")
    assert silent.recv(65536).startswith(b"HTTP/1.1 200")
    with pytest.raises(ConnectionRefusedError):
        while True:
            started.get("/healthz")
    half.sendall(b'content-length: 13\r\n\r\n{"input":"5"}')
    assert half.recv(65536).startswith(b"HTTP/1.1 200")
    assert started.process.wait(10) == 0
    half.close()
    silent.close()


@pytest.mark.slow
@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_second_signal_ends_at_once(number, status, start):
    """Whatever is under way; the status is that of the signal."""
    started = start(drain_s=30, grace_s=30)
    started.signal(signal.SIGTERM)
    started.line("ending")
    started.signal(number)
    assert started.process.wait(5) == status


@pytest.mark.slow
def test_ctrl_c_does_not_wait_for_others_to_notice(start):
    """A person who ends it waits only for what came."""
    started = start(drain_s=30, grace_s=30)
    started.signal(signal.SIGINT)
    assert started.process.wait(10) == 0


@pytest.mark.slow
def test_what_takes_longer_than_the_grace_is_told(start):
    """The server ends when it said it would, and its status and message say that a request was left."""
    started = start(drain_s=0.1, grace_s=0.3)
    failed = []

    def ask():
        try:
            failed.append(started.ask(20_000)[0])
        except (OSError, http.client.HTTPException):
            failed.append(None)

    thread = threading.Thread(target=ask)
    thread.start()
    time.sleep(0.3)
    started.signal(signal.SIGTERM)
    assert started.process.wait(10) == 1
    thread.join()
    assert failed == [None]
    started.line("1 requests were not answered")


@pytest.mark.slow
def test_hangup_exchanges_the_model(start):
    """Each answer says which model made it; a model that is refused changes nothing, and is told."""
    started = start()
    assert started.ask()[1] == "0" * 64
    started.signal(signal.SIGHUP)
    started.line("exchanged: stub")
    assert started.ask()[1] == "1".zfill(64)
    broken = start(folder="broken")
    broken.signal(signal.SIGHUP)
    broken.line("not exchanged.*it is broken")
    assert broken.ask() == (200, "0" * 64)


@pytest.mark.slow
def test_a_terminal_that_is_closed_ends_the_service(start):
    """It sends SIGHUP, too; nobody asked for another model, and what came is answered."""
    terminal, inner = os.openpty()
    started = start(stdin=inner, drain_s=0)
    os.close(inner)
    started.signal(signal.SIGHUP)
    started.line("exchanged: stub")
    os.close(terminal)
    started.signal(signal.SIGHUP)
    assert started.process.wait(15) == 0


def test_a_port_that_is_taken_is_told():
    """Before any work, with what to do."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(SettingsError, match=r"cannot listen on 127\.0\.0\.1.*another --host or --port"):
            listen("127.0.0.1", taken.getsockname()[1])
    with pytest.raises(SettingsError, match="cannot listen"):
        listen("no.such.host.invalid", 0)


@pytest.mark.parametrize("name", ["max_texts", "timeout_s", "max_connections", "grace_s", "max_body_bytes"])
def test_limits_that_let_nothing_through_are_refused(name):
    """All of them at once, before the server listens; 0 is taken where it means at once."""
    with pytest.raises(SettingsError, match="2 faults") as caught:
        check_serving(ServeSettings(**{name: 0, "port": 70_000}))
    assert f"{name} = 0 is not possible" in str(caught.value)
    check_serving(ServeSettings(port=0, drain_s=0.0, max_wait_s=0.0))


@pytest.mark.parametrize(
    ("host", "own"), [("127.0.0.1", True), ("127.1.2.3", True), ("localhost", True), ("::1", True), ("10.0.0.1", False)]
)
def test_an_address_of_this_machine_alone(host, own):
    """Others need a key, and are told so."""
    assert is_own_address(host) == own


@pytest.mark.slow
def test_a_thousand_idle_connections_do_not_matter(start):
    """A text is answered among them, and all can be closed in order; ten thousand were tried by hand."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    count = min(1_000, soft - 500)
    started = start(max_connections=count + 50, header_timeout_s=60.0, drain_s=0.0, grace_s=20.0)
    idle = []
    try:
        for _ in range(count):
            idle.append(socket.create_connection(("127.0.0.1", started.port), timeout=20))  # noqa: PERF401  # closed below
        assert started.ask(1) == (200, "0" * 64)
        idle[0].sendall(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n")
        assert idle[0].recv(100).startswith(b"HTTP/1.1 200")
        started.signal(signal.SIGTERM)
        assert started.process.wait(20) == 0
    finally:
        for one in idle:
            one.close()


@pytest.mark.slow
def test_beyond_the_most_connections_idle_ones_make_room(start):
    """Four hundred silent connections and room for 16: every text is answered meanwhile."""
    started = start(max_connections=16)
    idle = []
    try:
        for number in range(400):
            idle.append(socket.create_connection(("127.0.0.1", started.port), timeout=20))
            if number % 40 == 0:
                assert started.ask(1)[0] == 200
    finally:
        for one in idle:
            one.close()


def test_the_body_of_an_answer_does_not_wait_for_its_head_to_be_acknowledged():
    """TCP_NODELAY is set by asyncio where a socket names its protocol; without it each answer took 40 ms more."""
    with listen("127.0.0.1", 0) as listening:
        assert listening.proto == socket.IPPROTO_TCP
