"""Objectives of answers that have an order: what a row's logits cost, given its ordered class, or its number.

In: logits and labels. Out: one loss a row, not yet averaged. It does not know models, batches or optimizers.

Shapes: B rows, K = C - 1 steps between C ordered classes.
"""

import torch
from torch import Tensor
from torch.nn import functional

HUBER_KNEE = 1.0
"""Distance, in standard deviations of the training rows' numbers, from which on an error counts by its size alone."""


def step_cross_entropy(logits_BK: Tensor, labels_B: Tensor) -> Tensor:
    """Return the cross-entropy of each row, (B,) float32, in nats, of logits as `task.Ordinal` reads them.

    ℓ = -log p(label) = Σ_{k ≤ label} binary cross-entropy of logit k and [label > k]: of each step that the row
    reached, whether it went on.

    Source: Shi, Cao, Raschka, "Deep Neural Networks for Rank-Consistent Ordinal Regression Based on Conditional
    Probabilities" (2021), equation 5.

    Example:
        >>> step_cross_entropy(torch.zeros(1, 2), torch.tensor([1])).item()  # log 4: on with 1/2, and then not
        1.3862943649291992
    """
    step_K = torch.arange(logits_BK.shape[1], device=logits_BK.device)
    goes_on_BK = labels_B[:, None] > step_K
    loss_BK = functional.binary_cross_entropy_with_logits(logits_BK.float(), goes_on_BK.float(), reduction="none")
    return (loss_BK * (labels_B[:, None] >= step_K)).sum(dim=1)


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
