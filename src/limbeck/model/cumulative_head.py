"""The head of ordered classes while it is trained: one value, and cuts that stay in their order.

In: pooled features. Out: for each class but the last the log odds of lying above it. It does not know losses.

A trained one becomes an ordinary head of C - 1 outputs (`expanded`), all with the same weights: that is what a bundle
holds, and whoever reads it needs to know nothing of values and cuts.

Shapes: B texts, F features, K = C - 1 cuts.
"""

from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from limbeck.model.heads import ClassificationHead, Head, HeadKind, LinearHead

LEAST_SHARE = 1e-4
"""Share of the rows that a class is taken to have at least, when the cuts are placed first."""


class CumulativeHead(Head):
    """A value less cuts: log odds of P(class > k) = value - cut k, with cut 0 < cut 1 < …

    The proportional odds model on whatever features the inner head makes its one output of. The cuts are a first one
    and the logarithms of the distances to the next, so that no step of an optimizer can change their order, and class
    probabilities, their differences, are never negative.

    Args:
        inner: a head with one output, the value.
        counts_C: rows of each class; the cuts begin where they give these shares.

    Source: McCullagh, "Regression Models for Ordinal Data" (1980), section 2.
    """

    def __init__(self, inner: LinearHead | ClassificationHead, counts_C: np.ndarray) -> None:
        super().__init__()
        self.inner = inner
        share_C = np.maximum(counts_C / counts_C.sum(), LEAST_SHARE)
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

    @property
    def n_features(self) -> int:
        """Number of features, F."""
        return self.inner.n_features

    @property
    def kind(self) -> HeadKind:
        """Which head the inner one is, and the trained one will be."""
        return self.inner.kind

    def forward(self, features_BF: Tensor) -> Tensor:
        """Return logits_BK."""
        value_B1: Tensor = self.inner(features_BF)
        return value_B1 - self.cuts

    @torch.no_grad()
    def expanded(self) -> LinearHead | ClassificationHead:
        """Return an ordinary head with K outputs that gives the same logits, on the CPU and in evaluation mode."""
        weight, bias = self.inner._last()
        many_KF = weight.cpu().expand(self.n_labels, -1)
        bias_K = bias.cpu() - self.cuts.cpu()
        if isinstance(self.inner, LinearHead):
            return LinearHead(many_KF, bias_K).eval()
        head = ClassificationHead(dim=self.n_features, n_labels=self.n_labels, dropout=self.inner.dropout.p)
        head.pre_classifier.load_state_dict(self.inner.pre_classifier.state_dict())
        cast("nn.Parameter", head.classifier.weight).copy_(many_KF)
        head.classifier.bias.copy_(bias_K)
        return head.eval()

    def _last(self) -> tuple[nn.Parameter, nn.Parameter]:
        return self.inner._last()
