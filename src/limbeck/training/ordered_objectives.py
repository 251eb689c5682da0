"""Objectives of answers that have an order: what a row's logits cost, given its ordered class, or its number.

In: logits and labels. Out: one loss a row, not yet averaged. It does not know models, batches or optimizers.

Shapes: B rows, K = C - 1 cuts between C ordered classes.
"""

import torch
from torch import Tensor
from torch.nn import functional

LEAST_APART = 1e-6
"""Distance of neighbouring logits at which the loss stops rising: a float32 has no smaller one that means something."""
HUBER_KNEE = 1.0
"""Distance, in standard deviations of the training rows' numbers, from which on an error counts by its size alone."""


def ordered_cross_entropy(logits_BK: Tensor, labels_B: Tensor) -> Tensor:
    """Return the cross-entropy of each row, (B,) float32, in nats, of cumulative logits that fall from k to k + 1.

    ℓ = -log p, p = P(class > label - 1) - P(class > label), P(class > k) = σ(logit k), P(class > -1) = 1 and
    P(class > C - 1) = 0. Worked out as softplus(-a) + softplus(b) - log(1 - exp(b - a)), a and b being the logits below
    and above the class: no probability is subtracted from a nearly equal one.

    Source: McCullagh, "Regression Models for Ordinal Data" (1980), section 2.

    Example:
        >>> ordered_cross_entropy(torch.tensor([[0.0]]), torch.tensor([1])).item()  # log 2
        0.6931471824645996
    """
    logits_BK = logits_BK.float()
    cuts = logits_BK.shape[1]
    has_lower_B, has_upper_B = labels_B > 0, labels_B < cuts
    lower_B = logits_BK.gather(1, (labels_B - 1).clamp_min(0)[:, None]).squeeze(1)
    upper_B = logits_BK.gather(1, labels_B.clamp_max(cuts - 1)[:, None]).squeeze(1)
    # At an end of the classes both are one logit, and the distance has no part.
    apart_B = torch.where(
        has_lower_B & has_upper_B, (lower_B - upper_B).clamp_min(LEAST_APART), torch.ones_like(lower_B)
    )
    between_B = torch.where(has_lower_B & has_upper_B, -torch.log(-torch.expm1(-apart_B)), torch.zeros_like(lower_B))
    return functional.softplus(-lower_B) * has_lower_B + functional.softplus(upper_B) * has_upper_B + between_B


def squared_error(value_B1: Tensor, numbers_B: Tensor) -> Tensor:
    """Return the squared error of each row, (B,) float32."""
    return (value_B1.float().squeeze(1) - numbers_B.float()).square()


def huber(value_B1: Tensor, numbers_B: Tensor, *, knee: float = HUBER_KNEE) -> Tensor:
    """Return the Huber loss of each row, (B,) float32: ½ e² up to an error e of `knee`, knee · (|e| - ½ knee) beyond.

    Few numbers that are far off then do not decide for all others.

    Source: Huber, "Robust Estimation of a Location Parameter" (1964).

    Example:
        >>> huber(torch.tensor([[0.5], [3.0]]), torch.tensor([0.0, 0.0])).tolist()
        [0.125, 2.5]
    """
    value_B = value_B1.float().squeeze(1)
    return functional.huber_loss(value_B, numbers_B.float(), reduction="none", delta=knee)
