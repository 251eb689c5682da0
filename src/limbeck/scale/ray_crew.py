"""Ray crew: units computed as tasks of a Ray cluster.

In: a `UnitQueue` and a folder that every machine of the cluster sees. Out: the queue, over. A unit is one plain task,
which Ray never tries again by itself: a task whose process or machine is gone comes back to the queue, which counts. No
more tasks are handed over than there are places, and a few, so neither side's memory grows with the plan.
"""

import logging
import os
import socket
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout, suppress
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from limbeck.errors import EngineError, MissingExtraError, SettingsError
from limbeck.progress import Progress
from limbeck.scale.far_units import do_far_unit
from limbeck.scale.parts_folder import PartsFolder
from limbeck.scale.scale_settings import CORES_PER_WORKER, ScaleSettings
from limbeck.scale.unit_plan import open_plan
from limbeck.scale.unit_queue import MOST_TRIES, UnitQueue
from limbeck.scale.unit_words import outcome_in
from limbeck.storage import sha256_of

_ADDRESS = "RAY_ADDRESS"
_CONNECT_TRIES = "RAY_NUM_REDIS_GET_RETRIES"
_CONNECT_S = 5.0
_LOOK_EVERY_S = 1.0
_CANNOT_IMPORT = "failed to import"
"""What Ray says, as a RuntimeError, where a machine lacks the module of a task."""
_SAY_FIRST_LOOK, _SAY_EVERY_LOOKS = 5, 60
_START = (
    "start one (`ray start --head`), set RAY_ADDRESS to HOST:PORT of one that runs, or submit this command to it "
    "(`ray job submit`)"
)


def settle_on_ray(settings: ScaleSettings) -> ScaleSettings:
    """Look whether there is a cluster, and how many threads a unit may have on its machines.

    Returns:
        The settings with `threads`: the cores of the smallest machine that has any, at most 8, where none were given.

    Raises:
        MissingExtraError: Ray is not installed.
        SettingsError: there is no cluster, or its address is of a kind that will not do.
    """
    if find_spec("ray") is None:
        raise MissingExtraError('--on ray needs Ray, which is not installed: pip install "limbeck[ray]"')
    with _connected():
        cores = [node.get("CPU", 0.0) for node in _nodes()]
    threads = settings.threads or min((int(one) for one in cores if one >= 1), default=0)
    if not threads:
        raise SettingsError("no machine of the Ray cluster has a CPU now: give --threads, CPUs that a unit asks for")
    return replace(settings, threads=settings.threads or min(threads, CORES_PER_WORKER))


def work_on_ray(units: UnitQueue, folder: str, settings: ScaleSettings, progress: Progress) -> None:
    """Let a cluster compute units until the queue is over.

    Raises:
        LimbeckError: what a task said of all units: its machine does not see the folder, the model was changed.
        EngineError: tasks end before any unit was finished, or the cluster is gone.
    """
    with _connected():
        work = _Work(units, Path(folder).absolute(), settings, progress)
        try:
            work.work()
        finally:
            work.end()


class _Work:
    """The tasks that were handed over, and the unit of each."""

    def __init__(self, units: UnitQueue, folder: Path, settings: ScaleSettings, progress: Progress) -> None:
        import ray

        place = PartsFolder(folder).plan_path
        self._units, self._progress, self._settings = units, progress, settings
        self._threads = settings.threads_on(CORES_PER_WORKER)
        self._gpus = 1 if open_plan(place).answering.device == "cuda" else 0
        self._given = (str(folder), sha256_of(place), self._threads)
        self._tasks: dict[Any, int] = {}
        self._lost = self._idle_looks = 0
        self._task = ray.remote(
            num_cpus=self._threads, num_gpus=self._gpus, max_retries=0, scheduling_strategy="SPREAD"
        )(do_far_unit)

    def work(self) -> None:
        """Compute until nothing is left."""
        import ray

        while not self._units.is_over:
            self._hand_over()
            ready, _ = ray.wait(list(self._tasks), timeout=_LOOK_EVERY_S)
            for task in ready:
                self._take(task)
            self._idle_looks = 0 if ready else self._idle_looks + 1
            if self._idle_looks % _SAY_EVERY_LOOKS == _SAY_FIRST_LOOK and not self._places():
                self._progress.say(
                    f"no machine of the Ray cluster has {self._threads} CPUs now: waiting for one; give fewer --threads"
                )

    def end(self) -> None:
        """Stop what is still there: nobody waits for it."""
        import ray

        for task in self._tasks:
            with suppress(ray.exceptions.RayError):
                ray.cancel(task, force=True)

    def _hand_over(self) -> None:
        """Keep as many tasks at the cluster as it has places, and a few more: an idle place waits for nobody.

        Those few are also what makes a cluster grow that can.
        """
        places = self._places()
        most = self._settings.workers or places + max(2, places // 2)
        while len(self._tasks) < most and (number := self._units.take()) is not None:
            folder, plan_sha256, threads = self._given
            self._tasks[self._task.remote(folder, number, plan_sha256, threads)] = number

    def _places(self) -> int:
        """Return how many units the machines that are there can compute at once."""
        found = 0
        for node in _nodes():
            cores = int(node.get("CPU", 0)) // self._threads
            found += min(cores, int(node.get("GPU", 0))) if self._gpus else cores
        return found

    def _take(self, task: Any) -> None:
        """Settle the unit of a task that ended, or take it back where nothing came of it."""
        import ray

        number = self._tasks.pop(task)
        try:
            said = ray.get(task)
        except ray.exceptions.RayTaskError as error:
            if isinstance(error.cause, ImportError) or _CANNOT_IMPORT in str(error.cause):
                raise EngineError(
                    f"a machine of the cluster cannot import what units need ({_first_line(error.cause)[:200]}): "
                    "install the same limbeck there, or name it in the job's runtime environment"
                ) from error
            self._lose(number, _first_line(error.cause))
        except ray.exceptions.RayError as error:
            self._lose(number, _why(error))
        else:
            self._units.settle(number, outcome_in(said))

    def _lose(self, number: int, why: str) -> None:
        self._lost += 1
        self._units.lose(number, why)
        self._progress.say(f"a task of Ray ended ({why}): its unit is computed again")
        if not self._units.done and self._lost >= MOST_TRIES * max(1, self._places()):
            raise EngineError(
                f"{self._lost} tasks of Ray ended before any unit was finished ({why}): give units more memory, as by "
                "more --threads, which lets fewer of them run on a machine"
            )


def _nodes() -> Sequence[dict[str, float]]:
    """Return what each machine that is alive has: its "CPU", its "GPU", …."""
    import ray

    return [node["Resources"] for node in ray.nodes() if node["Alive"]]


@contextmanager
def _connected() -> Iterator[None]:
    """Be connected with the cluster; what Ray prints meanwhile goes to standard error, which no program reads.

    A connection that the caller has already is used, and stays.
    """
    address = os.environ.get(_ADDRESS) or "auto"
    _require_usable(address)
    os.environ.setdefault(_CONNECT_TRIES, "1")  # twenty are minutes of silence; Ray reads this when it is imported
    import ray

    with redirect_stdout(sys.stderr):
        if ray.is_initialized():
            yield
            return
        try:
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
        except (ConnectionError, RuntimeError, ValueError) as error:
            raise SettingsError(f"there is no Ray cluster ({_first_line(error)}): {_START}") from error
        try:
            yield
        except ray.exceptions.RayError as error:
            raise EngineError(
                f"the Ray cluster is gone ({_why(error)}): start it, and run the same command again"
            ) from error
        finally:
            ray.shutdown()


def _require_usable(address: str) -> None:
    """Refuse addresses over which no unit is computed.

    Raises:
        SettingsError: says what to give instead.
    """
    if address.startswith("ray://"):
        raise SettingsError(
            f"{_ADDRESS}={address} is that of Ray Client, whose work ends with its connection: run this command on a "
            "machine of the cluster with HOST:PORT of its head (6379), or submit it (`ray job submit`)"
        )
    if "://" in address:
        raise SettingsError(
            f"{_ADDRESS}={address} is that of the dashboard: submit this command there (`ray job submit`), or give "
            "HOST:PORT of the cluster's head (6379)"
        )
    host, _, port = address.rpartition(":")
    if port.isdecimal():
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout=_CONNECT_S).close()
        except OSError as error:
            raise SettingsError(f"nobody answers at {_ADDRESS}={address} ({error}): {_START}") from error


def _why(error: Exception) -> str:
    """Say in a few words why a task came to nothing."""
    import ray

    known = {
        ray.exceptions.OutOfMemoryError: "Ray ended it because its machine's memory was nearly full",
        ray.exceptions.WorkerCrashedError: "its process was killed, as the system does when memory is not enough",
        ray.exceptions.NodeDiedError: "its machine is gone",
    }
    return next((words for kind, words in known.items() if isinstance(error, kind)), _first_line(error))


def _first_line(error: object) -> str:
    return next(iter(str(error).splitlines()), "") or type(error).__name__
