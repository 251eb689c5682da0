"""The library beside the service: the same model by `limbeck.load`, and the versions in a server's environment.

In: a run folder, texts; a Python. Out: milliseconds, versions. It does not know servers.
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path


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
