"""A server is told to end at a random moment, under load over HTTP: what becomes of every request.

In: a folder of a model, how many times, texts. Out: counts. Each time a server is started, eight clients ask on
connections that they keep, three are connected and silent, three have sent half a request; then comes SIGTERM. Silent
ones ask 0.2 s later, and halves become whole. A server that was told while it loads its model may refuse with 503.

The next servers are started meanwhile, since a start takes longer than an end.
"""

import asyncio
import json
import random
import statistics
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from served import HOST, LIMBECK, Served, post_parts, read_reply

DRAIN_S, GRACE_S = 0.4, 20.0
SETTINGS = {"drain_s": DRAIN_S, "grace_s": GRACE_S, "max_wait_s": 20.0}
BUSY, SILENT, HALVES = 8, 3, 3
AHEAD = 2
"""Servers that are started before their turn."""
LATEST_S = 1.2
LATER_S = 0.2
WITH_SPARE_EVERY, WHILE_LOADING_EVERY = 4, 10
MOST_TEXTS = 4
WITHIN_S = DRAIN_S + GRACE_S + 1


@dataclass
class Stops:
    """What became of all requests.

    Attributes:
        ends: how each ended, by its number: a status, or what went wrong.
        wrong: what else should not be.
        unready_s: seconds from SIGTERM until readiness said no.
        ended_s: seconds from SIGTERM until the process was gone.
        statuses: with which they ended.
    """

    ends: dict[int, list[str]] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    unready_s: list[float] = field(default_factory=list)
    ended_s: list[float] = field(default_factory=list)
    statuses: Counter[str] = field(default_factory=Counter)

    def begin(self) -> int:
        """Return the number of a new request."""
        number = len(self.ends)
        self.ends[number] = []
        return number

    def summary(self) -> dict[str, Any]:
        """Return counts."""
        counts = Counter(end for all_ends in self.ends.values() for end in all_ends)
        answered = sum(any(end.isdigit() for end in one) for one in self.ends.values())
        return {
            "sent": len(self.ends),
            "ends": dict(sorted(counts.items())),
            "lost": len(self.ends) - answered,
            "answered_twice": sum(len(one) > 1 for one in self.ends.values()),
            "exit_statuses": dict(self.statuses),
            "unready_after_s": spread(self.unready_s),
            "ended_after_s": spread(self.ended_s),
            "wrong": self.wrong[:20],
            "wrong_count": len(self.wrong),
        }


def spread(values: Sequence[float]) -> dict[str, float]:
    """Return median and highest."""
    return {"median": round(statistics.median(values), 3), "highest": round(max(values), 3)} if values else {}


class Trial:
    """One server, its clients and its end."""

    def __init__(self, served: Served, texts: Sequence[str], stops: Stops, chance: random.Random) -> None:
        self._served, self._texts, self._stops, self._chance = served, texts, stops, chance
        self._told = asyncio.Event()
        self._allowed = {"200"}

    async def run(self, *, while_loading: bool) -> None:
        """Ask, tell the server to end at a random moment, and wait until all is over."""
        if while_loading:
            self._allowed.add("503")
        clients = [self._busy() for _ in range(BUSY)]
        clients += [self._late(is_half=True) for _ in range(HALVES)]
        # Before it is ready a server ends without a drain, and closes who has said nothing.
        clients += [self._late(is_half=False) for _ in range(0 if while_loading else SILENT)]
        asking = [asyncio.ensure_future(client) for client in clients]
        await asyncio.sleep(self._chance.uniform(0.05, LATEST_S))
        engines = self._served.engines
        told_s = time.monotonic()
        self._served.end()
        self._told.set()
        if not while_loading:
            asking.append(asyncio.ensure_future(self._unready(told_s)))
        try:
            async with asyncio.timeout(WITHIN_S):
                status = await self._served.process.wait()
            self._stops.statuses[str(status)] += 1
            self._stops.ended_s.append(time.monotonic() - told_s)
            if status != 0:
                self._stops.wrong.append(f"it ended with status {status}")
        except TimeoutError:
            self._stops.wrong.append(f"it did not end within {WITHIN_S:g} s")
            await self._served.kill()
        await asyncio.gather(*asking)
        left = [pid for pid in engines if is_running(pid)]
        if left:
            self._stops.wrong.append(f"{len(left)} engines outlived it")

    async def _unready(self, told_s: float) -> None:
        while True:
            try:
                if (await self._served.get("/readyz")).status == 503:
                    self._stops.unready_s.append(time.monotonic() - told_s)
                    return
            except (OSError, EOFError):
                self._stops.wrong.append("it ended before readiness said no")
                return

    def _request(self) -> tuple[int, int, tuple[bytes, bytes]]:
        number = self._stops.begin()
        texts = self._chance.choices(self._texts, k=self._chance.randint(1, MOST_TEXTS))
        return number, len(texts), post_parts("/classify", {"input": texts}, number)

    async def _busy(self) -> None:
        """Ask one request after the other, on connections that are kept, until nobody listens."""
        while True:
            try:
                reader, writer = await asyncio.open_connection(HOST, self._served.port)
            except OSError:
                return
            with closed(writer):
                while not await self._ask(reader, writer, self._request()):
                    await asyncio.sleep(self._chance.uniform(0, 0.02))

    async def _late(self, *, is_half: bool) -> None:
        """Connect, send nothing or the head of a request, and the rest after SIGTERM."""
        reader, writer = await asyncio.open_connection(HOST, self._served.port)
        with closed(writer):
            request = self._request()
            number, count, (head, body) = request
            if is_half:
                writer.write(head)
            await self._told.wait()
            await asyncio.sleep(LATER_S)
            await self._ask(reader, writer, (number, count, (b"" if is_half else head, body)))

    async def _ask(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: tuple[int, int, tuple[bytes, bytes]]
    ) -> bool:
        """Send a request and note its answer; tell whether the connection is over."""
        number, count, parts = request
        ends = self._stops.ends[number]
        try:
            writer.write(b"".join(parts))
            reply = await read_reply(reader)
        except (OSError, EOFError) as error:
            ends.append(type(error).__name__)
            return True
        answered = int(reply.headers.get("x-request-id", -1))
        self._stops.ends.setdefault(answered, []).append(str(reply.status))
        if answered != number:
            self._stops.wrong.append(f"request {number} got the answer to {answered}")
        if str(reply.status) not in self._allowed:
            self._stops.wrong.append(f"status {reply.status}: {reply.body[:200]!r}")
        elif reply.status == 200 and len(json.loads(reply.body)["data"]) != count:
            self._stops.wrong.append(f"request {number} has not {count} answers")
        if reply.closes and await reader.read():
            self._stops.wrong.append("more came behind the last answer")
        return reply.closes


@contextmanager
def closed(writer: asyncio.StreamWriter) -> Iterator[None]:
    """Close a connection at the end, broken or not."""
    try:
        yield
    finally:
        with suppress(OSError):
            writer.close()


@asynccontextmanager
async def started(
    run: Path | str, times: int, program: Sequence[str]
) -> AsyncIterator[AsyncIterator[tuple[int, Served]]]:
    """Start servers, some ahead of their turn; all are gone at the end."""
    queue: asyncio.Queue[Served | BaseException] = asyncio.Queue(AHEAD - 1)
    every: list[Served] = []

    async def begin(place: int) -> Served:
        spare = place % WITH_SPARE_EVERY == 0
        served = await Served.begin(run, program=program, spare=spare, **SETTINGS)
        every.append(served)
        await (served.listens() if is_while_loading(place) else served.is_up())
        return served

    async def begin_ahead() -> None:
        try:
            for place in range(times):
                if not is_while_loading(place):
                    await queue.put(await begin(place))
        except (RuntimeError, OSError) as error:
            await queue.put(error)

    async def each() -> AsyncIterator[tuple[int, Served]]:
        for place in range(times):
            found = await begin(place) if is_while_loading(place) else await queue.get()
            if isinstance(found, BaseException):
                raise found
            yield place, found

    beginning = asyncio.ensure_future(begin_ahead())
    try:
        yield each()
    finally:
        beginning.cancel()
        for served in every:
            await served.kill()


def is_running(pid: int) -> bool:
    """Tell whether a process has not ended."""
    try:
        return bool(Path(f"/proc/{pid}/cmdline").read_bytes())
    except OSError:
        return False


def is_while_loading(place: int) -> bool:
    """Tell whether a server is told to end while it loads its model."""
    return place % WHILE_LOADING_EVERY == WHILE_LOADING_EVERY - 1


async def stop_under_load(
    run: Path | str, times: int, texts: Sequence[str], *, program: Sequence[str] = LIMBECK
) -> dict[str, Any]:
    """Start and end a server so many times; return what became of all requests.

    Args:
        run: what is served.
        times: how often.
        texts: that are asked about.
        program: that serves it.
    """
    stops, chance = Stops(), random.Random(0)  # noqa: S311  # moments, not secrets
    starts_s = []
    async with started(run, times, program) as servers:
        async for place, served in servers:
            await Trial(served, texts, stops, chance).run(while_loading=is_while_loading(place))
            if served.start_s is not None:
                starts_s.append(served.start_s)
            print(f"    stop {place + 1} of {times}: {len(stops.ends)} requests, {len(stops.wrong)} wrong", flush=True)
    return {"signals": times, "ready_after_s": spread(starts_s), **stops.summary()}
