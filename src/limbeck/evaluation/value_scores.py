"""Scores of predicted numbers, from arrays alone, each with its interval over resampled rows.

In: predicted and true numbers (N,). Out: errors and correlations.
It does not know models, texts or units.

A correlation needs two numbers that differ, R² true values that differ; where they do not, there is none (NaN).
Spearman's correlation is Pearson's of the ranks, equal numbers sharing their mean rank; resampled rows are ranked anew.
"""

from collections.abc import Callable

import numpy as np

from limbeck.errors import DataError, FaultLog
from limbeck.evaluation.intervals import RESAMPLES, resampled_sums, row_counts
from limbeck.evaluation.measured import Measured, centred

_TINY = 1e-12


def score_values(
    predicted_N: np.ndarray, true_N: np.ndarray, *, seed: int = 0, resamples: int = RESAMPLES
) -> dict[str, Measured]:
    """Return `mae`, `rmse`, `r2`, `pearson`, `spearman` and `bias` (mean of predicted minus true), with intervals.

    Raises:
        DataError: there is no row, the lengths differ, or a number is none.

    Example:
        >>> found = score_values(np.array([1.0, 2.0, 4.0]), np.array([1.0, 3.0, 4.0]), resamples=10)
        >>> round(found["mae"].value, 4), round(found["spearman"].value, 4)
        (0.3333, 1.0)
    """
    drawn = draw_scores(predicted_N, true_N, seed=seed, resamples=resamples)
    ranked = centred(*drawn.pop("spearman"), least=-1.0, most=1.0)
    return {**_measured_scores(drawn), "spearman": ranked}


def scores_of_sums(sums_K: np.ndarray, sums_RK: np.ndarray) -> dict[str, Measured]:
    """Return the scores of rows of which there are sums alone; Spearman's correlation is none of them.

    Args:
        sums_K: over the rows, of what `value_columns` returns (9,).
        sums_RK: over the rows of each resample (R, 9).
    """
    with np.errstate(invalid="ignore"):
        drawn = {name: (float(score(sums_K)), score(sums_RK)) for name, (score, _, _) in _SCORES.items()}
    return _measured_scores(drawn)


def value_columns(error_N: np.ndarray, x_N: np.ndarray, y_N: np.ndarray) -> np.ndarray:
    """Return the columns whose sums all scores but Spearman's need, float64 (N, 9).

    Args:
        error_N: predicted minus true numbers.
        x_N: predicted numbers, moved near 0.
        y_N: true numbers, moved near 0.
    """
    return np.column_stack(
        [np.ones_like(x_N), error_N, np.abs(error_N), error_N**2, x_N, y_N, x_N**2, y_N**2, x_N * y_N]
    )


def _measured_scores(drawn: dict[str, tuple[float, np.ndarray]]) -> dict[str, Measured]:
    return {
        name: centred(value, drawn_R, least=_SCORES[name][1], most=_SCORES[name][2])
        for name, (value, drawn_R) in drawn.items()
    }


def draw_scores(
    predicted_N: np.ndarray, true_N: np.ndarray, *, seed: int = 0, resamples: int = RESAMPLES
) -> dict[str, tuple[float, np.ndarray]]:
    """Return each figure of `score_values` on the rows, and on each resample of them (R,).

    Raises:
        DataError: as `score_values` says.
    """
    check_values(predicted_N, true_N)
    said_N, true_N = predicted_N.astype(np.float64), true_N.astype(np.float64)
    error_N = said_N - true_N
    # Moved to their means, so that sums of squares lose nothing to large numbers.
    x_N, y_N = (
        values_N - values_N.mean() if np.ptp(values_N) else np.zeros_like(values_N) for values_N in (said_N, true_N)
    )
    values_NK = value_columns(error_N, x_N, y_N)
    sums_K, sums_RK = values_NK.sum(axis=0), resampled_sums(values_NK, seed=seed, resamples=resamples)
    ranked_R = _resampled_rank_correlation(said_N, true_N, seed=seed, resamples=resamples)
    return {
        **{name: (float(score(sums_K)), score(sums_RK)) for name, (score, _, _) in _SCORES.items()},
        "spearman": (rank_correlation(said_N, true_N), ranked_R),
    }


def pearson_of(sums: np.ndarray) -> np.ndarray:
    """Return Pearson's correlation of sums (..., 6): of 1, x, y, x², y² and xy; NaN where there is none."""
    rows, x, y, xx, yy, xy = np.moveaxis(sums, -1, 0)
    square_x, square_y, both = xx - x * x / rows, yy - y * y / rows, xy - x * y / rows
    none = (square_x <= _TINY * np.maximum(xx, _TINY)) | (square_y <= _TINY * np.maximum(yy, _TINY))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(none, np.nan, np.clip(both / np.sqrt(square_x * square_y), -1.0, 1.0))


def rank_correlation(x_N: np.ndarray, y_N: np.ndarray, counts_N: np.ndarray | None = None) -> float:
    """Return Spearman's correlation of rows, each counted as often as `counts_N` says (once where not given)."""
    counts_N = np.ones(len(x_N)) if counts_N is None else counts_N
    ranks_NX = [_mean_ranks(np.unique(values_N, return_inverse=True)[1], counts_N) for values_N in (x_N, y_N)]
    return _correlation_of_ranks(ranks_NX[0], ranks_NX[1], counts_N)


def check_values(predicted_N: np.ndarray, true_N: np.ndarray) -> None:
    """Refuse what is not two numbers a row.

    Raises:
        DataError: says what was given, or names the first rows at fault, counted from 0.
    """
    if predicted_N.ndim != 1 or predicted_N.shape != true_N.shape:
        raise DataError(
            f"predicted values of shape {predicted_N.shape} and true ones of {true_N.shape}: one of each a row"
        )
    if not len(true_N):
        raise DataError("there is no row: a score needs at least one")
    faults = FaultLog()
    for what, values_N in (("predicted", predicted_N), ("true", true_N)):
        faults.extend(
            f"row {row}: the {what} value is {values_N[row]}" for row in np.flatnonzero(~np.isfinite(values_N))
        )
    faults.raise_as(DataError, what="a value is no finite number", todo="Leave such rows out, or mend the data")


def _resampled_rank_correlation(x_N: np.ndarray, y_N: np.ndarray, *, seed: int, resamples: int) -> np.ndarray:
    places = [np.unique(values_N, return_inverse=True)[1] for values_N in (x_N, y_N)]
    return np.array(
        [
            _correlation_of_ranks(_mean_ranks(places[0], counts_N), _mean_ranks(places[1], counts_N), counts_N)
            for counts_BN in row_counts(len(x_N), seed=seed, resamples=resamples)
            for counts_N in counts_BN
        ]
    )


def _mean_ranks(place_N: np.ndarray, counts_N: np.ndarray) -> np.ndarray:
    """Return the mean rank of each row's value among all counted rows; `place_N` numbers the distinct values."""
    sizes = np.bincount(place_N, weights=counts_N)
    ranks: np.ndarray = (np.cumsum(sizes) - (sizes - 1) / 2)[place_N]
    return ranks


def _correlation_of_ranks(x_N: np.ndarray, y_N: np.ndarray, counts_N: np.ndarray) -> float:
    middle = (counts_N.sum() + 1) / 2
    x_N, y_N = x_N - middle, y_N - middle
    square_x, square_y = counts_N @ (x_N * x_N), counts_N @ (y_N * y_N)
    if min(square_x, square_y) <= _TINY:
        return float("nan")
    return float(np.clip(counts_N @ (x_N * y_N) / np.sqrt(square_x * square_y), -1.0, 1.0))


def _determination(sums: np.ndarray) -> np.ndarray:
    """Return R² = 1 - squared errors / squared distances from the rows' mean; NaN where true values are all equal."""
    square = sums[..., 7] - sums[..., 5] ** 2 / sums[..., 0]
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(square <= _TINY * np.maximum(sums[..., 7], _TINY), np.nan, 1 - sums[..., 3] / square)


_INF = float("inf")
_SCORES: dict[str, tuple[Callable[[np.ndarray], np.ndarray], float, float]] = {
    "mae": (lambda sums: sums[..., 2] / sums[..., 0], 0.0, _INF),
    "rmse": (lambda sums: np.sqrt(sums[..., 3] / sums[..., 0]), 0.0, _INF),
    "r2": (_determination, -_INF, 1.0),
    "pearson": (lambda sums: pearson_of(sums[..., [0, 4, 5, 6, 7, 8]]), -1.0, 1.0),
    "bias": (lambda sums: sums[..., 1] / sums[..., 0], -_INF, _INF),
}
