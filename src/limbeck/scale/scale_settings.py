"""Settings of work in units: where they are computed, how large they are, what their files are. They know no stage."""

from dataclasses import dataclass
from typing import Literal

from limbeck.errors import FaultLog, SettingsError

On = Literal["processes", "here"]
PartFormat = Literal["parquet", "jsonl", "csv"]
CORES_PER_WORKER = 8
"""One process with more threads than this waits for its own single thread too often."""


@dataclass(frozen=True, kw_only=True)
class ScaleSettings:
    """How a folder of parts is made.

    Attributes:
        on: where units are computed: "processes", in worker processes, each of which is replaced when it dies; or
            "here", in this process, one unit after another.
        workers: number of worker processes. Default: one for every 8 cores.
        threads: number of threads per worker. Default: the cores, shared out among the workers.
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
        """Return how many workers there are on a machine of so many cores."""
        if self.on == "here":
            return 1
        return self.workers or max(1, cores // CORES_PER_WORKER)

    def threads_on(self, cores: int) -> int:
        """Return the threads of each worker on a machine of so many cores."""
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
    if settings.on == "here":
        for name in ("workers", "threads"):
            if getattr(settings, name) is not None:
                faults.add(f'{name} is about worker processes, and on = "here" has none: leave it out')
    faults.raise_as(SettingsError, what="the settings are wrong", todo="correct them and run the command again")
