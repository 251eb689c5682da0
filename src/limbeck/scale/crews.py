"""Crews: who computes units, by name. An engine of distribution is one `Crew` here, in `CREWS`.

A crew takes numbers from a `UnitQueue` until it is over: it lets `do_unit(folder, number)` run somewhere (on another
machine `do_far_unit`, which looks whether that machine sees the folder), and tells the queue what came of it: `settle`
with what was returned, `lose` where the process that ran it is gone, `put_back` where none began. What `do_unit` raises
is raised: no unit could be computed. A crew may run a unit twice, and it may be killed at any moment.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from limbeck.progress import Progress
from limbeck.scale.ray_crew import settle_on_ray, work_on_ray
from limbeck.scale.scale_settings import On, ScaleSettings
from limbeck.scale.spark_session import look_for_spark
from limbeck.scale.unit_queue import UnitQueue
from limbeck.scale.worker_processes import work_in_processes


@dataclass(frozen=True, kw_only=True)
class CrewJob:
    """What a crew is to do.

    Attributes:
        folder: of the parts; it has a plan.
        settings: how many there are, and with how many threads.
        progress: is told what people should know.
    """

    folder: str
    settings: ScaleSettings
    progress: Progress


@dataclass(frozen=True, kw_only=True)
class Crew:
    """Who computes units.

    Attributes:
        work: computes until the queue is over.
        settle: looks whether it could, before anything is planned in vain: raises where a library or a cluster is
            missing. Returns the settings with what it knows of its workers.
    """

    work: Callable[[UnitQueue, CrewJob], None]
    settle: Callable[[ScaleSettings], ScaleSettings] = lambda settings: settings


def work_here(queue: UnitQueue, job: CrewJob) -> None:
    """Compute units in this process, one after another."""
    from limbeck.scale.unit_task import do_unit

    while (number := queue.take()) is not None:
        queue.settle(number, do_unit(job.folder, number, tell=partial(queue.advance, number)))


def _work_in_processes(queue: UnitQueue, job: CrewJob) -> None:
    work_in_processes(queue, job.folder, job.settings, job.progress)


def _work_on_ray(queue: UnitQueue, job: CrewJob) -> None:
    work_on_ray(queue, job.folder, job.settings, job.progress)


def _work_on_spark(queue: UnitQueue, job: CrewJob) -> None:
    from limbeck.scale.spark_crew import work_on_spark

    work_on_spark(queue, job.folder, job.progress)


CREWS: Mapping[On, Crew] = {
    "processes": Crew(work=_work_in_processes),
    "here": Crew(work=work_here),
    "ray": Crew(work=_work_on_ray, settle=settle_on_ray),
    "spark": Crew(work=_work_on_spark, settle=look_for_spark),
}
