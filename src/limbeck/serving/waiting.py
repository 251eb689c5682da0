"""Waiting: the rows of all requests that wait for the engine, and whose turn it is.

In: requests as rows of token ids. Out: the rows of the next batch. Turns are taken by tokens: clients take turns, and
so do the requests of one client, so that one text never waits for the thousand of somebody else, nor for a text of a
hundred rows. Among equals the oldest is first. It does not know engines or clocks.

Source: Demers, Keshav, Shenker, "Analysis and Simulation of a Fair Queueing Algorithm" (1989): whoever was served least
since it came is next.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from heapq import heappop, heappush, heapreplace
from itertools import count
from typing import Generic, Protocol, TypeVar

import numpy as np

from limbeck.tokens import ReadTexts

TURN_TOKENS = 256
"""Of a request that has more, so many are taken before the next one's turn; one row at least."""
_MOST_COMPARED = 64


@dataclass(kw_only=True, eq=False)
class Queued:
    """A request on its way through the engine.

    Attributes:
        number: by which front and engine call it.
        client: whose it is.
        read: its texts.
        with_vectors: whether vectors are asked for.
        deadline_s: when nobody waits for it any more, in the loop's time.
        answer: is set when all of its rows were computed: (N, C) answers, and vectors where they were asked for.
        sizes_R: tokens of each row.
        next_row: the first row that was not given to the engine.
        tokens_left: of these rows.
        turn_tokens: that it was given in its turn so far.
        begun_s: when its first row was given to the engine.
        engine_s: seconds of the batches that it was in.
        kills: engines that ended while they computed rows of it.
        is_gone: whether nobody waits for it any more.
        is_apart: whether it is computed apart from others, since an engine ended over it.
    """

    number: int
    client: str
    read: ReadTexts
    with_vectors: bool
    deadline_s: float
    answer: "asyncio.Future[tuple[np.ndarray, np.ndarray | None]]"
    sizes_R: Sequence[int] = ()
    next_row: int = 0
    tokens_left: int = 0
    turn_tokens: int = 0
    begun_s: float | None = None
    engine_s: float = 0.0
    kills: int = 0
    is_gone: bool = False
    is_apart: bool = False

    def __post_init__(self) -> None:
        self.sizes_R = self.read.rows.lengths.tolist()
        self.tokens_left = self.tokens

    @property
    def tokens(self) -> int:
        """Tokens of all of its rows."""
        return len(self.read.rows.ids)

    @property
    def has_rows(self) -> bool:
        """Whether rows of it were not given to the engine, and somebody waits for them."""
        return self.next_row < len(self.sizes_R) and not self.is_gone

    @property
    def is_waiting(self) -> bool:
        """Whether it is among those that take turns."""
        return self.has_rows and not self.is_apart

    def begin_again(self) -> None:
        """Forget that rows of it were given to an engine."""
        self.next_row, self.tokens_left, self.turn_tokens = 0, self.tokens, 0

    def take(self, most_tokens: int, *, at_least_one: bool) -> "RowsTaken | None":
        """Take its next rows, up to so many tokens; None where the next one does not fit."""
        start, used = self.next_row, 0
        stop = start
        while stop < len(self.sizes_R) and (
            used + self.sizes_R[stop] <= most_tokens or (at_least_one and stop == start)
        ):
            used += self.sizes_R[stop]
            stop += 1
        if stop == start:
            return None
        self.next_row, self.tokens_left = stop, self.tokens_left - used
        return RowsTaken(request=self, start=start, stop=stop, tokens=used)


@dataclass(frozen=True, kw_only=True, eq=False)
class RowsTaken:
    """Rows of a request that go into a batch.

    Attributes:
        request: whose they are.
        start, stop: which of its rows.
        tokens: of them.
    """

    request: Queued
    start: int
    stop: int
    tokens: int

    @property
    def ids(self) -> np.ndarray:
        """The ids of the rows, end to end."""
        rows = self.request.read.rows
        return rows.ids[rows.offsets[self.start] : rows.offsets[self.stop]]


class _Waits(Protocol):
    @property
    def is_waiting(self) -> bool: ...


_ItemT = TypeVar("_ItemT", bound=_Waits)


class _Turns(Generic[_ItemT]):
    """Who waits, in the order of what each was given; whoever comes begins where the others are now."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, _ItemT]] = []
        self._numbers = count()
        self._now = 0.0

    def __len__(self) -> int:
        return len(self._heap)

    def add(self, item: _ItemT, *, first: bool = False) -> None:
        """Let somebody wait; before all others where it was served before and in vain."""
        given = self._heap[0][0] - 1.0 if first and self._heap else self._now
        heappush(self._heap, (given, next(self._numbers), item))

    def first(self) -> _ItemT | None:
        """Return whose turn it is; who waits no more leaves."""
        while self._heap and not self._heap[0][2].is_waiting:
            heappop(self._heap)
        return self._heap[0][2] if self._heap else None

    def give(self, tokens: int) -> None:
        """Note what the first one was given; it goes behind those that were given less."""
        given, number, item = self._heap[0]
        self._now = max(self._now + tokens / len(self._heap), given)
        heapreplace(self._heap, (given + tokens, number, item))

    def items(self) -> list[_ItemT]:
        """Return all that wait, in no order."""
        return [item for _, _, item in self._heap]


class _Line:
    """The requests of one client."""

    def __init__(self) -> None:
        self.tokens = 0
        self.requests: _Turns[Queued] = _Turns()

    @property
    def is_waiting(self) -> bool:
        return self.requests.first() is not None


class WaitingTexts:
    """All requests of which rows wait.

    Attributes:
        tokens: of the rows that wait.
    """

    def __init__(self) -> None:
        self.tokens = 0
        self._lines: dict[str, _Line] = {}
        self._turns: _Turns[_Line] = _Turns()

    def add(self, request: Queued, *, first: bool = False) -> None:
        """Let a request wait; first of its client's where an engine had it in vain."""
        line = self._lines.get(request.client)
        if line is None or not line.is_waiting:
            # A line that nobody waits in leaves its turn when that comes.
            line = self._lines[request.client] = _Line()
            self._turns.add(line, first=first)
        line.tokens += request.tokens_left
        self.tokens += request.tokens_left
        line.requests.add(request, first=first)

    def leave(self, request: Queued) -> None:
        """Let go of a request: no row of it is taken any more."""
        was_waiting = request.is_waiting
        request.is_gone = True
        if was_waiting:
            self._count(request, -request.tokens_left)

    def set_apart(self, request: Queued) -> None:
        """Take a request out of the turns, with all of its rows to be computed."""
        was_waiting = request.is_waiting
        request.is_apart = True
        if was_waiting:
            self._count(request, -request.tokens_left)
        request.begin_again()

    def begin_again(self, request: Queued) -> None:
        """Let all rows of a request wait, of which an engine had some in vain; before the others of its client."""
        if not request.is_waiting:
            request.begin_again()
            self.add(request, first=True)
            return
        self._count(request, request.tokens - request.tokens_left)
        request.begin_again()

    def take(self, most_tokens: int, now_s: float) -> list[RowsTaken]:
        """Take the rows of the next batch: up to so many tokens, or one row that has more; none that are too late."""
        taken: list[RowsTaken] = []
        room = most_tokens
        while room > 0 and (line := self._turns.first()) is not None and (request := line.requests.first()) is not None:
            if request.deadline_s <= now_s:
                self.leave(request)
                continue
            fits = not taken or request.sizes_R[request.next_row] <= room
            part = request.take(min(room, TURN_TOKENS), at_least_one=fits)
            if part is None:
                break
            room -= part.tokens
            request.turn_tokens += part.tokens
            if request.turn_tokens >= TURN_TOKENS or not request.is_waiting:
                # A batch may be smaller than a turn: whoever comes between two batches must not be served first.
                line.requests.give(request.turn_tokens)
                request.turn_tokens = 0
            self._turns.give(part.tokens)
            self._count(request, -part.tokens)
            taken.append(part)
        return taken

    def tokens_before(self, client: str, tokens: int) -> int:
        """Return how many waiting tokens are served before a request of so many is, were it to come now."""
        own = self._lines.get(client)
        own_before = 0
        if own is not None and len(own.requests) <= _MOST_COMPARED:
            own_turn = max(tokens, TURN_TOKENS)
            own_before = sum(min(one.tokens_left, own_turn) for one in own.requests.items() if one.is_waiting)
        elif own is not None:
            own_before = own.tokens
        turn = own_before + tokens
        return own_before + sum(min(line.tokens, turn) for line in self._turns.items() if line is not own)

    def _count(self, request: Queued, tokens: int) -> None:
        self.tokens += tokens
        line = self._lines[request.client]
        line.tokens += tokens
        if line.tokens == 0 and not line.is_waiting:
            del self._lines[request.client]
