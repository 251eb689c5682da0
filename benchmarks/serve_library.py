"""The library beside the service: the same model by `limbeck.load`, and the versions in a server's environment.

In: a run folder, texts; a Python. Out: milliseconds, versions. It does not know servers.
"""

import json
import statistics
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

PAUSES_S = {"back_to_back": 0.0, "after_20_ms": 0.02}


def versions_in(python: str, packages: Sequence[str]) -> dict[str, str]:
    """Return the versions of packages in an environment."""
    code = "import sys; from importlib.metadata import version; print(*map(version, sys.argv[1:]))"
    done = subprocess.run([python, "-c", code, *packages], capture_output=True, text=True, check=True)
    return dict(zip(packages, done.stdout.split(), strict=True))


class Library:
    """The same model by `limbeck.load`, in a process of its own that waits until it is asked."""

    CODE = (
        "import sys, time, statistics, json; from limbeck import load; model = load(sys.argv[1]);"
        "print(model.numerics, flush=True)\n"
        "for line in sys.stdin:\n"
        "    pause_s, texts = json.loads(line); spent = []\n"
        "    for text in texts:\n"
        "        time.sleep(pause_s)\n"
        "        started = time.perf_counter(); model.predict([text]); spent.append(time.perf_counter() - started)\n"
        "    print(statistics.median(spent) * 1e3, flush=True)"
    )

    def __init__(self, run: Path) -> None:
        words = [sys.executable, "-c", self.CODE, str(run)]
        self._process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.numerics = self._answer()

    def median_ms(self, texts: Sequence[str], pause_s: float = 0.0) -> float:
        """Return the median milliseconds of one text at a time, each after a pause that does not count."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps([pause_s, list(texts)]) + "\n")
        self._process.stdin.flush()
        return float(self._answer())

    def end(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.wait()

    def _answer(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()


def beside_library(http_ms: Callable[[float], float], run: Path, calls: Sequence[str], rounds: int) -> dict[str, Any]:
    """Return the median milliseconds of one text over HTTP and by the library, in alternating rounds.

    One text right after the other, and after pauses, as texts come to a service that is not busy: a processor that was
    idle, with cold caches, is slower for both.

    Args:
        http_ms: asks a service for the calls, each after a pause in seconds; returns the median.
        run: folder of the model.
        calls: texts.
        rounds: of both.
    """
    library = Library(run)
    found: dict[str, Any] = {"engine": library.numerics}
    try:
        library.median_ms(calls)
        for name, pause_s in PAUSES_S.items():
            both = [(http_ms(pause_s), library.median_ms(calls, pause_s)) for _ in range(rounds)]
            found[name] = {
                "http_ms": round(statistics.median(one for one, _ in both), 2),
                "library_ms": round(statistics.median(other for _, other in both), 2),
                "more_ms": round(statistics.median(one - other for one, other in both), 2),
                "rounds": [[round(one, 2), round(other, 2)] for one, other in both],
            }
    finally:
        library.end()
    return found
