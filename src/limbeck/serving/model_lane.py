"""Model lane: one model's requests on their way through its engine.

In: requests as rows of token ids. Out: the answers to each, once, whatever happens to engines meanwhile. Two batches
are under way at a time, so that the engine never waits for the front. It does not know texts or HTTP.

What an engine was given and did not answer when it ended waits again, before all others; the requests of the batch that
it was computing are computed apart (see `requests_apart`).
"""

import asyncio
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

import numpy as np

from limbeck.errors import DeadlineError, EngineError, LimbeckError, NotReadyError, OverloadedError
from limbeck.serving.admission import Admission, Asking, WorkRate
from limbeck.serving.engine_frames import EngineFrame
from limbeck.serving.engine_keeper import EngineKeeper
from limbeck.serving.engine_start import ENGINE_PROGRAM, StartedEngine
from limbeck.serving.flights import Flights
from limbeck.serving.loop_lag import LoopLag
from limbeck.serving.requests_apart import RequestsApart
from limbeck.serving.serve_settings import ServeSettings
from limbeck.serving.waiting import Queued, WaitingTexts
from limbeck.tokens import ReadTexts

MOST_FLIGHTS = 2
"""Batches that are under way at a time."""
HUNG_FACTOR, HUNG_LEAST_S = 10.0, 2.0
"""An engine that takes so many times what was predicted for a batch, and at least so long, hangs."""
_LEAD_S = 0.003
_LOOK_EVERY_S = 0.25
_PING_EVERY_S = 1.0
_SLEPT_S = 1.0
_CROWDED_S, _CROWDED_WAIT_S = 1.0, 0.25


@dataclass(frozen=True, kw_only=True, eq=False)
class LaneAnswer:
    """What the engine says of a request.

    Attributes:
        answers_NC: as `Bundle.answers` has them.
        vectors_NW: of the texts; None where they were not asked for.
        queue_s: seconds until its first batch was begun.
        engine_s: seconds of the batches that it was in.
    """

    answers_NC: np.ndarray
    vectors_NW: np.ndarray | None
    queue_s: float
    engine_s: float


class ModelLane:
    """Answers requests with one model.

    Attributes:
        keeper: of its engines.
    """

    def __init__(
        self,
        wish: Mapping[str, Any],
        settings: ServeSettings,
        *,
        say: Callable[[str], None],
        program: Sequence[str] = ENGINE_PROGRAM,
        ahead: StartedEngine | None = None,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self.keeper = EngineKeeper(wish, self, spare=settings.spare, say=say, program=program, ahead=ahead)
        self._admission = Admission(max_wait_s=settings.max_wait_s, max_waiting_tokens=settings.max_waiting_tokens)
        self._rate: WorkRate | None = None
        self._waiting = WaitingTexts()
        self._apart = RequestsApart()
        self._flights = Flights(self._loop.time())
        self._all: dict[int, Queued] = {}
        self._begun: dict[int, Queued] = {}
        self._numbers = count(1)
        self._wake: asyncio.TimerHandle | None = None
        self._next_look: asyncio.TimerHandle | None = None
        self._looked_s = self._loop.time()
        self._coming_tokens = 0
        self._refused_s = -math.inf
        self._lag = LoopLag()

    async def start(self) -> None:
        """Load the model and warm it.

        Raises:
            LimbeckError: the model cannot be served.
        """
        await self.keeper.start()
        self._look()

    @property
    def rate(self) -> WorkRate:
        """How long work takes here; known once the first engine is ready."""
        if self._rate is None:
            about = self.keeper.about
            if not about:
                raise NotReadyError("the model is being loaded: come back in a few seconds")
            short, many = about["short"], about["many"]
            self._rate = WorkRate((short[0], short[1]), (many[0], many[1]))
        return self._rate

    @property
    def why_not_ready(self) -> str:
        """What keeps a text that comes now from being answered soon; empty where nothing does."""
        if self.keeper.engine is None:
            return f"no engine computes: {self.keeper.why}"
        is_late = self._flights.first is not None and self._flights.computing_s(self._loop.time()) > self._patience_s()
        return "the engine hangs" if is_late else ""

    @property
    def waiting_tokens(self) -> int:
        """Tokens of texts that wait or are computed."""
        return self._waiting.tokens + self._apart.tokens + self._flights.tokens + self._coming_tokens

    @property
    def waiting_texts(self) -> int:
        """How many texts these are."""
        return sum(len(one.read) for one in self._all.values())

    def wait_s(self, client: str, tokens: int) -> float:
        """Predict the seconds until a request that comes now begins, given an engine."""
        before = self._waiting.tokens_before(client, tokens) + self._apart.tokens + self._coming_tokens
        return self.rate.seconds(before) + self._flights.left_s(self.rate, self._loop.time())

    def check(self, client: str, tokens: int, timeout_s: float) -> None:
        """Refuse a request that comes now where it would wait too long.

        Raises:
            TooLargeError: it is too large for any moment.
            OverloadedError: it would wait too long.
            NotReadyError: no engine computes, and none will soon enough.
        """
        ready_in_s = self.keeper.ready_in_s()
        asking = self._asking(client, tokens, timeout_s)
        if self.keeper.is_failing or (ready_in_s and ready_in_s + asking.ends_s > timeout_s):
            raise NotReadyError(f"no engine computes now ({self.keeper.why}): come back in a few seconds")
        try:
            self._admission.check(asking, self._loop.time())
        except OverloadedError:
            self._refused_s = self._loop.time()
            raise

    @property
    def is_crowded(self) -> bool:
        """Whether a request that comes now may be refused because too much waits."""
        was_full = self._loop.time() - self._refused_s < _CROWDED_S
        return was_full or self.rate.seconds(self.waiting_tokens) > _CROWDED_WAIT_S

    def refusal(self, client: str, tokens: int, timeout_s: float) -> OverloadedError | None:
        """Return what `check` would raise because too much waits; None where it would not, or says something else."""
        if self.keeper.is_failing or self.keeper.ready_in_s():
            return None
        now_s = self._loop.time()
        found = self._admission.refusal(self._asking(client, tokens, timeout_s), now_s)
        if found is not None:
            self._refused_s = now_s
        return found

    def _asking(self, client: str, tokens: int, timeout_s: float) -> Asking:
        return Asking(
            client=client,
            tokens=tokens,
            timeout_s=timeout_s,
            late_s=self._lag.ask(),
            wait_s=self.wait_s(client, tokens),
            work_s=self.rate.seconds(tokens),
            usual_work_s=self.rate.usual_s(tokens),
            waiting_tokens=self.waiting_tokens,
        )

    def come(self, tokens: int) -> None:
        """Count tokens that will wait soon, or (below 0) no more."""
        self._coming_tokens += tokens

    async def answer(self, read: ReadTexts, *, client: str, deadline_s: float, with_vectors: bool) -> LaneAnswer:
        """Let a request wait for its turns, and return what the engine says of it.

        Raises:
            DeadlineError: its time was over.
            EngineError: one of its texts breaks the engine.
        """
        now_s = self._loop.time()
        request = Queued(
            number=next(self._numbers),
            client=client,
            read=read,
            with_vectors=with_vectors,
            deadline_s=deadline_s,
            answer=self._loop.create_future(),
        )
        self._all[request.number] = request
        self._waiting.add(request)
        self._fill()
        try:
            async with asyncio.timeout_at(deadline_s):
                answers_NC, vectors_NW = await request.answer
        except TimeoutError as error:
            waited_s = self._loop.time() - now_s
            raise DeadlineError(f"the request was not answered within {waited_s:.2f} s: give it more time") from error
        finally:
            self._leave(request)
        begun_s = now_s if request.begun_s is None else request.begun_s
        return LaneAnswer(
            answers_NC=answers_NC, vectors_NW=vectors_NW, queue_s=begun_s - now_s, engine_s=request.engine_s
        )

    async def end(self) -> None:
        """End the engines; whoever still waits is told that nothing more comes."""
        for handle in (self._next_look, self._wake):
            if handle is not None:
                handle.cancel()
        for request in list(self._all.values()):
            self._fail(request, NotReadyError("the service ended before the request was answered: send it again"))
        await self.keeper.end()

    def engine_up(self) -> None:
        """Give the engine what waits."""
        self._flights.heard_s = self._loop.time()
        self._fill()

    def engine_answered(self, frame: EngineFrame) -> None:
        """Hand out what is done, and give the engine more."""
        found = self._flights.back(frame, self._loop.time())
        if found is None:
            self.keeper.kill("it answered a batch that it was not given")
            return
        flight, taken_s = found
        if "failed" in frame.said:
            raised = [one for one in flight.requests if self._begun.pop(one.number, None) is not None]
            self._doubt(raised, str(frame.said["why"]), raised=True)
        else:
            if flight.tokens:
                self.rate.note(flight.tokens, taken_s)
            for request in flight.requests:
                request.engine_s += taken_s
            self._hand_out(frame)
        self._fill()

    def engine_down(self, why: str) -> None:
        """Let all that it was given and did not answer wait again, apart what it may have ended over."""
        lost, begun = self._flights.lost(), list(self._begun.values())
        self._begun.clear()
        doubted = [] if lost is None else [one for one in lost.requests if one in begun]
        for request in doubted:
            request.kills += 1
        for request in reversed(begun):
            if request.is_apart:
                request.begin_again()
            elif request not in doubted:
                self._waiting.begin_again(request)
        self._doubt(doubted, why, raised=False)

    def _hand_out(self, frame: EngineFrame) -> None:
        answers_at = vectors_at = 0
        for number, texts, with_vectors, bad in frame.said["done"]:
            answers_NC, vectors_NW = frame.arrays[0][answers_at : answers_at + texts], None
            answers_at += texts
            if with_vectors:
                vectors_NW = frame.arrays[1][vectors_at : vectors_at + texts]
                vectors_at += texts
            request = self._begun.pop(number, None)
            if request is None or request.answer.done():  # nobody waits for it any more
                continue
            if bad:
                self._fail(request, EngineError(f"text {bad[0]}: the model gives no number for it"))
            else:
                request.answer.set_result((answers_NC, vectors_NW))

    def _doubt(self, doubted: Sequence[Queued], why: str, *, raised: bool) -> None:
        if not doubted:
            return
        found = self._apart.doubt(doubted, raised=raised)
        for request in doubted:
            self._waiting.set_apart(request)
        if found is not None:
            self._fail(found, EngineError(f"a text of the request breaks the engine: {why}"))

    def _fail(self, request: Queued, error: LimbeckError) -> None:
        self._begun.pop(request.number, None)
        self._waiting.leave(request)
        if not request.answer.done():
            request.answer.set_exception(error)

    def _leave(self, request: Queued) -> None:
        """Forget a request, answered or not; the engine is told where it has rows of it."""
        del self._all[request.number]
        self._waiting.leave(request)
        if self._begun.pop(request.number, None) is not None:
            self._flights.forget(request)

    def _fill(self) -> None:
        """Give the engine all that it should have now."""
        while (engine := self.keeper.engine) is not None and len(self._flights) < MOST_FLIGHTS:
            now_s = self._loop.time()
            most = self.rate.batch_tokens
            if self._apart and len(self._flights):
                return
            parts = self._apart.take(most, now_s)
            if not parts and not self._is_early(now_s):
                # What cannot be back in time is not computed; an idle engine tries, or nothing would be measured.
                back_s = self._flights.left_s(self.rate, now_s)
                soon_s = back_s + self.rate.seconds(min(most, self._waiting.tokens)) if back_s else 0.0
                parts = self._waiting.take(most, now_s + soon_s)
            if not parts:
                return
            for part in parts:
                request = part.request
                self._begun[request.number] = request
                request.begun_s = now_s if request.begun_s is None else request.begun_s
            engine.send(self._flights.send(parts, now_s))

    def _is_early(self, now_s: float) -> bool:
        """Tell whether a batch that is not full can wait for more: the engine computes another, until about then."""
        if not len(self._flights) or self._waiting.tokens >= self.rate.batch_tokens:
            return False
        early_s = self._flights.left_s(self.rate, now_s) - _LEAD_S
        if early_s > 0 and self._wake is None and self._waiting.tokens:
            self._wake = self._loop.call_at(now_s + early_s, self._woken)
        return early_s > 0

    def _woken(self) -> None:
        self._wake = None
        self._fill()

    def _patience_s(self) -> float:
        """Return the seconds that the batch which is being computed may take."""
        first = self._flights.first
        return max(HUNG_LEAST_S, HUNG_FACTOR * self.rate.seconds(first.tokens) if first is not None else 0.0)

    def _look(self) -> None:
        """Find an engine that hangs; one that has nothing to do is asked whether it is alive."""
        now_s = self._loop.time()
        if now_s - self._looked_s > _SLEPT_S:  # the front itself did not run: the engine may be well
            self._flights.heard_s = now_s
        self._looked_s = now_s
        self.keeper.look()
        engine = self.keeper.engine
        if engine is not None and self._flights.first is not None:
            patience_s = self._patience_s()
            if self._flights.computing_s(now_s) > patience_s:
                tokens = self._flights.first.tokens
                self.keeper.kill(f"it hung: a batch of {tokens:,} tokens took longer than {patience_s:.1f} s")
        elif engine is not None and now_s - self._flights.heard_s > _PING_EVERY_S:
            engine.send(self._flights.send((), now_s))
        self._next_look = self._loop.call_later(_LOOK_EVERY_S, self._look)
