"""Heads in the form in which they are trained: of ordered classes, and of numbers.

In: pooled features. Out: what the trained head will give. They do not know losses.

A trained one becomes an ordinary head (`expanded`): that is what a bundle holds, and whoever reads it needs to know
nothing of cuts and units.

Shapes: B texts, F features, C ordered classes, K = C - 1 cuts between them.
"""

from abc import abstractmethod

import numpy as np
import torch
from torch import Tensor, nn

from limbeck.errors import SettingsError
from limbeck.model.heads import ClassificationHead, Head, HeadKind, LinearHead

SMALLEST_CLASS = 1e-4
"""Share of the rows that a class is taken to have at least, when the cuts are placed first."""


class TrainingHead(Head):
    """An inner head with one output, the value, and what is made of it.

    Args:
        inner: a head with one output.
    """

    def __init__(self, inner: LinearHead | ClassificationHead) -> None:
        super().__init__()
        self.inner = inner

    @property
    def n_features(self) -> int:
        """Number of features, F."""
        return self.inner.n_features

    @property
    def kind(self) -> HeadKind:
        """Which head the inner one is, and the trained one will be."""
        return self.inner.kind

    @abstractmethod
    def last(self) -> tuple[Tensor, Tensor]:
        """Return weight and bias of the last map of the ordinary head."""

    @torch.no_grad()
    def expanded(self) -> LinearHead | ClassificationHead:
        """Return an ordinary head that gives the same, on the CPU and in evaluation mode."""
        weight, bias = (values.cpu() for values in self.last())
        if isinstance(self.inner, LinearHead):
            return LinearHead(weight, bias).eval()
        head = ClassificationHead(dim=self.n_features, n_labels=len(bias), dropout=self.inner.dropout.p)
        head.pre_classifier.load_state_dict(self.inner.pre_classifier.state_dict())
        head.classifier.load_state_dict({"weight": weight, "bias": bias})
        return head.eval()

    def _last(self) -> tuple[nn.Parameter, nn.Parameter]:
        return self.inner._last()


class CumulativeHead(TrainingHead):
    """A value less cuts: log odds of P(class > k) = value - cut k, with cut 0 < cut 1 < cut 2.

    The proportional odds model on whatever features the inner head makes its one output of. The cuts are a first one
    and the logarithms of the distances to the next, so that no step of an optimizer can change their order, and class
    probabilities, their differences, are never negative.

    Args:
        inner: a head with one output, the value.
        counts_C: rows of each class; the cuts begin where they give these shares.

    Source: McCullagh, "Regression Models for Ordinal Data" (1980), section 2.
    """

    def __init__(self, inner: LinearHead | ClassificationHead, counts_C: np.ndarray) -> None:
        super().__init__(inner)
        share_C = np.maximum(counts_C / counts_C.sum(), SMALLEST_CLASS)
        below_K = np.cumsum(share_C / share_C.sum())[:-1]
        cut_K = np.log(below_K) - np.log1p(-below_K)
        place_K = np.concatenate([cut_K[:1], np.log(np.diff(cut_K))])
        self.place_K = nn.Parameter(torch.from_numpy(place_K).float())

    @property
    def cuts(self) -> Tensor:
        """The cuts, (K,), rising."""
        return torch.cat([self.place_K[:1], self.place_K[:1] + self.place_K[1:].exp().cumsum(0)])

    @property
    def n_labels(self) -> int:
        """Number of outputs, K."""
        return len(self.place_K)

    def forward(self, features_BF: Tensor) -> Tensor:
        """Return logits_BK."""
        value_B1: Tensor = self.inner(features_BF)
        return value_B1 - self.cuts

    def last(self) -> tuple[Tensor, Tensor]:
        """Return K equal rows of weights, and the bias less the cuts."""
        weight, bias = self.inner._last()
        return weight.expand(self.n_labels, -1), bias - self.cuts


class NumberHead(TrainingHead):
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
        super().__init__(inner)
        if not 0 < unit < float("inf"):
            raise SettingsError(f"unit = {unit} is not possible: give a finite number above 0")
        self.register_buffer("mean", torch.tensor(mean, dtype=torch.float32))
        self.register_buffer("unit", torch.tensor(unit, dtype=torch.float32))

    @property
    def n_labels(self) -> int:
        """Number of outputs, one."""
        return 1

    def forward(self, features_BF: Tensor) -> Tensor:
        """Return numbers (B, 1)."""
        value_B1: Tensor = self.inner(features_BF)
        return torch.addcmul(self.mean, self.unit, value_B1)

    def last(self) -> tuple[Tensor, Tensor]:
        """Return the weights in the numbers' unit."""
        weight, bias = self.inner._last()
        return weight * self.unit, torch.addcmul(self.mean, self.unit, bias)
