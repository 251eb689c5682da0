"""Flights: the batches that are under way to the engine and back.

In: rows, and answers. Out: frames of rows, and which batch an answer is of. It does not know whose turn it is.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count

import numpy as np

from limbeck.serving.admission import WorkRate
from limbeck.serving.engine_frames import EngineFrame, frame_bytes
from limbeck.serving.waiting import Queued, RowsTaken


@dataclass(frozen=True, kw_only=True, eq=False)
class Flight:
    """A batch under way.

    Attributes:
        number: of the batch.
        parts: rows in it; none where it only asks whether the engine is alive.
        tokens: of them.
        sent_s: when it was sent, in the loop's time.
    """

    number: int
    parts: Sequence[RowsTaken]
    tokens: int
    sent_s: float

    @property
    def requests(self) -> list[Queued]:
        """Whose rows these are."""
        return list(dict.fromkeys(part.request for part in self.parts))


class Flights:
    """Batches that are under way, the first of them being computed.

    Attributes:
        heard_s: when the engine answered last, or became ready, in the loop's time.
    """

    def __init__(self, now_s: float) -> None:
        self._all: deque[Flight] = deque()
        self._numbers = count(1)
        self._gone: list[int] = []
        self.heard_s = now_s

    def __len__(self) -> int:
        return len(self._all)

    @property
    def tokens(self) -> int:
        """Of all batches under way."""
        return sum(flight.tokens for flight in self._all)

    def send(self, parts: Sequence[RowsTaken], now_s: float) -> bytes:
        """Return the frame of a batch, which is under way from now on."""
        new = []
        for part in parts:
            request = part.request
            if part.start == 0:
                read = request.read
                texts = len(read) if read.is_plain else read.rows_per_text.tolist()
                new.append([request.number, int(request.with_vectors), texts])
        sizes = [size for part in parts for size in part.request.sizes_R[part.start : part.stop]]
        offsets = np.zeros(len(sizes) + 1, dtype=np.int64)
        np.cumsum(sizes, out=offsets[1:])
        flight = Flight(
            number=next(self._numbers), parts=parts, tokens=sum(part.tokens for part in parts), sent_s=now_s
        )
        said = {
            "batch": flight.number,
            "new": new,
            "parts": [[part.request.number, part.start, part.stop] for part in parts],
            "gone": self._gone,
        }
        self._gone = []
        self._all.append(flight)
        return frame_bytes(said, *([np.concatenate([part.ids for part in parts]), offsets] if parts else []))

    def forget(self, request: Queued) -> None:
        """Let the engine forget a request that it has rows of."""
        self._gone.append(request.number)

    def back(self, frame: EngineFrame, now_s: float) -> tuple[Flight, float] | None:
        """Return the batch that a frame answers, and the seconds that it took; None where it is not the first one."""
        number = frame.said.get("batch", frame.said.get("failed"))
        if not self._all or self._all[0].number != number:
            return None
        flight = self._all.popleft()
        taken_s = now_s - max(flight.sent_s, self.heard_s)
        self.heard_s = now_s
        return flight, taken_s

    def lost(self) -> Flight | None:
        """Forget all, since the engine ended; return the one that it was computing."""
        first = self._all[0] if self._all else None
        self._all.clear()
        self._gone.clear()
        return first

    def left_s(self, rate: WorkRate, now_s: float) -> float:
        """Predict the seconds until all are back."""
        if not self._all:
            return 0.0
        return max(0.0, sum(rate.seconds(one.tokens) for one in self._all) - self.computing_s(now_s))

    def computing_s(self, now_s: float) -> float:
        """Return for how many seconds the first one is being computed."""
        return now_s - max(self._all[0].sent_s, self.heard_s)

    @property
    def first(self) -> Flight | None:
        """The one that is being computed."""
        return self._all[0] if self._all else None
