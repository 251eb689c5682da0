"""A fifth method in one file: a head on a frozen encoder, whose losses are blurred towards their mean.

Its settings are read for `--help`, so that everything heavy is imported where it is used.
"""

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar

from limbeck.methods.knobs import Knob
from limbeck.methods.recipe import ClassifierRecipe
from limbeck.methods.trainings import Training
from limbeck.settings import FeatureSettings, LoopSettings

if TYPE_CHECKING:
    from limbeck.data.dataset import Dataset
    from limbeck.features.cache import FeatureCache
    from limbeck.training.outcome import LoopRun
    from limbeck.training.plan import Job
    from limbeck.training.session import Session


@dataclass(frozen=True, kw_only=True)
class BlurredSettings(LoopSettings):
    """How a head is trained on losses that are blurred.

    Attributes:
        blur: share of a row's loss, 0 to 1, that is the mean of its batch.
    """

    epochs: int = 3
    blur: float = 0.2


@dataclass(frozen=True, kw_only=True)
class BlurredTraining(Training):
    """The settings of every stage of a blurred head's training."""

    method: ClassVar[str] = "blurred"

    features: FeatureSettings = FeatureSettings()
    blurred: BlurredSettings = field(default_factory=BlurredSettings)

    def knobs(self, rate: float) -> tuple[Knob, ...]:
        """Return the learning rate and the blur."""
        return (
            Knob(stage="blurred", name="learning_rate", low=rate / 10, high=rate * 10, log=True),
            Knob(stage="blurred", name="blur", low=0.0, high=0.5),
        )


@dataclass(frozen=True, kw_only=True)
class BlurredRecipe(ClassifierRecipe[BlurredTraining]):
    """Training a blurred head, as `training.job.train` asks for it."""

    cache: "FeatureCache"

    def usual_rate(self, progress: object = None) -> float:  # nothing is loaded for it
        """Return the learning rate that suits a head."""
        return 1e-3

    def prepare(self, session: "Session") -> "Job[LoopRun]":
        """Encode each text once, and put a head of zeros on what comes out."""
        import numpy as np
        import torch

        from limbeck.catalog.presets import load_encoder_folder
        from limbeck.features.extraction import extract_features
        from limbeck.inference.answers import predictions_of
        from limbeck.inference.choice import open_engine
        from limbeck.model.blocks import blocks_for
        from limbeck.model.bundle import Bundle
        from limbeck.model.heads import LinearHead
        from limbeck.training.examples import FeatureExamples
        from limbeck.training.judge import LabelJudge
        from limbeck.training.losses import LabelLosses
        from limbeck.training.outcome import Outcome, answered_rows, claimed_rows, finish_run, labelled, make_facts
        from limbeck.training.plan import Job, Plan, fixed_rate

        class Blurred(LabelLosses):
            blur = self.loop.blur

            def losses(self, rows):
                loss_B = super().losses(rows)
                return (1 - self.blur) * loss_B + self.blur * loss_B.mean()

        features, names = self.settings.features, self.dataset.label_names
        settings = replace(self.loop, learning_rate=self.loop.learning_rate or self.usual_rate())
        stages = self.settings.with_fitting(learning_rate=settings.learning_rate).stages()
        loaded = load_encoder_folder(features.encoder, progress=session.progress)
        engine = open_engine(loaded, device=features.device, precision=features.precision, progress=session.progress)
        window = loaded.tokenizer.window(None, features.max_tokens)
        blocks = blocks_for(features.pooling, features.layer, engine.layers)
        head = LinearHead.zeros(len(names), loaded.config.dim * len(blocks))
        rows, record = claimed_rows(self.dataset, stages, loaded, engine.numerics, session)
        train, judged = (
            extract_features(part.texts, engine, blocks, window=window, cache=self.cache, progress=session.progress)
            for part in (rows.train, rows.validation)
        )
        to_learn, to_judge = (
            FeatureExamples(head, encoded.values_NF, labelled(part, np.ones(len(part), np.int64)))
            for part, encoded in ((rows.train, train), (rows.validation, judged))
        )

        def finish(result: Any, stages: Any) -> "LoopRun":
            bundle = Bundle(loaded=loaded, head=head, facts=make_facts(head, blocks, rows, record, window))
            answered = answered_rows(rows.validation, judged)
            outcome = Outcome(
                method=self.name,
                rows=rows,
                bundle=bundle,
                answers=predictions_of(bundle.facts, bundle.answers(judged.values_NF), answered),
                texts_cut={"train": 0, "validation": 0},
            )
            return finish_run(outcome, result, stages, session)

        return Job(
            module=head,
            losses=Blurred(to_learn, settings, len(names), torch.device("cpu")),
            judge=LabelJudge(head, to_judge, settings, len(names), team=session.team),
            plan=Plan(settings=settings, learning_rate=fixed_rate(settings), token_budget=settings.batch_rows),
            stages=stages,
            finish=finish,
        )


def recipe_of(settings: BlurredTraining, dataset: "Dataset", cache: "FeatureCache") -> BlurredRecipe:
    """Return the recipe of a blurred head's training."""
    return BlurredRecipe(settings=settings, dataset=dataset, cache=cache)
