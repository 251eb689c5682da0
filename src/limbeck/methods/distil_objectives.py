"""Objectives of distillation: what it costs a student to say something else than its teacher.

In: logits, probabilities or hidden states of both. Out: one loss a row (or a token), in nats where it is a
cross-entropy, not yet averaged: whoever sums over micro-batches divides once. It does not know models, batches or
optimizers.

Shapes: B rows or tokens, C classes (or tokens of a vocabulary), T tokens, D width.
Sources: Hinton, Vinyals, Dean, "Distilling the Knowledge in a Neural Network" (2015), for temperatures; Sanh, Debut,
Chaumond, Wolf, "DistilBERT, a distilled version of BERT" (2019), section 3, for the triple loss.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from limbeck.errors import SettingsError

DISTILBERT_TEMPERATURE = 2.0
"""T of the paper's training."""


@dataclass(frozen=True, kw_only=True)
class TripleWeights:
    """How much each of the three losses of DistilBERT counts: 5, 2 and 1 in the paper's training.

    Attributes:
        soft: of the soft cross-entropy with the teacher.
        masked: of masked language modelling.
        cosine: of the angle between hidden states.
    """

    soft: float = 5.0
    masked: float = 2.0
    cosine: float = 1.0


def softened(logits_BC: Tensor, temperature: float) -> Tensor:
    """Return the probabilities of logits at a temperature, (B, C) float32.

    P_i = exp(y_i / T) / Σ_k exp(y_k / T). T = 1 is the softmax; the larger T, the more alike all classes.

    Source: Hinton et al. (2015), equation 1.

    Raises:
        SettingsError: the temperature is not a finite number above 0.

    Example:
        >>> softened(torch.tensor([[0.0, 2.0]]), 2.0).tolist()
        [[0.2689414322376251, 0.7310585975646973]]
    """
    _check_temperature(temperature)
    return (logits_BC.float() / temperature).softmax(dim=-1)


def soft_cross_entropy(student_BC: Tensor, teacher_p_BC: Tensor, *, temperature: float) -> Tensor:
    """Return the cross-entropy of each row with the teacher's soft answer, times T², (B,) float32.

    ℓ = -T² Σ_c t_c log s_c, t the teacher's probabilities at T and s = softmax(student / T). The slope of the
    cross-entropy falls with 1 / T²; multiplied so, the losses keep their shares when T is changed.

    Args:
        student_BC: logits.
        teacher_p_BC: probabilities at the same temperature, see `softened`; those of several teachers averaged.
        temperature: T.

    Source: Hinton et al. (2015), section 2; Sanh et al. (2019), section 2, L_ce.

    Raises:
        SettingsError: the temperature is not a finite number above 0.
    """
    _check_temperature(temperature)
    log_s_BC = functional.log_softmax(student_BC.float() / temperature, dim=-1)
    return -(temperature**2) * (teacher_p_BC * log_s_BC).sum(dim=-1)


def soft_divergence(student_BC: Tensor, teacher_p_BC: Tensor, *, temperature: float) -> Tensor:
    """Return the Kullback-Leibler divergence of each row from the teacher's soft answer, times T², (B,) float32.

    ℓ = T² Σ_c t_c (log t_c - log s_c): the soft cross-entropy less the teacher's own entropy, so that it is 0 where
    both agree; the gradient is the same. As T → ∞ it tends to Σ_c (a_c - b_c)² / 2C, a and b the logits of both with
    their means taken off.

    Source: Hinton et al. (2015), section 2 and equation 4.
    """
    entropy_B: Tensor = -torch.special.xlogy(teacher_p_BC, teacher_p_BC).sum(dim=-1)
    return soft_cross_entropy(student_BC, teacher_p_BC, temperature=temperature) - temperature**2 * entropy_B


def cosine_distance(student_TD: Tensor, teacher_TD: Tensor) -> Tensor:
    """Return 1 - cos of the angle between two vectors a token, (T,) float32: from 0, same direction, to 2.

    Source: Sanh et al. (2019), section 3, L_cos.

    Example:
        >>> cosine_distance(torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 3.0]])).tolist()
        [1.0]
    """
    return 1 - functional.cosine_similarity(student_TD.float(), teacher_TD.float(), dim=-1)


def triple_loss(soft_B: Tensor, masked_B: Tensor, cosine_B: Tensor, weights: TripleWeights) -> Tensor:
    """Add up the three losses of DistilBERT, each by its weight.

    ℓ = α_soft ℓ_soft + α_masked ℓ_masked + α_cosine ℓ_cosine.

    Source: Sanh et al. (2019), section 3; the weights of its training code.
    """
    return weights.soft * soft_B + weights.masked * masked_B + weights.cosine * cosine_B


def _check_temperature(temperature: float) -> None:
    if not 0 < temperature < float("inf"):
        raise SettingsError(f"temperature = {temperature} is not possible: give a finite number above 0")
