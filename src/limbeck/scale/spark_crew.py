"""Spark crew: units computed by the tasks of a Spark job, one unit per task, wherever Spark runs them.

In: a `UnitQueue`, and a folder that all machines see. Out: the queue, over. One job is over all units that wait. What
became of a unit comes back while the job runs, by an accumulator, so that a driver that dies costs the units in work
alone. Spark may run a task twice, at once or in turn: a part is whole or absent, and the same bytes.
"""

import re
from collections import deque
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

from py4j.protocol import Py4JError
from pyspark import Accumulator, AccumulatorParam, SparkContext, TaskContext
from pyspark.errors import PySparkException

from limbeck.errors import EngineError
from limbeck.progress import Progress
from limbeck.scale.far_units import do_far_unit
from limbeck.scale.parts_folder import PartsFolder
from limbeck.scale.spark_session import reason_of, said_by_spark, spark_context
from limbeck.scale.unit_queue import MOST_TRIES, UnitQueue
from limbeck.scale.unit_words import outcome_in
from limbeck.storage import sha256_of

_LOOK_EVERY_S = 1.0
_PATIENCE_S = 60.0
"""After so long without a task that runs, people should know why nothing happens."""
_MOST_IDLE_JOBS = 3
"""So many jobs in a row that end without a word about any unit are no accident."""
_ENDED_OVER_TASK = re.compile(r"Task (\d+) in stage [\d.]+ failed (\d+) times, most recent failure: (.*)", re.DOTALL)
_WHERE = re.compile(r"^Lost task [\d.]+ in stage [\d.]+ \(TID \d+\) \((\S+) executor \S+\): ")
_NOT_THERE = ("No module named 'limbeck", "PYTHON_VERSION_MISMATCH", "Cannot run program")
_Said = tuple[int, dict[str, Any]]


def work_on_spark(units: UnitQueue, folder: str, progress: Progress) -> None:
    """Let tasks of Spark compute units until the queue is over.

    Raises:
        LimbeckError: what a task said of all units: its machine does not see the folder, the model was changed.
        EngineError: Spark cannot be reached, or ended the work.
    """
    parts = PartsFolder(Path(folder).absolute())
    task = partial(compute_in_task, folder=str(parts.path), plan_sha256=sha256_of(parts.plan_path))
    with spark_context() as context:
        progress.say(f"Spark {context.version} at {context.master}")
        idle_jobs = 0
        while not units.is_over:
            job = _Job(context, task, units, progress)
            job.work()
            idle_jobs = 0 if job.settled else idle_jobs + 1
            if idle_jobs == _MOST_IDLE_JOBS:
                raise EngineError(
                    f"{_MOST_IDLE_JOBS} jobs of Spark ended without a word about any unit ({job.why or 'no reason'}): "
                    "see the logs of its executors"
                )


def compute_in_task(numbers: Iterable[int], *, folder: str, plan_sha256: str, said: Accumulator) -> None:
    """Compute the units of one partition; to be run by Spark.

    A unit over which as many workers ended as may is not begun again, so that the job goes on without it.
    """
    task = TaskContext.get()
    for number in numbers:
        if task.attemptNumber() >= MOST_TRIES:
            said.add([(number, {"lost": task.attemptNumber()})])
        else:
            said.add([(number, do_far_unit(folder, number, plan_sha256, task.cpus()))])


class _Appending(AccumulatorParam):  # type: ignore[misc]  # Spark's class has no types here
    """How what tasks say is gathered: at the end of the deque that the driver empties at its front."""

    def zero(self, value: Any) -> list[_Said]:
        """Return what a task begins with."""
        return []

    def addInPlace(self, value1: Any, value2: Any) -> Any:  # noqa: N802  # Spark's name
        """Append what is new."""
        value1.extend(value2)
        return value1


class _Job:
    """One job of Spark over all units that wait.

    Attributes:
        settled: units of which a task said what became of them.
        why: it ended early; empty where it did not.
    """

    def __init__(self, context: SparkContext, task: "partial[None]", units: UnitQueue, progress: Progress) -> None:
        self._context, self._units, self._progress = context, units, progress
        self._numbers = list(iter(units.take, None))
        self._open = set(self._numbers)
        self._heard: deque[_Said] = deque()
        self._task = partial(task, said=context.accumulator(self._heard, _Appending()))
        self._group = f"limbeck {uuid4().hex}"
        self.settled = 0
        self.why = ""

    def work(self) -> None:
        """Run it to its end.

        Raises:
            LimbeckError: what a task said of all units.
            EngineError: Spark ended it, for another reason than one unit.
        """
        with ThreadPoolExecutor(1) as thread:
            end = thread.submit(self._run)
            try:
                self._follow(end)
            finally:
                if not end.done():
                    self._cancel()
        error = end.exception()
        if isinstance(error, Py4JError | PySparkException | OSError):
            self._take_end(error)
        elif error is not None:
            raise error
        for number in sorted(self._open, reverse=True):
            self._units.put_back(number)

    def _run(self) -> None:
        """Let Spark work; this returns when all is done, so it has a thread of its own."""
        # Its tasks end when it is cancelled, also in the middle of a unit.
        self._context.setJobGroup(self._group, "limbeck predict", interruptOnCancel=True)
        self._context.parallelize(self._numbers, len(self._numbers)).foreachPartition(self._task)

    def _follow(self, end: "Future[None]") -> None:
        """Take what tasks say until the job is over; all that they say is there before it ends."""
        waited_s, is_told = 0.0, False
        while not end.done():
            wait([end], timeout=_LOOK_EVERY_S)
            waited_s = 0.0 if self._take_heard() else waited_s + _LOOK_EVERY_S
            if waited_s >= _PATIENCE_S and not is_told and not self._count_running():
                is_told = True
                self._progress.say(
                    f"Spark has run no task for {_PATIENCE_S:.0f} s: none of its machines has room, or none is there; "
                    f"see the page of {self._context.master}"
                )
        self._take_heard()

    def _take_heard(self) -> int:
        """Tell the queue what tasks said since; return how much it was."""
        count = 0
        while self._heard:
            number, words = self._heard.popleft()
            count += 1
            if "lost" in words:
                self._units.lose(number, "every task that began it ended over it", words["lost"])
            else:
                self._units.settle(number, outcome_in(words))
                self.settled += 1
            self._open.remove(number)
        return count

    def _take_end(self, error: Exception) -> None:
        """Take an early end: one unit's, or everybody's."""
        self.why = reason_of(error)
        found = _ENDED_OVER_TASK.search(said_by_spark(error))
        if found is None:
            raise EngineError(
                f"Spark at {self._context.master} ended the work ({self.why}): see that it runs, and type the same "
                "command again, which goes on"
            ) from error
        self.why = _last_words(found[3])
        if any(sign in found[3] for sign in _NOT_THERE):
            raise EngineError(
                f"Spark's workers cannot compute ({self.why}): install the same limbeck for the same Python on every "
                "machine, and let PYSPARK_PYTHON name that Python"
            ) from error
        number = self._numbers[int(found[1])]
        if number in self._open:
            self._units.lose(number, self.why, int(found[2]))
            self._open.remove(number)

    def _count_running(self) -> int:
        """Return how many tasks run now, whoever's they are."""
        tracker = self._context.statusTracker()
        stages = [tracker.getStageInfo(stage) for stage in tracker.getActiveStageIds()]
        return sum(stage.numActiveTasks for stage in stages if stage is not None)

    def _cancel(self) -> None:
        with suppress(Py4JError, OSError):  # where Spark is gone, its tasks are gone with it
            self._context.cancelJobGroup(self._group)


def _last_words(words: str) -> str:
    """Return how the last task of a unit ended: the last line of Python's own words, else the first of Spark's."""
    where = _WHERE.match(words)
    lines = re.split(r"\n\s*at |\nDriver stacktrace", words)[0].strip().splitlines()
    last = lines[-1] if "Traceback" in words else lines[0]
    return _WHERE.sub("", last) if where is None or "Traceback" not in words else f"on {where[1]}: {last}"
