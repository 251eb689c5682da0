"""Open-loop load: requests by schedule, whoever answers, and a ledger of every one.

In: a rate, seconds, the bytes of requests. Out: what became of each. A closed loop, which waits for an answer before
it asks again, asks slow servers less and hides what their users wait ("coordinated omission"): here a request's time
counts from when it was due, whether it could be sent then or not. It does not know who answers.
"""

import asyncio
import random
import time
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

MOST_CONNECTIONS = 450
LATE_S = 10.0
"""Answers are waited for so long after the last request was due."""
HEAD_END, LAST_CHUNK = b"\r\n\r\n", b"0\r\n\r\n"


@dataclass(frozen=True, kw_only=True, eq=False)
class Ended:
    """What became of the requests of one run.

    Attributes:
        due_s: when each was due, from the beginning of the run.
        took_s: seconds from then to its answer; infinite where none came.
        statuses: HTTP status of each; 0 where none came.
        late_s: how much later than due it was sent; infinite where it never was.
        processor_s: seconds of a processor that this generator used.
        seconds: that the run took.
    """

    due_s: np.ndarray
    took_s: np.ndarray
    statuses: np.ndarray
    late_s: np.ndarray
    processor_s: float
    seconds: float

    def summary(self, deadline_s: float) -> dict[str, Any]:
        """Return the figures of the run; good is what was answered with 200 within the deadline."""
        is_ok = self.statuses == 200
        is_good = is_ok & (self.took_s <= deadline_s)
        refused_ms = self.took_s[np.isin(self.statuses, (429, 503))] * 1e3
        taken_ms = self.took_s[is_ok] * 1e3
        span_s = float(self.due_s[-1]) if len(self.due_s) else 1.0
        return {
            "sent": len(self.due_s),
            "statuses": {str(status): count for status, count in sorted(Counter(self.statuses.tolist()).items())},
            "good_per_s": round(float(is_good.sum()) / max(span_s, 1e-9), 2),
            "ok_share": round(float(is_ok.mean()), 5),
            **{f"p{q}_ms": _percentile(taken_ms, q) for q in (50, 99)},
            "refused_p99_ms": _percentile(refused_ms, 99),
            "sent_late_p99_ms": _percentile(self.late_s[np.isfinite(self.late_s)] * 1e3, 99),
            "generator_processor_share": round(self.processor_s / max(self.seconds, 1e-9), 3),
        }

    def p99_ms(self) -> float:
        """Return the 99th percentile over all requests; what was not answered with 200 took for ever."""
        took = np.where(self.statuses == 200, self.took_s, np.inf) * 1e3
        return float(np.sort(took)[int(0.99 * (len(took) - 1))])


def _percentile(values: np.ndarray, q: float) -> float | None:
    return round(float(np.percentile(values, q)), 2) if len(values) else None


def whole_status(come: bytes | bytearray) -> int | None:
    """Return the HTTP status of an answer that came to its end, by its length or its last chunk; None before."""
    end = come.find(HEAD_END)
    if end < 0:
        return None
    first, *lines = bytes(come[:end]).lower().split(b"\r\n")
    headers = {name: value.strip() for name, _, value in (line.partition(b":") for line in lines)}
    is_chunked = headers.get(b"transfer-encoding") == b"chunked"
    body = len(come) - end - len(HEAD_END)
    is_whole = come.endswith(LAST_CHUNK) if is_chunked else body >= int(headers.get(b"content-length", 0))
    return int(first[9:12]) if is_whole else None


class _Connection(asyncio.Protocol):
    """One connection, kept open; one request at a time."""

    def __init__(self, pool: "_Pool") -> None:
        self._pool = pool
        self._come = bytearray()
        self.transport: asyncio.Transport | None = None
        self.request: int | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self._pool.free(self)

    def data_received(self, data: bytes) -> None:
        self._come += data
        status = whole_status(self._come)
        if status is not None:
            self._come.clear()
            self._pool.answered(self, status)

    def connection_lost(self, exc: Exception | None) -> None:
        self._pool.lost(self)


class _Pool:
    """Connections to one server, as many as are needed, up to a limit; requests wait for one in their order."""

    def __init__(self, host: str, port: int, requests: Sequence[bytes], count: int) -> None:
        self._host, self._port, self._requests = host, port, requests
        self._free: deque[_Connection] = deque()
        self._waiting: deque[int] = deque()
        self._open = self._opening = 0
        self._tasks: set[asyncio.Task[Any]] = set()
        self.started_s = 0.0
        self.statuses = np.zeros(count, dtype=np.int64)
        self.ended_s = np.full(count, np.inf)
        self.sent_s = np.full(count, np.inf)
        self.left = count
        self.all_ended = asyncio.get_running_loop().create_future()

    def ask(self, number: int) -> None:
        if self._free:
            self._send(self._free.pop(), number)
            return
        self._waiting.append(number)
        if self._open + self._opening < MOST_CONNECTIONS:
            self._opening += 1
            task = asyncio.ensure_future(self._connect())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _connect(self) -> None:
        try:
            loop = asyncio.get_running_loop()
            await loop.create_connection(lambda: _Connection(self), self._host, self._port)
        except OSError:
            self._opening -= 1
            if self._waiting:
                self._end(self._waiting.popleft(), 0)

    def free(self, connection: _Connection) -> None:
        self._opening -= 1
        self._open += 1
        self._next(connection)

    def answered(self, connection: _Connection, status: int) -> None:
        number, connection.request = connection.request, None
        if number is not None:
            self._end(number, status)
        self._next(connection)

    def lost(self, connection: _Connection) -> None:
        self._open -= 1
        if connection in self._free:
            self._free.remove(connection)
        if connection.request is not None:
            self._end(connection.request, 0)

    def close(self) -> None:
        for one in list(self._free):
            if one.transport is not None:
                one.transport.abort()

    def _next(self, connection: _Connection) -> None:
        if self._waiting:
            self._send(connection, self._waiting.popleft())
        else:
            self._free.append(connection)

    def _send(self, connection: _Connection, number: int) -> None:
        assert connection.transport is not None
        connection.request = number
        self.sent_s[number] = time.perf_counter() - self.started_s
        connection.transport.write(self._requests[number % len(self._requests)])

    def _end(self, number: int, status: int) -> None:
        self.statuses[number] = status
        self.ended_s[number] = time.perf_counter() - self.started_s
        self.left -= 1
        if not self.left and not self.all_ended.done():
            self.all_ended.set_result(None)


async def open_loop(
    address: tuple[str, int], requests: Sequence[bytes], *, rate_per_s: float, seconds: float, poisson: bool = True
) -> Ended:
    """Send requests by schedule and return what became of them.

    Args:
        address: host and port.
        requests: whole HTTP requests, taken in turn.
        rate_per_s: requests per second.
        seconds: during which they are due.
        poisson: whether they are due at random moments, as those of many people are; else evenly.
    """
    chance = random.Random(0)  # noqa: S311  # drawn load, no secret
    count = max(1, int(rate_per_s * seconds))
    gaps = [chance.expovariate(rate_per_s) if poisson else 1 / rate_per_s for _ in range(count)]
    due_s = np.cumsum(gaps)
    pool = _Pool(*address, requests, count)
    processor_s = time.process_time()
    pool.started_s = time.perf_counter()
    number = 0
    while number < count:
        now_s = time.perf_counter() - pool.started_s
        while number < count and due_s[number] <= now_s:
            pool.ask(number)
            number += 1
        if number < count:
            await asyncio.sleep(max(0.0, min(due_s[number] - now_s, 0.01)))
    try:
        async with asyncio.timeout(LATE_S):
            await pool.all_ended
    except TimeoutError:
        pass
    pool.close()
    return Ended(
        due_s=due_s,
        took_s=pool.ended_s - due_s,
        statuses=pool.statuses,
        late_s=pool.sent_s - due_s,
        processor_s=time.process_time() - processor_s,
        seconds=time.perf_counter() - pool.started_s,
    )


def post(address: tuple[str, int], path: str, body: bytes) -> bytes:
    """Return the bytes of a POST of JSON that keeps its connection."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: {address[0]}:{address[1]}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body
