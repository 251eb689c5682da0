"""Engine process: one child that computes, as the front sees it: listened to, spoken to, killed.

In: a child that was started, and frames. Out: frames, and that it is ready, or has ended and why. It does not know
requests, nor what is done when it ends.
"""

import asyncio
import signal
import subprocess
from collections.abc import Mapping
from typing import Any, Protocol, cast

from limbeck.errors import EngineError, LimbeckError
from limbeck.serving.engine_frames import EngineFrame, FrameReader
from limbeck.serving.engine_start import StartedEngine

_REAPED_EVERY_S, _MOST_TRIES = 0.002, 5


class EngineOwner(Protocol):
    """Is told what an engine does."""

    def engine_ready(self, engine: "EngineProcess", about: Mapping[str, Any]) -> None:
        """It loaded the model and can answer."""
        ...

    def engine_said(self, engine: "EngineProcess", frame: EngineFrame) -> None:
        """It answered a batch."""
        ...

    def engine_noted(self, engine: "EngineProcess", line: str) -> None:
        """It tells what it does while it loads."""
        ...

    def engine_ended(self, engine: "EngineProcess", why: str, refusal: LimbeckError | None) -> None:
        """It is gone; `refusal` is what it said of a model that it cannot serve."""
        ...


class EngineProcess(asyncio.Protocol):
    """A child that computes. Its owner hears of it until it ended, once.

    Attributes:
        is_ready: whether it loaded the model.
        is_reaped: is set when its process is gone.
        last_heard_s: when it said something last, in the loop's time.
    """

    def __init__(self, owner: EngineOwner) -> None:
        self._owner = owner
        self._loop = asyncio.get_running_loop()
        self._reader = FrameReader()
        self._transport: asyncio.Transport | None = None
        self._child: subprocess.Popen[bytes] | None = None
        self._refusal: LimbeckError | None = None
        self._why = ""
        self._has_ended = self._is_told = False
        self.is_reaped: asyncio.Future[None] = self._loop.create_future()
        self.is_ready = False
        self.last_heard_s = self._loop.time()

    async def listen(self, started: StartedEngine) -> None:
        """Listen to a child that was started."""
        self._child = started.child
        await self._loop.create_connection(lambda: self, sock=started.line)

    @property
    def pid(self) -> int | None:
        """The number of its process."""
        return None if self._child is None else self._child.pid

    @property
    def has_ended(self) -> bool:
        """Whether it is gone."""
        return self._has_ended

    def send(self, frame: bytes) -> None:
        """Hand it a frame; nothing where it is gone."""
        if self._transport is not None and not self._has_ended:
            self._transport.write(frame)

    def kill(self, why: str) -> None:
        """End it now; its owner is told."""
        self._why = self._why or why
        if self._child is not None and self._child.poll() is None:
            self._child.kill()
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the line to the child."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Take what the child says."""
        self.last_heard_s = self._loop.time()
        try:
            for frame in self._reader.feed(data):
                if not self._has_ended:
                    self._take(frame)
        except EngineError as error:
            self.kill(str(error))

    def connection_lost(self, exc: Exception | None) -> None:
        """The child is gone, or silent for ever: it is ended, and its owner told."""
        self._has_ended = True
        self.is_ready = False
        if self._child is not None and self._child.poll() is None:
            self._child.kill()
        self._reap()

    def _reap(self, tries: int = 0) -> None:
        """Tell the owner how the child ended, or after some tries that it is gone; never hold up the loop."""
        status = None if self._child is None else self._child.poll()
        if not self._is_told and (self._child is None or status is not None or tries == _MOST_TRIES):
            self._is_told = True
            self._owner.engine_ended(self, self._why or _ending(status), self._refusal)
        if self._child is not None and status is None:
            self._loop.call_later(_REAPED_EVERY_S, self._reap, min(tries + 1, _MOST_TRIES))
        elif not self.is_reaped.done():
            self.is_reaped.set_result(None)

    def _take(self, frame: EngineFrame) -> None:
        said = frame.said
        if "batch" in said or "failed" in said:
            self._owner.engine_said(self, frame)
        elif "ready" in said:
            self.is_ready = True
            self._owner.engine_ready(self, said["ready"])
        elif "note" in said:
            self._owner.engine_noted(self, str(said["note"]))
        elif "refused" in said:
            kinds = {kind.__name__: kind for kind in _kinds_of(LimbeckError)}
            self._refusal = kinds.get(str(said["refused"]), EngineError)(str(said["why"]))


def _kinds_of(kind: type[LimbeckError]) -> list[type[LimbeckError]]:
    return [kind, *(inner for one in kind.__subclasses__() for inner in _kinds_of(one))]


def _ending(status: int | None) -> str:
    if status is not None and status < 0:
        try:
            return f"it was killed by {signal.Signals(-status).name}"
        except ValueError:
            return f"it was killed by signal {-status}"
    return "it is gone" if status is None else f"it ended with status {status}"
