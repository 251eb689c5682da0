"""Shape counts: what evaluations of ordered classes, of numbers and of several labels need of rows, as counters.

In: predictions of some rows whose truth is known. Out: counters as those of `score_counts`, added up in the same way;
the evaluation of all rows, as `evaluate_ordinal`, `evaluate_values` and `evaluate_multi` make it. Values are the same
as of all rows together, but for the last digits of sums. Intervals of means draw sums from the normal distribution that
they have with many rows (`moments`). What needs the order of all rows, or which labels stand in a row together, is not
there: `NOT_COUNTED_OF` says it by name. It does not know models, texts or files.
"""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

from limbeck.errors import DataError
from limbeck.evaluation import intervals, label_metrics, metrics
from limbeck.evaluation.calibration import BINS
from limbeck.evaluation.conformal import ConformalWidth
from limbeck.evaluation.label_calibration import LabelCalibration, calibration_of_bins
from limbeck.evaluation.label_scores import score_labels
from limbeck.evaluation.measured import centred, measured
from limbeck.evaluation.moments import count_moments, draw_sums
from limbeck.evaluation.multi_evaluation import MultiBaseline, MultiEvaluation, constant_labels
from limbeck.evaluation.multi_predictions import MultiPredictions
from limbeck.evaluation.ordinal_evaluation import (
    OrdinalEvaluation,
    StepSums,
    above_each,
    median_labels,
    ordinal_of_sums,
)
from limbeck.evaluation.predictions import Predictions
from limbeck.evaluation.proportions import share_of
from limbeck.evaluation.score_counts import (
    CELL,
    CLASS,
    count_one,
    count_places,
    count_shares,
    draw_cell_sums,
    filled_counts,
)
from limbeck.evaluation.value_evaluation import ValueEvaluation
from limbeck.evaluation.value_predictions import ValuePredictions
from limbeck.evaluation.value_scores import check_values, scores_of_sums, value_columns
from limbeck.settings import TaskKind

NOT_COUNTED_OF: Mapping[TaskKind, tuple[str, ...]] = {
    "single": (),
    "ordinal": (),
    "regression": ("Spearman's correlation, which needs the order of all rows",),
    "multi": (
        "the areas under precision and recall (AUC-PR), which need the order of all rows",
        "the interval of macro F1, which needs rows drawn with all their labels",
    ),
}
"""Figures of an evaluation that counters do not tell."""
INSIDE, FROM_MEAN, LABEL, BASE = "inside", "from_mean", "label", "base"
_ROW_FIGURES = ("f1_samples", "subset_accuracy", "hamming_loss", "lrap", "log_loss")
_COLUMNS = 1 + len(_ROW_FIGURES) + 3  # and labels that are right, true and given


def count_steps(found: Predictions) -> list[pa.Table]:
    """Count rows of ordered classes, all labels known."""
    labels_N, shares_NC = found.known_labels, found.probabilities
    losses_N = metrics.row_losses(shares_NC, labels_N)
    targets_NX = labels_N[:, None] > np.arange(shares_NC.shape[1] - 1)
    return [
        count_places(CELL, labels_N, median_labels(shares_NC), losses_N),
        *count_shares(above_each(shares_NC), targets_NX),
    ]


def ordinal_of_counts(
    counts: pa.Table, label_names: Sequence[str], *, median_label: int | None, seed: int, resamples: int
) -> OrdinalEvaluation:
    """Return the evaluation of rows that were counted; the arguments are those of `evaluate_ordinal`."""
    names = tuple(label_names)
    cells_CC, losses_CC, squares_CC = filled_counts(counts, CELL, (len(names), len(names)))
    taken = np.nonzero(cells_CC)
    generator = np.random.default_rng(seed)
    counts_RK = intervals.draw_counts(cells_CC[taken], resamples, generator)
    sums_RK = draw_cell_sums(cells_CC[taken], losses_CC[taken], squares_CC[taken], counts_RK, generator)
    error = _label_calibration(counts, len(names) - 1, seed).mean if len(names) > 1 else 0.0
    sums = StepSums(
        confusion_counts=cells_CC,
        counts_RK=counts_RK,
        mean_loss=float(losses_CC.sum() / cells_CC.sum()),
        losses_R=sums_RK.sum(axis=1) / cells_CC.sum(),
        calibration_error=error,
    )
    return ordinal_of_sums(sums, names, median_label=median_label, seed=seed)


def count_values(found: ValuePredictions, *, training_mean: float) -> list[pa.Table]:
    """Count rows of numbers, all known; they are moved by the mean of the training rows, so that sums stay small."""
    true_N, said_N = found.known_values, found.values.astype(np.float64)
    check_values(said_N, true_N)
    error_N, from_mean_N = said_N - true_N, true_N - training_mean
    inside = 0 if found.width is None else int((np.abs(error_N) <= found.width.half_width).sum())
    return [
        count_moments(value_columns(error_N, said_N - training_mean, from_mean_N)),
        count_one(INSIDE, inside, 0.0),
        count_one(FROM_MEAN, len(true_N), float(np.abs(from_mean_N).sum())),
    ]


def values_of_counts(
    counts: pa.Table, *, training_mean: float, width: ConformalWidth | None, seed: int, resamples: int
) -> ValueEvaluation:
    """Return the evaluation of rows that were counted, without Spearman's correlation."""
    columns = value_columns(*np.zeros((3, 1))).shape[1]
    sums_K, sums_RK = draw_sums(counts, columns, np.random.default_rng(seed), resamples)
    rows = int(sums_K[0])
    inside, _, _ = filled_counts(counts, INSIDE, (1, 1))
    _, from_mean, _ = filled_counts(counts, FROM_MEAN, (1, 1))
    held = share_of(int(inside[0, 0]), rows)
    return ValueEvaluation(
        rows=rows,
        **scores_of_sums(sums_K, sums_RK),
        spearman=measured(math.nan, math.nan, math.nan),
        baseline_value=training_mean,
        baseline_mae=float(from_mean[0, 0] / rows),
        baseline_rmse=float(np.sqrt(sums_K[7] / rows)),
        width=width,
        inside=None if width is None else measured(held.value, held.low, held.high),
        raters=None,
        resamples=resamples,
        seed=seed,
    )


def count_label_sets(found: MultiPredictions, *, label_shares: np.ndarray) -> list[pa.Table]:
    """Count rows of several labels, all known.

    Args:
        found: what a model answered.
        label_shares: share of the training rows with each label, for the baseline.
    """
    targets_NC, decided_NC, shares_NC = found.known_targets, found.decided_NC, found.probabilities
    tally = label_metrics.tally_of_labels(targets_NC, decided_NC)
    constant_NC = np.broadcast_to(label_shares, targets_NC.shape)
    always_NC = np.zeros_like(targets_NC)
    always_NC[:, constant_labels(label_shares)] = True
    both = [np.count_nonzero(part, axis=1) for part in (targets_NC & decided_NC, targets_NC, decided_NC)]
    figures_NK = _row_figures(targets_NC, decided_NC, shares_NC)
    return [
        count_moments(np.column_stack([np.ones(len(targets_NC)), figures_NK, *both]).astype(np.float64)),
        *count_shares(shares_NC, targets_NC),
        *(
            count_one(LABEL, int(rows), 0.0, label, kind)
            for kind, rows_C in enumerate((tally.hits, tally.support, tally.predicted))
            for label, rows in enumerate(rows_C)
        ),
        *(
            count_one(BASE, len(targets_NC), float(value), place)
            for place, value in enumerate(_row_figures(targets_NC, always_NC, constant_NC).sum(axis=0))
        ),
    ]


def label_sets_of_counts(
    counts: pa.Table,
    label_names: Sequence[str],
    *,
    label_shares: np.ndarray,
    thresholds_C: np.ndarray | None,
    seed: int,
    resamples: int,
) -> MultiEvaluation:
    """Return the evaluation of rows that were counted, without areas and without the interval of macro F1."""
    names, unknown = tuple(label_names), measured(math.nan, math.nan, math.nan)
    sums_K, sums_RK = draw_sums(counts, _COLUMNS, np.random.default_rng(seed), resamples)
    rows = int(sums_K[0])
    rows_C3, _, _ = filled_counts(counts, LABEL, (len(names), 3))
    tally = metrics.Tally(hits=rows_C3[:, 0], support=rows_C3[:, 1], predicted=rows_C3[:, 2])
    means = {
        name: centred(
            sums_K[place] / rows, sums_RK[:, place] / rows, least=0.0, most=math.inf if name == "log_loss" else 1.0
        )
        for place, name in enumerate(_ROW_FIGURES, start=1)
    }
    right = share_of(round(float(means["subset_accuracy"].value) * rows), rows)
    drawn_R = 2 * sums_RK[:, -3] / np.maximum(sums_RK[:, -2] + sums_RK[:, -1], 1.0)
    calibration = _label_calibration(counts, len(names), seed)
    return MultiEvaluation(
        rows=rows,
        label_names=names,
        labels_per_row=float(sums_K[-2] / rows),
        given_per_row=float(sums_K[-1] / rows),
        **{**means, "subset_accuracy": measured(right.value, right.low, right.high)},
        f1_micro=centred(float(metrics.f1_micro(tally)), drawn_R, least=0.0, most=1.0),
        f1_macro=measured(float(metrics.f1_macro(tally)), math.nan, math.nan),
        auc_pr=unknown,
        calibration_error=calibration.mean,
        beyond_chance=calibration.beyond_chance,
        per_label=score_labels(names, tally, np.full(len(names), np.nan), thresholds_C, calibration),
        baseline=_label_baseline(counts, tally, label_shares, names, rows),
        resamples=resamples,
        seed=seed,
    )


def _row_figures(targets_NC: np.ndarray, decided_NC: np.ndarray, shares_NC: np.ndarray) -> np.ndarray:
    """Return the values of each row whose means are the figures `_ROW_FIGURES`, float64 (N, 5)."""
    wrong_N = label_metrics.row_mistakes(targets_NC, decided_NC)
    return np.column_stack(
        [
            label_metrics.row_f1(targets_NC, decided_NC),
            wrong_N == 0,
            wrong_N / targets_NC.shape[1],
            label_metrics.row_rankings(shares_NC, targets_NC),
            label_metrics.log_loss_of_labels(shares_NC, targets_NC),
        ]
    )


def _label_baseline(
    counts: pa.Table, tally: metrics.Tally, label_shares: np.ndarray, names: tuple[str, ...], rows: int
) -> MultiBaseline:
    if label_shares.shape != (len(names),):
        raise DataError(f"{len(label_shares)} shares for {len(names)} labels: give one for each label")
    first = constant_labels(label_shares)
    is_given = np.isin(np.arange(len(names)), first)
    always = metrics.Tally(hits=tally.support * is_given, support=tally.support, predicted=rows * is_given)
    _, sums, _ = filled_counts(counts, BASE, (len(_ROW_FIGURES), 1))
    support_C = tally.support[tally.support > 0] / rows
    return MultiBaseline(
        labels=tuple(names[label] for label in first),
        figures={
            "f1_micro": float(metrics.f1_micro(always)),
            "f1_macro": float(metrics.f1_macro(always)),
            **{name: float(sums[place, 0] / rows) for place, name in enumerate(_ROW_FIGURES)},
            "auc_pr": float(support_C.mean()) if len(support_C) else math.nan,
        },
    )


def _label_calibration(counts: pa.Table, labels: int, seed: int) -> LabelCalibration:
    rows_CX, sums_CX, _ = filled_counts(counts, CLASS, (labels, 2 * BINS))
    rows_CB2, sums_CB2 = rows_CX.reshape(labels, BINS, 2), sums_CX.reshape(labels, BINS, 2)
    return calibration_of_bins(rows_CB2.sum(axis=2), sums_CB2.sum(axis=2), rows_CB2[:, :, 1], seed=seed)
