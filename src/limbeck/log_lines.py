"""Log lines: what long-running work says on standard error, which neither ends nor holds up the work.

In: lines. Out: the same on standard error, where it takes them: its disk may be full, its terminal closed, or whoever
reads it may stand still. Lines that it does not take are counted, and the next one that it takes says how many are
missing. It does not know what is said.
"""

import os
import select
import sys
import time

from limbeck.os_files import is_windows

PATIENCE_S = 0.1
"""How long a line waits for whoever reads the others; while lines are being lost, none waits."""
_PIECE_BYTES = 4_096
"""A pipe that takes anything takes so many bytes without waiting (PIPE_BUF of Linux)."""


class LogLines:
    """Writes lines on standard error.

    Attributes:
        lost: lines that it did not take.
    """

    def __init__(self) -> None:
        self.lost = 0
        self._untold = 0
        self._is_torn = False

    def write(self, line: str) -> None:
        """Write a line, or count it; never raises, never waits long."""
        before = "\n" if self._is_torn else ""
        if self._untold:
            before += f"limbeck: {self._untold:,} lines before this one could not be written here\n"
        if self._is_written(f"{before}{line}\n"):
            self._untold, self._is_torn = 0, False
        else:
            self.lost += 1
            self._untold += 1

    def _is_written(self, said: str) -> bool:
        stream, own = sys.stderr, sys.__stderr__
        if stream is None:  # nothing was open there when Python started
            return False
        try:
            # Python's own stream keeps what a disk did not take, and fails with it at each line and at the end.
            if own is not None and stream is own and not is_windows():
                return self._is_sent(own.fileno(), said.encode(own.encoding, own.errors or "strict"))
            stream.write(said)
            stream.flush()
        except (OSError, ValueError):  # it is full, gone, or closed
            return False
        return True

    def _is_sent(self, place: int, said: bytes) -> bool:
        left = memoryview(said)
        until_s = time.monotonic() + (0.0 if self._untold else PATIENCE_S)
        while left:
            _, ready, _ = select.select([], [place], [], max(0.0, until_s - time.monotonic()))
            if not ready:
                return False
            sent = os.write(place, left[:_PIECE_BYTES])
            self._is_torn = True
            left = left[sent:]
        return True


STANDARD_ERROR = LogLines()
"""Where lines of the log go."""
