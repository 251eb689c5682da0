"""Drawn figures: what figures come to on the rows, and on each resample of them, where the answer is not one label.

In: predictions with known truths. Out: by figure its value and its resamples (R,). The same seed and number of rows
give the same resamples, so that two models on the same rows can be compared draw by draw.
It does not know intervals, models or files.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from limbeck.evaluation import label_metrics, metrics
from limbeck.evaluation.intervals import RESAMPLES, resampled_sums
from limbeck.evaluation.multi_predictions import MultiPredictions
from limbeck.evaluation.ordinal_evaluation import quadratic_kappa
from limbeck.evaluation.prediction_tables import AnyPredictions
from limbeck.evaluation.predictions import Predictions
from limbeck.evaluation.value_predictions import ValuePredictions
from limbeck.evaluation.value_scores import draw_scores


@dataclass(frozen=True, kw_only=True, eq=False)
class DrawnFigure:
    """One figure.

    Attributes:
        value: on the rows as they are; NaN where there is none.
        drawn_R: on each resample; NaN where there is none.
    """

    value: float
    drawn_R: np.ndarray


def draw_figures(found: AnyPredictions, *, seed: int = 0, resamples: int = RESAMPLES) -> Mapping[str, DrawnFigure]:
    """Return each figure of the rows with a known truth, and its resamples.

    Any number of labels: micro, macro and rows' F1, subset accuracy, Hamming loss, LRAP, log loss. Ordered classes:
    quadratic kappa, mean error in steps, within one step, accuracy, log loss. Numbers: mean absolute and root mean
    squared error, R², Pearson's and Spearman's correlation.
    """
    if isinstance(found, MultiPredictions):
        return draw_label_figures(found, seed=seed, resamples=resamples)
    if isinstance(found, ValuePredictions):
        said_M = found.values[found.labelled_rows].astype(np.float64)
        drawn = draw_scores(said_M, found.known_values, seed=seed, resamples=resamples)
        return {name: DrawnFigure(value=value, drawn_R=drawn_R) for name, (value, drawn_R) in drawn.items()}
    return _of_steps(found, seed, resamples)


def draw_label_figures(
    found: MultiPredictions, *, seed: int = 0, resamples: int = RESAMPLES
) -> Mapping[str, DrawnFigure]:
    """Return the figures of any number of labels per row, and their resamples; see `draw_figures`."""
    rows = found.labelled_rows
    targets_NC, decided_NC, shares_NC = found.known_targets, found.decided_NC[rows], found.probabilities[rows]
    classes = len(found.label_names)
    wrong_N = label_metrics.row_mistakes(targets_NC, decided_NC)
    columns = {
        "f1_samples": label_metrics.row_f1(targets_NC, decided_NC),
        "subset_accuracy": wrong_N == 0,
        "hamming_loss": wrong_N / classes,
        "lrap": label_metrics.row_rankings(shares_NC, targets_NC),
        "log_loss": label_metrics.log_loss_of_labels(shares_NC, targets_NC),
    }
    from scipy import sparse  # late: it takes long, and answers need none of it

    counted = [sparse.csr_array(part, dtype=np.float64) for part in (targets_NC & decided_NC, targets_NC, decided_NC)]
    values_NK = np.column_stack([column.astype(np.float64) for column in columns.values()])
    sums_RK = resampled_sums(
        sparse.hstack([*counted, sparse.csr_array(values_NK)], format="csr"), seed=seed, resamples=resamples
    )
    hits, support, predicted, _ = np.split(sums_RK, [classes, 2 * classes, 3 * classes], axis=1)
    tally = label_metrics.tally_of_labels(targets_NC, decided_NC)
    drawn = metrics.Tally(hits=hits, support=support, predicted=predicted)
    f1 = {
        name: DrawnFigure(value=float(score(tally)), drawn_R=score(drawn))
        for name, score in (("f1_micro", metrics.f1_micro), ("f1_macro", metrics.f1_macro))
    }
    means = {
        name: DrawnFigure(value=float(values_NK[:, place].mean()), drawn_R=sums_RK[:, 3 * classes + place] / len(rows))
        for place, name in enumerate(columns)
    }
    return {**f1, **means}


def _of_steps(found: Predictions, seed: int, resamples: int) -> Mapping[str, DrawnFigure]:
    rows, true_N = found.labelled_rows, found.known_labels
    said_N = found.predicted[rows]
    steps_N = np.abs(said_N - true_N)
    columns = {
        "mae": steps_N,
        "within_one": steps_N <= 1,
        "accuracy": steps_N == 0,
        "log_loss": metrics.row_losses(found.probabilities[rows], true_N),
    }
    cells_KX, cell_N = np.unique(np.column_stack([true_N, said_N]), axis=0, return_inverse=True)
    from scipy import sparse  # late: it takes long, and answers need none of it

    in_cell_NK = sparse.csr_array((np.ones(len(rows)), (np.arange(len(rows)), cell_N.reshape(-1))))
    values_NF = np.column_stack([column.astype(np.float64) for column in columns.values()])
    sums_RK = resampled_sums(
        sparse.hstack([sparse.csr_array(values_NF), in_cell_NK], format="csr"), seed=seed, resamples=resamples
    )
    counts_RK, counts_K = sums_RK[:, len(columns) :], in_cell_NK.sum(axis=0)
    kappa = DrawnFigure(
        value=float(quadratic_kappa(cells_KX[:, 0], cells_KX[:, 1], counts_K)),
        drawn_R=quadratic_kappa(cells_KX[:, 0], cells_KX[:, 1], counts_RK),
    )
    means = {
        name: DrawnFigure(value=float(values_NF[:, place].mean()), drawn_R=sums_RK[:, place] / len(rows))
        for place, name in enumerate(columns)
    }
    return {"quadratic_kappa": kappa, **means}
