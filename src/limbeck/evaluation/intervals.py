"""How sure means of scores are: 95 % bootstrap percentile intervals, all from the same resamples.

In: true labels, predicted labels, losses, all (N,). Out: the low and high end of log loss and of the mean F1s.
It does not know where the rows came from; it takes them as independent draws from one population. Accuracy, precision,
recall and the F1 of one class are shares of counts and have exact intervals of their own: see `proportions`.

A bootstrap resample draws N of the N rows with replacement. Which cell of the confusion matrix a drawn row falls in is
an independent draw with probability n_k / N, so the resampled cell counts are by definition multinomial with N trials
and these probabilities: drawing them directly gives exactly the distribution that drawing rows gives, at a cost that
depends on the cells and not on N. Log loss is no function of the cells. Given that a cell was drawn m times, its m rows
are uniform over the rows of the cell; drawing those completes the very same resample.

Limits to know. The bootstrap sees only what occurred: where no answer, or every answer, is right, all resamples score
the same, and an interval of no width comes out. It is not shown: see `evaluation`. A class that a resample misses
scores 0 there, by the rule of `metrics`, which widens the intervals of rare classes; and where most classes have only
two or three rows, resampled macro F1 is biased and its interval may lie beside the score.

Source: Efron & Tibshirani, An Introduction to the Bootstrap (1993), chapter 13 (the percentile interval).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from limbeck.errors import SettingsError
from limbeck.evaluation import metrics

LEVEL = 0.95
"""Share of the resampled scores that lies inside an interval."""
RESAMPLES = 1000
"""Resamples drawn unless told otherwise."""
_BLOCK_CELLS = 1 << 21
"""Numbers held at a time while drawing: 16 MB of int64."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Interval:
    """Low and high end of one score, or of several side by side: both arrays have the score's shape."""

    low: np.ndarray
    high: np.ndarray


@dataclass(frozen=True, kw_only=True, eq=False)
class Intervals:
    """The interval of every score that is a mean of others, or of losses."""

    f1_weighted: Interval
    f1_macro: Interval
    log_loss: Interval


@dataclass(frozen=True, kw_only=True, eq=False)
class Cells:
    """The K cells of the confusion matrix in which rows fell, in the order true label, then predicted label.

    Attributes:
        labels_K: true label of each cell.
        predicted_K: predicted label of each cell.
        counts_K: rows in each cell.
        losses_N: the losses of the rows, those of one cell side by side, in the order of the cells.
        class_count: C.
    """

    labels_K: np.ndarray
    predicted_K: np.ndarray
    counts_K: np.ndarray
    losses_N: np.ndarray
    class_count: int


def bootstrap(cells: Cells, *, seed: int, resamples: int = RESAMPLES) -> Intervals:
    """Return the interval of each mean score; the same seed gives the same intervals.

    Raises:
        SettingsError: fewer than one resample was asked for.
    """
    if resamples < 1:
        raise SettingsError(f"resamples is {resamples}: an interval needs at least 1, and {RESAMPLES:,} to be steady")
    generator = np.random.default_rng(seed)
    counts_RK = draw_counts(cells.counts_K, resamples, generator)
    tally = tally_cells(cells.labels_K, cells.predicted_K, counts_RK, cells.class_count)
    losses_R = draw_mean_losses(cells, counts_RK, generator)
    return Intervals(
        f1_weighted=percentile_interval(metrics.f1_weighted(tally)),
        f1_macro=percentile_interval(metrics.f1_macro(tally)),
        log_loss=percentile_interval(losses_R),
    )


def cells_of(labels_N: np.ndarray, predicted_N: np.ndarray, losses_N: np.ndarray, class_count: int) -> Cells:
    """Gather rows by their cell of the confusion matrix. Shapes: all (N,)."""
    cell_N = labels_N.astype(np.int64) * class_count + predicted_N
    cell_K, counts_K = np.unique(cell_N, return_counts=True)
    return Cells(
        labels_K=cell_K // class_count,
        predicted_K=cell_K % class_count,
        counts_K=counts_K,
        losses_N=np.asarray(losses_N, dtype=np.float64)[np.argsort(cell_N, kind="stable")],
        class_count=class_count,
    )


def percentile_interval(replicates_R: np.ndarray) -> Interval:
    """Return the middle `LEVEL` of resampled scores (R, ...) as an interval (...)."""
    tail = 100 * (1 - LEVEL) / 2
    low, high = np.percentile(replicates_R, [tail, 100 - tail], axis=0)
    return Interval(low=low, high=high)


def draw_counts(counts_K: np.ndarray, resamples: int, generator: np.random.Generator) -> np.ndarray:
    """Draw the cell counts of R resamples, int32 (R, K), multinomial."""
    rows = int(counts_K.sum())
    drawn_RK = np.empty((resamples, len(counts_K)), dtype=np.int32)
    block = max(1, _BLOCK_CELLS // len(counts_K))
    for start in range(0, resamples, block):
        stop = min(start + block, resamples)
        drawn_RK[start:stop] = generator.multinomial(rows, counts_K / rows, size=stop - start)
    return drawn_RK


def draw_mean_losses(cells: Cells, counts_RK: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Draw the rows inside each cell and return the mean loss of each resample, (R,), one resample at a time."""
    starts_K = np.cumsum(cells.counts_K) - cells.counts_K
    means_R = np.empty(len(counts_RK))
    for resample, drawn_K in enumerate(counts_RK):
        size_N = np.repeat(cells.counts_K.astype(np.float64), drawn_K)
        # random() < 1 and rounding is to nearest, so the product stays below the size of the cell
        row_N = np.repeat(starts_K, drawn_K) + (generator.random(len(size_N)) * size_N).astype(np.int64)
        means_R[resample] = cells.losses_N[row_N].mean()
    return means_R


def tally_cells(
    labels_K: np.ndarray, predicted_K: np.ndarray, counts_RK: np.ndarray, class_count: int
) -> metrics.Tally:
    """Sum resampled cells into the three counts a class, each (R, C)."""
    shape = (len(counts_RK), class_count)
    hits, support, predicted = np.zeros(shape, np.int64), np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    for cell, (label, said) in enumerate(zip(labels_K, predicted_K, strict=True)):
        support[:, label] += counts_RK[:, cell]
        predicted[:, said] += counts_RK[:, cell]
        if label == said:
            hits[:, label] += counts_RK[:, cell]
    return metrics.Tally(hits=hits, support=support, predicted=predicted)


def resampled_sums(values_NK: Any, *, seed: int, resamples: int = RESAMPLES) -> np.ndarray:
    """Return the sums of row values over resampled rows, float64 (R, K), all columns from the same resamples.

    For figures of rows with several answers each, where there are no cells to count. The same seed and number of rows
    give the same resamples whatever is summed, so that figures summed in two calls can be compared draw by draw.
    Memory is bounded: resamples are drawn in blocks.

    Args:
        values_NK: a value for each row and figure; a NumPy array, or a SciPy sparse array where most are 0.
        seed: of the resamples.
        resamples: how many.

    Raises:
        SettingsError: fewer than one resample was asked for.
    """
    blocks = [counts_BN @ values_NK for counts_BN in row_counts(values_NK.shape[0], seed=seed, resamples=resamples)]
    return np.concatenate([np.asarray(block, dtype=np.float64) for block in blocks])


def row_counts(rows: int, *, seed: int, resamples: int = RESAMPLES) -> Iterator[np.ndarray]:
    """Give how often each row is drawn, block by block of resamples: float64 (B, N), each row of it adding up to N.

    Raises:
        SettingsError: fewer than one resample was asked for.
    """
    if resamples < 1:
        raise SettingsError(f"resamples is {resamples}: an interval needs at least 1, and {RESAMPLES:,} to be steady")
    generator = np.random.default_rng(seed)
    block = max(1, _BLOCK_CELLS // rows)
    for start in range(0, resamples, block):
        counts_BN = np.empty((min(block, resamples - start), rows))
        for counts_N in counts_BN:
            counts_N[:] = np.bincount(generator.integers(rows, size=rows), minlength=rows)
        yield counts_BN
