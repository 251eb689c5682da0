"""A hub of our own on 127.0.0.1, and a guard that lets no test reach further."""

import json
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from tests.hub.fake_hub import TOKEN, Fault, Handler, Hub

LOOPBACK = ("127.0.0.1", "localhost", "::1")


class ReachedError(OSError):
    """A test tried to reach further than loopback."""


@pytest.fixture
def reached() -> list[str]:
    """Places outside this machine that a test tried to reach; a test that means to clears the list."""
    return []


@pytest.fixture(autouse=True)
def nothing_but_loopback(monkeypatch: pytest.MonkeyPatch, reached: list[str]) -> Iterator[None]:
    """Block every socket and every name that is not this machine's own; fail the test that tried."""
    connect, look_up = socket.socket.connect, socket.getaddrinfo

    def guard(host: Any) -> None:
        name = host.decode() if isinstance(host, bytes) else host
        if name not in LOOPBACK:
            reached.append(str(name))
            raise ReachedError(f"{name} is not this machine")

    def guarded_connect(self: socket.socket, address: Any) -> Any:
        if self.family in (socket.AF_INET, socket.AF_INET6):
            guard(address[0])
        return connect(self, address)

    def guarded_look_up(host: Any, *rest: Any, **options: Any) -> Any:
        guard(host)
        return look_up(host, *rest, **options)

    monkeypatch.setattr(socket.socket, "connect", guarded_connect)
    monkeypatch.setattr(socket, "getaddrinfo", guarded_look_up)
    yield
    assert reached == []


@pytest.fixture
def hub() -> Iterator[Hub]:
    """A hub on two ports of 127.0.0.1: the hub, and its storage of large files."""
    state = Hub()
    handler = type("HandlerOfThisTest", (Handler,), {"hub": state})
    servers = [ThreadingHTTPServer(("127.0.0.1", 0), handler) for _ in range(2)]
    state.endpoint, state.storage = (f"http://127.0.0.1:{server.server_port}" for server in servers)
    threads = [threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True) for server in servers]
    for thread in threads:
        thread.start()
    yield state
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds that anybody slept, without sleeping."""
    slept: list[float] = []
    monkeypatch.setattr("time.sleep", slept.append)
    return slept


@pytest.fixture
def environment(hub: Hub, tmp_path: Path) -> dict[str, str]:
    """What a user's shell would say to use this hub, with caches of this test's own."""
    return {
        "HF_ENDPOINT": hub.endpoint,
        "HF_HOME": str(tmp_path / "hf"),
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
    }


@pytest.fixture(autouse=True)
def client(
    hub: Hub, environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pauses: list[float]
) -> Iterator[None]:
    """Point the real client library at this hub: it reads the environment once, when it is first imported."""
    from huggingface_hub import close_session, constants

    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_HUB_OFFLINE", "HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    home = tmp_path / "hf"
    for name, value in {
        "ENDPOINT": hub.endpoint,
        "HUGGINGFACE_CO_URL_TEMPLATE": hub.endpoint + "/{repo_id}/resolve/{revision}/{filename}",
        "HF_HOME": str(home),
        "HF_HUB_CACHE": str(home / "hub"),
        "HF_TOKEN_PATH": str(home / "token"),
        "AGENT_HARNESSES_PATH": str(home / "agents.json"),
        "HF_HUB_DISABLE_XET": True,
        "HF_HUB_OFFLINE": False,
        "HF_HUB_DISABLE_TELEMETRY": True,
    }.items():
        monkeypatch.setattr(constants, name, value)
    close_session()
    yield
    close_session()


@dataclass
class Heard:
    """A progress that keeps what was said."""

    lines: list[str] = field(default_factory=list)
    done: int = 0
    total: int = 0

    def track(self, label: str, *, total: int, unit: str) -> Any:
        from contextlib import nullcontext

        def advance(more: int, note: str = "") -> None:
            self.done += more if label.startswith("Downloading") else 0

        self.total += total if label.startswith("Downloading") else 0
        return nullcontext(advance)

    def say(self, line: str) -> None:
        self.lines.append(line)

    @property
    def text(self) -> str:
        return "\n".join(self.lines)


@pytest.fixture
def heard() -> Heard:
    """What a command would say to the person at the screen."""
    return Heard()


@pytest.fixture
def token() -> str:
    """The one token that this hub knows."""
    return TOKEN


@pytest.fixture
def fault() -> type[Fault]:
    """Makes faults."""
    return Fault


def parquet_of(rows: dict[str, list[Any]], names: list[str] | None = None) -> bytes:
    """Return a Parquet file as `datasets` writes it: with the class names of `label` in its metadata."""
    import io

    import pyarrow as pa
    import pyarrow.parquet

    table = pa.table(rows)
    if names is not None:
        features = {"text": {"dtype": "string", "_type": "Value"}, "label": {"names": names, "_type": "ClassLabel"}}
        table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    out = io.BytesIO()
    pyarrow.parquet.write_table(table, out)
    return out.getvalue()


@pytest.fixture
def parquet() -> Any:
    """Makes Parquet files as they lie on the hub."""
    return parquet_of
