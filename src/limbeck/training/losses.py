"""Losses: what rows of the training split cost, with gradients, as the loop asks for them.

In: training `Examples` and what they should say. Out: one loss a row, in nats. It does not know updates or optimizers.

What a training is after stands here and nowhere in the loop: a distillation brings losses of its own. `TASK_LOSSES` is
the one table of what each shape of answer costs.
"""

from collections.abc import Callable
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from limbeck.errors import TrainingError
from limbeck.settings import LoopSettings, TaskKind
from limbeck.task import Task
from limbeck.training import objectives, ordered_objectives
from limbeck.training.examples import Examples, Int64, Labelled, Rows


@runtime_checkable
class Losses(Protocol):
    """What the loop brings down."""

    @property
    def facts(self) -> Rows:
        """The rows that have a cost."""
        ...

    def losses(self, rows: Int64) -> Tensor:
        """Return the loss of each row, (B,) float32, weighed as it should count."""
        ...


class ExampleLosses:
    """What labelled rows cost, whatever is asked of them.

    Args:
        examples: rows to learn from.
        settings: what the shape of answer has settings for.
        device: where logits are.
    """

    def __init__(self, examples: Examples, settings: LoopSettings, device: torch.device) -> None:
        self._examples = examples
        self._settings = settings
        self._device = device

    @property
    def facts(self) -> Labelled:
        """The rows that have a cost."""
        return self._examples.facts

    def _weights_of_classes(self, n_labels: int) -> Tensor | None:
        """Return the weight of each class, (C,), where the settings ask for any."""
        if self._settings.balance != "weights":
            return None
        return objectives.class_weights(self.facts.labels_N, n_labels).to(self._device)

    def _labels(self, rows: Int64) -> Tensor:
        return torch.from_numpy(self.facts.labels_N[rows]).to(self._device)


class LabelLosses(ExampleLosses):
    """What missing the labels costs.

    Args:
        examples: rows to learn from.
        settings: loss, label smoothing and balance.
        n_labels: number of classes.
        device: where logits are.
    """

    def __init__(self, examples: Examples, settings: LoopSettings, n_labels: int, device: torch.device) -> None:
        super().__init__(examples, settings, device)
        self._class_weight_C = self._weights_of_classes(n_labels)

    def losses(self, rows: Int64) -> Tensor:
        """Return the loss of each row, as the settings weigh it."""
        settings = self._settings
        labels_B = self._labels(rows)
        logits_BC = self._examples.logits(rows)
        if settings.balance == "focal":
            return objectives.focal(logits_BC, labels_B)
        if settings.loss == "binary":
            loss_B = objectives.binary_cross_entropy(logits_BC, labels_B, smoothing=settings.label_smoothing)
        else:
            loss_B = objectives.cross_entropy(logits_BC, labels_B, smoothing=settings.label_smoothing)
        return loss_B if self._class_weight_C is None else loss_B * self._class_weight_C[labels_B]


class LabelSetLosses(ExampleLosses):
    """What missing any of the labels of a row costs: the mean over the labels, each a question of yes and no.

    Args:
        examples: rows to learn from.
        settings: label smoothing and balance.
        n_labels: number of labels.
        device: where logits are.
    """

    def __init__(self, examples: Examples, settings: LoopSettings, n_labels: int, device: torch.device) -> None:
        super().__init__(examples, settings, device)
        self._weight_2C: Tensor | None = None
        if settings.balance == "weights":
            self._weight_2C = objectives.label_weights(examples.facts.labels_N).to(device)

    def losses(self, rows: Int64) -> Tensor:
        """Return the loss of each row, as the settings weigh it."""
        settings = self._settings
        targets_BC = self._labels(rows)
        logits_BC = self._examples.logits(rows)
        if settings.balance == "focal":
            return objectives.label_focal(logits_BC, targets_BC).mean(dim=1)
        loss_BC = objectives.label_cross_entropy(logits_BC, targets_BC, smoothing=settings.label_smoothing)
        if self._weight_2C is not None:
            loss_BC = loss_BC * torch.where(targets_BC, self._weight_2C[1], self._weight_2C[0])
        return loss_BC.mean(dim=1)


class StepLosses(ExampleLosses):
    """What missing the class costs where classes have an order: the steps that the row reaches, each a yes or no.

    Args:
        examples: rows to learn from.
        settings: balance.
        n_labels: number of classes.
        device: where logits are.
    """

    def __init__(self, examples: Examples, settings: LoopSettings, n_labels: int, device: torch.device) -> None:
        super().__init__(examples, settings, device)
        self._class_weight_C = self._weights_of_classes(n_labels)

    def losses(self, rows: Int64) -> Tensor:
        """Return the loss of each row, as the settings weigh it."""
        labels_B = self._labels(rows)
        loss_B = ordered_objectives.step_cross_entropy(self._examples.logits(rows), labels_B)
        return loss_B if self._class_weight_C is None else loss_B * self._class_weight_C[labels_B]


class NumberLosses(ExampleLosses):
    """What missing the number costs, in squares of the training rows' standard deviation.

    Args:
        examples: rows to learn from.
        settings: the loss: "huber", or squared errors.
        n_labels: not needed.
        device: where numbers are.
    """

    def __init__(self, examples: Examples, settings: LoopSettings, n_labels: int, device: torch.device) -> None:
        super().__init__(examples, settings, device)
        self._unit = unit_of(examples.facts.labels_N)
        self._cost = ordered_objectives.huber if settings.loss == "huber" else ordered_objectives.squared_error

    def losses(self, rows: Int64) -> Tensor:
        """Return the loss of each row."""
        numbers_B = torch.from_numpy(self.facts.labels_N[rows] / self._unit).to(self._device, torch.float32)
        return self._cost(self._examples.logits(rows) / self._unit, numbers_B)


def unit_of(numbers_N: NDArray[np.float64]) -> float:
    """Return the unit in which numbers are learned, their standard deviation.

    Raises:
        TrainingError: they are all the same.
    """
    if np.ptp(numbers_N) == 0:
        raise TrainingError(f"every row has the number {numbers_N[0]:g}: there is nothing to learn; add other rows")
    return float(numbers_N.std())


TASK_LOSSES: dict[TaskKind, Callable[[Examples, LoopSettings, int, torch.device], Losses]] = {
    "single": LabelLosses,
    "multi": LabelSetLosses,
    "ordinal": StepLosses,
    "regression": NumberLosses,
}
"""What each shape of answer costs."""


def losses_of(task: Task, examples: Examples, settings: LoopSettings, n_labels: int, device: torch.device) -> Losses:
    """Return what missing the labels of a task costs.

    Raises:
        SettingsError: no training by gradients serves the task.
    """
    task.require(tuple(TASK_LOSSES), doing="training by gradients")
    return TASK_LOSSES[task.name](examples, settings, n_labels, device)
