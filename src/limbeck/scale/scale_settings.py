"""Settings of work in units: where they are computed, how large they are, what their files are. They know no stage."""

from dataclasses import dataclass
from typing import Literal

from limbeck.errors import FaultLog, SettingsError

On = Literal["processes", "here", "ray", "spark"]
PartFormat = Literal["parquet", "jsonl", "csv"]
FAR: frozenset[On] = frozenset({"ray", "spark"})
"""Where workers are started by somebody else, on machines of a cluster."""
CORES_PER_WORKER = 8
"""One process with more threads than this waits for its own single thread too often."""
_NO_WORKERS = {
    "here": 'on = "here" has none',
    "spark": "on Spark its own settings count (spark.executor.cores, spark.task.cpus)",
}


@dataclass(frozen=True, kw_only=True)
class ScaleSettings:
    """How a folder of parts is made.

    Attributes:
        on: where units are computed: "processes", in worker processes, each of which is replaced when it dies; "here",
            in this process, one unit after another; "ray", as tasks of a Ray cluster; or "spark", as tasks of a
            Spark job.
        workers: number of worker processes; of a Ray cluster, units that are computed at once at most; Spark's own
            settings say it. Default: one for every 8 cores; of a cluster, as many as it has room for.
        threads: number of threads per worker; of a Ray cluster, CPUs that each unit asks for; of Spark,
            `spark.task.cpus`, and this is left out. Default: the cores, shared out among the workers; of a Ray cluster,
            the CPUs of its smallest machine, at most 8.
        unit_tokens: number of tokens, about, after which a unit of work ends; it is what an interruption costs per
            worker. Default: what a worker answers in 60 seconds, as measured on this machine.
        part_format: format of the parts.
    """

    on: On = "processes"
    workers: int | None = None
    threads: int | None = None
    unit_tokens: int | None = None
    part_format: PartFormat = "parquet"

    def workers_on(self, cores: int) -> int:
        """Return how many workers there are on a machine of so many cores; of a cluster, how many it has room for."""
        if self.on == "here":
            return 1
        if self.on in FAR:
            return max(1, cores // self.threads_on(cores))
        return self.workers or max(1, cores // CORES_PER_WORKER)

    def threads_on(self, cores: int) -> int:
        """Return the threads of each worker on a machine of so many cores."""
        if self.on in FAR:
            return self.threads or min(cores, CORES_PER_WORKER)
        return self.threads or max(1, cores // self.workers_on(cores))


def check_scale(settings: ScaleSettings) -> None:
    """Refuse numbers that are none, and workers where there is only this process.

    Raises:
        SettingsError: gathers them.
    """
    faults = FaultLog()
    for name in ("workers", "threads", "unit_tokens"):
        value = getattr(settings, name)
        if value is not None and value < 1:
            faults.add(f"{name} = {value} is not possible: give 1 or more")
    if settings.on in _NO_WORKERS:
        for name in ("workers", "threads"):
            if getattr(settings, name) is not None:
                faults.add(f"{name} is about worker processes, and {_NO_WORKERS[settings.on]}: leave it out")
    faults.raise_as(SettingsError, what="the settings are wrong", todo="correct them and run the command again")
