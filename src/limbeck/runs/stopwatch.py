"""How long each stage of a run took.

In: names of stages as they end. Out: seconds a stage. It does not know what a stage does.
"""

import time


class Stopwatch:
    """Measures laps."""

    def __init__(self) -> None:
        self._last = time.perf_counter()
        self.seconds: dict[str, float] = {}

    def lap(self, name: str) -> None:
        """Note the seconds since the lap before under this name."""
        now = time.perf_counter()
        self.seconds[name] = round(now - self._last, 3)
        self._last = now
