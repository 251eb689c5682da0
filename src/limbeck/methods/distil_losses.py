"""What a student's answers cost, given its teacher's and the labels.

In: rows through the student, what the teacher says of them, labels where they are known. Out: one loss a row.
It does not know updates or optimizers, nor how many teachers there are.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from limbeck.errors import SettingsError
from limbeck.methods.distil_settings import DistillationSettings
from limbeck.model.network import Network
from limbeck.training import objectives
from limbeck.training.examples import Int64, Rows, TextExamples


class DistilledModule(nn.Module):
    """What is trained: the student, and where its states are compared with wider ones, the map between them.

    Args:
        network: the student.
        teacher_width: of the states to compare with; None when they are not compared.
    """

    def __init__(self, network: Network, teacher_width: int | None = None) -> None:
        super().__init__()
        self.network = network
        width = network.encoder.config.dim
        self.projection: nn.Module = nn.Identity()
        if teacher_width is not None and teacher_width != width:
            self.projection = nn.Linear(width, teacher_width, bias=False)


@dataclass(frozen=True, kw_only=True, eq=False)
class Lesson:
    """What there is to learn of N rows.

    Attributes:
        rows: their tokens and ids.
        labels_N: the label of each, or which of C labels it has, bool (N, C); anything where it is not known.
        is_labelled_N: where it is.
        softened_NC: the teacher's probabilities at the temperature of the settings; of each label by itself where a row
            may have any number.
        features_NF: the teacher's [CLS] states; None when they are not compared.
    """

    rows: Rows
    labels_N: NDArray[Any]
    is_labelled_N: NDArray[np.bool_]
    softened_NC: Tensor
    features_NF: Tensor | None

    @property
    def has_label_sets(self) -> bool:
        """Whether a row may have any number of labels."""
        return self.labels_N.dtype == np.bool_


class DistilLosses:
    """What it costs a student to say something else than its teacher and the labels.

    Args:
        module: the student.
        examples: its answers to the rows of the lesson.
        lesson: what they should be.
        settings: the weights of the losses, and the temperature.
    """

    def __init__(
        self, module: DistilledModule, examples: TextExamples, lesson: Lesson, settings: DistillationSettings
    ) -> None:
        self._module = module
        self._examples = examples
        self._lesson = lesson
        self._settings = settings

    @property
    def facts(self) -> Rows:
        """The rows that have a cost."""
        return self._lesson.rows

    def losses(self, rows: Int64) -> Tensor:
        """Return the loss of each row, as `DistillationSettings` defines it."""
        settings, lesson = self._settings, self._lesson
        share = settings.teacher_weight
        said = self._examples.said(rows)
        device = said.logits_BC.device
        loss_B = torch.zeros(len(rows), device=device)
        if share > 0:
            teacher_BC = lesson.softened_NC[torch.from_numpy(rows)].to(device)
            divergence = soft_label_divergence if lesson.has_label_sets else soft_divergence
            loss_B = loss_B + share * divergence(said.logits_BC, teacher_BC, temperature=settings.temperature)
        if share < 1:
            labels_B = torch.from_numpy(lesson.labels_N[rows]).to(device)
            known_B = torch.from_numpy(lesson.is_labelled_N[rows]).to(device)
            smoothing = settings.label_smoothing
            hard_B = (
                objectives.label_cross_entropy(said.logits_BC, labels_B, smoothing=smoothing).mean(dim=1)
                if lesson.has_label_sets
                else objectives.cross_entropy(said.logits_BC, labels_B, smoothing=smoothing)
            )
            loss_B = loss_B + (1 - share) * hard_B * known_B
        if settings.hidden_weight > 0 and lesson.features_NF is not None:
            teacher_BF = lesson.features_NF[torch.from_numpy(rows)].to(device)
            loss_B = loss_B + settings.hidden_weight * cosine_distance(
                self._module.projection(said.features_BF), teacher_BF
            )
        return loss_B


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


def soft_label_divergence(student_BC: Tensor, teacher_p_BC: Tensor, *, temperature: float) -> Tensor:
    """Return the same where each logit is a yes or no of its own: the mean of the labels, times T², (B,) float32.

    ℓ = T² / C Σ_c KL(Bernoulli(t_c) ‖ Bernoulli(σ(z_c / T))), t the teacher's probabilities at T.
    """
    _check_temperature(temperature)
    z_BC = student_BC.float() / temperature
    other_BC = 1 - teacher_p_BC
    entropy_BC = -torch.special.xlogy(teacher_p_BC, teacher_p_BC) - torch.special.xlogy(other_BC, other_BC)
    cost_BC = -teacher_p_BC * functional.logsigmoid(z_BC) - other_BC * functional.logsigmoid(-z_BC)
    loss_B: Tensor = temperature**2 * (cost_BC - entropy_BC).mean(dim=1)
    return loss_B


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
