"""Score counts: what an evaluation needs of rows, as counts and sums that are added up part by part.

In: probabilities (N, C) and labels (N,) of some rows. Out: a table of counters; tables of any rows added up; the
evaluation of all of them. So the rows never need to be in one place. It does not know models, texts or files.

A counter is a row of the table: what is counted, where (two places), how many rows, the sum of a value, and that of its
squares. Everything that is a count is the same as of all rows together; sums differ in their last digits. The intervals
of accuracy and F1 are the same. Those of log loss and of the calibration error draw the cells (or bins) in the same
way, and the sum of the values inside a drawn cell from the normal distribution that it has with many rows, where
`intervals` draws single rows. Bins of equally many rows have edges at multiples of 1 / 16,384.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from limbeck.errors import DataError
from limbeck.evaluation import intervals, metrics
from limbeck.evaluation.abstaining import AnsweredScores, answered_of_counts, count_answered
from limbeck.evaluation.calibration import (
    BINS,
    Calibration,
    ReliabilityBins,
    as_shares,
    bins_of,
    brier_score,
    confidence_of,
    expected_calibration_error,
    places_in,
    reflected,
)
from limbeck.evaluation.evaluation import Evaluation, RowSums, evaluation_of_sums
from limbeck.evaluation.predictions import Predictions

COUNTERS = pa.schema(
    {
        "counted": pa.string(),
        "first": pa.int32(),
        "second": pa.int32(),
        "rows": pa.int64(),
        "sum": pa.float64(),
        "squares": pa.float64(),
    }
)
_PLACES = ["counted", "first", "second"]
_FINE = 16_384
CONFIDENCE_EDGES = np.arange(BINS + 1) / BINS
CELL, BIN, SHARE, CLASS, BRIER, ANSWERED, LEARNED = (
    "cell", "confidence", "fine_confidence", "class_probability", "brier", "answered", "learned",
)  # fmt: skip


def count_scores(found: Predictions, *, learned_rows: int | None = None) -> pa.Table:
    """Count rows whose labels are all known.

    Args:
        found: what a model answered; with thresholds, which rows are unsure.
        learned_rows: how many of them the model learned from; None where that is not known.

    Raises:
        DataError: a label is out of range, or a row is no distribution.
    """
    classes = len(found.label_names)
    shares_NC, labels_N, said_N = found.probabilities, found.known_labels, found.predicted
    if len(labels_N) != len(found):
        raise DataError("a row has no label: a score needs one of every row")
    if not len(found):
        return COUNTERS.empty_table()
    losses_N = metrics.row_losses(shares_NC, labels_N)
    confidence_N, right_N = confidence_of(shares_NC), said_N == labels_N
    fine_N = np.minimum((confidence_N * _FINE).astype(np.int64), _FINE - 1)
    tables = [
        count_places(CELL, labels_N, said_N, losses_N),
        count_places(BIN, places_in(confidence_N, CONFIDENCE_EDGES[1:]), right_N, confidence_N),
        count_places(SHARE, fine_N, right_N, confidence_N),
        count_one(BRIER, len(found), brier_score(shares_NC, labels_N) * len(found)),
    ]
    tables += count_shares(shares_NC, labels_N[:, None] == np.arange(classes))
    if found.unsure is not None:
        counts = count_answered(found.unsure, said_N, labels_N, classes).reshape(classes, 4)
        tables += [count_one(ANSWERED, int(counts[place]), 0.0, *place) for place in np.ndindex(classes, 4)]
    if learned_rows is not None:
        tables.append(count_one(LEARNED, learned_rows, 0.0))
    return pa.concat_tables(tables)


def add_counts(tables: Iterable[pa.Table]) -> pa.Table:
    """Add counters up, in the order of their places."""
    added = COUNTERS.empty_table()
    for table in tables:
        both = pa.concat_tables([added, table.replace_schema_metadata(None)])
        values = [(name, "sum") for name in ("rows", "sum", "squares")]
        found = both.group_by(_PLACES, use_threads=False).aggregate(values)
        added = found.select([*_PLACES, *(f"{name}_sum" for name, _ in values)]).rename_columns(COUNTERS.names)
    return added.sort_by([(name, "ascending") for name in _PLACES])


def evaluation_of_counts(
    counts: pa.Table,
    label_names: Sequence[str],
    *,
    majority_label: int | None = None,
    seed: int = 0,
    resamples: int = intervals.RESAMPLES,
) -> Evaluation:
    """Return the evaluation of rows that were counted; the arguments are those of `evaluate`.

    Raises:
        DataError: no row was counted.
    """
    names = tuple(label_names)
    cells_CC, losses_CC, squares_CC = filled_counts(counts, CELL, (len(names), len(names)))
    if not cells_CC.sum():
        raise DataError("no row was counted: a score needs at least one")
    if majority_label is None:
        majority_label = int(cells_CC.sum(axis=1).argmax())
    sums = RowSums(
        confusion_counts=cells_CC,
        mean_loss=float(losses_CC.sum() / cells_CC.sum()),
        drawn=_drawn(cells_CC, losses_CC, squares_CC, seed, resamples),
        calibration=_calibration(counts, len(names), seed, resamples),
    )
    return evaluation_of_sums(sums, names, majority_label=majority_label, seed=seed, resamples=resamples)


def answered_of(counts: pa.Table, label_names: Sequence[str]) -> AnsweredScores | None:
    """Return what a model's thresholds do to rows that were counted; None where it has none."""
    found, _, _ = filled_counts(counts, ANSWERED, (len(label_names), 4))
    return answered_of_counts(found.reshape(-1, 2, 2), label_names) if found.any() else None


def learned_rows_of(counts: pa.Table) -> int | None:
    """Return how many counted rows were learned from; None where that is not known."""
    rows = [row["rows"] for row in counts.to_pylist() if row["counted"] == LEARNED]
    return sum(rows) if rows else None


def count_shares(shares_NC: np.ndarray, targets_NC: np.ndarray) -> list[pa.Table]:
    """Count the probabilities of each label by their bin, and by whether they are of a row that has the label."""
    tables = []
    for label in range(shares_NC.shape[1]):
        share_N = as_shares(shares_NC[:, label])
        place_N = 2 * places_in(share_N, CONFIDENCE_EDGES[1:]) + targets_NC[:, label]
        tables.append(count_places(CLASS, np.full(len(share_N), label), place_N, share_N))
    return tables


def count_places(what: str, first_N: np.ndarray, second_N: np.ndarray, values_N: np.ndarray) -> pa.Table:
    """Count rows by two places, and add up a value of theirs."""
    width = int(second_N.max()) + 1
    place_K, place_N = np.unique(first_N * width + second_N, return_inverse=True)
    place_N = place_N.reshape(-1)
    columns: dict[str, Any] = {
        "counted": pa.repeat(pa.scalar(what), len(place_K)),
        "first": (place_K // width).astype(np.int32),
        "second": (place_K % width).astype(np.int32),
        "rows": np.bincount(place_N),
        "sum": np.bincount(place_N, weights=values_N),
        "squares": np.bincount(place_N, weights=values_N**2),
    }
    return pa.table(columns, COUNTERS)


def count_one(what: str, rows: int, value: float, first: int = 0, second: int = 0) -> pa.Table:
    """Return a single counter."""
    row = {"counted": what, "first": first, "second": second, "rows": rows, "sum": value, "squares": 0.0}
    return pa.Table.from_pylist([row], COUNTERS)


def filled_counts(counts: pa.Table, what: str, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return rows (int64), sums and squares of one kind of counter, each of a shape."""
    own = counts.filter(pc.equal(counts["counted"], what))
    place = own["first"].to_numpy(), own["second"].to_numpy()
    filled = [np.zeros(shape, np.int64), np.zeros(shape), np.zeros(shape)]
    for array, name in zip(filled, ("rows", "sum", "squares"), strict=True):
        np.add.at(array, place, own[name].to_numpy())
    return filled[0], filled[1], filled[2]


def _drawn(
    cells_CC: np.ndarray, losses_CC: np.ndarray, squares_CC: np.ndarray, seed: int, resamples: int
) -> intervals.Intervals:
    """Draw resamples: the cells as `intervals.bootstrap` draws them, losses by their mean and spread in each cell."""
    labels_K, said_K = np.nonzero(cells_CC)
    counts_K = cells_CC[labels_K, said_K]
    generator = np.random.default_rng(seed)
    counts_RK = intervals.draw_counts(counts_K, resamples, generator)
    tally = intervals.tally_cells(labels_K, said_K, counts_RK, len(cells_CC))
    sums_RK = draw_cell_sums(counts_K, losses_CC[labels_K, said_K], squares_CC[labels_K, said_K], counts_RK, generator)
    return intervals.Intervals(
        f1_weighted=intervals.percentile_interval(metrics.f1_weighted(tally)),
        f1_macro=intervals.percentile_interval(metrics.f1_macro(tally)),
        log_loss=intervals.percentile_interval(sums_RK.sum(axis=1) / counts_K.sum()),
    )


def draw_cell_sums(
    counts_K: np.ndarray,
    sums_K: np.ndarray,
    squares_K: np.ndarray,
    counts_RK: np.ndarray,
    generator: np.random.Generator,
) -> np.ndarray:
    """Return the sum of a value over the rows drawn of each cell, (R, K): normal, by the cell's mean and spread."""
    mean_K = sums_K / counts_K
    spread_K = np.sqrt(np.maximum(squares_K / counts_K - mean_K**2, 0.0))
    noise_RK = generator.standard_normal(counts_RK.shape)
    return np.asarray(counts_RK * mean_K + np.sqrt(counts_RK) * spread_K * noise_RK)


def _calibration(counts: pa.Table, classes: int, seed: int, resamples: int) -> Calibration:
    rows_B2, sums_B2, squares_B2 = filled_counts(counts, BIN, (BINS, 2))
    bins = _bins_of(CONFIDENCE_EDGES, rows_B2, sums_B2)
    value = expected_calibration_error(bins)
    rows_B, total = rows_B2.sum(axis=1), int(rows_B2.sum())
    taken = np.flatnonzero(rows_B)
    generator = np.random.default_rng(seed)
    # Right as often as they say: each row's variance is confidence times its rest.
    chance_B = np.sqrt(np.maximum(sums_B2.sum(axis=1) - squares_B2.sum(axis=1), 0.0))
    chance_R = np.abs(generator.standard_normal((resamples, BINS)) * chance_B).sum(axis=1) / total
    chance_high = float(np.quantile(chance_R, intervals.LEVEL))
    over_B = rows_B2[:, 1] - sums_B2.sum(axis=1)
    over_squares_B = squares_B2.sum(axis=1) + rows_B2[:, 1] - 2 * sums_B2[:, 1]
    drawn_RB = intervals.draw_counts(rows_B[taken], resamples, generator)
    over_RB = draw_cell_sums(rows_B[taken], over_B[taken], over_squares_B[taken], drawn_RB, generator)
    bins_mass = _mass_bins(counts)
    _, brier, _ = filled_counts(counts, BRIER, (1, 1))
    return Calibration(
        ece=reflected(value, np.abs(over_RB).sum(axis=1) / total, chance_high),
        chance_high=chance_high,
        ece_mass=expected_calibration_error(bins_mass),
        mce=float(bins.gaps.max()),
        ece_by_class=tuple(_class_errors(counts, classes)),
        brier=float(brier[0, 0]) / total,
        bins=bins,
        bins_mass=bins_mass,
    )


def _class_errors(counts: pa.Table, classes: int) -> Iterable[float]:
    rows_CX, sums_CX, _ = filled_counts(counts, CLASS, (classes, 2 * BINS))
    for rows_X, sums_X in zip(rows_CX, sums_CX, strict=True):
        yield expected_calibration_error(_bins_of(CONFIDENCE_EDGES, rows_X.reshape(BINS, 2), sums_X.reshape(BINS, 2)))


def _mass_bins(counts: pa.Table) -> ReliabilityBins:
    """Join fine bins to such of about equally many rows; see `calibration.reliability`."""
    rows_F2, sums_F2, _ = filled_counts(counts, SHARE, (_FINE, 2))
    rows_F = rows_F2.sum(axis=1)
    below_F, last = np.cumsum(rows_F), int(np.flatnonzero(rows_F)[-1])
    inner = np.searchsorted(below_F, np.ceil(np.arange(1, BINS) / BINS * below_F[-1]))
    ends = np.unique(np.append(inner[inner < last], _FINE - 1))
    starts = np.concatenate([[0], ends[:-1] + 1])
    joined = [np.add.reduceat(array, starts, axis=0) for array in (rows_F2, sums_F2)]
    return _bins_of(np.concatenate([[0.0], (ends + 1) / _FINE]), *joined)


def _bins_of(edges: np.ndarray, rows_B2: np.ndarray, sums_B2: np.ndarray) -> ReliabilityBins:
    return bins_of(edges, rows_B2.sum(axis=1), rows_B2[:, 1].astype(np.float64), sums_B2.sum(axis=1))
