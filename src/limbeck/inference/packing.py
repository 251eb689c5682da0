"""Which texts are computed, and which of them together: each once, in full chunks of tokens, whatever the lengths.

In: texts, or their lengths and a budget in tokens. Out: different texts, chunks of rows. The engine behind it computes
packed tokens and pads nothing, so a chunk mixes long and short texts freely and is nearly always full.
It does not know tensors.
"""

import heapq
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from limbeck.tokens import Tokenized

FEW_CHUNKS = 16
"""For each worker: of more chunks than that, the last one that a worker waits for takes no time worth naming."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Chunks:
    """Texts in the order of computation, cut into chunks.

    Attributes:
        rows: (N,) int64, where each text stood.
        stops: (chunks,) int64; chunk c is `rows[stops[c - 1]:stops[c]]`.
    """

    rows: np.ndarray
    stops: np.ndarray

    def __len__(self) -> int:
        return len(self.stops)


def each_once(tokenized: Tokenized) -> tuple[Tokenized, np.ndarray | None]:
    """Return the different texts, in the order in which they first come, and for each text which of these it is.

    Where all texts are different they are returned as they are, and None.
    """
    ids, offsets = np.ascontiguousarray(tokenized.ids), tokenized.offsets.tolist()
    known: dict[bytes, int] = {}
    places_N = np.array(
        [known.setdefault(ids[start:stop].tobytes(), len(known)) for start, stop in pairwise(offsets)],
        dtype=np.int64,
    )
    if len(known) == len(places_N):
        return tokenized, None
    rows = np.unique(places_N, return_index=True)[1]
    lengths = tokenized.lengths[rows]
    starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    sources = np.repeat(tokenized.offsets[rows] - starts[:-1], lengths) + np.arange(starts[-1])
    return Tokenized(ids=ids[sources], offsets=starts, cut_tokens=tokenized.cut_tokens[rows]), places_N


def fill_chunks(lengths: np.ndarray, token_budget: int) -> Chunks:
    """Put every text into exactly one chunk of at most `token_budget` tokens.

    Long texts first; what is left of a chunk's room is filled with the shortest texts. A text above the budget
    is alone.
    The same lengths give the same chunks.

    Args:
        lengths: tokens of each text, (N,).
        token_budget: tokens a chunk.

    Example:
        >>> chunks = fill_chunks(np.array([3, 7, 2, 9]), 10)
        >>> chunks.rows.tolist(), chunks.stops.tolist()
        ([3, 1, 0, 2], [1, 3, 4])
    """
    order = np.argsort(-lengths, kind="stable")
    sizes = lengths[order].tolist()
    longest, shortest = 0, len(sizes) - 1
    places: list[int] = []
    stops: list[int] = []
    while longest <= shortest:
        room = token_budget - sizes[longest]
        places.append(longest)
        longest += 1
        while longest <= shortest and sizes[longest] <= room:
            room -= sizes[longest]
            places.append(longest)
            longest += 1
        while longest <= shortest and sizes[shortest] <= room:
            room -= sizes[shortest]
            places.append(shortest)
            shortest -= 1
        stops.append(len(places))
    return Chunks(rows=order[np.array(places, dtype=np.int64)].astype(np.int64), stops=np.array(stops, dtype=np.int64))


def even_chunks(lengths: np.ndarray, token_budget: int, workers: int) -> Chunks:
    """Put every text into exactly one chunk, and where there are few chunks, let all workers end together.

    The number of chunks is then a multiple of that of the workers, and each text goes to the chunk with the fewest
    tokens, longest text first. Which texts are together depends on the workers: only for engines whose answers do not.

    Args:
        lengths: tokens of each text, (N,).
        token_budget: tokens a chunk; a text above it is alone.
        workers: who compute chunks at the same time.

    Source: Graham, "Bounds on multiprocessing timing anomalies" (1969): longest first.

    Example:
        >>> chunks = even_chunks(np.array([3, 7, 2, 8]), 10, 2)
        >>> chunks.rows.tolist(), chunks.stops.tolist()
        ([3, 2, 1, 0], [2, 4])
    """
    fewest = min(-(-int(lengths.sum()) // token_budget), len(lengths))
    if workers == 1 or not 1 < fewest <= FEW_CHUNKS * workers:
        return fill_chunks(lengths, token_budget)
    order = np.argsort(-lengths, kind="stable").tolist()
    for count in range(-(-fewest // workers) * workers, len(order) + workers, workers):
        loads = [(0, chunk) for chunk in range(count)]
        members: list[list[int]] = [[] for _ in loads]
        for row in order:
            load, chunk = heapq.heappop(loads)
            members[chunk].append(row)
            heapq.heappush(loads, (load + int(lengths[row]), chunk))
        if all(len(rows) <= 1 or lengths[rows].sum() <= token_budget for rows in members):
            break
    rows = [row for chunk in members for row in chunk]
    stops = np.cumsum([len(chunk) for chunk in members if chunk])
    return Chunks(rows=np.array(rows, dtype=np.int64), stops=stops.astype(np.int64))
