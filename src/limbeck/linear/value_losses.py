"""Value losses: what one value a row costs, where it is to be a number, or to fall between the cuts of ordered classes.

In: the rows' numbers or classes. Out: the loss of values and cuts, its slopes and its bends.
It does not know features, penalties or how a minimum is found.

Both kinds have one form. A row's value v meets at most two cuts, one above and one below:
ℓ = f(v - upper cut) + g(v - lower cut) + what the distances between the cuts cost. For numbers there is one cut,
minus the intercept, and f is half the square of what is missing.
"""

from abc import ABC, abstractmethod
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


class ValueTerms(NamedTuple):
    """The loss at a point, float64; slopes and bends are those by the row's value.

    Shapes: P problems, N rows.
    """

    loss_PN: Tensor
    upper_slope_PN: Tensor
    lower_slope_PN: Tensor
    upper_bend_PN: Tensor
    lower_bend_PN: Tensor


class CutTerms(NamedTuple):
    """What the cuts cost by themselves, float64.

    Shapes: P problems, K cuts.
    """

    loss_P: Tensor
    slope_PK: Tensor
    bend_PKK: Tensor


class ValueLoss(ABC):
    """What a value costs each row.

    Shapes: P problems, N rows, K cuts.

    Attributes:
        upper_NK: 1 at the cut that lies above the row's class; zeros where none does. float64.
        lower_NK: 1 at the cut that lies below it.
    """

    upper_NK: Tensor
    lower_NK: Tensor

    @property
    def cuts(self) -> int:
        """K, the number of cuts."""
        return self.upper_NK.shape[1]

    @abstractmethod
    def first_cuts(self, weight_PN: Tensor) -> Tensor:
        """Return the best cuts where every value is 0, (P, K): the optimum of an infinite penalty."""

    @abstractmethod
    def measure(self, value_PN: Tensor, cut_PK: Tensor) -> ValueTerms:
        """Return what each row's value costs against its cuts."""

    @abstractmethod
    def between(self, cut_PK: Tensor, weight_PN: Tensor) -> CutTerms:
        """Return what the cuts cost by themselves; infinite where they are not in their order."""


class SquaredLoss(ValueLoss):
    """Numbers: ½ (v - cut - number)², so that the cut is minus the intercept.

    Args:
        target_N: the number of each row.
    """

    def __init__(self, target_N: NDArray[np.float64]) -> None:
        self._target_N = torch.from_numpy(target_N)
        self.upper_NK = torch.ones(len(target_N), 1, dtype=torch.float64)
        self.lower_NK = torch.zeros(len(target_N), 1, dtype=torch.float64)

    def first_cuts(self, weight_PN: Tensor) -> Tensor:
        """Return minus the weighted mean."""
        return -(weight_PN @ self._target_N / weight_PN.sum(1))[:, None]

    def measure(self, value_PN: Tensor, cut_PK: Tensor) -> ValueTerms:
        """Return half the square of what is missing."""
        over_PN = value_PN - cut_PK - self._target_N
        nothing_PN = torch.zeros_like(over_PN)
        return ValueTerms(0.5 * over_PN.square(), over_PN, nothing_PN, torch.ones_like(over_PN), nothing_PN)

    def between(self, cut_PK: Tensor, weight_PN: Tensor) -> CutTerms:
        """One cut alone costs nothing."""
        return CutTerms(cut_PK.new_zeros(len(cut_PK)), torch.zeros_like(cut_PK), cut_PK.new_zeros(len(cut_PK), 1, 1))


class OrderedLoss(ValueLoss):
    """Ordered classes: minus the logarithm of the class's probability, P(class > k) being σ(v - cut k).

    The proportional odds model. Of neighbouring cuts a < b, σ(v - a) - σ(v - b) = σ(v - a) σ(b - v) (1 - exp(a - b)):
    the last factor does not know the value, and keeps the cuts apart. The whole is convex.

    Args:
        labels_N: class of each row, 0 to C - 1; every class occurs.
        classes: C.

    Source: McCullagh, "Regression Models for Ordinal Data" (1980), section 2.
    """

    def __init__(self, labels_N: NDArray[np.int64], classes: int) -> None:
        self._label_NC = torch.nn.functional.one_hot(torch.from_numpy(labels_N), classes).double()
        self.upper_NK = self._label_NC[:, :-1].contiguous()
        self.lower_NK = self._label_NC[:, 1:].contiguous()

    def first_cuts(self, weight_PN: Tensor) -> Tensor:
        """Return the log odds of the share of rows that lie below each cut."""
        below_PK = (weight_PN @ self._label_NC).cumsum(1)
        return torch.logit(below_PK[:, :-1] / below_PK[:, -1:])

    def measure(self, value_PN: Tensor, cut_PK: Tensor) -> ValueTerms:
        """Return what it costs to lie above the upper cut or below the lower one."""
        has_upper_N, has_lower_N = self.upper_NK.sum(1), self.lower_NK.sum(1)
        over_PN = value_PN - cut_PK @ self.upper_NK.T
        under_PN = value_PN - cut_PK @ self.lower_NK.T
        softplus = torch.nn.functional.softplus
        loss_PN = softplus(over_PN) * has_upper_N + softplus(-under_PN) * has_lower_N
        upper_PN, lower_PN = torch.sigmoid(over_PN), torch.sigmoid(-under_PN)
        return ValueTerms(
            loss_PN=loss_PN,
            upper_slope_PN=upper_PN * has_upper_N,
            lower_slope_PN=-lower_PN * has_lower_N,
            upper_bend_PN=upper_PN * (1 - upper_PN) * has_upper_N,
            lower_bend_PN=lower_PN * (1 - lower_PN) * has_lower_N,
        )

    def between(self, cut_PK: Tensor, weight_PN: Tensor) -> CutTerms:
        """Return minus the sum of weight · log(1 - exp(lower - upper cut)) over the classes between two cuts."""
        # A J is a class between two cuts.
        weight_PJ = (weight_PN @ self._label_NC)[:, 1:-1]
        apart_PJ = cut_PK.diff(dim=1)
        is_ordered_P = (apart_PJ > 0).all(1)
        apart_PJ = apart_PJ.clamp_min(1e-12)
        loss_P = -(weight_PJ * torch.log(-torch.expm1(-apart_PJ))).sum(1)
        slope_PJ = -weight_PJ / torch.expm1(apart_PJ)
        bend_PJ = weight_PJ / (torch.expm1(apart_PJ) * -torch.expm1(-apart_PJ))
        slope_PK, bend_PKK = torch.zeros_like(cut_PK), torch.diag_embed(torch.zeros_like(cut_PK))
        for j in range(weight_PJ.shape[1]):
            slope_PK[:, j] -= slope_PJ[:, j]
            slope_PK[:, j + 1] += slope_PJ[:, j]
            bend_PKK[:, j, j] += bend_PJ[:, j]
            bend_PKK[:, j + 1, j + 1] += bend_PJ[:, j]
            bend_PKK[:, j, j + 1] -= bend_PJ[:, j]
            bend_PKK[:, j + 1, j] -= bend_PJ[:, j]
        return CutTerms(torch.where(is_ordered_P, loss_P, torch.inf), slope_PK, bend_PKK)


def class_probabilities(value_N: Tensor, cut_K: Tensor) -> Tensor:
    """Return what a value makes of each ordered class, (N, K + 1) float64: differences of σ(v - cut).

    Never negative, and a row adds up to 1.

    Example:
        >>> class_probabilities(torch.zeros(1), torch.tensor([0.0])).tolist()
        [[0.5, 0.5]]
    """
    above_NK = torch.sigmoid(value_N.double()[:, None] - cut_K.double())
    one_N1 = above_NK.new_ones(len(above_NK), 1)
    above_NX = torch.cat([one_N1, above_NK, torch.zeros_like(one_N1)], dim=1)
    return (above_NX[:, :-1] - above_NX[:, 1:]).clamp_min(0.0)
