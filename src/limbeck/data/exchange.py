"""Placing groups of rows into splits so that the shares of every class are missed by as little as can be.

In: groups as counts of their rows by class, and how many rows of each class each split wants. Out: a split for each
group. It does not know rows, texts or names.

Groups with the same counts are one kind, and exchanging two of them changes nothing. First each group goes where it
misses the shares by least; then groups move to another split, or change places with a group there, as long as that
misses them by less. Of a few groups every placing is tried.
"""

from itertools import permutations, product

import numpy as np

MOST_WAYS = 3**8
"""Of so few groups every way of placing them is tried."""
MOST_STEPS = 100
"""Exchanges that are made at most."""
MOST_MOVED = 300
"""Kinds of groups, the largest, that move."""
MOST_KINDS = 24
"""Of these the largest, which also change places with each other."""
_MISSING = 10.0
"""What a class that a split lacks counts, in whole classes missed: more than any number of rows."""
_LEAST = 1e-9


class Shapes:
    """Kinds of groups: which classes their rows have, and how many of each.

    Attributes:
        counts: rows by class of each kind, float64 (C,).
    """

    def __init__(self, stratum: np.ndarray, classes: int) -> None:
        self._stratum = stratum
        self._classes = classes
        self._kinds: dict[bytes, int] = {}
        self.counts: list[np.ndarray] = []

    def kind_of(self, rows: np.ndarray) -> int:
        """Return the kind of a group of rows."""
        found = np.sort(self._stratum[rows]).tobytes()
        if found not in self._kinds:
            self._kinds[found] = len(self.counts)
            self.counts.append(np.bincount(self._stratum[rows], minlength=self._classes).astype(float))
        return self._kinds[found]


class Exchange:
    """Groups in splits.

    Shapes: P splits, C classes, K kinds.

    Attributes:
        left: (P, C) rows still wanted, below zero where there are too many; the caller's own, brought up to date by
            `improve`.
    """

    def __init__(self, shapes: Shapes, wanted: np.ndarray, left: np.ndarray) -> None:
        self._wanted = np.maximum(wanted, 1).tolist()
        self._occurs = wanted.sum(axis=0) > 0
        self._weight = 1 / np.maximum(wanted.sum(axis=0), 1)
        self._parts = len(wanted)
        self._shapes = shapes
        self.left = left
        self._lacking = left.tolist()
        self._known: dict[int, list[tuple[int, float, float]]] = {}
        self._placed: dict[tuple[int, int], int] = {}
        self._holding = np.zeros(wanted.shape, dtype=np.int64)

    def place(self, kind: int) -> int:
        """Place a group where it misses the shares by least; where that is the same, where most is lacking.

        Plain numbers: a million rows make hundreds of thousands of groups, and arrays of three are slow.
        """
        best, part = (float("inf"), float("inf")), 0
        cells = self._cells(kind)
        for other, (lacking, wanted) in enumerate(zip(self._lacking, self._wanted, strict=True)):
            more = sum((abs(lacking[at] - rows) - abs(lacking[at])) * weight for at, rows, weight in cells)
            want = sum(lacking[at] / wanted[at] * rows for at, rows, _ in cells)
            if more < best[0] - _LEAST or (more <= best[0] + _LEAST and -want < best[1]):
                best, part = (more, -want), other
        for at, rows, _ in cells:
            self._lacking[part][at] -= rows
        self._placed[kind, part] = self._placed.get((kind, part), 0) + 1
        return part

    def _cells(self, kind: int) -> list[tuple[int, float, float]]:
        """Return class, rows and weight for each class that groups of this kind have."""
        if kind not in self._known:
            counts = self._shapes.counts[kind]
            self._known[kind] = [
                (at, float(counts[at]), float(self._weight[at])) for at in np.flatnonzero(counts).tolist()
            ]
        return self._known[kind]

    def improve(self) -> list[tuple[int, int, int]]:
        """Move groups where that misses the shares by less; return the moves in order: kind, from split, to split."""
        self.left[:] = self._lacking
        kinds = np.array(self._shapes.counts).reshape(-1, self.left.shape[1])
        for (kind, part), times in self._placed.items():
            self._holding[part] += times * (kinds[kind] > 0)
        moves: list[tuple[int, int, int]] = []
        if not len(kinds):
            return moves
        placed = [key for key, times in self._placed.items() for _ in range(times)]
        if self._parts ** len(placed) <= MOST_WAYS and self._missed(self.left, self._holding) > _LEAST:
            return self._best_way(kinds, placed)
        largest = np.argsort(-kinds.sum(axis=1), kind="stable")[:MOST_MOVED]
        for _ in range(MOST_STEPS):
            if self._missed(self.left, self._holding) <= _LEAST:
                break
            step = self._best_step(kinds, largest)
            if step is None:
                break
            self._make(step)
            moves += step
        return moves

    def _best_way(self, kinds: np.ndarray, placed: list[tuple[int, int]]) -> list[tuple[int, int, int]]:
        """Try every way of placing the groups, and return the moves to the best of them."""
        counts = kinds[[kind for kind, _ in placed]]
        before = np.array([part for _, part in placed])
        wanted = self.left + np.array([counts[before == part].sum(axis=0) for part in range(self._parts)])
        best, way = self._missed(self.left, self._holding) - _LEAST, tuple(before.tolist())
        for parts in product(range(self._parts), repeat=len(placed)):
            taken = np.zeros_like(self.left)
            holding = np.zeros_like(self._holding)
            np.add.at(taken, list(parts), counts)
            np.add.at(holding, list(parts), (counts > 0).astype(np.int64))
            missed = self._missed(wanted - taken, holding)
            if missed < best:
                best, way = missed, parts
        moves = [(kind, part, other) for (kind, part), other in zip(placed, way, strict=True) if part != other]
        self._make(moves)
        return moves

    def _make(self, moves: list[tuple[int, int, int]]) -> None:
        for kind, part, other in moves:
            self._put(kind, part, -1)
            self._put(kind, other, 1)

    def _put(self, kind: int, part: int, times: int) -> None:
        self._placed[kind, part] = self._placed.get((kind, part), 0) + times
        self.left[part] -= times * self._shapes.counts[kind]
        self._holding[part] += times * (self._shapes.counts[kind] > 0)

    def _missed(self, left: np.ndarray, holding: np.ndarray) -> float:
        """Return the shares of classes that splits have too many, and much more for a class that a split must lack.

        What is wanted and not yet there is the number of rows that are in no group: they fill what is lacking.
        """
        alone = left.sum(axis=0)
        lacking = ((holding <= 0) & self._occurs).sum(axis=0) - alone
        over = np.abs(left).sum(axis=0) - alone
        return float((over * self._weight).sum() + _MISSING * np.maximum(lacking, 0).sum())

    def _best_step(self, kinds: np.ndarray, largest: np.ndarray) -> list[tuple[int, int, int]] | None:
        """Return the move, or the two that change places, after which the shares are missed by least; None for none."""
        best, step = self._missed(self.left, self._holding) - _LEAST, None
        for part, other in permutations(range(self._parts), 2):
            there = [kind for kind in largest.tolist() if self._placed.get((kind, part), 0)]
            against = [None, *(kind for kind in largest[:MOST_KINDS].tolist() if self._placed.get((kind, other), 0))]
            for kind in there:
                for back in against if kind in largest[:MOST_KINDS] else [None]:
                    left, holding = self.left.copy(), self._holding.copy()
                    change = kinds[kind] - (0 if back is None else kinds[back])
                    left[part] += change
                    left[other] -= change
                    gained = (kinds[kind] > 0).astype(np.int64) - (0 if back is None else kinds[back] > 0)
                    holding[part] -= gained
                    holding[other] += gained
                    missed = self._missed(left, holding)
                    if missed < best:
                        best = missed
                        step = [(kind, part, other)] + ([] if back is None else [(back, other, part)])
        return step
