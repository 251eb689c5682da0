"""Local service: every request that is taken has one answer, whatever happens to clients and models."""

import asyncio
import gc
import os
import random
import signal
from pathlib import Path
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
    is_dead,
    outcome,
    probabilities,
    run,
    serving,
    until,
)

from limbeck.errors import (
    BundleError,
    DataError,
    DeadlineError,
    ModelError,
    NotReadyError,
    OverloadedError,
    TooLargeError,
)
from limbeck.serving.local_service import LocalService
from limbeck.serving.serve_settings import ServeSettings
from limbeck.serving.service import Answered
from limbeck.serving.waiting import Queued, RowsTaken, WaitingTexts


def test_answers_are_the_models_in_the_order_of_the_texts(make: Make) -> None:
    """Many requests at once, of one text or several, short and long ones: each gets the answers to its own texts."""

    async def work() -> None:
        async with serving(make(window="all")) as service:
            chance = random.Random(1)  # noqa: S311  # drawn texts, no secret
            asked = [drawn(chance) if place % 9 else ("sun rain " * 40, "fine") for place in range(150)]
            found = await asyncio.gather(*(service.answer(asking(*texts)) for texts in asked))
            for texts, answered in zip(asked, found, strict=True):
                np.testing.assert_array_equal(probabilities(answered), expected(service, texts))
                assert answered.predictions.texts == texts
                assert answered.model_digest == service.model.digest
            assert service.condition.waiting_texts == service.condition.waiting_tokens == 0

    run(work())


def test_what_was_cut_is_told_or_refused(make: Make) -> None:
    """A text above the limit says how many tokens were not read; where it may not be cut, it is refused."""

    async def work() -> None:
        async with serving(make()) as service:
            long = "sun " * 20
            answered = await service.answer(asking("fine", long))
            assert answered.cut_tokens.tolist() == [0, 14]
            assert answered.predictions.truncated.tolist() == [False, True]
            with pytest.raises(DataError, match="text 1 has 22 tokens"):
                await service.answer(asking("fine", long, truncate=False))

    run(work())


def test_vectors_come_where_they_are_asked_for(make: Make) -> None:
    """Requests with and without vectors share batches."""

    async def work() -> None:
        async with serving(make(start_s=0.005)) as service:
            texts = [("sun",), ("rain", "so sad"), ("fine",)] * 4
            found = await asyncio.gather(
                *(service.answer(asking(*one, vectors=bool(place % 2))) for place, one in enumerate(texts))
            )
            for place, (one, answered) in enumerate(zip(texts, found, strict=True)):
                if place % 2:
                    assert answered.vectors is not None
                    np.testing.assert_array_equal(answered.vectors, expected(service, one)[:, :1])
                else:
                    assert answered.vectors is None

    run(work())


@pytest.mark.parametrize(
    ("settings", "texts", "message"),
    [
        ({"max_texts": 2}, ["a"] * 3, "3 texts.*limit is 2.*--max-texts"),
        ({"max_characters": 9}, ["fine", "a" * 10], "text 1 has 10 characters.*limit is 9.*--max-characters"),
        ({"max_text_tokens": 6}, ["so " * 5], "text 0 has 7 tokens.*limit is 6.*--max-text-tokens"),
        ({"max_waiting_tokens": 20}, ["so " * 5] * 9, "max_waiting_tokens"),
    ],
)
def test_each_limit_is_named_with_what_was_given(
    make: Make, settings: dict[str, Any], texts: list[str], message: str
) -> None:
    """A request above a limit is refused with the limit, what it has, and the flag; at the limit it is taken."""

    async def work() -> None:
        async with serving(make(), **settings) as service:
            with pytest.raises(TooLargeError, match=message):
                await service.answer(asking(*texts))
            await service.answer(asking("fine"))

    run(work())


def test_clients_that_go_away_cost_nothing(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """ray#41057: good requests, a storm of cancelled ones, good requests: all good ones are answered, nothing stays."""
    computed: list[int] = []
    take = WaitingTexts.take

    def counted(waiting: WaitingTexts, most_tokens: int, now_s: float) -> list[RowsTaken]:
        taken = take(waiting, most_tokens, now_s)
        computed.extend(part.tokens for part in taken)
        return taken

    monkeypatch.setattr(WaitingTexts, "take", counted)

    async def work() -> None:
        async with serving(make(token_s=1e-4), max_wait_s=60.0) as service:
            first = [asyncio.ensure_future(service.answer(asking("so sad"))) for _ in range(20)]
            storm = [
                asyncio.ensure_future(service.answer(asking("sun " * 6, "rain", client=str(place % 7))))
                for place in range(1_000)
            ]
            await asyncio.sleep(0.01)
            for task in storm:
                task.cancel()
            third = [asyncio.ensure_future(service.answer(asking("fine"))) for _ in range(20)]
            await asyncio.gather(*first, *third)
            assert sum(computed) < 2_000  # 1,000 of them have 11,000 tokens
            await asyncio.gather(*storm, return_exceptions=True)
            assert service.condition.waiting_tokens == service.condition.waiting_texts == 0
            del first, storm, third, task
            await service.answer(asking("fine"))
            gc.collect()
            assert [one for one in gc.get_objects() if type(one) is Queued] == []  # isinstance asks, and some warn

    run(work())


def test_what_is_too_late_is_told_in_time_and_not_computed(make: Make) -> None:
    """A request of 50 ms behind an engine that stands still has its error while it does, and nothing of it stays."""

    async def work() -> None:
        async with serving(make()) as service:
            await service.answer(asking("fine"))
            pid = engine_pid(service)
            assert pid is not None
            os.kill(pid, signal.SIGSTOP)  # an engine that takes longer than anybody could predict
            found = await asyncio.gather(*(outcome(service.answer(asking("so sad", timeout_s=0.05))) for _ in range(5)))
            assert all(isinstance(one, DeadlineError) for one in found)
            os.kill(pid, signal.SIGCONT)
            await service.answer(asking("fine"))
            assert service.condition.waiting_tokens == 0

    run(work())


def test_what_would_wait_too_long_is_refused_at_once(make: Make) -> None:
    """Above the limit the answer is "come back in n s"; a short request of another client is still taken."""

    async def work() -> None:
        async with serving(make(token_s=5e-4), max_wait_s=1.0) as service:
            many = [
                asyncio.ensure_future(outcome(service.answer(asking("so sad today", client="batch", timeout_s=9.0))))
                for _ in range(1_000)
            ]
            await asyncio.sleep(0)
            await service.answer(asking("fine", client="person"))
            answered_before = [one for one in many if one.done() and isinstance(one.result(), Answered)]
            assert len(answered_before) < 100
            found = await asyncio.gather(*many)
            refused = [one for one in found if isinstance(one, OverloadedError)]
            assert 100 < len(refused) < 950
            assert all(1 <= one.retry_after_s <= 3 for one in refused)
            assert all(isinstance(one, Answered | OverloadedError) for one in found)

    run(work())


def test_a_new_model_answers_from_one_request_to_the_next(make: Make) -> None:
    """Under load: no error, each request is answered by one model and says which; the order of models is kept."""

    async def work() -> None:
        async with serving(make(digest="a" * 64)) as service:
            other = make("OTHER", digest="b" * 64)
            digests = []

            async def ask() -> None:
                digests.append((await service.answer(asking("so sad", "fine"))).model_digest[0])

            tasks = []
            swap = asyncio.ensure_future(service.swap(str(other)))
            after = 0
            while after < 20:
                after += swap.done()
                tasks.append(asyncio.ensure_future(ask()))
                await asyncio.sleep(0.002)
            await asyncio.gather(*tasks)
            assert (await swap).digest == service.model.digest == "b" * 64
            assert set(digests) == {"a", "b"}
            assert digests[-1] == "b"
            assert service.condition.swaps == {"ok": 1, "refused": 0}

    run(work())


def test_a_broken_model_is_not_taken(make: Make, tmp_path: Path) -> None:
    """Other labels, no model, one that answers with NaN: refused with the reason, and the old one goes on."""

    async def work() -> None:
        async with serving(make(digest="a" * 64)) as service:
            poison = service.model.tokenizer.cls_id
            broken = {
                "its labels": make("LABELS", label_names=("joy", "anger")),
                "holds no model": tmp_path / "nothing",
                "no number": make("NAN", harm={str(poison): "nan"}),
                "breaks the engine": make("RAISES", harm={str(poison): "raise"}),
            }
            for why, folder in broken.items():
                with pytest.raises(ModelError, match=f"(?s)RUN goes on.*{why}"):
                    await service.swap(str(folder))
                assert (await service.answer(asking("fine"))).model_digest == "a" * 64
            assert service.condition.swaps == {"ok": 0, "refused": 4}

    run(work())


def test_stopping_answers_what_was_taken_and_takes_nothing_more(make: Make) -> None:
    """A drain loses nothing: requests under way are answered, new ones are told, engines are gone at the end."""

    async def work() -> None:
        async with serving(make(token_s=1e-3), max_wait_s=30.0) as service:
            taken = [asyncio.ensure_future(service.answer(asking("so sad today"))) for _ in range(100)]
            await asyncio.sleep(0.01)
            pid = engine_pid(service)
            stop = asyncio.ensure_future(service.stop())
            await asyncio.sleep(0)
            assert not service.condition.is_ready
            with pytest.raises(NotReadyError):
                await service.answer(asking("fine"))
            assert len(await asyncio.gather(*taken)) == 100
            await stop
            assert pid is not None
            await until(lambda: not Path(f"/proc/{pid}").exists() or is_dead(pid))

    run(work())


def test_stopping_ends_within_the_grace(make: Make) -> None:
    """Who is not answered by then is told so: nobody waits for ever."""

    async def work() -> None:
        async with serving(make(token_s=0.05), max_wait_s=60.0, grace_s=0.3) as service:
            taken = [asyncio.ensure_future(outcome(service.answer(asking("so sad today")))) for _ in range(20)]
            await asyncio.sleep(0.01)
            await service.stop()
            found = await asyncio.gather(*taken)
            assert any(isinstance(one, NotReadyError) for one in found)

    run(work())


def test_a_model_that_cannot_be_served_says_why(tmp_path: Path) -> None:
    """What the engine says of a folder is raised as it is, and nothing is left running."""

    async def work() -> None:
        service = LocalService(str(tmp_path / "nothing"), ServeSettings(), program=PLAIN_PROGRAM)
        with pytest.raises(BundleError, match="holds no model"):
            await service.start()
        with pytest.raises(NotReadyError):
            await service.answer(asking("fine"))
        await service.stop()

    run(work())
