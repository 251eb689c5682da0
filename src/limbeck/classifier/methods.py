"""The three ways of training, by the parameters of a `TextClassifier`.

In: rows and parameters. Out: a finished run. It builds settings as the command line does and calls the same public
functions: there is no training here.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from limbeck.data.dataset import Dataset
from limbeck.errors import SettingsError
from limbeck.features.cache import FeatureCache
from limbeck.progress import Progress
from limbeck.settings import FeatureSettings, FinetuneSettings, HeadSettings, ProbeSettings, SplitSettings, build

if TYPE_CHECKING:
    from limbeck.methods.probe import ProbeRun
    from limbeck.training.outcome import LoopRun

Method = Literal["probe", "head", "finetune"]
METHODS: tuple[str, ...] = get_args(Method)


@dataclass(frozen=True, kw_only=True)
class Parameters:
    """How to train; None stands for the method's default.

    Attributes:
        method: which of `METHODS`.
        split: how validation rows are taken.
        features: of `FeatureSettings`, by name.
        fitting: of the method's settings, by name.
    """

    method: str
    split: SplitSettings
    features: Mapping[str, Any]
    fitting: Mapping[str, Any] = field(default_factory=dict)


def run_method(
    dataset: Dataset, out: Path, parameters: Parameters, *, cache: FeatureCache, progress: Progress
) -> "ProbeRun | LoopRun":
    """Train on a dataset and leave a run folder.

    Raises:
        SettingsError: the method is unknown, or has no such setting.
        LimbeckError: whatever the training raises.
    """
    train = {"probe": _probe, "head": _head, "finetune": _finetune}.get(parameters.method)
    if train is None:
        raise SettingsError(f"method = {parameters.method!r} is not known: give one of {', '.join(METHODS)}")
    return train(dataset, out, parameters, cache, progress)


def _probe(
    dataset: Dataset, out: Path, parameters: Parameters, cache: FeatureCache, progress: Progress
) -> "ProbeRun | LoopRun":
    from limbeck.methods.probe import ProbeTraining, train_probe

    settings = ProbeTraining(
        split=parameters.split,
        features=build(FeatureSettings, parameters.features, where="probe"),
        probe=build(ProbeSettings, parameters.fitting, where="probe"),
    )
    return train_probe(dataset, out, settings, cache=cache, progress=progress)


def _head(
    dataset: Dataset, out: Path, parameters: Parameters, cache: FeatureCache, progress: Progress
) -> "ProbeRun | LoopRun":
    from limbeck.methods.head import HeadTraining, train_head

    settings = HeadTraining(
        split=parameters.split,
        features=build(FeatureSettings, parameters.features, where="head"),
        head=build(HeadSettings, parameters.fitting, where="head"),
    )
    return train_head(dataset, out, settings, cache=cache, progress=progress)


def _finetune(
    dataset: Dataset, out: Path, parameters: Parameters, _cache: FeatureCache, progress: Progress
) -> "ProbeRun | LoopRun":
    from limbeck.methods.finetune import Finetuning, finetune

    arithmetic = {"precision": parameters.features.get("precision")}
    settings = Finetuning(
        split=parameters.split,
        features=build(FeatureSettings, {"pooling": "cls"}, parameters.features, where="finetune"),
        finetune=build(FinetuneSettings, arithmetic, parameters.fitting, where="finetune"),
    )
    return finetune(dataset, out, settings, progress=progress)
