"""METHODS: the ways to train, each by its name. Whoever asks "which method?" asks here.

In: a name. Out: its settings and its training, loaded on first use: this table needs no torch, so that `--help` and a
wrong setting are quick.

A new method is a file and an entry here. The file has its settings (a class of `Stages`, with what a sweep varies) and
`recipe_of`, which `training.job` trains. It imports what is heavy inside its functions; where that is tiresome, the
settings have a file of their own, as those of `distil` have.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from limbeck.errors import SettingsError
from limbeck.methods.distil_settings import Distillation
from limbeck.methods.pretrain_settings import Pretraining
from limbeck.methods.trainings import Finetuning, HeadTraining, ProbeTraining, Stages
from limbeck.progress import SILENT, Progress

if TYPE_CHECKING:
    from limbeck.features.cache import FeatureCache


@dataclass(frozen=True, kw_only=True)
class Method:
    """A way to train.

    Attributes:
        training: the settings of all its stages, which have its name.
        summary: what it does, for help.
        home: the module that holds it: `recipe_of` there makes a recipe of settings, material and a cache.
        in_one_go: the function there that trains it, where it is not trained step by step; only what is so trained is
            resumed, and can have several seeds and processes.
        learns_from: labelled rows (a `Dataset`), what teachers answer (a `Curriculum`), or raw texts (a `TextStream`).
    """

    training: type[Stages]
    summary: str
    home: str
    in_one_go: str | None = None
    learns_from: Literal["rows", "teachers", "texts"] = "rows"

    @property
    def name(self) -> str:
        """Its name, which its table of settings has too."""
        return self.training.method

    @property
    def by_steps(self) -> bool:
        """Whether it is trained step by step."""
        return self.in_one_go is None

    def train(  # what every training takes
        self,
        material: Any,
        out: Path,
        settings: Any,
        *,
        cache: "FeatureCache | None" = None,
        start: Any = "new",
        progress: Progress = SILENT,
    ) -> Any:
        """Train with settings of this method's `training`, and return its run.

        Args:
            material: what it learns from.
            out: the run folder.
            settings: of every stage.
            cache: where features are kept; the user's cache folder when not given.
            start: what to do with a run that is in `out`; what is trained in one go has nothing to go on from.
            progress: is told what is being done.

        Raises:
            LimbeckError: whatever the training raises.
        """
        if self.in_one_go is not None:
            function = getattr(import_module(self.home), self.in_one_go)
            return function(material, out, settings, cache=cache, start=start, progress=progress)
        from limbeck.training.job import train

        return train(self.recipe(settings, material, cache), out, start, progress=progress)

    def recipe(self, settings: Any, material: Any, cache: "FeatureCache | None" = None) -> Any:
        """Return the recipe that `training.job.train` takes.

        Raises:
            SettingsError: it is not trained by steps.
        """
        from limbeck.features.cache import FeatureCache

        if not self.by_steps:
            raise SettingsError(f"{self.name} is not trained by steps")
        return import_module(self.home).recipe_of(settings, material, cache or FeatureCache())


METHODS: Mapping[str, Method] = {
    method.name: method
    for method in (
        Method(
            training=ProbeTraining,
            summary="a linear classifier on frozen features, cross-validated",
            home="limbeck.methods.probe",
            in_one_go="train_probe",
        ),
        Method(
            training=HeadTraining,
            summary="a head trained by gradients on frozen features",
            home="limbeck.methods.head",
        ),
        Method(
            training=Finetuning,
            summary="the encoder and a head on [CLS], trained together",
            home="limbeck.methods.finetune",
        ),
        Method(
            training=Distillation,
            summary="a smaller model that learns from a fine-tuned one",
            home="limbeck.methods.distil",
            learns_from="teachers",
        ),
        Method(
            training=Pretraining,
            summary="an encoder that learns from raw texts",
            home="limbeck.methods.pretrain",
            learns_from="texts",
        ),
    )
}

CLASSIFIERS: Mapping[str, Method] = {name: method for name, method in METHODS.items() if method.learns_from == "rows"}
"""Those that make a classifier of labelled rows alone."""


def method_named(name: str, among: Mapping[str, Method] = CLASSIFIERS) -> Method:
    """Return a method.

    Raises:
        SettingsError: there is none of that name; says which there are.
    """
    if name not in among:
        raise SettingsError(f"method = {name!r} is not known: give one of {', '.join(among)}")
    return among[name]


def method_of(settings: Stages) -> Method:
    """Return the method that settings are of."""
    return METHODS[settings.method]
