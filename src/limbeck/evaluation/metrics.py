"""Scores of a classifier, from arrays alone.

In: true labels (N,) and predicted labels (N,) or probabilities (N, C). Out: a confusion matrix and scores.
It does not know models, texts or label names, nor how sure a score is (see `intervals`).

Every score except log loss needs only three counts a class, the `Tally`: how often the class was right, how often it
was true, how often it was said. Scores therefore take a `Tally`, whose arrays may have leading axes: the bootstrap
scores a thousand resamples in one call with the same code.

Where a score would divide by zero it is 0, as in scikit-learn with `zero_division=0`: the precision of a class that was
never said, the recall of a class that never occurs, the F1 of both.
"""

from dataclasses import dataclass

import numpy as np

from limbeck.errors import DataError, FaultLog

SUM_TOLERANCE = 1e-3
"""How far from 1 the probabilities of a row may add up: room for half-precision arithmetic, none for logits."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Tally:
    """Three counts a class; each array is (..., C).

    Attributes:
        hits: rows of the class that were given the class.
        support: rows of the class.
        predicted: rows that were given the class.
    """

    hits: np.ndarray
    support: np.ndarray
    predicted: np.ndarray


@dataclass(frozen=True, kw_only=True)
class Scores:
    """The four scores that sum up a classifier.

    Attributes:
        accuracy: share of rows that are right, 0 to 1.
        f1_weighted: mean F1 of the classes, weighted by their rows, 0 to 1.
        f1_macro: plain mean F1 of the classes, 0 to 1.
        log_loss: mean negative logarithm of the true label's probability, in nats.
    """

    accuracy: float
    f1_weighted: float
    f1_macro: float
    log_loss: float


def scores(probabilities_NC: np.ndarray, labels_N: np.ndarray) -> Scores:
    """Return the four scores without intervals: what a training loop asks for after each epoch.

    Raises:
        DataError: shapes differ, a label is out of range, or a row is no distribution.

    Example:
        >>> scores(np.array([[0.5, 0.5], [0.25, 0.75]]), np.array([0, 1])).accuracy
        1.0
    """
    losses_N = row_losses(probabilities_NC, labels_N)
    class_count = probabilities_NC.shape[1]
    tally = tally_of(confusion_counts(labels_N, predicted_labels(probabilities_NC), class_count))
    return Scores(
        accuracy=float(accuracy(tally)),
        f1_weighted=float(f1_weighted(tally)),
        f1_macro=float(f1_macro(tally)),
        log_loss=float(losses_N.mean()),
    )


def predicted_labels(probabilities_NC: np.ndarray) -> np.ndarray:
    """Return the most probable label of each row, int64 (N,); of equals, the first."""
    return np.asarray(np.argmax(probabilities_NC, axis=1), dtype=np.int64)


def confusion_counts(labels_N: np.ndarray, predicted_N: np.ndarray, class_count: int) -> np.ndarray:
    """Count each pair of true label (row) and predicted label (column).

    Shapes: labels_N (N,), predicted_N (N,).

    Returns:
        Counts, int64 (C, C).

    Raises:
        DataError: there is no row, the lengths differ, or a label is outside 0 … C-1.

    Example:
        >>> confusion_counts(np.array([0, 0, 1]), np.array([0, 1, 1]), 2).tolist()
        [[1, 1], [0, 1]]
    """
    check_labels(labels_N, class_count, what="true label")
    check_labels(predicted_N, class_count, what="predicted label")
    if len(labels_N) != len(predicted_N):
        raise DataError(
            f"{len(labels_N):,} true labels and {len(predicted_N):,} predicted ones: give one of each a row"
        )
    cell_N = labels_N.astype(np.int64) * class_count + predicted_N
    return np.bincount(cell_N, minlength=class_count * class_count).reshape(class_count, class_count)


def confusion_shares(counts_CC: np.ndarray) -> np.ndarray:
    """Return the confusion matrix as shares of the true label, float64 (C, C): each row adds up to 1.

    The row of a class that never occurs is 0 throughout, as in scikit-learn.
    """
    return _ratio(counts_CC, counts_CC.sum(axis=-1, keepdims=True))


def tally_of(counts_CC: np.ndarray) -> Tally:
    """Return the three counts a class of a confusion matrix (..., C, C)."""
    return Tally(
        hits=np.diagonal(counts_CC, axis1=-2, axis2=-1),
        support=counts_CC.sum(axis=-1),
        predicted=counts_CC.sum(axis=-2),
    )


def accuracy(tally: Tally) -> np.ndarray:
    """Return the share of rows that are right, (...)."""
    return _ratio(tally.hits.sum(axis=-1), tally.support.sum(axis=-1))


def precision_by_class(tally: Tally) -> np.ndarray:
    """Return, for each class, the share of the rows given it that are of it, (..., C)."""
    return _ratio(tally.hits, tally.predicted)


def recall_by_class(tally: Tally) -> np.ndarray:
    """Return, for each class, the share of its rows that were given it, (..., C)."""
    return _ratio(tally.hits, tally.support)


def f1_by_class(tally: Tally) -> np.ndarray:
    """Return the harmonic mean of precision and recall of each class, (..., C)."""
    return _ratio(2 * tally.hits, tally.support + tally.predicted)


def f1_weighted(tally: Tally) -> np.ndarray:
    """Return the mean F1 weighted by the rows of each class, (...)."""
    return _ratio((f1_by_class(tally) * tally.support).sum(axis=-1), tally.support.sum(axis=-1))


def f1_micro(tally: Tally) -> np.ndarray:
    """Return the F1 of all labels of all rows counted together, (...); for one label a row it is the accuracy."""
    return _ratio(2 * tally.hits.sum(axis=-1), tally.support.sum(axis=-1) + tally.predicted.sum(axis=-1))


def f1_macro(tally: Tally) -> np.ndarray:
    """Return the plain mean F1 over the classes that were true or said at least once, (...).

    That is scikit-learn's `f1_score(average="macro")` with its default `labels=None`. A class of the label map that
    occurs nowhere in these rows is left out: it can be neither found nor missed. A class that was said but never
    true counts, with F1 = 0. So the macro F1 of a small sample may be over fewer classes than that of a large one.
    """
    present = (tally.support + tally.predicted) > 0
    return _ratio(f1_by_class(tally).sum(axis=-1), present.sum(axis=-1))


def row_losses(probabilities_NC: np.ndarray, labels_N: np.ndarray) -> np.ndarray:
    """Return the negative logarithm of the true label's probability of each row, in nats, float64 (N,).

    Probabilities are clipped to [eps, 1 - eps], with the eps of their own float type, as scikit-learn does: the loss
    of a row that was given probability 0 is 15.9 for float32 and 36.0 for float64, not infinite.

    Raises:
        DataError: shapes differ, a label is out of range, or a row is no distribution.
    """
    check_probabilities(probabilities_NC)
    check_labels(labels_N, probabilities_NC.shape[1], what="true label")
    if len(labels_N) != len(probabilities_NC):
        raise DataError(f"{len(labels_N):,} labels and {len(probabilities_NC):,} rows of probabilities: give one a row")
    chosen_N = probabilities_NC[np.arange(len(labels_N)), labels_N]
    eps = np.finfo(chosen_N.dtype).eps
    return np.asarray(-np.log(np.clip(chosen_N, eps, 1 - eps).astype(np.float64)))


def row_margins(probabilities_NC: np.ndarray, labels_N: np.ndarray) -> np.ndarray:
    """Return each row's probability of its label minus the best other one, float64 (N,), -1 … 1.

    Raises:
        DataError: shapes differ, a label is out of range, or a row is no distribution.

    Example:
        >>> row_margins(np.array([[0.5, 0.25, 0.25], [0.5, 0.25, 0.25]]), np.array([0, 1])).tolist()
        [0.25, -0.25]
    """
    check_probabilities(probabilities_NC)
    check_labels(labels_N, probabilities_NC.shape[1], what="true label")
    if len(labels_N) != len(probabilities_NC):
        raise DataError(f"{len(labels_N):,} labels and {len(probabilities_NC):,} rows of probabilities: give one a row")
    others_NC = probabilities_NC.astype(np.float64)
    places_N = np.arange(len(labels_N))
    own_N = others_NC[places_N, labels_N].copy()
    others_NC[places_N, labels_N] = -np.inf if probabilities_NC.shape[1] > 1 else 0.0
    return np.asarray(own_N - others_NC.max(axis=1))


def entropy(counts_C: np.ndarray) -> float:
    """Return the entropy of class counts, in nats: the lowest log loss that one constant answer can reach on them."""
    shares = counts_C[counts_C > 0] / counts_C.sum()
    return abs(float(-(shares * np.log(shares)).sum()))


def check_labels(labels_N: np.ndarray, class_count: int, *, what: str) -> None:
    """Refuse labels that are not integers 0 … C-1.

    Raises:
        DataError: there is no label, or names the first labels at fault by their row, counted from 0.
    """
    if labels_N.ndim != 1 or not np.issubdtype(labels_N.dtype, np.integer):
        raise DataError(f"{what}s must be one integer a row: got {labels_N.dtype} of shape {labels_N.shape}")
    if not len(labels_N):
        raise DataError(f"there is no {what}: a score needs at least one row")
    faults = FaultLog()
    for row in np.flatnonzero((labels_N < 0) | (labels_N >= class_count)):
        faults.add(f"row {row}: {what} {labels_N[row]}, expected 0 to {class_count - 1}")
    faults.raise_as(
        DataError, what=f"a {what} is out of range", todo="Check that labels and label names belong together"
    )


def check_probabilities(probabilities_NC: np.ndarray) -> None:
    """Refuse rows that are no probability distribution.

    Raises:
        DataError: names the first rows at fault, counted from 0.
    """
    if probabilities_NC.ndim != 2 or probabilities_NC.dtype.kind != "f":
        raise DataError(
            f"probabilities must be floats of shape (rows, classes): got {probabilities_NC.dtype} "
            f"of shape {probabilities_NC.shape}"
        )
    sums_N = probabilities_NC.sum(axis=1, dtype=np.float64)
    if np.abs(sums_N - 1).max(initial=0.0) <= SUM_TOLERANCE and probabilities_NC.min(initial=0.0) >= 0:
        return  # nothing is at fault; what follows finds who is
    inside_NC = (probabilities_NC >= 0) & (probabilities_NC <= 1 + SUM_TOLERANCE)
    outside_N = np.logical_not(inside_NC.all(axis=1))  # NaN is inside nothing
    faults = FaultLog()
    for row in np.flatnonzero(outside_N | (np.abs(sums_N - 1) > SUM_TOLERANCE)):
        fault = "a value outside 0 to 1" if outside_N[row] else "values that do not add up to 1"
        faults.add(f"row {row}: {fault} (their sum is {sums_N[row]:.6g})")
    faults.raise_as(DataError, what="a row is no probability distribution", todo="Give softmax outputs, not logits")


def _ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """Divide; 0 where the denominator is 0."""
    ratio = np.zeros(np.broadcast_shapes(np.shape(numerator), np.shape(denominator)))
    np.divide(numerator, denominator, out=ratio, where=np.asarray(denominator) != 0)
    return ratio
