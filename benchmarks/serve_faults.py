"""Does the service lose a request when its engine is killed, frozen, or when its clients go away?

    python benchmarks/serve_faults.py RUN [--kills 100] [--without-spare]

Tweets are asked for at a steady rate, whoever answers; meanwhile the engine's process gets SIGKILL at random moments,
then SIGSTOP at some, then a thousand clients leave. Every request has a line in a ledger; each answer is compared, bit
for bit, with what `limbeck.load(RUN).predict` says. Writes results/serve_faults.json, and ends with status 1 where a
request was lost, answered twice, or not answered.
"""

import argparse
import asyncio
import os
import random
import signal
import statistics
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from measure import write_result
from workloads import corpus

from limbeck.errors import LimbeckError, OverloadedError
from limbeck.inference.predictor import load
from limbeck.serving.local_service import LocalService
from limbeck.serving.serve_settings import ServeSettings
from limbeck.serving.service import Asked

RATE_PER_S = 40.0
TEXTS = 400
LEAVING = 1_000
LIST_TEXTS, LISTS_AT_ONCE = 64, 8
PATIENCE_S = 25.0


@dataclass
class Ledger:
    """What became of each request.

    Attributes:
        ends: how each request ended, by its number; one entry each, or something is wrong.
        answered_at_s: when answers came.
        answers: what was answered: which texts, and their probabilities.
    """

    ends: dict[int, list[str]] = field(default_factory=dict)
    answered_at_s: list[float] = field(default_factory=list)
    answers: list[tuple[list[int], np.ndarray]] = field(default_factory=list)

    def counts(self) -> dict[str, int]:
        ends = Counter(end for all_ends in self.ends.values() for end in all_ends)
        return {
            "sent": len(self.ends),
            **dict(sorted(ends.items())),
            "lost": sum(not one for one in self.ends.values()),
            "answered_twice": sum(len(one) > 1 for one in self.ends.values()),
        }


class Load:
    """Asks for tweets, by schedule."""

    def __init__(self, service: LocalService, texts: list[str], ledger: Ledger) -> None:
        self.service, self.texts, self.ledger = service, texts, ledger
        self.chance = random.Random(0)  # noqa: S311  # drawn load, no secret
        self._tasks: set[asyncio.Task[None]] = set()

    def ask(self) -> asyncio.Task[None]:
        """Send one request of one to four tweets."""
        number = len(self.ledger.ends)
        self.ledger.ends[number] = []
        places = self.chance.choices(range(len(self.texts)), k=self.chance.randint(1, 4))
        task = asyncio.ensure_future(self._one(number, places))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _one(self, number: int, places: list[int]) -> None:
        asked = Asked(texts=[self.texts[place] for place in places], client="load", timeout_s=PATIENCE_S)
        try:
            found: Any = (await self.service.answer(asked)).predictions
        except LimbeckError as error:
            self.ledger.ends[number].append(type(error).__name__)
            return
        except asyncio.CancelledError:
            self.ledger.ends[number].append("left")
            raise
        self.ledger.ends[number].append("ok")
        self.ledger.answered_at_s.append(time.monotonic())
        self.ledger.answers.append((places, found.probabilities))

    async def keep_asking(self, seconds: float) -> None:
        """Send requests for so long, at the rate, whatever becomes of them."""
        started, sent = time.monotonic(), 0
        while (now := time.monotonic()) - started < seconds:
            while sent < (now - started) * RATE_PER_S:
                self.ask()
                sent += 1
            await asyncio.sleep(0.002)

    async def settle(self) -> None:
        """Return when every request has ended."""
        while self._tasks:
            await asyncio.wait(self._tasks)


def is_whole(service: LocalService) -> bool:
    """Tell whether an engine computes, and the spare that the settings ask for is ready to take over."""
    keeper = service._now().lane.keeper
    return keeper.engine is not None and (keeper.has_spare or not service._settings.spare)


def engine_of(service: LocalService) -> int | None:
    """Return the number of the process that computes now."""
    engine = service._now().lane.keeper.engine
    return None if engine is None else engine.pid


async def hurt(load_: Load, number: signal.Signals, times: int, pauses_s: tuple[float, float]) -> dict[str, Any]:
    """Send the engine a signal so many times, at random moments under load; say how long answers did not come."""
    gaps_s = []
    for _ in range(times):
        await load_.keep_asking(load_.chance.uniform(*pauses_s))
        while not is_whole(load_.service):
            await load_.keep_asking(0.05)
        os.kill(engine_of(load_.service) or 0, number)
        at_s = time.monotonic()
        while not any(one > at_s + 0.005 for one in load_.ledger.answered_at_s[-5:]):
            await load_.keep_asking(0.02)
        gaps_s.append(time.monotonic() - at_s)
    await load_.settle()
    return {
        "signals": times,
        "next_answer_s": {
            "median": round(statistics.median(gaps_s), 3),
            "highest": round(max(gaps_s), 3),
        },
        **load_.ledger.counts(),
    }


async def leave(load_: Load) -> dict[str, Any]:
    """Send good requests, then a thousand whose clients leave, then good ones."""
    good = [load_.ask() for _ in range(20)]
    storm = [load_.ask() for _ in range(LEAVING)]
    await asyncio.sleep(0.02)
    for task in storm:
        task.cancel()
    good += [load_.ask() for _ in range(20)]
    started = time.monotonic()
    await asyncio.gather(*good)
    took_s = time.monotonic() - started
    await load_.settle()
    return {"left": LEAVING, "good_answered_in_s": round(took_s, 3), **load_.ledger.counts()}


def resident_mib(pid: int | str = "self") -> int:
    """Return the memory of a process."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") // 2**20


async def go_on(service: LocalService, texts: list[str], count: int) -> dict[str, Any]:
    """Answer many texts, in lists, some lists at a time; say the memory after a tenth and at the end."""
    left, memory = iter(range(0, count, LIST_TEXTS)), {}

    def both() -> dict[str, int]:
        return {"front_mib": resident_mib(), "engine_mib": resident_mib(engine_of(service) or "self")}

    async def client() -> None:
        for start in left:
            asked = [texts[(start + place) % len(texts)] for place in range(LIST_TEXTS)]
            try:
                await service.answer(Asked(texts=asked, client="load", timeout_s=PATIENCE_S))
            except OverloadedError as error:
                await asyncio.sleep(error.retry_after_s)
            if start >= count // 10 and "a_tenth" not in memory:
                memory["a_tenth"] = both()

    started = time.monotonic()
    await asyncio.gather(*(client() for _ in range(LISTS_AT_ONCE)))
    seconds = time.monotonic() - started
    return {"texts": count, "texts_per_s": round(count / seconds), **memory, "all": both()}


async def measured(asked: argparse.Namespace, texts: list[str], ledgers: dict[str, Ledger]) -> dict[str, Any]:
    """Run all trials against one service."""
    kills = asked.kills
    settings = ServeSettings(spare=not asked.without_spare, max_wait_s=20.0, timeout_s=PATIENCE_S)
    service = LocalService(asked.run, settings, say=lambda line: print(line, file=sys.stderr, flush=True))
    started = time.monotonic()
    await service.start()
    found: dict[str, Any] = {"ready_s": round(time.monotonic() - started, 2), "numerics": service.model.numerics}
    try:
        loads = {name: Load(service, texts, ledger) for name, ledger in ledgers.items()}
        found["kill"] = await hurt(loads["kill"], signal.SIGKILL, kills, (0.1, 2.0))
        found["freeze"] = await hurt(loads["freeze"], signal.SIGSTOP, max(1, kills // 10), (0.1, 2.0))
        found["leave"] = await leave(loads["leave"])
        found["memory"] = await go_on(service, texts, asked.texts)
        found["engine_restarts"] = service.condition.engine_restarts
        found["waiting_tokens_at_end"] = service.condition.waiting_tokens
    finally:
        await service.stop()
    return found


def main() -> None:
    reading = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    reading.add_argument("run")
    reading.add_argument("--kills", type=int, default=100)
    reading.add_argument("--texts", type=int, default=100_000, help="whose memory is measured at the end")
    reading.add_argument("--without-spare", action="store_true")
    reading.add_argument("--out", default="serve_faults")
    asked = reading.parse_args()
    texts = corpus("emotion")[0][:TEXTS]
    ledgers = {name: Ledger() for name in ("kill", "freeze", "leave")}
    found = asyncio.run(measured(asked, texts, ledgers))
    for name, ledger in ledgers.items():
        found[name] |= compared(asked.run, texts, ledger)
    found = {"kills": asked.kills, "spare": not asked.without_spare, "rate_per_s": RATE_PER_S, **found}
    print(write_result(asked.out, found, packages=["torch", "numpy"]))
    bad = ("lost", "answered_twice", "EngineError", "DeadlineError")
    is_well = not any(found[name].get(what, 0) for name in ledgers for what in bad)
    sys.exit(0 if is_well and all(found[name]["other_bits"] == 0 for name in ledgers) else 1)


def compared(run: str, texts: list[str], ledger: Ledger) -> dict[str, Any]:
    """Ask the library for the same texts, request by request: bits depend on how many texts a head sees at once."""
    predictor: Any = load(run)
    apart = [
        float(np.abs(found - predictor.predict([texts[place] for place in places]).probabilities).max())
        for places, found in ledger.answers
    ]
    return {"compared": len(apart), "other_bits": sum(one > 0 for one in apart), "farthest": max(apart, default=0.0)}


if __name__ == "__main__":
    main()
