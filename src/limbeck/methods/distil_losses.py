"""What a student's answers cost, given its teacher's and the labels.

In: rows through the student, what the teacher says of them, labels where they are known. Out: one loss a row.
It does not know updates or optimizers, nor how many teachers there are.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from limbeck.methods.distil_objectives import cosine_distance, soft_divergence
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
        labels_N: the label of each; any number where it is not known.
        is_labelled_N: where it is.
        softened_NC: the teacher's probabilities at the temperature of the settings.
        features_NF: the teacher's [CLS] states; None when they are not compared.
    """

    rows: Rows
    labels_N: Int64
    is_labelled_N: NDArray[np.bool_]
    softened_NC: Tensor
    features_NF: Tensor | None


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
            loss_B = loss_B + share * soft_divergence(said.logits_BC, teacher_BC, temperature=settings.temperature)
        if share < 1:
            labels_B = torch.from_numpy(lesson.labels_N[rows]).to(device)
            known_B = torch.from_numpy(lesson.is_labelled_N[rows]).to(device)
            hard_B = objectives.cross_entropy(said.logits_BC, labels_B, smoothing=settings.label_smoothing)
            loss_B = loss_B + (1 - share) * hard_B * known_B
        if settings.hidden_weight > 0 and lesson.features_NF is not None:
            teacher_BF = lesson.features_NF[torch.from_numpy(rows)].to(device)
            loss_B = loss_B + settings.hidden_weight * cosine_distance(
                self._module.projection(said.features_BF), teacher_BF
            )
        return loss_B
