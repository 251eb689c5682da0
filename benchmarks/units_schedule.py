"""What does it cost to keep book of 100,000 units, and how evenly do workers end? Simulated: no model computes.

The queue, the plan, the records on disk and the manifest are the real ones; a unit's work is a drawn time, 30 to 120 s
on a simulated clock, after which a part of a few bytes is written, as a worker would write it. One attempt in a
thousand ends with its worker. Half way the command is killed: a new queue is made from what is on disk, as the same
command does, and goes on. Shown are the seconds of this process by what it does, and in how much more time than a
perfect division the last worker ends. Parts are read whole for the manifest: 100,000 real ones take as long as their
bytes take to be read, which is not in these figures.

    python benchmarks/units_schedule.py [--units 100000] [--workers 100] [--place FOLDER]

Writes benchmarks/results/units_schedule.json.
"""

import argparse
import hashlib
import heapq
import random
import shutil
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
from measure import write_result

from limbeck.reading.cut_file import CutFile, FilePiece
from limbeck.scale.part_record import PartRecord
from limbeck.scale.parts_folder import PartsFolder
from limbeck.scale.unit import Answering, InputFile, Unit
from limbeck.scale.unit_plan import UnitPlan, open_plan, write_plan
from limbeck.scale.unit_queue import UnitQueue
from limbeck.settings import ReadSettings

FILES, UNIT_ROWS = 1_000, 40_000
LEAST_S, MOST_S = 30.0, 120.0
LOST = 0.001
"""Share of attempts that end with their worker."""


class Clock:
    """Seconds of this process, by what it does."""

    def __init__(self) -> None:
        self.seconds: Counter[str] = Counter()

    @contextmanager
    def of(self, what: str) -> Iterator[None]:
        """Count what happens meanwhile."""
        started = time.perf_counter()
        yield
        self.seconds[what] += time.perf_counter() - started


def main() -> None:
    """Simulate, check, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--units", type=int, default=100_000)
    parser.add_argument("--workers", type=int, default=100)
    parser.add_argument("--place", type=Path, default=Path("units-schedule"), help="a folder, made and removed")
    given = parser.parse_args()
    parts, clock = PartsFolder(given.place), Clock()
    parts.state.mkdir(parents=True)
    try:
        found = simulate(parts, given.units, given.workers, clock)
    finally:
        shutil.rmtree(given.place)
    seconds = {what: round(spent, 2) for what, spent in clock.seconds.items()}
    kept_s = clock.seconds["queue and records"]
    result = {
        "units": given.units,
        "workers": given.workers,
        "rows": given.units * UNIT_ROWS,
        "seconds": seconds,
        "ms_per_unit": round(1e3 * kept_s / given.units, 3),
        "workers_that_one_queue_keeps_busy": int((LEAST_S + MOST_S) / 2 * given.units / kept_s),
        **found,
    }
    print(result)
    print(f"written to {write_result('units_schedule', result, packages=('limbeck', 'pyarrow'))}")


def simulate(parts: PartsFolder, units: int, workers: int, clock: Clock) -> dict[str, float]:
    """Run all units, with one kill of the command half way; return how evenly the workers ended, and counts.

    Raises:
        AssertionError: a unit was finished twice, or never.
    """
    with clock.of("plan written"):
        write_plan(drawn_plan(units), parts.plan_path)
    drawn = random.Random(7)  # noqa: S311  # times, not secrets
    finished: Counter[int] = Counter()
    busy_s = makespan_s = 0.0
    lost = 0
    for stop in (units // 2, units):
        with clock.of("plan read"):
            plan = open_plan(parts.plan_path)
        with clock.of("look for what is finished"):
            missing = [number for number in range(units) if parts.finished(plan.unit(number)) is None]
        queue = UnitQueue(plan, parts, missing, lambda rows: None)
        running: list[tuple[float, int]] = []
        now_s = 0.0
        while len(finished) < stop:
            with clock.of("queue and records"):
                while len(running) < workers and (number := queue.take()) is not None:
                    spent_s = drawn.uniform(LEAST_S, MOST_S)
                    busy_s += spent_s
                    heapq.heappush(running, (now_s + spent_s, number))
            now_s, number = heapq.heappop(running)
            if drawn.random() < LOST:
                lost += 1
                with clock.of("queue and records"):
                    queue.lose(number, "its worker was killed")
                continue
            record = written(plan.unit(number), parts)
            with clock.of("queue and records"):
                queue.settle(number, record)
            finished[number] += 1
        busy_s -= sum(end_s - now_s for end_s, _ in running)  # what a kill cuts off
        makespan_s += now_s
    with clock.of("look for what is finished"):
        records = [parts.finished(plan.unit(number)) for number in range(units)]
    with clock.of("manifest"):
        parts.write_manifest(plan, [record for record in records if record is not None])
    assert sorted(finished) == list(range(units))
    assert set(finished.values()) == {1}
    return {"lost": lost, "time_beside_a_perfect_division": round(makespan_s / (busy_s / workers), 5)}


def drawn_plan(units: int) -> UnitPlan:
    """Return a plan of files that are not there: nobody reads them here."""
    schema = pa.schema([("text", pa.string())])
    files = tuple(
        InputFile(
            cut=CutFile(path=Path(f"/texts/{file:04}.parquet"), schema=schema),
            size_bytes=1,
            mtime_ns=0,
            sha256=hashlib.sha256(str(file).encode()).hexdigest(),
            row_prefix=f"{file:04}.parquet:",
        )
        for file in range(FILES)
    )
    pieces = [
        (
            number * FILES // units,
            FilePiece(first=1 + number * UNIT_ROWS, rows=UNIT_ROWS, start=0, stop=0, weight=UNIT_ROWS * 100),
        )
        for number in range(units)
    ]
    answering = Answering(
        bundle="0" * 64, engine="torch-float32", build="1", device="cpu", reading=ReadSettings(), part_format="parquet"
    )
    return UnitPlan(model="RUN", answering=answering, files=files, pieces=tuple(pieces))


def written(unit: Unit, parts: PartsFolder) -> PartRecord:
    """Write a part of a few bytes, and return its record."""
    content = unit.name.encode()
    (parts.path / unit.part_name).write_bytes(content)
    return PartRecord(
        unit=unit.name,
        part=unit.part_name,
        rows=unit.piece.rows,
        left_out=0,
        sha256=hashlib.sha256(content).hexdigest(),
        size_bytes=len(content),
    )


if __name__ == "__main__":
    main()
