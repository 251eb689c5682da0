"""`limbeck serve` as a process of its own: started, looked at, asked over HTTP, ended.

In: a folder and options. Out: an address, its processes and their memory, how it ended, answers. It does not know why
it is asked.
"""

import asyncio
import json
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

START_WITHIN_S = 180.0
LATE_S = 60.0
HOST = "127.0.0.1"
LIMBECK = (sys.executable, "-m", "limbeck", "serve")
PLAIN = (sys.executable, str(Path(__file__).with_name("serve_plain.py")))


@dataclass(frozen=True, kw_only=True)
class Reply:
    """An answer as it came.

    Attributes:
        status: of HTTP.
        headers: names in lower case.
        body: of it.
    """

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def closes(self) -> bool:
        """Whether nothing more is answered on this connection."""
        return self.headers.get("connection") == "close"


class Served:
    """A server that runs.

    Attributes:
        port: where it listens.
        process: of the front.
        start_s: seconds until it was ready; None until then.
    """

    def __init__(self, process: asyncio.subprocess.Process, port: int) -> None:
        self.process, self.port = process, port
        self.start_s: float | None = None
        self._begun_s = time.monotonic()

    @classmethod
    async def begin(cls, run: Path | str, *, program: Sequence[str] = LIMBECK, **settings: Any) -> "Served":
        """Start a server; it is not ready yet.

        Args:
            run: what is served.
            program: that serves it: `limbeck serve`, or one that takes settings as JSON.
            settings: as `ServeSettings` has them.
        """
        with socket.socket() as one:
            one.bind((HOST, 0))
            port: int = one.getsockname()[1]
        settings |= {"port": port, "page": False}
        words = [json.dumps(settings)] if program is not LIMBECK else ["-q", *_flags(settings)]
        process = await asyncio.create_subprocess_exec(*program, str(run), *words, start_new_session=True)
        return cls(process, port)

    async def listens(self) -> None:
        """Return when it takes connections."""
        await self._until(None)

    async def is_up(self) -> None:
        """Return when it is ready."""
        await self._until(200)
        self.start_s = time.monotonic() - self._begun_s

    async def _until(self, status: int | None) -> None:
        while time.monotonic() - self._begun_s < START_WITHIN_S:
            if self.process.returncode is not None:
                raise RuntimeError(f"the server ended with status {self.process.returncode}")
            try:
                if status in (None, (await self.get("/readyz")).status):
                    return
            except (OSError, EOFError):
                pass
            await asyncio.sleep(0.02)
        raise RuntimeError("the server did not start")

    async def get(self, path: str) -> Reply:
        """Ask for a path on a connection of its own."""
        reader, writer = await asyncio.open_connection(HOST, self.port)
        try:
            writer.write(f"GET {path} HTTP/1.1\r\nhost: {HOST}\r\nconnection: close\r\n\r\n".encode())
            return await read_reply(reader)
        finally:
            writer.close()

    @property
    def engines(self) -> list[int]:
        """The processes that compute, or will."""
        lists = Path(f"/proc/{self.process.pid}/task").glob("*/children")
        return sorted({int(word) for one in lists for word in one.read_text().split()})

    def end(self) -> None:
        """Tell it to end."""
        self.process.send_signal(signal.SIGTERM)

    async def kill(self) -> None:
        """End it now, whatever it does."""
        if self.process.returncode is None:
            self.process.kill()
            await self.process.wait()


def _flags(settings: dict[str, Any]) -> Iterator[str]:
    for name, value in settings.items():
        flag = name.replace("_", "-")
        if isinstance(value, bool):
            yield f"--{flag}" if value else f"--no-{flag}"
        else:
            yield from (f"--{flag}", str(value))


def post_bytes(path: str, value: Any, number: int = 0) -> bytes:
    """Return the bytes of a POST whose answer will have a number."""
    return b"".join(post_parts(path, value, number))


def post_parts(path: str, value: Any, number: int = 0) -> tuple[bytes, bytes]:
    """Return its head and its body."""
    body = json.dumps(value).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nhost: {HOST}\r\ncontent-type: application/json\r\nx-request-id: {number}\r\n"
        f"content-length: {len(body)}\r\n\r\n"
    )
    return head.encode(), body


async def read_reply(reader: asyncio.StreamReader) -> Reply:
    """Read one answer.

    Raises:
        EOFError: the connection ended before its end.
    """
    async with asyncio.timeout(LATE_S):
        first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        pairs = (line.partition(":") for line in lines if line)
        headers = {name.lower(): value.strip() for name, _, value in pairs}
        body = await reader.readexactly(int(headers["content-length"]))
    return Reply(status=int(first.split()[1]), headers=headers, body=body)


def resident_mib(pids: Sequence[int]) -> float:
    """Return the memory of processes together; one that is gone has none."""
    pages = 0
    for pid in pids:
        try:
            pages += int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        except OSError:
            continue
    return round(pages * os.sysconf("SC_PAGE_SIZE") / 2**20, 1)
