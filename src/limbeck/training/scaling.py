"""Scaling: standardised features, and what each training fold would have standardised by.

In: raw features and the fold of each row. Out: means and scales, and one standardised copy in the precision asked for.
It does not know labels or models.

Every fold shares one copy, standardised by all rows. A fold's own standardisation then comes exactly from its
penalty: for weights V on the shared copy, standardising by the fold's scale s instead is the same as penalising
(s_f V_f)² instead of V_f², and centring by its mean is taken up by the intercept, which is not penalised.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Columns = NDArray[np.integer]

SMALLEST_SHARE = 1e-6
"""A feature that deviates less than this share of the median feature counts as constant. Its weight would be so large
that the rounding of another machine decided for it: MiniLM has one whose deviation is 4e-33."""
BLOCK_ROWS = 128
"""Rows that are worked on at a time: few enough for the processor's cache."""
SHIFT_ROWS = 1024
"""Rows whose mean stands for a typical row."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Scaling:
    """Means and scales of features.

    Shapes: F features, K folds.

    Attributes:
        mean_F: of all rows.
        scale_F: standard deviation of all rows; 1 where the feature is constant.
        constant_F: whether the feature is the same in every row, or as good as.
        fold_scale_KF: standard deviation of the rows outside each fold, divided by `scale_F`; infinite where the
            feature is constant outside the fold, so that its weight there must be 0.
    """

    mean_F: Float64
    scale_F: Float64
    constant_F: NDArray[np.bool_]
    fold_scale_KF: Float64

    @property
    def is_finite(self) -> bool:
        """Whether every feature of every row is a finite number: one that is not would spoil its column's mean."""
        return bool(np.isfinite(self.mean_F).all())


def measure_scaling(features_NF: Float32, *, columns: Columns | None, fold_N: NDArray[np.int64]) -> Scaling:
    """Measure means and scales, of all rows and of the rows outside each fold, in float64 and one pass."""
    folds = int(fold_N.max()) + 1
    member_KN = torch.from_numpy((fold_N == np.arange(folds)[:, None]).astype(np.float64))
    # Sums of squares are taken around a typical row, or a large mean would drown a small deviation.
    shift_F = _block(features_NF, columns, slice(0, SHIFT_ROWS)).double().mean(0)
    sum_KF = torch.zeros(folds, len(shift_F), dtype=torch.float64)
    square_KF = torch.zeros_like(sum_KF)
    for start in range(0, len(features_NF), BLOCK_ROWS):
        rows = slice(start, start + BLOCK_ROWS)
        block_BF = _block(features_NF, columns, rows).double().sub_(shift_F)
        sum_KF.addmm_(member_KN[:, rows], block_BF)
        square_KF.addmm_(member_KN[:, rows], block_BF.square_())
    count_K = member_KN.sum(1, keepdim=True)
    total = count_K.sum()
    mean_F = sum_KF.sum(0) / total
    deviation_F = _deviation(sum_KF.sum(0), square_KF.sum(0), total)
    deviation_KF = _deviation(sum_KF.sum(0) - sum_KF, square_KF.sum(0) - square_KF, total - count_K)
    # Below this a deviation is nothing but the rounding of float32, or far below those of the other features.
    smallest_F = torch.finfo(torch.float32).eps * (shift_F + mean_F).abs()
    varying = deviation_F[deviation_F > smallest_F]
    if len(varying):
        smallest_F = smallest_F.clamp_min(SMALLEST_SHARE * float(varying.median()))
    constant_F, constant_KF = deviation_F <= smallest_F, deviation_KF <= smallest_F
    scale_F = torch.where(constant_F, 1.0, deviation_F)
    return Scaling(
        # As float32 has it: that very number is subtracted, and later folded into the head.
        mean_F=(shift_F + mean_F).float().double().numpy(),
        scale_F=scale_F.numpy(),
        constant_F=constant_F.numpy(),
        fold_scale_KF=torch.where(constant_KF, torch.inf, deviation_KF / scale_F).numpy(),
    )


def standardise(features_NF: Float32, scaling: Scaling, *, columns: Columns | None, dtype: torch.dtype) -> torch.Tensor:
    """Return the standardised features, one copy of type `dtype`, worked out in float32."""
    standard_NF = torch.empty(len(features_NF), len(scaling.mean_F), dtype=dtype)
    start = 0
    for block_BF in standard_blocks(features_NF, scaling, columns=columns):
        standard_NF[start : start + len(block_BF)] = block_BF
        start += len(block_BF)
    return standard_NF


def standard_blocks(features_NF: Float32, scaling: Scaling, *, columns: Columns | None) -> Iterator[torch.Tensor]:
    """Yield the standardised features in float32, a block of rows after the other."""
    # Constant columns become exact zeros, so that no rounding of theirs can be mistaken for a signal.
    factor_F = torch.where(torch.from_numpy(scaling.constant_F), 0.0, 1 / torch.from_numpy(scaling.scale_F)).float()
    offset_F = torch.from_numpy(scaling.mean_F).float()
    for start in range(0, len(features_NF), BLOCK_ROWS):
        yield _block(features_NF, columns, slice(start, start + BLOCK_ROWS)).sub_(offset_F).mul_(factor_F)


def _block(features_NF: Float32, columns: Columns | None, rows: slice) -> torch.Tensor:
    """Return a float32 copy of some rows."""
    block = features_NF[rows] if columns is None else features_NF[rows][:, columns]
    return torch.from_numpy(np.array(block, dtype=np.float32, order="C"))


def _deviation(sum_: torch.Tensor, square: torch.Tensor, count: torch.Tensor) -> torch.Tensor:
    """Return the standard deviation of `count` rows from their sum and sum of squares."""
    return (square / count - (sum_ / count).square()).clamp_min(0).sqrt()
