"""The queue of units: each is settled once, in whatever order workers end or die."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from limbeck.reading.cut_file import CutFile, FilePiece
from limbeck.scale.part_record import PartRecord
from limbeck.scale.parts_folder import PartsFolder
from limbeck.scale.unit import Answering, InputFile
from limbeck.scale.unit_plan import UnitPlan
from limbeck.scale.unit_queue import MOST_TRIES, UnitFault, UnitQueue
from limbeck.scale.work import Answers, Vectors
from limbeck.settings import ReadSettings

ANSWERING = Answering(
    bundle="b" * 64,
    engine="torch-float32",
    build="one",
    device="cpu",
    reading=ReadSettings(labels="ignored"),
    part_format="parquet",
)


def plan_of(units: int) -> UnitPlan:
    """Return a plan of units of ten rows each."""
    cut = CutFile(path=Path("texts.parquet"), schema=pa.schema([("text", pa.string())]))
    file = InputFile(cut=cut, size_bytes=1, mtime_ns=1, sha256="a" * 64, row_prefix="")
    pieces = [(0, FilePiece(first=10 * n + 1, rows=10, start=0, stop=0, weight=1)) for n in range(units)]
    return UnitPlan(model="RUN", answering=ANSWERING, files=(file,), pieces=pieces)


class Remembering(PartsFolder):
    """A folder that writes nothing."""

    def __init__(self) -> None:
        super().__init__(Path("PARTS"))
        object.__setattr__(self, "kept", [])
        object.__setattr__(self, "asides", [])

    def keep(self, unit: Any, record: PartRecord) -> None:
        self.kept.append(unit.number)  # type: ignore[attr-defined]  # set above

    def set_aside(self, unit: Any, why: str, kind: str, tries: int) -> None:
        self.asides.append((unit.number, why, kind, tries))  # type: ignore[attr-defined]  # set above


def queue_of(units: int) -> tuple[UnitQueue, Any, list[int]]:
    parts, told = Remembering(), []
    return UnitQueue(plan_of(units), parts, range(units), lambda rows, note="": told.append(rows)), parts, told


RECORD = PartRecord(unit="u", part="p", rows=10, left_out=0)


def test_units_come_in_order_and_are_kept() -> None:
    """The queue is over when the last in work is settled, not when the last was taken."""
    queue, parts, told = queue_of(2)
    assert [queue.take(), queue.take(), queue.take()] == [0, 1, None]
    assert not queue.is_over
    queue.advance(0, 4)
    for number in (1, 0):
        queue.settle(number, RECORD)
    assert (queue.is_over, parts.kept, sum(told)) == (True, [1, 0], 20)


def test_a_unit_that_ends_workers_is_set_aside() -> None:
    """After three of them; meanwhile it is the next one, and rows that were told of it are taken back."""
    queue, parts, told = queue_of(2)
    for _ in range(MOST_TRIES):
        assert queue.take() == 0
        queue.advance(0, 7)
        queue.lose(0, "it was killed by signal 9")
    assert parts.asides == [
        (0, f"{MOST_TRIES} workers ended over it: it was killed by signal 9", "EngineError", MOST_TRIES)
    ]
    assert queue.take() == 1
    queue.settle(1, RECORD)
    assert (queue.is_over, sum(told)) == (True, 20)


def test_a_unit_that_ended_several_workers_in_turn_is_set_aside_at_once() -> None:
    """Where somebody else tried it again and again (Spark), each of these tries counts."""
    queue, parts, told = queue_of(1)
    queue.take()
    queue.lose(0, "killed", tries=2)
    assert (queue.waiting, parts.asides) == (1, [])
    queue.take()
    queue.lose(0, "killed", tries=4)
    assert (queue.is_over, parts.asides[0][1:]) == (True, ("6 workers ended over it: killed", "EngineError", 6))
    assert sum(told) == 10


def test_a_unit_that_nobody_began_is_put_back() -> None:
    """It is the next one, however often, and no try is counted."""
    queue, parts, told = queue_of(2)
    for _ in range(MOST_TRIES + 1):
        assert queue.take() == 0
        queue.put_back(0)
    assert [queue.take(), queue.take()] == [0, 1]
    for number in (0, 1):
        queue.settle(number, RECORD)
    assert (queue.is_over, parts.asides, sum(told)) == (True, [], 20)


def test_rows_at_fault_are_not_tried_again() -> None:
    """The next try would find the same."""
    queue, parts, _ = queue_of(1)
    queue.settle(queue.take() or 0, UnitFault(kind="DataError", why="row 3 is empty"))
    assert (queue.is_over, parts.asides) == (True, [(0, "row 3 is empty", "DataError", 1)])


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 8), st.lists(st.tuples(st.booleans(), st.integers(0, 3)), max_size=60))
def test_every_unit_is_settled_once(units: int, events: list[tuple[bool, int]]) -> None:
    """Whatever dies in which order, each unit is kept or set aside, and the rows told are all rows."""
    queue, parts, told = queue_of(units)
    in_work: list[int] = []
    steps = iter(events)
    while not queue.is_over:
        while len(in_work) < 3 and (number := queue.take()) is not None:
            in_work.append(number)
        dies, place = next(steps, (False, 0))
        number = in_work.pop(place % len(in_work))
        if dies:
            queue.lose(number, "killed")
        else:
            queue.settle(number, RECORD)
    assert sorted([*parts.kept, *(one[0] for one in parts.asides)]) == list(range(units))
    assert sum(told) == 10 * units


@pytest.mark.parametrize(
    "change",
    [
        {"bundle": "c"},
        {"engine": "native-avx2"},
        {"build": "two"},
        {"work": Answers(top_k=2)},
        {"work": Vectors()},
    ],
)
def test_a_units_name_tells_what_answers_depend_on(change: dict[str, Any]) -> None:
    """Another model, engine, build or column is another part; where the file lies, and rows at fault, is none."""
    from dataclasses import replace

    plan = plan_of(2)
    same = replace(ANSWERING, reading=replace(ANSWERING.reading, on_bad_row="skip"))
    other = replace(ANSWERING, **change)
    names = [replace(plan, answering=one).unit(0).name for one in (ANSWERING, same, other)]
    assert names[0] == names[1] != names[2]
    moved = replace(plan.files[0], cut=replace(plan.files[0].cut, path=Path("elsewhere.parquet")))
    assert replace(plan, files=(moved,)).unit(0).name == names[0]
    assert plan.unit(0).name != plan.unit(1).name


def test_a_fault_that_may_pass_is_tried_again_behind_the_others() -> None:
    """A store that gives no answer may give one later; after some tries its unit is set aside, rows told once."""
    queue, parts, told = queue_of(3)
    silent = UnitFault(kind="StoreUnreachableError", why="no answer", may_pass=True)
    order = []
    while (number := queue.take()) is not None:
        order.append(number)
        queue.settle(number, silent if number == 0 else RECORD)
    assert order == [0, 1, 2, 0, 0]
    assert parts.asides == [(0, "no answer", "StoreUnreachableError", MOST_TRIES)]
    assert sum(told) == 30
