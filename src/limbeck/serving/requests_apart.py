"""Requests apart: those that an engine may have ended over, computed away from all others until the one is found.

In: requests that were in a batch over which an engine ended, or that failed. Out: rows to compute apart, and the
request that breaks engines. It does not know engines or clocks.
"""

from collections import deque
from collections.abc import Sequence

from limbeck.serving.waiting import Queued, RowsTaken

MOST_KILLS = 3
"""A request alone in its batches that ended so many engines is given up."""


class RequestsApart:
    """Groups of requests that are computed one group at a time.

    A group over which an engine ended is tried once more, whole: the engine may have been killed by anybody. Then it is
    halved, and its halves.
    """

    def __init__(self) -> None:
        self._groups: deque[list[Queued]] = deque()

    def __len__(self) -> int:
        return len(self._groups)

    @property
    def tokens(self) -> int:
        """Tokens of the rows that wait."""
        return sum(one.tokens_left for group in self._groups for one in group if one.has_rows)

    def doubt(self, doubted: Sequence[Queued], *, raised: bool) -> Queued | None:
        """Compute requests apart, or apart in smaller groups than before; return the one that is found.

        Args:
            doubted: those of one batch for which somebody waits.
            raised: whether the engine lives and says that it could not compute them: it would say so again.
        """
        was_apart = doubted[0].is_apart
        group = self._groups.popleft() if was_apart else list(doubted)
        group = [one for one in group if not one.is_gone and not one.answer.done()]
        if len(group) == 1 and (raised or group[0].kills >= MOST_KILLS):
            return group[0]
        if len(group) == 1 or not (was_apart or raised):
            self._groups.append(group)
        else:
            half = len(group) // 2
            self._groups.extendleft([group[half:], group[:half]])
        return None

    def take(self, most_tokens: int, now_s: float) -> list[RowsTaken]:
        """Take rows of the first group, when nothing else is computed; a group that is done leaves."""
        while self._groups:
            taken: list[RowsTaken] = []
            room = most_tokens
            for one in self._groups[0]:
                if one.deadline_s > now_s and one.has_rows and (part := one.take(room, at_least_one=not taken)):
                    room -= part.tokens
                    taken.append(part)
            if taken:
                return taken
            self._groups.popleft()
        return []
