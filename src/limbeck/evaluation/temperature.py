"""Temperature: one number by which logits are divided so that probabilities can be taken at their word.

In: probabilities (N, C) and labels (N,), or of any number of labels a row truths (N, C), of rows that the classifier
did not learn from. Out: the temperature, and probabilities with it applied. It does not know models; where it ends up
is said in docs/calibration.md.

Above 1 it makes answers less sure, below 1 more so. The order of a row's classes stays, so no label changes. Of any
number of labels, where each logit is a question of yes and no, one temperature serves all: the order of all answers
stays, so that thresholds chosen afterwards can give what they gave before.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from limbeck.errors import SettingsError
from limbeck.evaluation import label_metrics, metrics

COLDEST, HOTTEST = 0.05, 20.0
"""Between these a temperature is looked for; beyond them, rows do not determine one."""
FEWEST_TO_FIT = 30
"""With fewer rows no temperature is fitted: it would be noise."""
_BLOCK_CELLS = 1 << 20
"""Logits that are looked at together, of any number of labels a row."""


@dataclass(frozen=True, kw_only=True)
class TemperatureFit:
    """A fitted temperature.

    Attributes:
        temperature: 1.0 where the rows do not determine one.
        rows: rows that it was fitted on.
        log_loss_before: mean loss of those rows as they were, in nats.
        log_loss_after: the same with the temperature.
        why_not: why the temperature was left at 1, in words; None when it was fitted.
    """

    temperature: float
    rows: int
    log_loss_before: float
    log_loss_after: float
    why_not: str | None = None


def fit_temperature(probabilities_NC: np.ndarray, labels_N: np.ndarray) -> TemperatureFit:
    """Fit the temperature under which the labels are most probable.

    The mean loss is convex in 1 / temperature, so the one root of its slope is the minimum.

    Raises:
        DataError: shapes differ, a label is out of range, or a row is no distribution.

    Source: Guo, Pleiss, Sun & Weinberger, On Calibration of Modern Neural Networks (2017), equation 9.
    """
    before = float(metrics.row_losses(probabilities_NC, labels_N).mean())
    logits_NC = _logits(probabilities_NC)
    own_N = logits_NC[np.arange(len(labels_N)), labels_N]

    def slope(log_temperature: float) -> float:
        """Slope of the mean loss along 1 / temperature: what the answers expect of the logit, minus what came."""
        shares_NC = _softmax(logits_NC / np.exp(log_temperature))
        return float(((shares_NC * logits_NC).sum(axis=1) - own_N).mean())

    def loss(temperature: float) -> float:
        return float(metrics.row_losses(apply_temperature(probabilities_NC, temperature), labels_N).mean())

    return _fitted(slope, loss, rows=len(labels_N), before=before)


def fit_label_temperature(probabilities_NC: np.ndarray, targets_NC: np.ndarray) -> TemperatureFit:
    """Fit the one temperature under which the truths of all labels are most probable, each label by itself.

    Args:
        probabilities_NC: of each label by itself.
        targets_NC: which labels each row has, bool.

    Raises:
        DataError: shapes differ, or a value is no probability.
    """
    label_metrics.check_shares(probabilities_NC)
    label_metrics.check_targets(targets_NC, probabilities_NC.shape)

    def slope(log_temperature: float) -> float:
        """Slope of the mean loss along 1 / temperature, as of one label a row."""
        total = 0.0
        for rows in _row_blocks(*targets_NC.shape):
            logits_BC = _label_logits(probabilities_NC[rows])
            shares_BC = _sigmoid(logits_BC / np.exp(log_temperature))
            total += float(((shares_BC - targets_NC[rows]) * logits_BC).sum())
        return total / targets_NC.size

    def loss(temperature: float) -> float:
        scaled_NC = apply_label_temperature(probabilities_NC, temperature)
        return float(label_metrics.log_loss_of_labels(scaled_NC, targets_NC).mean())

    before = float(label_metrics.log_loss_of_labels(probabilities_NC, targets_NC).mean())
    return _fitted(slope, loss, rows=len(targets_NC), before=before)


def _fitted(
    slope: Callable[[float], float], loss: Callable[[float], float], *, rows: int, before: float
) -> TemperatureFit:
    """Find the temperature at which the slope of the mean loss along 1 / temperature is 0."""
    coldest, hottest = float(np.log(COLDEST)), float(np.log(HOTTEST))
    why_not = None
    if rows < FEWEST_TO_FIT:
        why_not = f"{rows} rows are too few to fit a temperature on: at least {FEWEST_TO_FIT} are needed"
    elif slope(coldest) <= 0:
        why_not = "nearly every answer is right: no temperature is too cold for these rows"
    elif slope(hottest) >= 0:
        why_not = "the answers know nothing of these labels: no temperature is too hot for these rows"
    if why_not is not None:
        return TemperatureFit(
            temperature=1.0, rows=rows, log_loss_before=before, log_loss_after=before, why_not=why_not
        )
    from scipy.optimize import brentq  # late: it takes long, and answers need none of it

    temperature = float(np.exp(brentq(slope, coldest, hottest, xtol=1e-10)))
    return TemperatureFit(temperature=temperature, rows=rows, log_loss_before=before, log_loss_after=loss(temperature))


def check_temperature(temperature: float) -> None:
    """Refuse what logits cannot be divided by.

    Raises:
        SettingsError: the temperature is not a finite number above 0.
    """
    if not 0 < temperature < float("inf"):
        raise SettingsError(f"temperature = {temperature} is not possible: give a finite number above 0")


def apply_temperature(probabilities_NC: np.ndarray, temperature: float) -> np.ndarray:
    """Return what the probabilities are when the logits behind them are divided by a temperature; same float type.

    No label changes, not even where rounding would make two classes of a row equal.

    Raises:
        SettingsError: the temperature is not a finite number above 0.

    Example:
        >>> apply_temperature(np.array([[0.9, 0.1]]), 2.0).round(2).tolist()
        [[0.75, 0.25]]
    """
    check_temperature(temperature)
    scaled_NC = _softmax(_logits(probabilities_NC) / temperature).astype(probabilities_NC.dtype)
    before_N, after_N = metrics.predicted_labels(probabilities_NC), metrics.predicted_labels(scaled_NC)
    rows = np.flatnonzero(before_N != after_N)
    one = np.ones(1, scaled_NC.dtype)
    scaled_NC[rows, before_N[rows]] = np.nextafter(scaled_NC[rows, after_N[rows]], one)
    return scaled_NC


def apply_label_temperature(probabilities_NC: np.ndarray, temperature: float) -> np.ndarray:
    """Return what probabilities of labels, each by itself, are with a temperature; same float type, same order.

    A probability that its float type cannot tell from 1 counts as the largest one below.

    Raises:
        SettingsError: the temperature is not a finite number above 0.

    Example:
        >>> apply_label_temperature(np.array([[0.9, 0.5]]), 2.0).round(2).tolist()
        [[0.75, 0.5]]
    """
    check_temperature(temperature)
    scaled_NC = np.empty_like(probabilities_NC)
    for rows in _row_blocks(*probabilities_NC.shape):
        scaled_NC[rows] = _sigmoid(_label_logits(probabilities_NC[rows]) / temperature)
    return scaled_NC


def cross_fitted(probabilities_NC: np.ndarray, truth_N: np.ndarray, *, seed: int = 0) -> np.ndarray:
    """Return probabilities with a temperature that was fitted on the other half of the rows.

    So a figure of them is not flattered by a temperature that saw the row.

    Args:
        probabilities_NC: of the rows.
        truth_N: the label of each row, or which labels it has, bool (N, C).
        seed: of the halves.
    """
    several = truth_N.ndim > 1
    fit = fit_label_temperature if several else fit_temperature
    scale = apply_label_temperature if several else apply_temperature
    half_N = np.random.default_rng(seed).permutation(len(truth_N)) % 2 == 0
    scaled_NC = probabilities_NC.copy()
    for judged_N in (half_N, ~half_N):
        if judged_N.all() or not judged_N.any():
            continue
        found = fit(probabilities_NC[~judged_N], truth_N[~judged_N])
        scaled_NC[judged_N] = scale(probabilities_NC[judged_N], found.temperature)
    return scaled_NC


def _row_blocks(rows: int, labels: int) -> Iterator[slice]:
    size = max(1, _BLOCK_CELLS // max(1, labels))
    return (slice(start, start + size) for start in range(0, rows, size))


def _sigmoid(logits_BC: np.ndarray) -> np.ndarray:
    """Return the logistic function, without overflow."""
    return np.asarray(np.exp(-np.logaddexp(0, -logits_BC)))


def _label_logits(probabilities_BC: np.ndarray) -> np.ndarray:
    """Return the logit of each probability, float64, none of them endless."""
    kind = np.finfo(probabilities_BC.dtype)
    inside_BC = np.clip(probabilities_BC, kind.tiny, 1 - kind.epsneg).astype(np.float64)
    return np.asarray(np.log(inside_BC) - np.log1p(-inside_BC))


def _logits(probabilities_NC: np.ndarray) -> np.ndarray:
    """Return logits of which these are the softmax; a probability of 0 counts as the smallest that can be told."""
    least = np.finfo(probabilities_NC.dtype).tiny
    logits_NC: np.ndarray = np.log(np.maximum(probabilities_NC, least).astype(np.float64))
    return logits_NC


def _softmax(logits_NC: np.ndarray) -> np.ndarray:
    raised_NC = np.exp(logits_NC - logits_NC.max(axis=1, keepdims=True))
    shares_NC: np.ndarray = raised_NC / raised_NC.sum(axis=1, keepdims=True)
    return shares_NC
