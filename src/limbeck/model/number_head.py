"""The head of numbers while it is trained: in their unit, around their mean.

In: pooled features. Out: a number. It does not know losses.

A trained one becomes an ordinary head with one output (`expanded`): that is what a bundle holds, and whoever reads it
needs to know nothing of units.

Shapes: B texts, F features.
"""

import numpy as np
import torch
from torch import Tensor, nn

from limbeck.errors import SettingsError
from limbeck.model.heads import ClassificationHead, Head, LinearHead
from limbeck.settings import HeadKind


class NumberHead(Head):
    """A number: the inner head's output in units around a mean, those of the numbers that are learned.

    An optimizer's steps then suit dollars and grades alike.

    Args:
        inner: a head with one output.
        mean: of the numbers.
        unit: their standard deviation.

    Raises:
        SettingsError: the unit is not a finite number above 0.
    """

    mean: Tensor
    unit: Tensor

    def __init__(self, inner: LinearHead | ClassificationHead, *, mean: float, unit: float) -> None:
        super().__init__()
        if not 0 < unit < float("inf"):
            raise SettingsError(
                f"the training rows' numbers have a standard deviation of {unit}: numbers that differ were expected"
            )
        self.inner = inner
        self.register_buffer("mean", torch.tensor(mean, dtype=torch.float32))
        self.register_buffer("unit", torch.tensor(unit, dtype=torch.float32))

    @property
    def n_labels(self) -> int:
        """Number of outputs, one."""
        return 1

    @property
    def n_features(self) -> int:
        """Number of features, F."""
        return self.inner.n_features

    @property
    def kind(self) -> HeadKind:
        """Which head the inner one is, and the trained one will be."""
        return self.inner.kind

    def forward(self, features_BF: Tensor) -> Tensor:
        """Return numbers (B, 1)."""
        value_B1: Tensor = self.inner(features_BF)
        return torch.addcmul(self.mean, self.unit, value_B1)

    @torch.no_grad()
    def expanded(self) -> LinearHead | ClassificationHead:
        """Return the inner head, on the CPU and in evaluation mode, with mean and unit in its last weights.

        This one is of no use afterwards.
        """
        inner = self.inner.cpu().eval()
        weight, bias = inner._maps()[-1]
        mean, unit = self.mean.cpu(), self.unit.cpu()
        weight.mul_(unit)
        bias.mul_(unit).add_(mean)
        return inner

    def logits(self, features_NF: np.ndarray) -> np.ndarray:
        """Return the numbers, (N, 1) float64."""
        return self.mean.item() + self.unit.item() * self.inner.logits(features_NF)

    def _maps(self) -> tuple[tuple[nn.Parameter, nn.Parameter], ...]:
        return self.inner._maps()
