"""Local service and its engines: one that dies, hangs or breaks costs no request its answer."""

import asyncio
import errno
import os
import random
import signal
import socket
from typing import Any

import numpy as np
import pytest
from tests.serving.engines import (
    PLAIN_PROGRAM,
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
from limbeck.serving import engine_start
from limbeck.serving.local_service import LocalService
from limbeck.serving.serve_settings import ServeSettings
from limbeck.settings import FeatureSettings
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
            errors = {place: one for place, one in enumerate(found) if isinstance(one, LimbeckError)}
            assert list(errors) == [13], errors
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


def test_an_engine_that_cannot_be_started_is_tried_again(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed while no file can be opened (EMFILE), or no process started (EAGAIN): it is replaced when one can be."""
    reasons = [OSError(errno.EMFILE, os.strerror(errno.EMFILE)), OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))]
    pair, popen = engine_start.socket.socketpair, engine_start.subprocess.Popen

    def socketpair() -> tuple[socket.socket, socket.socket]:
        if reasons and reasons[0].errno == errno.EMFILE:
            raise reasons.pop(0)
        return pair()

    def start(*given: Any, **more: Any) -> Any:
        if reasons:
            raise reasons.pop(0)
        return popen(*given, **more)

    async def work() -> None:
        async with serving(make()) as service:
            pid = engine_pid(service)
            assert pid is not None
            monkeypatch.setattr(engine_start.socket, "socketpair", socketpair)
            monkeypatch.setattr(engine_start.subprocess, "Popen", start)
            os.kill(pid, signal.SIGKILL)
            await until(lambda: "Too many open files" in service.condition.why)
            await until(lambda: engine_pid(service) not in (None, pid))
            assert reasons == []
            assert (await service.answer(asking("fine"))).model_digest == service.model.digest

    run(work())


def test_engines_that_do_not_come_up_are_told(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each in a line, with the reason: nobody has to ask for readiness to learn why there is none."""
    said: list[str] = []

    async def work() -> None:
        folder = make()
        service = LocalService(str(folder), ServeSettings(spare=False), program=PLAIN_PROGRAM, say=said.append)
        await service.start()
        try:
            (folder / "about.json").unlink()
            pid = engine_pid(service)
            assert pid is not None
            os.kill(pid, signal.SIGKILL)
            await until(
                lambda: any("is gone, and another one is started" in line and "holds no model" in line for line in said)
            )
        finally:
            await service.stop()

    run(work())


def test_an_engine_that_was_started_ahead_is_the_first_one(make: Make) -> None:
    """It is listened to, answers, and is replaced like any other; no second one is started for nothing."""

    async def work() -> None:
        folder = make()
        ahead = engine_start.start_engine(engine_start.wish_of(str(folder), FeatureSettings()), PLAIN_PROGRAM)
        service = LocalService(str(folder), ServeSettings(spare=False), program=PLAIN_PROGRAM, ahead=ahead)
        await service.start()
        try:
            assert engine_pid(service) == ahead.child.pid
            assert (await service.answer(asking("fine"))).model_digest == service.model.digest
            ahead.child.kill()
            await until(lambda: engine_pid(service) not in (None, ahead.child.pid))
            assert (await service.answer(asking("fine"))).model_digest == service.model.digest
        finally:
            await service.stop()

    run(work())
