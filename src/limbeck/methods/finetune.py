"""Fine-tuning from end to end: labelled texts in, a run folder out.

The encoder and Hugging Face's head on [CLS] are trained together; the bundle opens in `transformers` as it is.

In: a `Dataset` with labels. Out: a `LoopRun`. It does not read files of data, and never looks at the test split.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from limbeck.catalog.presets import load_encoder_folder
from limbeck.data.dataset import Dataset
from limbeck.errors import SettingsError
from limbeck.inference.choice import open_engine
from limbeck.inference.predictor import Predictor
from limbeck.inference.usage import Usage, texts_of
from limbeck.methods.new_heads import count_logits, hugging_face_head, in_units_of, with_all_logits
from limbeck.methods.recipe import ClassifierRecipe
from limbeck.methods.trainings import Finetuning
from limbeck.methods.window_choice import ChosenWindow, choose_window, recorded_window, settle_window
from limbeck.model.blocks import blocks_for
from limbeck.model.bundle import Bundle
from limbeck.model.loaded_encoder import LoadedEncoder
from limbeck.model.network import Network
from limbeck.model.weights import fingerprint_of
from limbeck.progress import SILENT, Named, Progress, ProgressLike, as_progress
from limbeck.runs.training_rows import training_rows
from limbeck.settings import FeatureSettings, FinetuneSettings
from limbeck.tokens import ReadTexts
from limbeck.training.arithmetic import Arithmetic, classifier_trainee, device_to_train_on, find_arithmetic
from limbeck.training.examples import Labelled, LongExamples, TextExamples
from limbeck.training.freezing import freeze, set_dropout
from limbeck.training.job import train
from limbeck.training.judge import judge_of
from limbeck.training.losses import losses_of
from limbeck.training.optim import default_learning_rate
from limbeck.training.outcome import LoopRun, Outcome, claimed_rows, finish_run, labelled, make_facts
from limbeck.training.plan import Job, LoopResult, Plan, fixed_rate
from limbeck.training.session import Session, Start


def finetune(
    dataset: Dataset,
    out: str | Path,
    settings: Finetuning = Finetuning(),
    *,
    start: Start = "new",
    progress: ProgressLike = SILENT,
) -> LoopRun:
    """Train an encoder and Hugging Face's head on [CLS] together.

    Args:
        dataset: labelled rows with a train split; validation rows are taken from it where there is no such split.
        out: the run folder.
        settings: of every stage.
        start: what to do with a run that is in `out`.
        progress: is told what is being done.

    Raises:
        DataError: no train split, a row without a label, a class without training rows.
        SettingsError: `out` holds another run, or the settings do not fit the encoder.
        TrainingError: the loss is not finite.
        Interrupted: a signal came; a checkpoint is saved.

    Example:
        >>> run = finetune(data, "TUNED", Finetuning(finetune=FinetuneSettings(epochs=1)))
        >>> run.best_epoch
        1
    """
    progress = as_progress(progress)
    return train(FinetuneRecipe(settings=settings, dataset=dataset), out, start, progress=progress)


@dataclass(frozen=True, kw_only=True)
class FinetuneRecipe(ClassifierRecipe[Finetuning]):
    """Fine-tuning on a data set, as `training.job.train` asks for it."""

    tasks = ("single", "multi", "ordinal", "regression")

    @property
    def loop(self) -> FinetuneSettings:
        """The settings of the loop."""
        return self.settings.finetune

    def check(self) -> None:
        """Refuse settings and rows that no training can use.

        Raises:
            DataError: fewer than two labels.
            SettingsError: gathers every fault.
        """
        super().check()
        features = self.settings.features
        if features.pooling != "cls" or features.layer is not None:
            raise SettingsError(
                f"pooling = {features.pooling!r}, layer = {features.layer} cannot be fine-tuned: the head sees [CLS] "
                "of the last layer; leave --pooling and --layer out, or use --method head"
            )
        precisions = {features.precision, self.loop.precision} - {"auto"}
        if len(precisions) > 1:
            raise SettingsError(
                f"precision is {features.precision!r} in the table features and {self.loop.precision!r} in finetune: "
                "one run has one; give the same in both, or leave one out"
            )

    def usual_rate(self, progress: Progress = SILENT) -> float:
        """Return the learning rate that suits the encoder."""
        return default_learning_rate(load_encoder_folder(self.settings.features.encoder, progress=progress).config.dim)

    def _choose_window(self, loaded: LoadedEncoder, features: FeatureSettings, progress: Progress) -> ChosenWindow:
        """Look at the encoder as it is before training, by the mean of its last layer."""
        engine = open_engine(
            loaded,
            usage=Usage(texts=texts_of(self.dataset)),
            device=features.device,
            precision=features.precision,
            progress=progress,
        )
        train = training_rows(self.dataset, self.settings.split).train
        return choose_window(train, engine, replace(features, pooling="mean"), progress=progress)

    def prepare(self, session: Session) -> Job[LoopRun]:
        """Put a newly drawn head on the encoder, and tokenize.

        Raises:
            SettingsError: the settings do not fit the encoder or the machine.
        """
        progress = session.progress
        loaded = load_encoder_folder(self.settings.features.encoder, progress=progress)
        settled = settle_window(
            self.settings.features,
            loaded.tokenizer,
            lambda features: self._choose_window(loaded, features, progress),
            recorded=recorded_window(session.folder),
        )
        features, window = settled.features, settled.window
        rate = default_learning_rate(loaded.config.dim) if self.loop.learning_rate is None else self.loop.learning_rate
        settings = replace(self.loop, learning_rate=rate)
        stages = replace(self.settings, features=features).with_fitting(learning_rate=rate).stages()
        task, n_labels = self.dataset.task, len(self.dataset.label_names)
        n_logits = task.n_logits(n_labels)
        device = device_to_train_on(features.device, session.numerics)
        network = _new_network(loaded, settings, n_logits).to(device)
        how = find_arithmetic(
            classifier_trainee(network),
            precision=settings.precision,
            engine=features.engine,
            numerics=session.numerics,
            progress=progress,
        )
        rows, record = claimed_rows(self.dataset, stages, loaded, how.numerics, session)
        network.head = in_units_of(network.head, rows.train).to(device)
        train, validation = (
            loaded.tokenizer.read(part.texts, window, progress=Named(progress, f"{name} rows"))
            for name, part in (("train", rows.train), ("validation", rows.validation))
        )
        session.watch.lap("tokenize")
        most_rows = max(1, settings.token_budget // window.max_tokens)
        _say_rows_left_out(train, most_rows, progress)
        to_learn = _examples(network, train, labelled(rows.train, train.tokens_of(most_rows)), how, most_rows=most_rows)
        judged = labelled(rows.validation, validation.tokens_of(None), rows.hierarchy)
        to_judge = _examples(network, validation, judged, how, most_rows=None)

        def finish(result: LoopResult, stages: Mapping[str, Any]) -> LoopRun:
            """Answer the validation rows as the bundle will."""
            network.eval().requires_grad_(False)
            head = with_all_logits(network.head, n_logits)
            bundle = Bundle(
                loaded=replace(loaded, fingerprint=fingerprint_of(network.encoder)),
                head=head,
                facts=make_facts(head, network.blocks, rows, record, window),
            )
            predictor = Predictor(
                bundle,
                device=features.device,
                precision=features.precision,
                engine=features.engine,
                texts=rows.validation.texts,
                progress=progress,
            )
            outcome = Outcome(
                method=self.name,
                rows=rows,
                bundle=bundle,
                answers=predictor.predict_dataset(rows.validation, progress=progress),
                texts_cut={"train": int(train.truncated.sum()), "validation": int(validation.truncated.sum())},
                window=settled.choice,
            )
            return finish_run(outcome, result, stages, session)

        return Job(
            module=network,
            losses=losses_of(task, to_learn, settings, n_labels, device),
            judge=judge_of(task)(network, to_judge, settings, n_labels, team=session.team),
            plan=Plan(
                settings=settings,
                learning_rate=fixed_rate(settings),
                token_budget=settings.token_budget,
                layer_decay=settings.layer_decay,
                n_layers=loaded.config.n_layers,
                unfreeze=settings.unfreeze,
            ),
            stages=stages,
            finish=finish,
        )


def _examples(
    network: Network, read: ReadTexts, facts: Labelled, how: Arithmetic, *, most_rows: int | None
) -> TextExamples | LongExamples:
    """Return the rows of a split as the loop sees them, whether a text is read in one row or in several."""
    rows = TextExamples(network, read.rows, facts, use_bf16=how.use_bf16, native=how.native)
    return rows if read.is_plain else LongExamples(rows, read, facts, most_rows=most_rows)


def _say_rows_left_out(read: ReadTexts, most_rows: int, progress: Progress) -> None:
    """Say of how many texts a step reads not all windows, as they would not fit the token budget together."""
    if longer := int((np.diff(read.first_N1) > most_rows).sum()):
        progress.say(
            f"{longer:,} training texts have more than {most_rows:,} windows: a step reads {most_rows:,} of each, "
            "spread evenly, as --token-budget bounds its memory; answers read all of them"
        )


def recipe_of(settings: Finetuning, dataset: Dataset, _cache: object) -> FinetuneRecipe:
    """Return the recipe of a fine-tuning, which keeps no features."""
    return FinetuneRecipe(settings=settings, dataset=dataset)


def _new_network(loaded: LoadedEncoder, settings: FinetuneSettings, n_logits: int) -> Network:
    """Put a newly drawn head on the encoder, and mark what is trained."""
    torch.manual_seed(settings.seed)
    network = Network(
        encoder=loaded.encoder,
        blocks=blocks_for("cls", None, loaded.config.n_layers),
        head=hugging_face_head(loaded.config, count_logits(settings, n_logits)),
    )
    freeze(network.encoder, settings)
    if settings.dropout is not None:
        set_dropout(network.encoder, settings.dropout)
    return network
