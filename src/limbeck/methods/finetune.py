"""Fine-tuning from end to end: labelled texts in, a run folder out.

The encoder and Hugging Face's head on [CLS] are trained together; the bundle opens in `transformers` as it is.

In: a `Dataset` with labels. Out: a `LoopRun`. It does not read files of data, and never looks at the test split.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import torch

from limbeck.catalog.presets import load_encoder_folder
from limbeck.data.dataset import Dataset
from limbeck.errors import SettingsError
from limbeck.inference.predictor import Predictor
from limbeck.methods.new_heads import count_logits, hugging_face_head, with_all_logits
from limbeck.model.bundle import Bundle
from limbeck.model.loaded_encoder import LoadedEncoder
from limbeck.model.network import Network
from limbeck.model.pooling import blocks_for
from limbeck.model.weights import fingerprint_of
from limbeck.progress import SILENT, Named, Progress
from limbeck.runs.stopwatch import Stopwatch
from limbeck.runs.training_rows import TrainingRows
from limbeck.settings import FeatureSettings, FinetuneSettings, ReadSettings, SplitSettings
from limbeck.training.arithmetic import device_to_train_on, find_arithmetic, native_step_of
from limbeck.training.examples import TextExamples
from limbeck.training.finished import LoopRun, Start, labelled, make_facts
from limbeck.training.freezing import freeze, set_dropout
from limbeck.training.job import Outcome, Prepared
from limbeck.training.loop import Plan, fixed_rate
from limbeck.training.optim import default_learning_rate
from limbeck.training.seeds import train_by_loop


@dataclass(frozen=True, kw_only=True)
class Finetuning:
    """The settings of every stage of a fine-tuning; what `RUN/settings.toml` holds.

    Of the features' settings it uses encoder, max_tokens and device; the head sees [CLS] of the last layer.
    """

    read: ReadSettings = ReadSettings()
    split: SplitSettings = SplitSettings()
    features: FeatureSettings = FeatureSettings(pooling="cls")
    finetune: FinetuneSettings = field(default_factory=FinetuneSettings)

    def stages(self) -> dict[str, Any]:
        """Return each stage's settings by the name of its table."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


def finetune(
    dataset: Dataset,
    out: str | Path,
    settings: Finetuning = Finetuning(),
    *,
    start: Start = "new",
    progress: Progress = SILENT,
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
        >>> run = finetune(read("reviews.csv"), "RUN")  # doctest: +SKIP
        >>> print(run.validation.accuracy.value)  # doctest: +SKIP
    """
    return train_by_loop(dataset, out, FinetuneMethod(settings), start=start, progress=progress)


@dataclass(frozen=True)
class FinetuneMethod:
    """Fine-tuning, as `train_by_loop` asks for it."""

    settings: Finetuning
    name = "finetune"

    @property
    def loop(self) -> FinetuneSettings:
        """The settings of the loop."""
        return self.settings.finetune

    def stages(self) -> dict[str, Any]:
        """Return each stage's settings by the name of its table."""
        return self.settings.stages()

    def with_loop(self, loop: Mapping[str, Any]) -> "FinetuneMethod":
        """Return the same with other settings of the loop."""
        return FinetuneMethod(replace(self.settings, finetune=replace(self.loop, **loop)))

    def open(self, n_labels: int, progress: Progress = SILENT, *, numerics: str | None = None) -> "FinetuneWork":
        """Load the encoder and put a new head on it.

        Raises:
            SettingsError: the settings do not fit the encoder or the machine.
        """
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
        loaded = load_encoder_folder(features.encoder, progress=progress)
        rate = self.loop.learning_rate
        rate = default_learning_rate(loaded.config.dim) if rate is None else rate
        settings = replace(self.settings, finetune=replace(self.loop, learning_rate=rate))
        return FinetuneWork(settings, loaded, n_labels, progress, numerics=numerics)


class FinetuneWork:
    """One fine-tuning.

    Args:
        settings: of every stage, the learning rate resolved.
        loaded: the encoder.
        n_labels: number of classes.
        progress: is told when something is compiled.
        numerics: the arithmetic to compute in where there is a choice.
    """

    def __init__(
        self,
        settings: Finetuning,
        loaded: LoadedEncoder,
        n_labels: int,
        progress: Progress = SILENT,
        *,
        numerics: str | None = None,
    ) -> None:
        device = device_to_train_on(settings.features.device, numerics)
        self.loaded = loaded
        self.stages = settings.stages()
        self._settings = settings
        self._n_labels = n_labels
        self._max_tokens = loaded.tokenizer.checked_limit(settings.features.max_tokens)
        self._network = _new_network(loaded, settings.finetune, n_labels).to(device)
        how = find_arithmetic(
            settings.finetune.precision,
            device,
            lambda use_bf16: native_step_of(self._network, use_bf16=use_bf16, progress=progress),
            numerics=numerics,
        )
        self._use_bf16, self._native, self.numerics = how.use_bf16, how.native, how.numerics

    def prepare(self, rows: TrainingRows, watch: Stopwatch, progress: Progress) -> Prepared:
        """Tokenize."""
        settings = self._settings.finetune
        train, validation = (
            self.loaded.tokenizer.encode(
                part.texts, max_tokens=self._max_tokens, progress=Named(progress, f"{name} rows")
            )
            for name, part in (("train", rows.train), ("validation", rows.validation))
        )
        watch.lap("tokenize")
        to_learn, to_judge = (
            TextExamples(
                self._network, found, labelled(part, found.lengths), use_bf16=self._use_bf16, native=self._native
            )
            for part, found in ((rows.train, train), (rows.validation, validation))
        )
        return Prepared(
            module=self._network,
            train=to_learn,
            validation=to_judge,
            plan=Plan(
                settings=settings,
                learning_rate=fixed_rate(settings),
                n_labels=self._n_labels,
                token_budget=settings.token_budget,
                layer_decay=settings.layer_decay,
                n_layers=self.loaded.config.n_layers,
                unfreeze=settings.unfreeze,
            ),
            texts_cut={"train": int(train.truncated.sum()), "validation": int(validation.truncated.sum())},
        )

    def finish(self, rows: TrainingRows, record: dict[str, Any], progress: Progress) -> Outcome:
        """Answer the validation rows as the bundle will."""
        network, features = self._network, self._settings.features
        network.eval().requires_grad_(False)
        head = with_all_logits(network.head, self._n_labels)
        bundle = Bundle(
            loaded=replace(self.loaded, fingerprint=fingerprint_of(network.encoder)),
            head=head,
            facts=make_facts(head, network.blocks, rows, record, self._max_tokens),
        )
        predictor = Predictor(bundle, device=features.device, precision=features.precision, progress=progress)
        return Outcome(bundle=bundle, answers=predictor.predict_dataset(rows.validation, progress=progress))


def _new_network(loaded: LoadedEncoder, settings: FinetuneSettings, n_labels: int) -> Network:
    """Put a newly drawn head on the encoder, and mark what is trained."""
    torch.manual_seed(settings.seed)
    network = Network(
        encoder=loaded.encoder,
        blocks=blocks_for("cls", None, loaded.config.n_layers),
        head=hugging_face_head(loaded.config, count_logits(settings, n_labels)),
    )
    freeze(network.encoder, settings)
    if settings.dropout is not None:
        set_dropout(network.encoder, settings.dropout)
    return network
