"""Local service and its engines: one that dies, hangs or breaks costs no request its answer."""

import asyncio
import os
import random
import signal

import numpy as np
import pytest
from tests.serving.engines import (
    Make,
    asking,
    drawn,
    engine_pid,
    expected,
    outcome,
    probabilities,
    run,
    serving,
    until,
)

from limbeck.errors import (
    EngineError,
    LimbeckError,
    NotReadyError,
)
from limbeck.tokens import Tokenizer

KILLS = 5


@pytest.mark.slow
def test_no_request_is_lost_or_answered_twice_when_engines_are_killed(make: Make) -> None:
    """Kill -9 of the engine, a dozen times under load: every request has its one right answer."""

    async def work() -> None:
        async with serving(make(token_s=2e-5, start_s=0.001), spare=True, max_wait_s=20.0) as service:
            chance = random.Random(2)  # noqa: S311  # drawn texts, no secret
            answers = 0

            async def ask(texts: tuple[str, ...]) -> None:
                nonlocal answers
                answered = await service.answer(asking(*texts, timeout_s=20.0))
                np.testing.assert_array_equal(probabilities(answered), expected(service, texts))
                answers += 1

            tasks, killed = [], set()
            while len(killed) < KILLS:
                tasks.append(asyncio.ensure_future(ask(drawn(chance))))
                await asyncio.sleep(0.002)
                pid = engine_pid(service)
                if pid is not None and pid not in killed and chance.random() < 0.01:
                    os.kill(pid, signal.SIGKILL)
                    killed.add(pid)
            await asyncio.gather(*tasks)
            assert answers == len(tasks)
            await until(lambda: service.condition.engine_restarts >= KILLS)

    run(work())


@pytest.mark.slow
def test_a_frozen_engine_is_noticed_and_replaced(make: Make) -> None:
    """SIGSTOP: the service is not ready within seconds, the engine is replaced, and the request answered."""

    async def work() -> None:
        async with serving(make()) as service:
            await service.answer(asking("fine"))
            pid = engine_pid(service)
            assert pid is not None
            os.kill(pid, signal.SIGSTOP)
            answered = await service.answer(asking("so sad"))
            np.testing.assert_array_equal(probabilities(answered), expected(service, ("so sad",)))
            assert engine_pid(service) not in (pid, None)
            assert service.condition.is_ready

    run(work())


@pytest.mark.slow
def test_an_idle_engine_that_freezes_is_found_without_a_request(make: Make) -> None:
    """Readiness is of progress: an engine that does not answer a question about its health is replaced."""

    async def work() -> None:
        async with serving(make()) as service:
            pid = engine_pid(service)
            assert pid is not None
            os.kill(pid, signal.SIGSTOP)
            await until(lambda: engine_pid(service) not in (pid, None), 10.0)

    run(work())


@pytest.mark.parametrize("harm", ["raise", "nan", pytest.param("kill", marks=pytest.mark.slow)])
def test_one_text_that_breaks_the_engine_fails_alone(make: Make, tiny_tokenizer: Tokenizer, harm: str) -> None:
    """Among 32 requests in the same batches, 31 are answered and one is told that it breaks the engine."""

    async def work() -> None:
        poison = tiny_tokenizer.vocabulary()["rain"]
        async with serving(make(harm={str(poison): harm}, start_s=0.002)) as service:
            texts = [("so sad" if place != 13 else "it is rain",) for place in range(32)]
            found = await asyncio.gather(*(outcome(service.answer(asking(*one))) for one in texts))
            errors = [place for place, one in enumerate(found) if isinstance(one, LimbeckError)]
            assert errors == [13]
            assert isinstance(found[13], EngineError)
            await service.answer(asking("fine"))
            assert service.condition.waiting_tokens == 0

    run(work())


@pytest.mark.slow
def test_one_text_that_hangs_the_engine_fails_alone(
    make: Make, tiny_tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch without an end is as good as a kill."""
    monkeypatch.setattr("limbeck.serving.model_lane.HUNG_LEAST_S", 0.3)

    async def work() -> None:
        poison = tiny_tokenizer.vocabulary()["rain"]
        async with serving(make(harm={str(poison): "hang"})) as service:
            found = await asyncio.gather(*(outcome(service.answer(asking(one))) for one in ("sun", "rain", "fine")))
            assert [isinstance(one, EngineError) for one in found] == [False, True, False]

    run(work())


def test_an_engine_of_other_bytes_never_answers(make: Make) -> None:
    """The folder is overwritten and the engine killed: the new one would be another model, and is not taken."""

    async def work() -> None:
        async with serving(make(digest="a" * 64)) as service:
            make(digest="b" * 64)
            pid = engine_pid(service)
            assert pid is not None
            os.kill(pid, signal.SIGKILL)
            await until(lambda: "another model" in service.condition.why)
            assert not service.condition.is_ready
            with pytest.raises(NotReadyError):
                await service.answer(asking("fine"))
            make(digest="a" * 64)
            await until(lambda: service.condition.is_ready, 10.0)
            assert (await service.answer(asking("fine"))).model_digest == "a" * 64

    run(work())
