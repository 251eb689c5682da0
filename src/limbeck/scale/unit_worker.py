"""A worker's own process: makes the plan or computes units, as it is told to, and ends with who started it.

In: a wish (JSON, the first argument), then numbers of units, a line each, on standard input. Out: a line of JSON each
on standard output: `{"ready": …}` once, `{"rows": n}` as rows are answered, `{"done": record}` or `{"fault": …}` for
each unit; `{"stopped": kind, "why": …}` where no unit can be computed. Of a plan: `{"note": …}`,
`{"step": …}`, `{"did": n}`, and `{"planned": …}` last. What would be printed goes to standard error.
"""

import json
import os
import queue
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from limbeck.errors import LimbeckError
from limbeck.os_files import end_with_parent
from limbeck.progress import Advance
from limbeck.scale.unit_words import error_words, outcome_words


def work_for_parent() -> None:
    """Serve the process that started this one; to be started by `work_in_processes`."""
    wish = json.loads(sys.argv[1])
    end_with_parent(wish["parent"])
    out = _take_standard_output()
    if wish["cores"] and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, wish["cores"])
    from limbeck.runtime import honour_quota

    honour_quota()
    numbers: queue.SimpleQueue[int] = queue.SimpleQueue()
    threading.Thread(target=_read_numbers, args=(numbers,), daemon=True).start()
    try:
        if "request" in wish:
            _plan(wish["request"], out)
        else:
            _compute(wish["folder"], numbers, out)
    except LimbeckError as error:
        out.say(error_words(error))


def _plan(request: dict[str, Any], out: "_Said") -> None:
    """Settle the plan of a folder."""
    from limbeck.scale.parts_request import request_of
    from limbeck.scale.plan_settling import settle_plan

    settle_plan(request_of(request), _Told(out))
    out.say({"planned": True})


def _compute(folder: str, numbers: "queue.SimpleQueue[int]", out: "_Said") -> None:
    """Compute units for ever; the parent ends this process."""
    from limbeck.runtime import release_free_memory
    from limbeck.scale.unit_task import do_unit, open_model_of

    open_model_of(folder)
    out.say({"ready": True})
    while True:
        out.say(outcome_words(do_unit(folder, numbers.get(), tell=out.tell_rows)))
        release_free_memory()


class _Told:
    """Follows steps for the parent, who shows them."""

    def __init__(self, out: "_Said") -> None:
        self._out = out

    @contextmanager
    def track(self, label: str, *, total: int, unit: str) -> Iterator[Advance]:
        self._out.say({"step": {"label": label, "total": total, "unit": unit}})
        yield lambda done, note="": self._out.say({"did": done, "how": note})
        self._out.say({"step": None})

    def say(self, line: str) -> None:
        self._out.say({"note": line})


class _Said:
    """Standard output, which belongs to the parent."""

    def __init__(self, descriptor: int) -> None:
        self._file = os.fdopen(descriptor, "wb")

    def say(self, words: dict[str, Any]) -> None:
        self._file.write(json.dumps(words).encode() + b"\n")
        self._file.flush()

    def tell_rows(self, rows: int) -> None:
        self.say({"rows": rows})


def _take_standard_output() -> _Said:
    """Take the pipe away from standard output, and let what is printed go to standard error."""
    ours = os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return _Said(ours)


def _read_numbers(numbers: "queue.SimpleQueue[int]") -> None:
    """Hand on what the parent says; at its end this process ends, whatever it is at."""
    for line in sys.stdin.buffer:
        numbers.put(int(line))
    os._exit(0)


if __name__ == "__main__":
    work_for_parent()
