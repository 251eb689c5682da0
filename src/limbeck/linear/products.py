"""Products: the two ways in which a fit reads the features, and in what precision.

In: standardised features in memory, or raw ones that are standardised a block of rows at a time. Out: features times
weights (logits) and residuals times features (slopes), in float32.
It does not know objectives or problems.

Both are bound by memory more than by arithmetic: K problems and classes side by side cost little more than one.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import torch

from limbeck.linear.scaling import Columns, Float32, Scaling, centred_blocks


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
