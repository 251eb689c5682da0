"""Server and the clock of the machine: it may jump by hours, and nothing but a date in an answer sees it."""

import ast
import asyncio
import contextlib
import itertools
import json
import os
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.serving.engines import Make, engine_pid, run, serving, until

import limbeck.serving
from limbeck.serving.app import Front
from limbeck.serving.guards import make_guard
from limbeck.serving.local_service import LocalService
from limbeck.serving.serve_settings import ServeSettings
from limbeck.serving.server import FrontServer, uvicorn_config

WALL_CLOCK = {"time.time", "time.time_ns", "time.localtime", "time.gmtime", "datetime.now", "datetime.utcnow"}
JUMPS_S = (0.0, 36_000.0, -36_000.0, 3e8, -1.9e9)
"""From now: ten hours, ten years, and before 1970."""


@pytest.fixture
def jumping_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each look at the clock of the machine finds it somewhere else."""
    now, jumps = time.time, itertools.cycle(JUMPS_S)
    monkeypatch.setattr(time, "time", lambda: now() + next(jumps))


@contextlib.asynccontextmanager
async def listening(service: LocalService, **settings: float) -> AsyncIterator[int]:
    """Give a service a port of this machine."""
    limits = ServeSettings(port=0, **settings)  # type: ignore[arg-type]  # numbers
    front = Front(service, limits, make_guard(host=limits.host, allowed_hosts=(), key_file=None))
    front.is_loaded = True
    server = FrontServer(uvicorn_config(front, limits), grace_s=5)
    task = asyncio.create_task(server.serve())
    await until(lambda: server.started)
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        await task


async def ask(port: int, **body: object) -> tuple[int, str, bytes]:
    """Ask on a connection of one's own; return the status, the head and the body."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    sent = json.dumps(body).encode()
    writer.write(
        b"POST /classify HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\nconnection: close\r\n"
        b"content-length: %d\r\n\r\n" % len(sent) + sent
    )
    head, _, body_bytes = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    return int(head[9:12]), head.decode().lower(), body_bytes


def test_no_module_looks_at_the_clock_of_the_machine() -> None:
    """But for `created` in an answer: durations are those of a clock that never jumps."""
    looks = [
        f"{path.name}: {ast.unparse(node)}"
        for path in sorted(Path(limbeck.serving.__path__[0]).rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Attribute) and ast.unparse(node).removeprefix("datetime.") in WALL_CLOCK
    ]
    assert looks == ["call.py: time.time"]


def test_limits_of_time_hold_while_the_clock_jumps(make: Make, jumping_clock: None) -> None:
    """Answers come, a deadline ends a request, a head that trickles and an idle connection are cut."""

    async def work() -> None:
        async with (
            serving(make()) as service,
            listening(service, header_timeout_s=0.2, keep_alive_s=0.2, body_timeout_s=0.2) as port,
        ):
            found = await asyncio.gather(*(ask(port, input="so sad") for _ in range(40)))
            assert [status for status, _, _ in found] == [200] * 40
            pid = engine_pid(service)
            assert pid is not None
            os.kill(pid, signal.SIGSTOP)
            status, _, body = await ask(port, input="so sad", timeout_s=0.05)
            os.kill(pid, signal.SIGCONT)
            assert (status, json.loads(body)["error_type"]) == (504, "deadline")
            for sent, answer in ((b"GET /healthz HTTP/1.1\r\n", b"408"), (b"", b"")):
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(sent)
                assert (await reader.read())[9:12] == answer
                writer.close()
            assert (await ask(port, input="fine"))[0] == 200
            assert engine_pid(service) == pid

    run(work())


def test_what_is_told_to_come_back_is_taken_then(make: Make, jumping_clock: None) -> None:
    """429 names seconds of waiting, not of the clock; who waits so long is answered."""

    async def work() -> None:
        async with serving(make(token_s=5e-4), max_wait_s=0.5) as service, listening(service, max_wait_s=0.5) as port:
            many = [asyncio.create_task(ask(port, input=["so sad today"] * 64)) for _ in range(40)]
            found = await asyncio.gather(*many)
            refused = [head for status, head, _ in found if status == 429]
            assert {status for status, _, _ in found} == {200, 429}
            after_s = [
                int(line.split(":")[1]) for head in refused for line in head.split("\r\n") if "retry-after" in line
            ]
            assert len(after_s) == len(refused)
            assert set(after_s) <= {1, 2}
            await asyncio.sleep(max(after_s))
            assert (await ask(port, input=["so sad today"] * 64))[0] == 200

    run(work())
