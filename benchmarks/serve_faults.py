"""Does the service lose a request when its engine is killed or frozen, when clients leave, and when it is told to end?

    python benchmarks/serve_faults.py RUN [--kills 100] [--stops 100] [--texts 1000000] [--only PART,…] [--small FOLDER]

    kill, freeze   at random moments, while tweets are asked for at a steady rate, the engine gets SIGKILL, or SIGSTOP
    leave          a thousand clients leave
    stop, stop_run `limbeck serve` gets SIGTERM at random moments, under load over HTTP: with an engine that only adds
                   numbers up and starts at once, and with RUN
    memory         of front and engine while a small model answers many texts

Every request has a line in a ledger; of kill, freeze and leave each answer is compared, bit for bit, with what
`limbeck.load(RUN).predict` says. Writes results/serve_faults.json, where parts that were not asked for stay as they
are; ends with status 1 where a request was lost, answered twice, or not answered, or memory grew.
"""

import argparse
import asyncio
import os
import random
import signal
import statistics
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from measure import RESULTS, commit, read_result, write_result
from serve_memory import answer_many
from serve_plain import plain_model
from serve_stops import stop_under_load
from served import PLAIN
from workloads import corpus, small_classifier

from limbeck.catalog.presets import load_tokenizer
from limbeck.errors import LimbeckError
from limbeck.inference.predictor import load
from limbeck.serving.local_service import LocalService
from limbeck.serving.serve_settings import ServeSettings
from limbeck.serving.service import Asked

RATE_PER_S = 40.0
TEXTS = 400
LEAVING = 1_000
PATIENCE_S, MAX_WAIT_S = 25.0, 5.0
"""What is accepted waits for 5 s at most as predicted; freezes of 2 s and spare engines that load, which nobody could
predict, must not make 25 s of it."""
INSIDE = ("kill", "freeze", "leave")
PARTS = (*INSIDE, "stop", "stop_run", "memory")
FLAT = 1.1
"""Memory that is higher than so many times what it was at the first tenth has grown."""
SHARE_OF_RUN = 10
"""Of the stops, every tenth is of RUN."""


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

    def __init__(self, service: LocalService, texts: list[str], ledger: Ledger, rate_per_s: float) -> None:
        self.service, self.texts, self.ledger, self.rate_per_s = service, texts, ledger, rate_per_s
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
            while sent < (now - started) * self.rate_per_s:
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


async def hurt_inside(
    asked: argparse.Namespace, parts: list[str], texts: list[str], ledgers: dict[str, Ledger]
) -> dict[str, Any]:
    """Run the trials of one service in this process."""
    settings = ServeSettings(spare=not asked.without_spare, max_wait_s=MAX_WAIT_S, timeout_s=PATIENCE_S)
    service = LocalService(asked.run, settings, say=lambda line: print(line, file=sys.stderr, flush=True))
    started = time.monotonic()
    await service.start()
    about = {"ready_s": round(time.monotonic() - started, 2), "numerics": service.model.numerics}
    found: dict[str, Any] = {}
    try:
        for part in parts:
            load_, restarts = Load(service, texts, ledgers[part], asked.rate), service.condition.engine_restarts
            begun_s = time.monotonic()
            if part == "kill":
                found[part] = await hurt(load_, signal.SIGKILL, asked.kills, (0.1, 2.0))
            elif part == "freeze":
                found[part] = await hurt(load_, signal.SIGSTOP, max(1, asked.kills // 10), (0.1, 2.0))
            else:
                found[part] = await leave(load_)
            condition = service.condition
            found[part] |= {
                **about,
                "spare": settings.spare,
                "rate_per_s": asked.rate,
                "engine_restarts": condition.engine_restarts - restarts,
                "waiting_tokens_at_end": condition.waiting_tokens,
                "took_s": round(time.monotonic() - begun_s, 1),
            }
    finally:
        await service.stop()
    return found


async def served_outside(asked: argparse.Namespace, part: str, texts: list[str], folder: Path) -> dict[str, Any]:
    """Run a trial of `limbeck serve` as a process."""
    begun_s = time.monotonic()
    if part == "memory":
        found = await answer_many(asked.small or small_classifier(folder), asked.texts, texts)
    elif part == "stop":
        plain = plain_model(folder, load_tokenizer("minilm"))
        found = await stop_under_load(plain, asked.stops, texts, program=PLAIN)
    else:
        found = await stop_under_load(asked.run, max(1, asked.stops // SHARE_OF_RUN), texts)
    return {**found, "took_s": round(time.monotonic() - begun_s, 1)}


def main() -> None:
    reading = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    reading.add_argument("run")
    reading.add_argument("--kills", type=int, default=100)
    reading.add_argument("--rate", type=float, default=RATE_PER_S, help="requests per second, of 1 to 4 texts each")
    reading.add_argument("--stops", type=int, default=100, help="with a plain engine; a tenth as many of RUN")
    reading.add_argument("--texts", type=int, default=1_000_000, help="during which memory is measured")
    reading.add_argument("--only", default=",".join(PARTS), help=f"parts: {', '.join(PARTS)}")
    reading.add_argument("--small", type=Path, help="another model for memory; one is made where none is given")
    reading.add_argument("--without-spare", action="store_true")
    reading.add_argument("--out", default="serve_faults")
    asked = reading.parse_args()
    parts = [part for part in PARTS if part in asked.only.split(",")]
    texts = corpus("emotion")[0][:TEXTS]
    ledgers = {name: Ledger() for name in INSIDE}
    found: dict[str, Any] = {}
    if inside := [part for part in parts if part in INSIDE]:
        found |= asyncio.run(hurt_inside(asked, inside, texts, ledgers))
        for part in inside:
            found[part] |= compared(asked.run, texts, ledgers[part])
    with tempfile.TemporaryDirectory() as folder:
        for part in parts:
            if part not in INSIDE:
                found[part] = asyncio.run(served_outside(asked, part, texts, Path(folder)))
    is_well = all(is_good(part, of_part) for part, of_part in found.items())
    before = read_result(asked.out) if (RESULTS / f"{asked.out}.json").exists() else {}
    kept = {part: before[part] for part in PARTS if part in before}
    new = {part: {**of_part, "commit": commit()} for part, of_part in found.items()}
    print(write_result(asked.out, {**kept, **new}, packages=["torch", "numpy", "uvicorn", "starlette"]))
    sys.exit(0 if is_well else 1)


def is_good(part: str, found: dict[str, Any]) -> bool:
    """Tell whether a part went as the service promises."""
    if part == "memory":
        return all(found[name]["highest_to_a_tenth"] <= FLAT for name in ("front", "engine"))
    bad = ("lost", "answered_twice", "EngineError", "DeadlineError", "other_bits", "wrong_count")
    return not any(found.get(what, 0) for what in bad)


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
