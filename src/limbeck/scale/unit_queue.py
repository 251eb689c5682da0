"""Unit queue: which unit is next, and what became of each.

In: numbers of units, and what whoever computes says of them. Out: the next number; records and reasons, kept in the
`PartsFolder`. A unit whose worker ends, or whose file a store did not give, is tried again, and after `MOST_TRIES` set
aside; one whose rows are at fault is set aside at once, since the next try would find the same. It does not know who
computes.
"""

from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass

from limbeck.errors import EngineError
from limbeck.progress import Advance
from limbeck.scale.part_record import PartRecord
from limbeck.scale.parts_folder import PartsFolder
from limbeck.scale.unit_plan import UnitPlan

MOST_TRIES = 3
"""A unit over which so many workers ended is set aside."""


@dataclass(frozen=True, kw_only=True)
class UnitFault:
    """Why a unit cannot be answered.

    Attributes:
        kind: the name of the error.
        why: in words.
        may_pass: whether the next try may find it gone: a store that gave no answer.
    """

    kind: str
    why: str
    may_pass: bool = False


UnitOutcome = PartRecord | UnitFault
"""What becomes of a unit that was tried to its end."""


class UnitQueue:
    """Units to compute; one thread asks it.

    Attributes:
        done: how many were finished.
    """

    def __init__(self, plan: UnitPlan, parts: PartsFolder, numbers: Iterable[int], advance: Advance) -> None:
        self._plan, self._parts, self._advance = plan, parts, advance
        self._waiting = deque(numbers)
        self._in_work: dict[int, int] = {}
        self._tries: Counter[int] = Counter()
        self.done = 0

    @property
    def waiting(self) -> int:
        """How many units nobody has taken."""
        return len(self._waiting)

    @property
    def is_over(self) -> bool:
        """Whether nothing waits, and nothing is in work."""
        return not self._waiting and not self._in_work

    def take(self) -> int | None:
        """Return the next unit's number, which then is in work; None where none waits."""
        if not self._waiting:
            return None
        number = self._waiting.popleft()
        self._in_work[number] = 0
        return number

    def advance(self, number: int, rows: int) -> None:
        """Tell that more rows of a unit were answered."""
        self._in_work[number] += rows
        self._advance(rows)

    def settle(self, number: int, outcome: UnitOutcome) -> None:
        """Take what became of a unit that was tried to its end; one whose fault may pass waits behind all others."""
        if isinstance(outcome, UnitFault) and outcome.may_pass and self._tries[number] + 1 < MOST_TRIES:
            self._tries[number] += 1
            self._advance(-self._in_work.pop(number))
            self._waiting.append(number)
            return
        told = self._in_work.pop(number)
        unit = self._plan.unit(number)
        if isinstance(outcome, PartRecord):
            self._parts.keep(unit, outcome)
            self.done += 1
        else:
            self._parts.set_aside(unit, outcome.why, outcome.kind, self._tries[number] + 1)
        self._advance(unit.piece.rows - told)

    def put_back(self, number: int) -> None:
        """Take back a unit that nobody began: no try is counted, and it is the next one."""
        self._advance(-self._in_work.pop(number))
        self._waiting.appendleft(number)

    def lose(self, number: int, why: str, tries: int = 1) -> None:
        """Take back a unit over which a worker ended, or several in turn (`tries`)."""
        told = self._in_work.pop(number)
        self._tries[number] += tries
        if self._tries[number] < MOST_TRIES:
            self._advance(-told)
            self._waiting.appendleft(number)
            return
        unit = self._plan.unit(number)
        ended = self._tries[number]
        self._parts.set_aside(unit, f"{ended} workers ended over it: {why}", EngineError.__name__, ended)
        self._advance(unit.piece.rows - told)
