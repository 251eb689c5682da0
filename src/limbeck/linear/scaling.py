"""Scaling: standardised features, and what each training fold would have standardised by.

In: raw features and the fold of each row. Out: means and scales, and one standardised copy in the precision asked for.
With them the two ways in which a fit reads the features: whole in memory, or raw ones that are standardised a block of
rows at a time. It does not know labels or models.

Every fold shares one copy, standardised by all rows. A fold's own standardisation then comes exactly from its
penalty: for weights V on the shared copy, standardising by the fold's scale s instead is the same as penalising
(s_f V_f)² instead of V_f², and centring by its mean is taken up by the intercept, which is not penalised.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

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
DOUBTFUL_SHARE = 0.01
"""Share of the mean square that a variance must exceed to be left to float32: it is then right to about 1e-5."""
SHIFT_ROWS = 1024
"""Rows, about, whose mean stands for a typical row; they are taken from everywhere, as rows may be sorted."""


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

    def factors(self) -> torch.Tensor:
        """Return what centred features are multiplied by, float32 (F,).

        Constant columns become exact zeros, so that no rounding of theirs can be mistaken for a signal.
        """
        return torch.where(torch.from_numpy(self.constant_F), 0.0, 1 / torch.from_numpy(self.scale_F)).float()

    @property
    def is_finite(self) -> bool:
        """Whether every feature of every row is a finite number: one that is not would spoil its column's mean."""
        return bool(np.isfinite(self.mean_F).all())


@dataclass(frozen=True, kw_only=True, eq=False)
class _Moments:
    """What was measured of columns: float64 throughout.

    Attributes:
        mean_F: of all rows.
        deviation_F: of all rows.
        deviation_KF: of the rows outside each fold.
        doubtful_F: where a deviation is far below the distance from the row that sums were taken around.
    """

    mean_F: torch.Tensor
    deviation_F: torch.Tensor
    deviation_KF: torch.Tensor
    doubtful_F: torch.Tensor


def measure_scaling(features_NF: Float32, *, columns: Columns | None, fold_N: NDArray[np.int64]) -> Scaling:
    """Measure means and scales, of all rows and of the rows outside each fold, to 1e-6 or better.

    One pass in float32 does for nearly all columns; those that it leaves in doubt are measured again in float64.
    """
    found = _measure_moments(features_NF, columns, fold_N, torch.float32)
    mean_F, deviation_F, deviation_KF = found.mean_F, found.deviation_F, found.deviation_KF
    doubtful = found.doubtful_F.nonzero()[:, 0]
    if len(doubtful):
        again = doubtful.numpy() if columns is None else np.asarray(columns)[doubtful.numpy()]
        found = _measure_moments(features_NF, again, fold_N, torch.float64)
        mean_F[doubtful], deviation_F[doubtful] = found.mean_F, found.deviation_F
        deviation_KF[:, doubtful] = found.deviation_KF
    # Below this a deviation is nothing but the rounding of float32, or far below those of the other features.
    smallest_F = torch.finfo(torch.float32).eps * mean_F.abs()
    varying = deviation_F[deviation_F > smallest_F]
    if len(varying):
        smallest_F = smallest_F.clamp_min(SMALLEST_SHARE * float(varying.median()))
    constant_F, constant_KF = deviation_F <= smallest_F, deviation_KF <= smallest_F
    scale_F = torch.where(constant_F, 1.0, deviation_F)
    return Scaling(
        # As float32 has it: that very number is subtracted, and later folded into the head.
        mean_F=mean_F.float().double().numpy(),
        scale_F=scale_F.numpy(),
        constant_F=constant_F.numpy(),
        fold_scale_KF=torch.where(constant_KF, torch.inf, deviation_KF / scale_F).numpy(),
    )


def _measure_moments(
    features_NF: Float32, columns: Columns | None, fold_N: NDArray[np.int64], dtype: torch.dtype
) -> _Moments:
    """Measure columns in one pass: blocks are added up in `dtype`, and the blocks' sums in float64."""
    folds = int(fold_N.max()) + 1
    member_KN = torch.from_numpy(fold_N == np.arange(folds)[:, None]).to(dtype)
    # Sums of squares are taken around a typical row, or a large mean would drown a small deviation; in units of the
    # deviation, or those of float32 could overflow. Units are powers of two, which round nothing.
    some_MF = _block(features_NF, columns, slice(0, None, max(1, len(features_NF) // SHIFT_ROWS))).double()
    shift_F = some_MF.mean(0).float().double()
    typical_F = some_MF.sub_(shift_F).square_().mean(0).sqrt()
    unit_F = torch.where(typical_F > 1e-30, typical_F, 1.0).clamp_max(1e30).log2().round().exp2()
    factor_F = (1 / unit_F).to(dtype)
    offset_F = -shift_F.to(dtype) * factor_F
    sum_KF = torch.zeros(folds, len(shift_F), dtype=torch.float64)
    square_KF = torch.zeros_like(sum_KF)
    buffer_BF = torch.empty(BLOCK_ROWS, len(shift_F), dtype=dtype)
    for start in range(0, len(features_NF), BLOCK_ROWS):
        rows = slice(start, start + BLOCK_ROWS)
        given_BF = _block(features_NF, columns, rows).to(dtype)
        block_BF = torch.addcmul(offset_F, given_BF, factor_F, out=buffer_BF[: len(given_BF)])
        sum_KF += member_KN[:, rows] @ block_BF
        square_KF += member_KN[:, rows] @ block_BF.square_()
    count_K = member_KN.sum(1, keepdim=True, dtype=torch.float64)
    # Of all rows, and of the rows outside each fold.
    count = torch.cat([count_K.sum(0, keepdim=True), count_K.sum() - count_K])
    sum_ = torch.cat([sum_KF.sum(0, keepdim=True), sum_KF.sum(0) - sum_KF])
    square = torch.cat([square_KF.sum(0, keepdim=True), square_KF.sum(0) - square_KF])
    mean, mean_square = sum_ / count, square / count
    variance = (mean_square - mean.square()).clamp_min(0)
    deviation = variance.sqrt() * unit_F
    return _Moments(
        mean_F=shift_F + mean[0] * unit_F,
        deviation_F=deviation[0],
        deviation_KF=deviation[1:],
        doubtful_F=(variance <= DOUBTFUL_SHARE * mean_square).any(0),
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
    """Yield the standardised features in float32, a block of rows after the other, each valid until the next."""
    factor_F = scaling.factors()
    for block_BF in centred_blocks(features_NF, scaling, columns=columns):
        yield block_BF.mul_(factor_F)


def centred_blocks(features_NF: Float32, scaling: Scaling, *, columns: Columns | None) -> Iterator[torch.Tensor]:
    """Yield the features less their means, a block of rows after the other, each valid until the next."""
    mean_F = torch.from_numpy(scaling.mean_F).float()
    buffer_BF = torch.empty(BLOCK_ROWS, len(mean_F))
    for start in range(0, len(features_NF), BLOCK_ROWS):
        given_BF = _block(features_NF, columns, slice(start, start + BLOCK_ROWS))
        yield torch.sub(given_BF, mean_F, out=buffer_BF[: len(given_BF)])


def _block(features_NF: Float32, columns: Columns | None, rows: slice) -> torch.Tensor:
    """Return some rows in float32, to be read only: a view where the array allows it."""
    if columns is None:
        block = features_NF[rows]
    elif len(columns) and np.array_equal(columns, np.arange(columns[0], columns[0] + len(columns))):
        # Side by side, as most sets of columns are: nothing needs gathering.
        block = features_NF[rows, columns[0] : columns[0] + len(columns)]
    else:
        block = features_NF[rows][:, columns]
    # torch takes writable arrays only.
    return torch.from_numpy(np.require(block, dtype=np.float32, requirements=["W", "A"]))


class Products(Protocol):
    """Shapes: N rows, F features, K weight vectors."""

    def logits(self, weight_KF: torch.Tensor) -> torch.Tensor:
        """Return what the weights make of each row, (K, N)."""
        ...

    def slopes(self, residual_KN: torch.Tensor) -> torch.Tensor:
        """Return the residuals' sum over the rows times each feature, (K, F)."""
        ...


@dataclass(frozen=True, eq=False)
class InMemory:
    """Products with standardised features, in their own precision: bfloat16 is right to two or three digits.

    Attributes:
        features_NF: standardised.
        features_FN: the same, features first, where slopes are to be as fast as logits: a processor's matrix units
            want a row's numbers side by side.
    """

    features_NF: torch.Tensor
    features_FN: torch.Tensor | None = None

    def logits(self, weight_KF: torch.Tensor) -> torch.Tensor:
        """Return what the weights make of each row, (K, N)."""
        return (self.features_NF @ weight_KF.to(self.features_NF.dtype).T).T.float().contiguous()

    def slopes(self, residual_KN: torch.Tensor) -> torch.Tensor:
        """Return the residuals' sum over the rows times each feature, (K, F)."""
        residual_KN = residual_KN.to(self.features_NF.dtype)
        if self.features_FN is None:
            return (residual_KN @ self.features_NF).float()
        return (self.features_FN @ residual_KN.T).T.float().contiguous()


@dataclass(frozen=True, kw_only=True, eq=False)
class Streamed:
    """Products in float32 with raw features, standardised as they are read: no second copy of them is kept."""

    features_NF: Float32
    scaling: Scaling
    columns: Columns | None

    def logits(self, weight_KF: torch.Tensor) -> torch.Tensor:
        """Return what the weights make of each row, (K, N)."""
        weight_FK = (weight_KF * self.scaling.factors()).T.contiguous()
        return torch.cat([block_BF @ weight_FK for block_BF in self._blocks()]).T.contiguous()

    def slopes(self, residual_KN: torch.Tensor) -> torch.Tensor:
        """Return the residuals' sum over the rows times each feature, (K, F)."""
        slopes_KF = torch.zeros(len(residual_KN), len(self.scaling.mean_F))
        start = 0
        for block_BF in self._blocks():
            slopes_KF.addmm_(residual_KN[:, start : start + len(block_BF)], block_BF)
            start += len(block_BF)
        return slopes_KF.mul_(self.scaling.factors())

    def _blocks(self) -> Iterator[torch.Tensor]:
        # The scale of a feature is left to its weight: one pass less over each block.
        return centred_blocks(self.features_NF, self.scaling, columns=self.columns)


@dataclass(frozen=True, kw_only=True, eq=False)
class Passes:
    """How a fit reads the features.

    Attributes:
        fast: for what changes from step to step.
        exact: for the point from which changes are counted; the same object where one precision does for both.
    """

    fast: Products
    exact: Products
