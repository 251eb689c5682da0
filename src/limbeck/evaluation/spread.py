"""Several seeds: what a score is on average, and how much of it is the luck of the draw.

In: scores of runs that differ in their seed alone; or their answers to the same rows. Out: mean and spread, and the
difference of two groups of runs with an interval over rows and seeds.
It does not know models, runs or files.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from limbeck.errors import DataError
from limbeck.evaluation.comparison import drawn_p, with_difference
from limbeck.evaluation.intervals import RESAMPLES
from limbeck.evaluation.measured import Measured

_BLOCK_NUMBERS = 1 << 22
"""Numbers held at a time while rows are drawn: 32 MB."""


@dataclass(frozen=True, kw_only=True)
class Spread:
    """A score over several seeds.

    Attributes:
        mean: of the seeds.
        deviation: sample standard deviation; None for one seed.
        values: of each seed.
    """

    mean: float
    deviation: float | None
    values: tuple[float, ...]

    def __str__(self) -> str:
        return f"{self.mean:.4f}" if self.deviation is None else f"{self.mean:.4f} ± {self.deviation:.4f}"

    def to_dict(self) -> dict[str, float | list[float] | None]:
        """Return plain values for JSON."""
        return {"mean": self.mean, "deviation": self.deviation, "values": list(self.values)}


@dataclass(frozen=True, kw_only=True)
class SeedDifference:
    """The difference of two groups of runs.

    Attributes:
        accuracy: the second group's mean minus the first's, with its interval over rows and seeds.
        p_value: of that difference, two-sided, from the same resamples (`comparison.drawn_p`).
    """

    accuracy: Measured
    p_value: float


def spread_of(values: Sequence[float]) -> Spread:
    """Return mean and sample standard deviation of the seeds.

    Example:
        >>> print(spread_of([0.5, 0.7]))
        0.6000 ± 0.1414
    """
    if not len(values):
        raise DataError("there is no run: a spread needs at least one")
    return Spread(
        mean=float(np.mean(values)),
        deviation=float(np.std(values, ddof=1)) if len(values) > 1 else None,
        values=tuple(map(float, values)),
    )


def compare_seeds(
    first_SN: np.ndarray, second_SN: np.ndarray, *, seed: int = 0, resamples: int = RESAMPLES
) -> SeedDifference:
    """Return the difference of two groups' mean accuracies, the second's minus the first's, and how sure it is.

    Each resample draws rows, the same for every run, and runs of each group, so that the interval holds both the luck
    of the rows and that of the seeds. With two or three seeds the spread of the seeds is known badly and the interval
    is rather too narrow; with one it is that of the rows alone.

    Shapes: first_SN (S, N) and second_SN (S', N), whether each run is right of each row.

    Raises:
        DataError: there is no run or no row, or the groups have different rows.
    """
    if first_SN.ndim != 2 or second_SN.ndim != 2 or first_SN.shape[1] != second_SN.shape[1] or not first_SN.size:
        raise DataError(f"answers of shape {first_SN.shape} and {second_SN.shape}: give runs × rows, the same rows")
    if not second_SN.size:
        raise DataError("the second group has no run")
    rows = first_SN.shape[1]
    generator = np.random.default_rng(seed)
    both = np.concatenate([first_SN, second_SN]).astype(np.float64)
    drawn_R = np.empty(resamples)
    block = max(1, _BLOCK_NUMBERS // rows)
    for start in range(0, resamples, block):
        stop = min(start + block, resamples)
        counts = generator.multinomial(rows, np.full(rows, 1 / rows), size=stop - start)
        accuracy = counts @ both.T / rows
        first = draw_runs(accuracy[:, : len(first_SN)], generator)
        second = draw_runs(accuracy[:, len(first_SN) :], generator)
        drawn_R[start:stop] = second - first
    value = np.asarray(second_SN.mean() - first_SN.mean())
    return SeedDifference(accuracy=with_difference(value, drawn_R)[0], p_value=drawn_p(drawn_R))


def draw_runs(accuracy_RS: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Return the mean accuracy of as many runs as there are, drawn with replacement, (R,)."""
    drawn = generator.integers(accuracy_RS.shape[1], size=accuracy_RS.shape)
    means: np.ndarray = np.take_along_axis(accuracy_RS, drawn, axis=1).mean(axis=1)
    return means
