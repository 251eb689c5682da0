"""The settings of a whole training, one table per stage, as `RUN/settings.toml` holds them, and what a sweep varies.

In: plain values. Out: frozen settings. It does not know how anything is trained, and needs no torch.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field, fields, replace
from typing import Any, ClassVar, Self

from limbeck.linear.checks import check_probe
from limbeck.methods.knobs import Knob
from limbeck.settings import (
    FeatureSettings,
    FinetuneSettings,
    HeadSettings,
    ProbeSettings,
    ReadSettings,
    SplitSettings,
)


@dataclass(frozen=True, kw_only=True)
class Stages(ABC):
    """Settings stage by stage; one of them is the method's own, whose table has the method's name."""

    method: ClassVar[str]

    def stages(self) -> dict[str, Any]:
        """Return each stage's settings by the name of its table."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @property
    def fitting(self) -> Any:
        """The settings of the method's own stage."""
        return getattr(self, self.method)

    def with_fitting(self, **changes: Any) -> Self:
        """Return the same with other settings of the method's own stage."""
        return replace(self, **{self.method: replace(self.fitting, **changes)})

    @abstractmethod
    def knobs(self, rate: float) -> tuple[Knob, ...]:
        """Return what is sensible to vary in a sweep, where `rate` is the learning rate that suits."""


@dataclass(frozen=True, kw_only=True)
class Training(Stages):
    """The stages that every training of a classifier has; a method adds its own.

    Attributes:
        read: how files become rows.
        split: how validation rows are taken from the training rows.
    """

    read: ReadSettings = ReadSettings()
    split: SplitSettings = SplitSettings()


@dataclass(frozen=True, kw_only=True)
class ProbeTraining(Training):
    """The settings of every stage of a probe."""

    method: ClassVar[str] = "probe"

    features: FeatureSettings = FeatureSettings()
    probe: ProbeSettings = ProbeSettings()

    def __post_init__(self) -> None:
        """Refuse what no probe can be fitted with, before any data is read."""
        check_probe(self.probe)

    def knobs(self, rate: float) -> tuple[Knob, ...]:  # it has no learning rate
        """Return the pooling and the balance."""
        return (
            Knob(stage="features", name="pooling", choices=("cls", "mean", "max", "layers")),
            Knob(stage="probe", name="balance", choices=("none", "weights", "oversample")),
        )


@dataclass(frozen=True, kw_only=True)
class HeadTraining(Training):
    """The settings of every stage of a head's training."""

    method: ClassVar[str] = "head"

    features: FeatureSettings = FeatureSettings()
    head: HeadSettings = field(default_factory=HeadSettings)

    def knobs(self, rate: float) -> tuple[Knob, ...]:
        """Return the loop's, the learning rate from a tenth to ten times what suits, and the kind of head.

        A head of two layers sees [CLS] of the last layer only, so that there is no choice with another pooling.
        """
        sees_cls = self.features.pooling == "cls" and self.features.layer is None
        return (
            Knob(stage="head", name="learning_rate", low=rate / 10, high=rate * 10, log=True),
            Knob(stage="head", name="batch_rows", choices=(16, 32, 64, 128)),
            Knob(stage="head", name="label_smoothing", choices=(0.0, 0.05, 0.1)),
            Knob(stage="head", name="weight_decay", choices=(0.0, 0.001, 0.01, 0.1)),
            *([Knob(stage="head", name="head", choices=("linear", "mlp"))] if sees_cls else []),
        )


@dataclass(frozen=True, kw_only=True)
class Finetuning(Training):
    """The settings of every stage of a fine-tuning.

    Of the features' settings it uses encoder, max_tokens and device; the head sees [CLS] of the last layer.
    """

    method: ClassVar[str] = "finetune"

    features: FeatureSettings = FeatureSettings(pooling="cls")
    finetune: FinetuneSettings = field(default_factory=FinetuneSettings)

    def knobs(self, rate: float) -> tuple[Knob, ...]:
        """Return the loop's and the encoder's; the learning rate from a quarter to four times what suits."""
        return (
            Knob(stage="finetune", name="learning_rate", low=rate / 4, high=rate * 4, log=True),
            Knob(stage="finetune", name="batch_rows", choices=(16, 32, 64)),
            Knob(stage="finetune", name="warmup_share", low=0.0, high=0.3),
            Knob(stage="finetune", name="weight_decay", low=1e-3, high=1e-1, log=True),
            Knob(stage="finetune", name="label_smoothing", choices=(0.0, 0.05, 0.1)),
            Knob(stage="finetune", name="dropout", low=0.0, high=0.2),
            Knob(stage="finetune", name="layer_decay", low=0.7, high=1.0),
        )
