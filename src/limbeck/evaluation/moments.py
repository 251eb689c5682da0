"""Moments: sums of row values and of their products, by which resamples of rows are drawn without the rows.

In: some values of each row (N, K). Out: counters, which are added up part by part; resampled sums (R, K). A resample
draws N of N rows, so its sums are those of N independent draws: with many rows they are normal, with the mean and
covariance that the rows have. It does not know what the values are.
"""

import numpy as np
import pyarrow as pa

from limbeck.evaluation.score_counts import COUNTERS, filled_counts

MOMENT = "moment"
_ROUNDING = 1e-12


def count_moments(values_NK: np.ndarray) -> pa.Table:
    """Count rows by their values; the first column is 1 throughout, so that sums are products with it."""
    first, second = np.triu_indices(values_NK.shape[1])
    products_KK = values_NK.T @ values_NK
    return pa.table(
        {
            "counted": pa.repeat(pa.scalar(MOMENT), len(first)),
            "first": first.astype(np.int32),
            "second": second.astype(np.int32),
            "rows": np.full(len(first), len(values_NK)),
            "sum": products_KK[first, second],
            "squares": np.zeros(len(first)),
        },
        COUNTERS,
    )


def draw_sums(
    counts: pa.Table, columns: int, generator: np.random.Generator, resamples: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the sums of the values (K,), and those of each resample (R, K)."""
    _, upper_KK, _ = filled_counts(counts, MOMENT, (columns, columns))
    sums_K = upper_KK[0]
    rows, mean_K = sums_K[0], sums_K / sums_K[0]
    products_KK = upper_KK + np.triu(upper_KK, 1).T
    spread_KK = products_KK - rows * np.outer(mean_K, mean_K)
    # What is the same in every row is the same in every resample, and not nearly so.
    varies_K = spread_KK.diagonal() > _ROUNDING * products_KK.diagonal()
    drawn_RK = np.tile(sums_K, (resamples, 1))
    drawn_RK[:, varies_K] = generator.multivariate_normal(
        sums_K[varies_K], spread_KK[np.ix_(varies_K, varies_K)], size=resamples, check_valid="ignore", method="eigh"
    )
    return sums_K, drawn_RK
