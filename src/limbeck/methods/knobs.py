"""Knobs: which settings of each method a sweep varies, and from where to where.

In: the settings of a training, and the learning rate that suits its encoder. Out: `Knob`s. It does not know how a sweep
chooses.
"""

from dataclasses import dataclass
from typing import Any

from limbeck.methods.distil_settings import Distillation
from limbeck.methods.pretrain_settings import Pretraining
from limbeck.methods.trainings import Finetuning, HeadTraining, ProbeTraining


@dataclass(frozen=True, kw_only=True)
class Knob:
    """A setting that is varied.

    Attributes:
        stage: the table that it stands in.
        name: its key.
        choices: the values it may take; or, when there are none:
        low: the lowest value.
        high: the highest value.
        log: whether its logarithm is drawn evenly.
    """

    stage: str
    name: str
    choices: tuple[Any, ...] = ()
    low: float = 0.0
    high: float = 0.0
    log: bool = False


def probe_knobs(_settings: ProbeTraining, _rate: float) -> tuple[Knob, ...]:
    """Return what is sensible to vary of a probe."""
    return (
        Knob(stage="features", name="pooling", choices=("cls", "mean", "max", "layers")),
        Knob(stage="probe", name="balance", choices=("none", "weights", "oversample")),
    )


def head_knobs(settings: HeadTraining, rate: float) -> tuple[Knob, ...]:
    """Return what is sensible to vary of a head; the learning rate from a tenth to ten times what suits."""
    return (
        Knob(stage="head", name="learning_rate", low=rate / 10, high=rate * 10, log=True),
        Knob(stage="head", name="batch_rows", choices=(16, 32, 64, 128)),
        Knob(stage="head", name="label_smoothing", choices=(0.0, 0.05, 0.1)),
        Knob(stage="head", name="weight_decay", choices=(0.0, 0.001, 0.01, 0.1)),
        *_kinds_of_head(settings),
    )


def finetune_knobs(_settings: Finetuning, rate: float) -> tuple[Knob, ...]:
    """Return what is sensible to vary of a fine-tuning; the learning rate from a quarter to four times what suits."""
    return (
        Knob(stage="finetune", name="learning_rate", low=rate / 4, high=rate * 4, log=True),
        Knob(stage="finetune", name="batch_rows", choices=(16, 32, 64)),
        Knob(stage="finetune", name="warmup_share", low=0.0, high=0.3),
        Knob(stage="finetune", name="weight_decay", low=1e-3, high=1e-1, log=True),
        Knob(stage="finetune", name="label_smoothing", choices=(0.0, 0.05, 0.1)),
        Knob(stage="finetune", name="dropout", low=0.0, high=0.2),
        Knob(stage="finetune", name="layer_decay", low=0.7, high=1.0),
    )


def distil_knobs(_settings: Distillation, rate: float) -> tuple[Knob, ...]:
    """Return what is sensible to vary of a distillation."""
    return (
        Knob(stage="distil", name="learning_rate", low=rate / 4, high=rate * 4, log=True),
        Knob(stage="distil", name="batch_rows", choices=(16, 32, 64)),
        Knob(stage="distil", name="temperature", choices=(1.0, 2.0, 4.0)),
        Knob(stage="distil", name="teacher_weight", low=0.5, high=1.0),
    )


def pretrain_knobs(settings: Pretraining, rate: float) -> tuple[Knob, ...]:
    """Return what is sensible to vary of a pretraining; the weights of its losses only where there are several."""
    knobs = (
        Knob(stage="pretrain", name="learning_rate", low=rate / 4, high=rate * 4, log=True),
        Knob(stage="pretrain", name="batch_rows", choices=(16, 32, 64)),
        Knob(stage="pretrain", name="masked_share", low=0.1, high=0.3),
    )
    if settings.pretrain.objective == "mlm":
        return knobs
    return (*knobs, Knob(stage="pretrain", name="cosine_weight", choices=(0.0, 1.0, 2.0)))


def _kinds_of_head(settings: Any) -> list[Knob]:
    """Give the choice of a head where there is one: that of two layers sees [CLS] of the last layer only."""
    features = settings.features
    if features.pooling != "cls" or features.layer is not None:
        return []
    return [Knob(stage="head", name="head", choices=("linear", "mlp"))]
