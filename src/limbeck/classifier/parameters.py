"""Training by the parameters of a `TextClassifier`.

In: rows and parameters. Out: a finished run. There is no training here.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from limbeck.data.dataset import Dataset
from limbeck.features.cache import FeatureCache
from limbeck.methods.options import training_of
from limbeck.methods.table import method_named
from limbeck.progress import Progress
from limbeck.settings import SplitSettings

if TYPE_CHECKING:
    from limbeck.methods.probe import ProbeRun
    from limbeck.training.outcome import LoopRun


@dataclass(frozen=True, kw_only=True)
class Parameters:
    """How to train; None stands for the method's default.

    Attributes:
        method: which of `CLASSIFIERS`.
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
    method = method_named(parameters.method)
    options = {**parameters.features, **parameters.fitting}
    settings = replace(
        training_of(method.name, {key: value for key, value in options.items() if value is not None}),
        split=parameters.split,
    )
    run: ProbeRun | LoopRun = method.train(dataset, out, settings, cache=cache, progress=progress)
    return run
