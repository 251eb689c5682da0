"""Which rows are trained on together, and in which order.

In: tokens a row, a seed, an epoch. Out: the updates of that epoch: a pure function of its arguments, so that a resumed
run needs only to know how many updates it has done. It does not know texts, labels or models.

Rows are shuffled, sorted by length within runs of `BUCKET_UPDATES` updates, cut into updates of equal size, and the
updates are shuffled: neighbours are of like length, which attention needs to be cheap, and the order is still random.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from limbeck.errors import SettingsError

Int64 = NDArray[np.int64]
BUCKET_UPDATES = 50
"""Updates whose rows are sorted by length together: enough that lengths are alike, few enough that chance decides."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Update:
    """The rows of one step of the optimizer.

    Attributes:
        parts: the rows of each micro-batch, whose gradients are added up.
    """

    parts: tuple[Int64, ...]

    @property
    def rows(self) -> Int64:
        """All rows of the update."""
        return self.parts[0] if len(self.parts) == 1 else np.concatenate(self.parts)

    @property
    def size(self) -> int:
        """How many rows that is."""
        return sum(len(rows) for rows in self.parts)


def updates_per_epoch(rows: int, batch_rows: int) -> int:
    """Return the number of updates of an epoch: every row once, the last update may be smaller."""
    return -(-rows // batch_rows)


def stretch_of(rows: int, *, stretch_rows: int, seed: int, number: int) -> Int64:
    """Return the rows of one stretch of an endless sequence, in which all rows follow in a new order again and again.

    Args:
        rows: how many there are.
        stretch_rows: how many a stretch takes.
        seed: of the orders.
        number: of the stretch, from 0.

    Example:
        >>> taken = np.concatenate([stretch_of(6, stretch_rows=4, seed=0, number=number) for number in range(3)])
        >>> np.bincount(taken).tolist()
        [2, 2, 2, 2, 2, 2]
    """
    first, last = number * stretch_rows, (number + 1) * stretch_rows
    passes = range(first // rows, (last - 1) // rows + 1)
    orders = [np.random.Generator(np.random.PCG64([seed, one, 1])).permutation(rows) for one in passes]
    return np.concatenate(orders)[first - passes.start * rows : last - passes.start * rows]


def plan_epoch(
    tokens_N: NDArray[np.integer],
    *,
    batch_rows: int,
    token_budget: int,
    seed: int,
    epoch: int,
    stretch_rows: int | None = None,
) -> list[Update]:
    """Return the updates of an epoch; every row is in exactly one.

    Args:
        tokens_N: tokens of each row.
        batch_rows: rows an update.
        token_budget: tokens a micro-batch; a longer row is alone in its micro-batch.
        seed: of the shuffle.
        epoch: its number; each has another order.
        stretch_rows: rows that this epoch takes of an endless sequence, see `stretch_of`; all rows when not given.

    Raises:
        SettingsError: `batch_rows` or `token_budget` is below 1.
    """
    for name, value in {"batch_rows": batch_rows, "token_budget": token_budget}.items():
        if value < 1:
            raise SettingsError(f"{name} = {value} is not possible: give at least 1")
    random = np.random.Generator(np.random.PCG64([seed, epoch]))
    if stretch_rows is None:
        order = random.permutation(len(tokens_N))
    else:
        order = stretch_of(len(tokens_N), stretch_rows=stretch_rows, seed=seed, number=epoch)
    updates: list[Int64] = []
    for start in range(0, len(order), batch_rows * BUCKET_UPDATES):
        bucket = order[start : start + batch_rows * BUCKET_UPDATES]
        bucket = bucket[np.argsort(tokens_N[bucket], kind="stable")]
        updates += [bucket[first : first + batch_rows] for first in range(0, len(bucket), batch_rows)]
    return [
        Update(parts=tuple(pack_rows(updates[place], tokens_N, token_budget)))
        for place in random.permutation(len(updates))
    ]


def pack_rows(rows: Int64, tokens_N: NDArray[np.integer], token_budget: int) -> Iterator[Int64]:
    """Cut rows, in their order, into runs of at most `token_budget` tokens, each of at least one row."""
    ends = np.cumsum(tokens_N[rows])
    start, used = 0, 0
    while start < len(rows):
        stop = max(start + 1, int(np.searchsorted(ends, used + token_budget, side="right")))
        yield rows[start:stop]
        start, used = stop, int(ends[stop - 1])


@dataclass(frozen=True, kw_only=True)
class Where:
    """The place of an update in a training.

    Attributes:
        step: its number from 0.
        said: the same in words, for messages.
    """

    step: int
    said: str


@dataclass(frozen=True, kw_only=True)
class Slope:
    """What is known once an update's gradient is there.

    Attributes:
        loss_sum: losses of its rows, added up, in nats.
        norm: of the gradient, before it was clipped.
    """

    loss_sum: float
    norm: float
