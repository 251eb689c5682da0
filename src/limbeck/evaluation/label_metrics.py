"""Scores of a classifier that gives a row any number of labels, from arrays alone.

In: targets bool (N, C), decisions bool (N, C), probabilities (N, C), each in 0 … 1 by itself. Out: counts, scores.
It does not know label names, thresholds (see `label_thresholds`) or, but for one, how sure a score is.

Precision, recall, F1, micro and macro F1 need the three counts of `metrics.Tally` for each label and are computed by
the functions of `metrics`. Macro F1 is over the labels that were true or given at least once, as for one label a row.

A figure of rows is the mean of a value for each row: samples' F1, wrong labels (Hamming loss), and LRAP. A row without
labels that is given none is answered rightly and counts 1, as in scikit-learn with `zero_division=1`.

**Average precision** is the same sum along a column and along a row: of each true place, the share of true ones among
all that score as high or higher. Down a column, over the rows of a label, it is the area under the precision-recall
curve (AUC-PR, scikit-learn's `average_precision_score`); along a row, over its labels, the row's part of LRAP.
"""

from collections.abc import Iterator

import numpy as np

from limbeck.errors import DataError, FaultLog
from limbeck.evaluation.metrics import Tally

_BLOCK_CELLS = 1 << 21
"""Numbers of an array that is held at a time while ranking: 16 MB."""


def tally_of_labels(targets_NC: np.ndarray, decided_NC: np.ndarray) -> Tally:
    """Return the three counts of each label, int64 (C,).

    Raises:
        DataError: shapes or kinds differ, or there is no row.
    """
    check_targets(targets_NC, decided_NC.shape)
    return Tally(
        hits=np.count_nonzero(targets_NC & decided_NC, axis=0),
        support=np.count_nonzero(targets_NC, axis=0),
        predicted=np.count_nonzero(decided_NC, axis=0),
    )


def row_f1(targets_NC: np.ndarray, decided_NC: np.ndarray) -> np.ndarray:
    """Return the F1 of each row's labels, float64 (N,); 1 where it has none and is given none."""
    hits_N = np.count_nonzero(targets_NC & decided_NC, axis=1)
    both_N = np.count_nonzero(targets_NC, axis=1) + np.count_nonzero(decided_NC, axis=1)
    return np.where(both_N == 0, 1.0, 2 * hits_N / np.maximum(both_N, 1))


def row_mistakes(targets_NC: np.ndarray, decided_NC: np.ndarray) -> np.ndarray:
    """Return how many labels of each row are missing or too many, int64 (N,)."""
    return np.asarray(np.count_nonzero(targets_NC ^ decided_NC, axis=1))


def row_rankings(probabilities_NC: np.ndarray, targets_NC: np.ndarray) -> np.ndarray:
    """Return how well each row's labels are ranked above the others, float64 (N,), 0 … 1; the mean is LRAP.

    Of a row with no label, or with all of them, no ranking is wrong: it counts 1, as in scikit-learn.

    Source: Tsoumakas, Katakis & Vlahavas, Mining Multi-label Data (2010), section 7.
    """
    found_N = np.empty(len(targets_NC))
    for rows in _blocks(len(targets_NC), targets_NC.shape[1]):
        found_N[rows] = average_precision(probabilities_NC[rows], targets_NC[rows])
    return np.where(np.isnan(found_N), 1.0, found_N)


def label_auc_pr(probabilities_NC: np.ndarray, targets_NC: np.ndarray) -> tuple[np.ndarray, float]:
    """Return the area under each label's precision-recall curve, and the standard deviation of their mean.

    Shapes: float64 (C,), NaN of a label that no row has.

    The deviation is that of the infinitesimal jackknife: what the bootstrap of rows tends to where figures are smooth,
    without its thousand sorts a label.

    Source: Efron, The Jackknife, the Bootstrap and Other Resampling Plans (1982), chapter 6.
    """
    rows, classes = targets_NC.shape
    found_C = np.empty(classes)
    pull_N = np.zeros(rows)
    for labels in _blocks(classes, rows):
        scores_KM, targets_KM = probabilities_NC[:, labels].T, targets_NC[:, labels].T
        found_C[labels], pull_KM = _with_pull(scores_KM, targets_KM)
        pull_N += pull_KM.sum(axis=0)
    known = max(1, int(np.isfinite(found_C).sum()))
    return found_C, float(np.sqrt(((pull_N / known) ** 2).sum()))


def average_precision(scores_KM: np.ndarray, targets_KM: np.ndarray) -> np.ndarray:
    """Return the average precision of each line, float64 (K,); NaN of a line without a true place.

    Equal scores are one step, as no threshold tells them apart.

    Example:
        >>> average_precision(np.array([[0.9, 0.8, 0.1]]), np.array([[True, False, True]])).round(3).tolist()
        [0.833]
    """
    ranked = _ranked(scores_KM, targets_KM)
    return np.asarray(ranked["average_K1"][:, 0])


def log_loss_of_labels(probabilities_NC: np.ndarray, targets_NC: np.ndarray) -> np.ndarray:
    """Return each row's mean over labels of minus the logarithm of what was given to the truth, in nats, float64 (N,).

    Probabilities are clipped as in `metrics.row_losses`.
    """
    losses_N = np.empty(len(targets_NC))
    eps = np.finfo(probabilities_NC.dtype).eps
    for rows in _blocks(len(targets_NC), targets_NC.shape[1]):
        true_BC = np.where(targets_NC[rows], probabilities_NC[rows], 1 - probabilities_NC[rows])
        losses_N[rows] = -np.log(np.clip(true_BC, eps, 1 - eps).astype(np.float64)).mean(axis=1)
    return losses_N


def check_targets(targets_NC: np.ndarray, shape: tuple[int, ...]) -> None:
    """Refuse targets that are no truth values of this shape (rows, labels), or of no row.

    Raises:
        DataError: says what was given.
    """
    if targets_NC.dtype != np.bool_ or targets_NC.ndim != 2:
        raise DataError(f"targets must be truths of shape (rows, labels): got {targets_NC.dtype} {targets_NC.shape}")
    if targets_NC.shape != shape:
        raise DataError(f"targets have shape {targets_NC.shape}, the answers {shape}: give one value a row and label")
    if not targets_NC.size:
        raise DataError("there is no row or no label: a score needs at least one of each")


def check_shares(probabilities_NC: np.ndarray) -> None:
    """Refuse what is no probability of each label by itself.

    Raises:
        DataError: names the first rows at fault, counted from 0.
    """
    if probabilities_NC.ndim != 2 or not np.issubdtype(probabilities_NC.dtype, np.floating):
        raise DataError(
            f"probabilities must be floats of shape (rows, labels): got {probabilities_NC.dtype} "
            f"of shape {probabilities_NC.shape}"
        )
    inside_N = ((probabilities_NC >= 0) & (probabilities_NC <= 1)).all(axis=1)  # NaN is inside nothing
    faults = FaultLog()
    for row in np.flatnonzero(~inside_N):
        values_C = probabilities_NC[row]
        label = int(np.flatnonzero(~((values_C >= 0) & (values_C <= 1)))[0])
        faults.add(f"row {row}: the probability of label {label} is {values_C[label]:.6g}")
    faults.raise_as(DataError, what="a value is no probability", todo="Give sigmoid outputs (0 to 1), not logits")


def _with_pull(scores_KM: np.ndarray, targets_KM: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the average precision of each line, and its derivative by the weight of each place (0 where undefined).

    With weights w the average precision is Σ w t π / Σ w t, π = A / B being the share of true weight A in the weight B
    of all places that score as high or higher. A place pulls by being true, and by standing above true ones.
    """
    ranked = _ranked(scores_KM, targets_KM)
    true_KM, precision_KM, average_K1 = ranked["true_KM"], ranked["precision_KM"], ranked["average_K1"]
    weight_KM = true_KM / (ranked["last_KM"] + 1)
    below_KM, loss_KM = (
        np.take_along_axis(np.cumsum(part[:, ::-1], axis=1)[:, ::-1], ranked["first_KM"], axis=1)
        for part in (weight_KM, weight_KM * precision_KM)
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        sorted_KM = (true_KM * (precision_KM - average_K1) + true_KM * below_KM - loss_KM) / ranked["count_K1"]
    pull_KM = np.empty_like(sorted_KM)
    np.put_along_axis(pull_KM, ranked["order_KM"], np.nan_to_num(sorted_KM, posinf=0.0, neginf=0.0), axis=1)
    return average_K1[:, 0], pull_KM


def _ranked(scores_KM: np.ndarray, targets_KM: np.ndarray) -> dict[str, np.ndarray]:
    """Sort each line, the highest score first, and say of each place where its equals begin and end."""
    places = np.arange(scores_KM.shape[1])
    order_KM = np.argsort(-scores_KM, axis=1, kind="stable")
    sorted_KM = np.take_along_axis(scores_KM, order_KM, axis=1)
    true_KM = np.take_along_axis(targets_KM, order_KM, axis=1)
    ends_KM = np.ones(scores_KM.shape, dtype=np.bool_)
    ends_KM[:, :-1] = sorted_KM[:, 1:] < sorted_KM[:, :-1]
    begins_KM = np.roll(ends_KM, 1, axis=1)
    last_KM = np.minimum.accumulate(np.where(ends_KM, places, len(places))[:, ::-1], axis=1)[:, ::-1]
    first_KM = np.maximum.accumulate(np.where(begins_KM, places, 0), axis=1)
    hits_KM = np.cumsum(true_KM, axis=1)
    precision_KM = np.take_along_axis(hits_KM, last_KM, axis=1) / (last_KM + 1)
    count_K1 = hits_KM[:, -1:]
    with np.errstate(invalid="ignore"):
        average_K1 = (precision_KM * true_KM).sum(axis=1, keepdims=True) / count_K1
    return {
        "order_KM": order_KM,
        "true_KM": true_KM,
        "first_KM": first_KM,
        "last_KM": last_KM,
        "precision_KM": precision_KM,
        "count_K1": count_K1,
        "average_K1": average_K1,
    }


def _blocks(lines: int, length: int) -> Iterator[slice]:
    """Give the lines in blocks whose arrays are of bounded size."""
    size = max(1, _BLOCK_CELLS // max(1, length))
    for start in range(0, lines, size):
        yield slice(start, min(start + size, lines))
