"""METHODS: the ways to train, each by its name. Whoever asks "which method?" asks here.

In: a name. Out: its settings, what a sweep varies, and its training, loaded on first use: this table needs no torch, so
that `--help` and a wrong setting are quick.

A new method is a module with a function to train (and a `recipe_of`, if it goes through `training.job`), its settings
in a class of stages, and a line here.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

from limbeck.errors import SettingsError
from limbeck.methods.distil_settings import Distillation
from limbeck.methods.knobs import Knob, distil_knobs, finetune_knobs, head_knobs, pretrain_knobs, probe_knobs
from limbeck.methods.pretrain_settings import Pretraining
from limbeck.methods.trainings import Finetuning, HeadTraining, ProbeTraining, Stages
from limbeck.progress import SILENT, Progress


@dataclass(frozen=True, kw_only=True)
class Method:
    """A way to train.

    Attributes:
        name: its name, which its table of settings has too.
        training: the settings of all its stages.
        summary: what it does, for help.
        home: the module that holds it, and the function there that trains.
        learns_from: labelled rows (a `Dataset`), what teachers answer (a `Curriculum`), or raw texts (a `TextStream`).
        knobs: what a sweep varies, of the settings and the learning rate that suits.
        by_steps: whether it is trained step by step, so that it is resumed, and can have several seeds and processes.
        is_cached: whether it takes a cache of features.
    """

    name: str
    training: type[Stages]
    summary: str
    home: tuple[str, str]
    knobs: Callable[[Any, float], tuple[Knob, ...]]
    learns_from: Literal["rows", "teachers", "texts"] = "rows"
    by_steps: bool = True
    is_cached: bool = False

    def train(
        self, material: Any, out: Path, settings: Any, *, start: str = "new", progress: Progress = SILENT, **kept: Any
    ) -> Any:
        """Train with settings of this method's `training`, and return its run.

        Args:
            material: what it learns from.
            out: the run folder.
            settings: of every stage.
            start: what to do with a run that is in `out`; what is not trained by steps has nothing to go on from.
            progress: is told what is being done.
            **kept: `cache`, where features are kept; left out where the method keeps none.

        Raises:
            LimbeckError: whatever the training raises.
        """
        function = getattr(import_module(self.home[0]), self.home[1])
        options = kept if self.is_cached else {}
        return function(material, out, settings, start=start, progress=progress, **options)

    def recipe(self, settings: Any, material: Any, cache: Any) -> Any:
        """Return the recipe that `training.job.train` takes.

        Raises:
            SettingsError: it is not trained by steps.
        """
        if not self.by_steps:
            raise SettingsError(f"{self.name} is not trained by steps")
        return import_module(self.home[0]).recipe_of(settings, material, cache)


METHODS: Mapping[str, Method] = {
    method.name: method
    for method in (
        Method(
            name="probe",
            summary="a linear classifier on frozen features, cross-validated",
            training=ProbeTraining,
            home=("limbeck.methods.probe", "train_probe"),
            knobs=probe_knobs,
            by_steps=False,
            is_cached=True,
        ),
        Method(
            name="head",
            summary="a head trained by gradients on frozen features",
            training=HeadTraining,
            home=("limbeck.methods.head", "train_head"),
            knobs=head_knobs,
            is_cached=True,
        ),
        Method(
            name="finetune",
            summary="the encoder and a head on [CLS], trained together",
            training=Finetuning,
            home=("limbeck.methods.finetune", "finetune"),
            knobs=finetune_knobs,
        ),
        Method(
            name="distil",
            summary="a smaller model that learns from a fine-tuned one",
            training=Distillation,
            home=("limbeck.methods.distil", "distil"),
            knobs=distil_knobs,
            learns_from="teachers",
            is_cached=True,
        ),
        Method(
            name="pretrain",
            summary="an encoder that learns from raw texts",
            training=Pretraining,
            home=("limbeck.methods.pretrain", "pretrain_by_stages"),
            knobs=pretrain_knobs,
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
