"""Objectives: what a row's logits cost, given its label.

In: logits_BC, and labels_B or targets_BC. Out: one loss a row, in nats, not yet averaged: whoever sums over
micro-batches divides once, by the rows of the whole update. It does not know models, batches or optimizers.

Shapes: B rows, C classes.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from limbeck.errors import SettingsError

FOCUS = 2.0
"""The exponent γ of the focal loss that its authors found best."""


def cross_entropy(logits_BC: Tensor, labels_B: Tensor, *, smoothing: float = 0.0) -> Tensor:
    """Return the cross-entropy of each row, (B,) float32.

    ℓ = -Σ_c q_c log p_c with p = softmax(logits), q_c = (1 - ε) [c = label] + ε / C.

    Source: Szegedy et al., "Rethinking the Inception Architecture for Computer Vision" (2016), section 7, for ε.

    Example:
        >>> cross_entropy(torch.zeros(1, 4), torch.tensor([2])).item()  # log 4
        1.3862943649291992
    """
    log_p_BC = functional.log_softmax(logits_BC.float(), dim=1)
    right_B = -log_p_BC.gather(1, labels_B[:, None]).squeeze(1)
    if not smoothing:
        return right_B
    return (1 - smoothing) * right_B - smoothing * log_p_BC.mean(dim=1)


def binary_cross_entropy(logit_B1: Tensor, labels_B: Tensor, *, smoothing: float = 0.0) -> Tensor:
    """Return the binary cross-entropy of each row from one logit, (B,) float32.

    ℓ = -q log σ(z) - (1 - q) log(1 - σ(z)), q = (1 - ε) label + ε / 2. It equals `cross_entropy` of the logits (0, z).

    Example:
        >>> binary_cross_entropy(torch.zeros(1, 1), torch.tensor([1])).item()  # log 2
        0.6931471824645996
    """
    target_B = (1 - smoothing) * labels_B.float() + smoothing / 2
    return functional.binary_cross_entropy_with_logits(logit_B1.float().squeeze(1), target_B, reduction="none")


def focal(logits_BC: Tensor, labels_B: Tensor, *, focus: float = FOCUS) -> Tensor:
    """Return the focal loss of each row, (B,) float32: rows that are right already count for less.

    ℓ = -(1 - p)^γ log p, p the probability of the label.

    Source: Lin, Goyal, Girshick, He, Dollár, "Focal Loss for Dense Object Detection" (2017), equation 4.
    """
    log_p_B = -cross_entropy(logits_BC, labels_B)
    # expm1 keeps 1 - p exact where p is nearly 1; the floor keeps the power's slope finite there.
    wrong_B = (-torch.expm1(log_p_B)).clamp_min(1e-12)
    return -(wrong_B**focus) * log_p_B


def label_cross_entropy(logits_BC: Tensor, targets_BC: Tensor, *, smoothing: float = 0.0) -> Tensor:
    """Return the binary cross-entropy of each label of each row, (B, C) float32.

    ℓ = -q log σ(z) - (1 - q) log(1 - σ(z)), q = (1 - ε) target + ε / 2. Its mean over the labels is what a row costs,
    as in `torch.nn.BCEWithLogitsLoss`, so that the learning rate keeps its meaning however many labels there are.

    Example:
        >>> label_cross_entropy(torch.zeros(1, 2), torch.tensor([[True, False]])).tolist()  # log 2
        [[0.6931471824645996, 0.6931471824645996]]
    """
    wanted_BC = (1 - smoothing) * targets_BC.float() + smoothing / 2
    return functional.binary_cross_entropy_with_logits(logits_BC.float(), wanted_BC, reduction="none")


def label_focal(logits_BC: Tensor, targets_BC: Tensor, *, focus: float = FOCUS) -> Tensor:
    """Return the focal loss of each label of each row, (B, C) float32: what is right already counts for less.

    ℓ = -(1 - p)^γ log p, p the probability of what the row says of the label.

    Source: Lin et al. (2017), equation 4, as they use it: one yes or no each.
    """
    log_p_BC = functional.logsigmoid(torch.where(targets_BC, logits_BC, -logits_BC).float())
    wrong_BC = (-torch.expm1(log_p_BC)).clamp_min(1e-12)
    return -(wrong_BC**focus) * log_p_BC


def label_weights(targets_NC: NDArray[np.bool_]) -> Tensor:
    """Return the weight of a row without and with each label, (2, C) float32: N / (2 · rows), so both count alike.

    As scikit-learn's `class_weight="balanced"` of each label alone. The mean weight of a row is 1.

    Raises:
        SettingsError: every row has a label, or none has it.

    Example:
        >>> label_weights(np.array([[True], [False], [False], [False]])).tolist()
        [[0.6666666865348816], [2.0]]
    """
    with_C = targets_NC.sum(axis=0)
    counts_2C = np.stack([len(targets_NC) - with_C, with_C])
    if not counts_2C.all():
        label = int(np.flatnonzero(~counts_2C.all(axis=0))[0])
        missing = "no" if not with_C[label] else "every"
        raise SettingsError(
            f"{missing} training row has label {label}, so that no weight balances it: add rows, or leave --balance out"
        )
    return torch.from_numpy((len(targets_NC) / (2 * counts_2C)).astype(np.float32))


def class_weights(labels_N: NDArray[np.integer], n_labels: int) -> Tensor:
    """Return the weight of each class, (C,) float32, that gives every class the same say: N / (C · rows of the class).

    As scikit-learn's `class_weight="balanced"`. The mean weight of a row is 1, so that the learning rate keeps its
    meaning.

    Raises:
        SettingsError: a class has no row.

    Example:
        >>> class_weights(np.array([0, 0, 0, 1]), 2).tolist()
        [0.6666666865348816, 2.0]
    """
    counts_C = np.bincount(labels_N, minlength=n_labels)
    if not counts_C.all():
        raise SettingsError(
            f"class {int(np.argmin(counts_C))} has no training row, so that no weight balances it: add rows of it, or "
            "leave --balance out"
        )
    return torch.from_numpy((len(labels_N) / (n_labels * counts_C)).astype(np.float32))


def two_logits(logit_B1: Tensor) -> Tensor:
    """Return the logits (0, z) of two classes: their softmax is (1 - σ(z), σ(z)).

    Shapes: (B, 1) → (B, 2).
    """
    return torch.cat([torch.zeros_like(logit_B1), logit_B1], dim=1)
