"""Ctrl-C and SIGTERM while training: noticed at once, obeyed where nothing is lost.

In: signals. Out: a `StopSignal` that long work asks. While it is patient the first signal asks for an orderly end; the
second, and any other, is obeyed on the spot, which storage is made for. What comes within `SAME_S` is the same signal
on two ways: torchrun passes on what its processes got from the terminal too. It does not know what is being stopped.
"""

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from limbeck.errors import Interrupted, Terminated

SAME_S = 0.5
"""Nobody presses Ctrl-C twice as fast, in seconds."""


class StopSignal:
    """Remembers that the process was asked to end."""

    def __init__(self) -> None:
        self._number: int | None = None
        self._noted_s = 0.0
        self._is_patient = False
        self._tell: Callable[[str], object] = lambda _: None

    @property
    def is_set(self) -> bool:
        """True once a signal came."""
        return self._number is not None

    @contextmanager
    def patient(self, tell: Callable[[str], object] = lambda _: None) -> Iterator[None]:
        """Only remember signals meanwhile: the work within looks for itself, and ends where nothing is lost.

        Args:
            tell: is told at once that the signal was noticed, as the end may take a while.
        """
        self._is_patient, self._tell = True, tell
        try:
            yield
        finally:
            self._is_patient = False

    def note(self, number: int) -> None:
        """Remember a signal; outside `patient`, or when it is the second, end the work at once.

        Raises:
            Interrupted: see above.
        """
        is_second = self.is_set
        if is_second and self._is_patient and time.monotonic() - self._noted_s < SAME_S:
            return
        self._number = number
        self._noted_s = time.monotonic()
        if is_second or not self._is_patient:
            raise self.error("interrupted; nothing is half written. Run the same command with --resume to go on")
        self._tell(
            "stopping: a checkpoint is saved first; once more ends at once, and loses what was done since the last"
        )

    def error(self, message: str) -> Interrupted:
        """Return the error to end with: its exit status is the signal's."""
        return Terminated(message) if self._number == signal.SIGTERM else Interrupted(message)


@contextmanager
def noticed_signals() -> Iterator[StopSignal]:
    """Turn SIGINT and SIGTERM into a `StopSignal` meanwhile.

    Outside the main thread, where Python allows no handlers, signals stay what they are.
    """
    stop = StopSignal()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def note(number: int, _frame: FrameType | None) -> None:
        stop.note(number)

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
