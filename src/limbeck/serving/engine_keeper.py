"""Engine keeper: one engine that computes, another that is ready to take over, and new ones for those that end.

In: which model, and who uses the engine. Out: the engine that computes now. An engine is replaced by one that loaded
the same bytes, or by none. It does not know what is computed.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from limbeck.errors import EngineError, LimbeckError
from limbeck.serving.engine_frames import EngineFrame
from limbeck.serving.engine_process import EngineProcess
from limbeck.serving.engine_start import ENGINE_PROGRAM, StartedEngine, start_engine

SILENT_S = 60.0
"""An engine that loads and says nothing for so long hangs."""
_MOST_FIRST_TRIES = 2
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.25, 30.0
_SPARE_AFTER_S = 0.5
_ENDED_S = 2.0


class EngineUser(Protocol):
    """Uses the engine."""

    def engine_up(self) -> None:
        """An engine computes now."""
        ...

    def engine_answered(self, frame: EngineFrame) -> None:
        """It answered a batch."""
        ...

    def engine_down(self, why: str) -> None:
        """It ended; what it was given and did not answer is lost."""
        ...


class EngineKeeper:
    """Keeps an engine computing.

    Attributes:
        engine: that computes now; None while there is none.
        about: what the first one said of the model.
        restarts: engines that were replaced.
        why: why there is none, or why the last one ended.
    """

    def __init__(
        self,
        wish: Mapping[str, Any],
        user: EngineUser,
        *,
        spare: bool,
        say: Callable[[str], None],
        program: Sequence[str] = ENGINE_PROGRAM,
        ahead: StartedEngine | None = None,
    ) -> None:
        self._wish, self._user, self._spare, self._say, self._program = wish, user, spare, say, program
        self._ahead = ahead
        self._loop = asyncio.get_running_loop()
        self._all: list[EngineProcess] = []
        self._ended: list[EngineProcess] = []
        self._first: asyncio.Future[None] = self._loop.create_future()
        self._task: asyncio.Task[None] | None = None
        self._failures = 0
        self._begun_s = self._loop.time()
        self._load_s = 0.0
        self._is_closed = False
        self.engine: EngineProcess | None = None
        self.about: Mapping[str, Any] = {}
        self.restarts = 0
        self.why = "the model is being loaded"

    async def start(self) -> None:
        """Start the first engine; returns when it can compute.

        Raises:
            LimbeckError: what the engine says of a model that it cannot serve.
            EngineError: no engine stays alive.
        """
        self._keep()
        await self._first

    def ready_in_s(self) -> float:
        """Return the seconds until an engine computes, as the first one took them; 0 where one does."""
        if self.engine is not None:
            return 0.0
        return max(self._load_s - (self._loop.time() - self._begun_s), 0.1)

    @property
    def has_spare(self) -> bool:
        """Whether another engine is ready to take over."""
        return any(one.is_ready for one in self._all if one is not self.engine)

    @property
    def is_failing(self) -> bool:
        """Whether no engine computes, and the last one that was started did not come up."""
        return self.engine is None and self._failures > 0

    def kill(self, why: str) -> None:
        """End the engine that computes: it hangs, or says what is no frame."""
        if self.engine is not None:
            self.engine.kill(why)

    def look(self) -> None:
        """End engines that hang while they load."""
        now_s = self._loop.time()
        for one in list(self._all):
            if not one.is_ready and now_s - one.last_heard_s > SILENT_S:
                one.kill("it hung while it loaded the model")

    async def end(self) -> None:
        """End all engines, and start no more; returns when their processes are gone, or take too long."""
        self._is_closed = True
        if self._task is not None:
            self._task.cancel()
        if self._ahead is not None:  # nobody came to listen to it
            self._ahead.child.kill()
            self._ahead.line.close()
        for one in list(self._all):
            one.kill("the service ends")
        if left := [one.is_reaped for one in (*self._all, *self._ended)]:
            await asyncio.wait(left, timeout=_ENDED_S)

    def engine_ready(self, engine: EngineProcess, about: Mapping[str, Any]) -> None:
        """Let it compute where none does; else it is the spare."""
        if self.about and about["digest"] != self.about["digest"]:
            engine.kill("its folder holds another model now: serve that with SIGHUP, or put the old one back")
            return
        self._failures = 0
        if not self.about:
            self.about = about
            self._load_s = self._loop.time() - self._begun_s
        if self.engine is None:
            self._let_compute(engine)
        self._keep()

    def engine_said(self, engine: EngineProcess, frame: EngineFrame) -> None:
        """Hand on what the one that computes says."""
        if engine is self.engine:
            self._user.engine_answered(frame)

    def engine_noted(self, engine: EngineProcess, line: str) -> None:
        """Hand on what it says while it loads."""
        self._say(line)

    def engine_ended(self, engine: EngineProcess, why: str, refusal: LimbeckError | None) -> None:
        """Let the spare compute, and start another one."""
        self._all.remove(engine)
        self._ended = [one for one in (*self._ended, engine) if not one.is_reaped.done()]
        if self._is_closed:
            return
        self.why = str(refusal) if refusal is not None else why
        self._failures += 1
        if engine is self.engine:
            self._say(f"engine {engine.pid} is replaced: {self.why}")
            self.engine = None
            self.restarts += 1
            self._user.engine_down(self.why)
            spare = next((one for one in self._all if one.is_ready), None)
            if spare is not None:
                self._let_compute(spare)
            self._failures = 0
        elif not self._first.done() and (refusal is not None or self._failures == _MOST_FIRST_TRIES):
            self._is_closed = True
            self._first.set_exception(refusal or EngineError(f"no engine stays alive: {why}"))
            return
        else:
            self._say(f"an engine that did not compute yet is gone, and another one is started: {self.why}")
        self._keep()

    def _let_compute(self, engine: EngineProcess) -> None:
        self.engine = engine
        if not self._first.done():
            self._first.set_result(None)
        self._user.engine_up()

    def _keep(self) -> None:
        """Start an engine where one is missing, and none is being started."""
        wanted = 2 if self._spare and self.engine is not None else 1
        if self._is_closed or len(self._all) >= wanted or (self._task is not None and not self._task.done()):
            return
        pause_s = min(_FIRST_PAUSE_S * 2**self._failures, _LONGEST_PAUSE_S) if self._failures else 0.0
        self._task = self._loop.create_task(self._begin(max(pause_s, _SPARE_AFTER_S if self.engine else 0.0)))

    async def _begin(self, pause_s: float) -> None:
        await asyncio.sleep(pause_s)
        engine = EngineProcess(self)
        self._begun_s = self._loop.time()
        self._all.append(engine)
        try:
            started, self._ahead = self._ahead or start_engine(self._wish, self._program), None
            self._begun_s = started.begun_s
            await engine.listen(started)
        except LimbeckError as error:
            self._task = None
            self.engine_ended(engine, str(error), error)
        else:
            # More may be missing by now.
            self._loop.call_soon(self._keep)
