"""Worker processes: units computed by processes of this machine, each of which is replaced when it dies.

In: a `UnitQueue` and a folder with a plan. Out: the queue, over. A worker is started anew, never forked, since torch's
threads do not survive a fork; it holds its model open between units. One that is killed costs the unit that it was at.
It does not know what a unit is.
"""

import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from typing import Any

from limbeck.errors import EngineError
from limbeck.progress import Advance, Progress
from limbeck.runtime import usable_cores
from limbeck.scale.parts_request import PartsRequest
from limbeck.scale.scale_settings import ScaleSettings
from limbeck.scale.unit_queue import UnitQueue
from limbeck.scale.unit_words import error_named, outcome_in

WORKER_PROGRAM = (sys.executable, "-m", "limbeck.scale.unit_worker")
_MOST_STARTS = 3
"""So many workers that end in a row before they could compute anything are no accident."""
_LOOK_EVERY_S = 1.0


def work_in_processes(units: UnitQueue, folder: str, settings: ScaleSettings, progress: Progress) -> None:
    """Let workers compute units until the queue is over.

    Raises:
        LimbeckError: what a worker said of all units: the model was changed, the disk is full.
        EngineError: workers end before they compute anything.
    """
    team = _Team(units, folder, settings, progress)
    try:
        team.work()
    finally:
        team.end()


def plan_in_process(request: PartsRequest, progress: Progress) -> None:
    """Let a process of its own settle the plan of a folder, so that this one holds no model.

    Raises:
        LimbeckError: as `settle_plan` says.
        EngineError: the process ended before.
    """
    heard: queue.Queue[tuple[_Worker, dict[str, Any] | None]] = queue.Queue()
    planner = _Worker({"request": request.to_json()}, (), None)
    planner.start_listening(heard)
    advance: Advance = _unfollowed
    try:
        with ExitStack() as step:
            while "planned" not in (said := _next_of(heard)):
                if "stopped" in said:
                    raise error_named(said["stopped"], said["why"])
                if "note" in said:
                    progress.say(said["note"])
                elif "step" in said:
                    step.close()
                    advance = (
                        _unfollowed if said["step"] is None else step.enter_context(progress.track(**said["step"]))
                    )
                else:
                    advance(said["did"], said["how"])
    finally:
        planner.end()


def _next_of(heard: "queue.Queue[tuple[_Worker, dict[str, Any] | None]]") -> dict[str, Any]:
    """Return what the only process of a queue says next."""
    while True:
        with suppress(queue.Empty):
            worker, said = heard.get(timeout=_LOOK_EVERY_S)
            if said is None:
                why = _ending(worker.process.wait())
                raise EngineError(f"the process that opens the model and makes the plan ended ({why}): free memory")
            return said


def _unfollowed(done: int, note: str = "") -> None:
    pass


class _Worker:
    """A process, the cores that it has, and the unit that it is at."""

    def __init__(self, wish: dict[str, Any], cores: Sequence[int], threads: int | None) -> None:
        self.cores = cores
        self.number: int | None = None
        self.is_ready = False
        self._listener: threading.Thread | None = None
        self.process = subprocess.Popen(  # noqa: S603  # our own program
            [*WORKER_PROGRAM, json.dumps({**wish, "cores": list(cores), "parent": os.getpid()})],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ if threads is None else {**os.environ, "OMP_NUM_THREADS": str(threads)},
            start_new_session=True,
        )

    def start_listening(self, heard: "queue.Queue[tuple[_Worker, dict[str, Any] | None]]") -> None:
        """Let a thread hand on what it says."""
        self._listener = threading.Thread(target=self._listen, args=(heard,), daemon=True)
        self._listener.start()

    def _listen(self, heard: "queue.Queue[tuple[_Worker, dict[str, Any] | None]]") -> None:
        """Hand on each line that it says, and at its end None; a line that a kill cut off says nothing."""
        if self.process.stdout is not None:
            for line in self.process.stdout:
                if line.endswith(b"\n"):
                    heard.put((self, json.loads(line)))
        heard.put((self, None))

    def give(self, number: int) -> None:
        """Let it compute a unit."""
        self.number = number
        with suppress(OSError):  # where it is gone, the end of its line tells so
            if self.process.stdin is not None:
                self.process.stdin.write(b"%d\n" % number)
                self.process.stdin.flush()

    def end(self) -> None:
        """End it now."""
        self.process.kill()
        self.process.wait()
        if self._listener is not None:
            self._listener.join()
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                with suppress(OSError):  # what it was to be told is of no use to it any more
                    stream.close()


class _Team:
    """The workers that there are."""

    def __init__(self, units: UnitQueue, folder: str, settings: ScaleSettings, progress: Progress) -> None:
        self._units, self._folder, self._progress = units, folder, progress
        cores = _own_cores()
        self._threads = settings.threads_on(usable_cores())
        self._most = min(settings.workers_on(usable_cores()), units.waiting)
        self._groups = [_group(cores, place, self._threads) for place in range(self._most)]
        self._heard: queue.Queue[tuple[_Worker, dict[str, Any] | None]] = queue.Queue()
        self._workers: list[_Worker] = []
        self._failed_starts = 0

    def work(self) -> None:
        """Compute until nothing is left."""
        for cores in self._groups:
            self._start(cores)
        while not self._units.is_over:
            try:
                worker, said = self._heard.get(timeout=_LOOK_EVERY_S)
            except queue.Empty:
                continue
            if said is None:
                self._ended(worker)
            else:
                self._take(worker, said)

    def end(self) -> None:
        """End all workers."""
        for worker in self._workers:
            worker.end()

    def _start(self, cores: Sequence[int]) -> None:
        try:
            worker = _Worker({"folder": self._folder}, cores, self._threads)
        except OSError as error:
            raise EngineError(f"no worker can be started ({error.strerror}): free memory or processes") from error
        self._workers.append(worker)
        worker.start_listening(self._heard)

    def _take(self, worker: _Worker, said: dict[str, Any]) -> None:
        number = worker.number
        if "rows" in said and number is not None:
            self._units.advance(number, said["rows"])
            return
        if "stopped" in said:
            raise error_named(said["stopped"], said["why"])
        if "ready" in said:
            worker.is_ready, self._failed_starts = True, 0
        elif number is not None:
            self._units.settle(number, outcome_in(said))
        worker.number = self._units.take()
        if worker.number is not None:
            worker.give(worker.number)

    def _ended(self, worker: _Worker) -> None:
        status = worker.process.wait()
        worker.end()
        self._workers.remove(worker)
        why = _ending(status)
        if worker.number is not None:
            self._units.lose(worker.number, why)
            self._progress.say(f"a worker ended ({why}): another one takes its place, and its unit is computed again")
        if not worker.is_ready:
            self._failed_starts += 1
            if self._failed_starts == _MOST_STARTS:
                raise EngineError(
                    f"{_MOST_STARTS} workers ended before they could compute anything ({why}): give fewer --workers, "
                    "or free memory"
                )
        # Others may be idle since nothing waited; they take what came back.
        for other in self._workers:
            if other.is_ready and other.number is None and (number := self._units.take()) is not None:
                other.give(number)
        if self._units.waiting:
            self._start(worker.cores)


def _own_cores() -> list[int]:
    """Return the cores that workers may be bound to; none where the system binds no process."""
    if not hasattr(os, "sched_getaffinity"):
        return []
    cores = sorted(os.sched_getaffinity(0))
    # In a container that may use some of all cores at a time, those of each container begin elsewhere.
    turn = os.getpid() % len(cores) if usable_cores() < len(cores) else 0
    return [*cores[turn:], *cores[:turn]]


def _group(cores: Sequence[int], place: int, threads: int) -> list[int]:
    """Return the cores of a worker: as many as it has threads, those of others only where there are not enough."""
    return [cores[(place * threads + one) % len(cores)] for one in range(min(threads, len(cores)))]


def _ending(status: int) -> str:
    if status >= 0:
        return f"it ended with status {status}"
    killed = f"it was killed by signal {-status}"
    return f"{killed}, as the system does when memory is not enough" if status == -9 else killed
