"""Does the memory of a service stay flat, however many texts it answers?

In: a folder of a model, how many texts. Out: the memory of front and engine, by how many texts were answered.
Texts are all different; requests are small and large; some are wrong, and some clients leave before the answer.
"""

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from served import HOST, Served, post_bytes, read_reply, resident_mib

CLIENTS = 6
SIZES, WEIGHTS = (1, 8, 64, 256), (20, 20, 40, 20)
WRONG_SHARE, LEAVING_SHARE, LONG_SHARE = 0.01, 0.01, 0.01
LONG_WORDS = 900
MOST_WORDS = 8
SAMPLED_EVERY_S = 2.0
SHOWN_SAMPLES = 30
TOO_MANY = 429


@dataclass
class Memory:
    """What was seen.

    Attributes:
        answered: texts so far.
        statuses: of answers; "left" where the client did not wait.
        samples: texts answered, MiB of the front, MiB of its engines.
    """

    answered: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    samples: list[tuple[int, float, float]] = field(default_factory=list)

    def summary(self, count: int) -> dict[str, Any]:
        """Return the memory at the first tenth, and the highest after it."""
        first = next(one for one in self.samples if one[0] >= count / 10)
        after = [one for one in self.samples if one[0] >= first[0]]
        every = max(1, len(self.samples) // SHOWN_SAMPLES)
        found: dict[str, Any] = {"statuses": dict(self.statuses)}
        for place, name in ((1, "front"), (2, "engine")):
            highest = max(one[place] for one in after)
            found[name] = {
                "at_a_tenth_mib": first[place],
                "highest_after_mib": highest,
                "at_the_end_mib": self.samples[-1][place],
                "highest_to_a_tenth": round(highest / first[place], 3),
            }
        return {**found, "texts_front_engine": self.samples[::every]}


def bodies(words: Sequence[str], chance: random.Random) -> Iterator[tuple[Any, int]]:
    """Give the bodies of requests without end, and how many texts each has."""
    while True:
        size = chance.choices(SIZES, WEIGHTS)[0]
        texts = [" ".join(chance.choices(words, k=chance.randint(1, MOST_WORDS))) for _ in range(size)]
        if chance.random() < LONG_SHARE:
            texts[0] = " ".join(chance.choices(words, k=LONG_WORDS))
        yield {"input": [*texts, 5] if chance.random() < WRONG_SHARE else texts}, size


async def answer_many(run: Path | str, count: int, texts: Sequence[str]) -> dict[str, Any]:
    """Have so many texts answered; return the memory meanwhile."""
    served = await Served.begin(run, spare=False, max_wait_s=20.0)
    memory, chance = Memory(), random.Random(0)  # noqa: S311  # drawn texts, no secret
    asked = bodies(sorted({word for text in texts for word in text.split()}), chance)
    try:
        await served.is_up()
        begun_s = time.monotonic()
        looking = asyncio.ensure_future(_look(served, memory))
        await asyncio.gather(*(_client(served, memory, asked, count, chance) for _ in range(CLIENTS)))
        seconds = time.monotonic() - begun_s
        looking.cancel()
        _sample(served, memory)
        served.end()
        status = await served.process.wait()
    finally:
        await served.kill()
    rate = round(memory.answered / seconds)
    return {"texts": memory.answered, "texts_per_s": rate, "exit_status": status, **memory.summary(count)}


async def _client(
    served: Served, memory: Memory, asked: Iterator[tuple[Any, int]], count: int, chance: random.Random
) -> None:
    """Ask, one request after the other, until so many texts are answered."""
    while memory.answered < count:
        reader, writer = await asyncio.open_connection(HOST, served.port)
        try:
            while memory.answered < count:
                body, size = next(asked)
                writer.write(post_bytes("/classify", body))
                if chance.random() < LEAVING_SHARE:
                    memory.statuses["left"] += 1
                    break
                reply = await read_reply(reader)
                memory.statuses[str(reply.status)] += 1
                memory.answered += size if reply.status == 200 else 0
                if reply.status == TOO_MANY:
                    await asyncio.sleep(float(reply.headers["retry-after"]))
                    break  # a connection that was idle for so long may be closed
        finally:
            writer.close()


async def _look(served: Served, memory: Memory) -> None:
    while True:
        _sample(served, memory)
        print(f"    memory: {json.dumps(memory.samples[-1])}", flush=True)
        await asyncio.sleep(SAMPLED_EVERY_S)


def _sample(served: Served, memory: Memory) -> None:
    front, engines = resident_mib([served.process.pid]), resident_mib(served.engines)
    memory.samples.append((memory.answered, front, engines))
