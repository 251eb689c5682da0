"""Worker processes: those that die are replaced, and no unit is lost or doubled."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from tests.said import Said
from tests.scale.conftest import Answer, bytes_in
from tests.scale.test_unit_queue import queue_of

from limbeck.errors import BundleError, DataError, EngineError
from limbeck.progress import SILENT
from limbeck.scale import worker_processes
from limbeck.scale.parts_request import PartsRequest
from limbeck.scale.scale_settings import ScaleSettings
from limbeck.scale.worker_processes import plan_in_process, work_in_processes

STUB = """
import json, os, signal, sys
def say(**words):
    print(json.dumps(words), flush=True)
mark = os.path.join(json.loads(sys.argv[1])["folder"], "died")
{start}
say(ready=True)
for line in sys.stdin:
    number = int(line)
    {unit}
    say(rows=4)
    say(done=dict(unit="u", part=None, rows=10, left_out=0, notes=[]))
"""
DIE_ONCE = "if number == 2 and not os.path.exists(mark): open(mark, 'w'); os.kill(os.getpid(), signal.SIGKILL)"
DIE_ALWAYS = "if number == 2: os._exit(3)"


def stub(monkeypatch: pytest.MonkeyPatch, start: str = "", unit: str = "") -> None:
    """Let workers be small programs."""
    program = STUB.format(start=start, unit=unit)
    monkeypatch.setattr(worker_processes, "WORKER_PROGRAM", (sys.executable, "-S", "-c", program))


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_a_worker_that_is_killed_is_replaced(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, workers: int) -> None:
    """Its unit is computed by the next; every unit is kept once."""
    stub(monkeypatch, unit=DIE_ONCE)
    queue, parts, told = queue_of(6)
    work_in_processes(queue, str(tmp_path), ScaleSettings(workers=workers), SILENT)
    assert (sorted(parts.kept), parts.asides, sum(told)) == (list(range(6)), [], 60)


def test_a_unit_that_kills_workers_is_set_aside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The others go on."""
    stub(monkeypatch, unit=DIE_ALWAYS)
    queue, parts, _ = queue_of(4)
    work_in_processes(queue, str(tmp_path), ScaleSettings(workers=1), SILENT)
    assert sorted(parts.kept) == [0, 1, 3]
    assert parts.asides[0][:2] == (2, "3 workers ended over it: it ended with status 3")


def test_workers_that_cannot_start_are_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """After a few of them, not for ever."""
    stub(monkeypatch, start="os._exit(1)")
    queue, _, _ = queue_of(4)
    with pytest.raises(EngineError, match="before they could compute anything"):
        work_in_processes(queue, str(tmp_path), ScaleSettings(workers=1), SILENT)


def test_what_holds_for_all_units_ends_the_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A model that was changed, a full disk: with the words of the worker."""
    stub(monkeypatch, unit="say(stopped='BundleError', why='the model was changed'); break")
    queue, _, _ = queue_of(4)
    with pytest.raises(BundleError, match="the model was changed"):
        work_in_processes(queue, str(tmp_path), ScaleSettings(workers=2), SILENT)


DRIVER = """
import sys
from pathlib import Path
from limbeck.scale.parts_answers import predict_to_parts
from limbeck.scale.parts_request import PartsRequest
from limbeck.scale.scale_settings import ScaleSettings
source, run, out, workers, on = sys.argv[1:]
predict_to_parts(PartsRequest(source=source, run=Path(run), out=Path(out), reading={{}},
    scale=ScaleSettings(on=on, workers=int(workers), threads=1, unit_tokens={tokens})))
"""


def driver(texts: Path, model: Path, out: Path, workers: int = 2, on: str = "processes") -> "subprocess.Popen[bytes]":
    """Start a driver of its own."""
    words = [sys.executable, "-c", DRIVER.format(tokens=40), str(texts), str(model), str(out), str(workers), on]
    return subprocess.Popen(words, env={**os.environ, "OMP_NUM_THREADS": "1"}, stderr=subprocess.DEVNULL)


def children_of(pid: int) -> list[int]:
    """Return the processes that a process started."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid:
            found.append(int(stat.parent.name))
    return found


@pytest.mark.slow
def test_kills_of_workers_and_of_the_driver_leave_the_same_bytes(
    answer: Answer, texts: Path, model: Path, tmp_path: Path
) -> None:
    """Kill -9 at random moments: what one process wrote that nobody disturbed, after as many starts as it takes."""
    whole = answer(texts, tmp_path / "WHOLE")
    out, drawn = tmp_path / "PARTS", random.Random(5)  # noqa: S311  # moments, not secrets
    for attempt in range(4):
        started = driver(texts, model, out)
        deadline = time.monotonic() + (120 if attempt > 1 else drawn.uniform(4, 7))
        while time.monotonic() < deadline and started.poll() is None:
            time.sleep(drawn.uniform(0.2, 1.5))
            if attempt <= 1 and (children := children_of(started.pid)):
                os.kill(drawn.choice(children), signal.SIGKILL)
        if started.poll() is None:
            started.kill()
        if started.wait() == 0:
            break
    assert bytes_in(out) == bytes_in(tmp_path / "WHOLE")
    assert answer(texts, out).computed == 0
    assert whole.parts == len(bytes_in(out))


def test_what_the_planner_says_is_shown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Notes, and how far it is; an error with its words, and an end without any as an error."""
    request = PartsRequest(source="a.csv", run=tmp_path, out=tmp_path, reading={})
    said = Said()
    lines = [
        {"note": "measuring"},
        {"step": {"label": "planning", "total": 9, "unit": "bytes"}},
        {"did": 4, "how": ""},
        {"step": None},
        {"planned": True},
    ]
    program = "import sys; [print(line, flush=True) for line in sys.argv[1].splitlines()]; sys.stdin.read()"

    def speak(*more: dict[str, Any]) -> None:
        words = "\n".join(json.dumps(line) for line in more)
        monkeypatch.setattr(worker_processes, "WORKER_PROGRAM", (sys.executable, "-S", "-c", program, words))

    speak(*lines)
    plan_in_process(request, said)
    assert said.lines == ["measuring"]
    speak({"stopped": "DataError", "why": "a.csv has no text column"})
    with pytest.raises(DataError, match="no text column"):
        plan_in_process(request, said)
    monkeypatch.setattr(worker_processes, "WORKER_PROGRAM", (sys.executable, "-S", "-c", "import sys; sys.exit(9)"))
    with pytest.raises(EngineError, match="it ended with status 9"):
        plan_in_process(request, said)
