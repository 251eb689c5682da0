"""The settings of a whole training, one table per stage; what `RUN/settings.toml` holds.

In: plain values. Out: frozen settings. It does not know how anything is trained, and needs no torch.
"""

from dataclasses import dataclass, field, fields, replace
from typing import Any, ClassVar, Self

from limbeck.linear.checks import check_probe
from limbeck.settings import (
    FeatureSettings,
    FinetuneSettings,
    HeadSettings,
    ProbeSettings,
    ReadSettings,
    SplitSettings,
)


@dataclass(frozen=True, kw_only=True)
class Stages:
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


@dataclass(frozen=True, kw_only=True)
class HeadTraining(Training):
    """The settings of every stage of a head's training."""

    method: ClassVar[str] = "head"

    features: FeatureSettings = FeatureSettings()
    head: HeadSettings = field(default_factory=HeadSettings)


@dataclass(frozen=True, kw_only=True)
class Finetuning(Training):
    """The settings of every stage of a fine-tuning.

    Of the features' settings it uses encoder, max_tokens and device; the head sees [CLS] of the last layer.
    """

    method: ClassVar[str] = "finetune"

    features: FeatureSettings = FeatureSettings(pooling="cls")
    finetune: FinetuneSettings = field(default_factory=FinetuneSettings)
