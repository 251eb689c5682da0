"""The settings of a training by any method, of flags and a file: a wrong one is told before data is read."""

from typing import TYPE_CHECKING

from limbeck.cli import options
from limbeck.cli import training_options as own

if TYPE_CHECKING:
    from limbeck.methods.finetune import Finetuning
    from limbeck.methods.head import HeadTraining
    from limbeck.methods.probe import ProbeTraining

    Settings = ProbeTraining | HeadTraining | Finetuning


def settings_of(method: own.Method, given: own.Given, tables: own.Tables) -> "Settings":
    """Build the settings of a method.

    Raises:
        SettingsError: gathers the faults of a stage.
    """
    if method == "probe":
        return _probe(given, tables)
    return _head(given, tables) if method == "head" else _finetune(given, tables)


def _probe(given: own.Given, tables: own.Tables) -> "ProbeTraining":
    from limbeck.methods.probe import ProbeTraining
    from limbeck.settings import FeatureSettings, ProbeSettings

    return ProbeTraining(
        read=given.read,
        split=given.split,
        features=options.stage(FeatureSettings, "features", tables, given.features),
        probe=options.stage(ProbeSettings, "probe", tables, given.fitting),
    )


def _head(given: own.Given, tables: own.Tables) -> "HeadTraining":
    from limbeck.methods.head import HeadTraining
    from limbeck.settings import FeatureSettings, HeadSettings
    from limbeck.training.setting_checks import check_training

    settings = HeadTraining(
        read=given.read,
        split=given.split,
        features=options.stage(FeatureSettings, "features", tables, given.features),
        head=options.stage(HeadSettings, "head", tables, given.fitting),
    )
    check_training(settings.head)
    return settings


def _finetune(given: own.Given, tables: own.Tables) -> "Finetuning":
    from limbeck.methods.finetune import Finetuning
    from limbeck.settings import FeatureSettings, FinetuneSettings, build
    from limbeck.training.setting_checks import check_training

    arithmetic = own.only_given(precision=given.features.get("precision"))
    settings = Finetuning(
        read=given.read,
        split=given.split,
        features=build(
            FeatureSettings, {"pooling": "cls"}, tables.get("features", {}), given.features, where="features"
        ),
        finetune=options.stage(FinetuneSettings, "finetune", tables, {**given.fitting, **arithmetic}),
    )
    check_training(settings.finetune)
    return settings
