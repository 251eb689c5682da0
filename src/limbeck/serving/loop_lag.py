"""Loop lag: how long what comes now waits before this process reads it.

In: the event loop. Out: seconds. Under a flood a request lies in the kernel while hundreds before it are read; nobody
says since when. But what comes during a round of the loop is read after that round: so long as rounds take, so late is
what is read.
"""

import asyncio

_NEW_SHARE = 0.25


class LoopLag:
    """The length of the loop's rounds, recent ones most; to be asked from the loop's own callbacks.

    Attributes:
        seconds: that the rest of a round took, from the first question in it.
    """

    def __init__(self) -> None:
        self.seconds = 0.0
        self._loop = asyncio.get_running_loop()
        self._asked_s: float | None = None

    def ask(self) -> float:
        """Return the lag, and measure this round."""
        if self._asked_s is None:
            self._asked_s = self._loop.time()
            self._loop.call_soon(self._next_round)
        return self.seconds

    def _next_round(self) -> None:
        if self._asked_s is not None:
            self.seconds += _NEW_SHARE * (self._loop.time() - self._asked_s - self.seconds)
        self._asked_s = None
