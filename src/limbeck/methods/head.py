"""A head on a frozen encoder, from end to end: labelled texts in, a run folder out.

The encoder is in evaluation mode: no dropout, the mask applied. What it says of a text is then the same in every epoch,
so it is computed once and kept; the head is trained on that, by the same loop and to the same bits as if the encoder
ran again each time.

In: a `Dataset` with labels. Out: a `LoopRun`. It does not read files of data, and never looks at the test split.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from limbeck.catalog.presets import load_encoder_folder
from limbeck.data.dataset import Dataset
from limbeck.errors import SettingsError, TrainingError
from limbeck.evaluation.predictions import Predictions
from limbeck.features.cache import FeatureCache
from limbeck.features.extraction import Features, extract_features
from limbeck.inference.choice import open_engine, open_engine_of
from limbeck.inference.engine import Engine
from limbeck.methods.new_heads import count_logits, hugging_face_head, with_all_logits
from limbeck.model.bundle import Bundle
from limbeck.model.config import EncoderConfig
from limbeck.model.heads import Head, LinearHead
from limbeck.model.pooling import Block, blocks_for
from limbeck.progress import SILENT, Named, Progress
from limbeck.runs.stopwatch import Stopwatch
from limbeck.runs.training_rows import TrainingRows
from limbeck.settings import FeatureSettings, HeadSettings, ReadSettings, SplitSettings
from limbeck.training.examples import FeatureExamples
from limbeck.training.finished import LoopRun, Start, labelled, make_facts
from limbeck.training.job import Outcome, Prepared
from limbeck.training.loop import Plan, fixed_rate
from limbeck.training.seeds import train_by_loop

HEAD_RATE = 1e-3
"""The learning rate that suits a head on features, whatever their width."""


@dataclass(frozen=True, kw_only=True)
class HeadTraining:
    """The settings of every stage of a head's training; what `RUN/settings.toml` holds."""

    read: ReadSettings = ReadSettings()
    split: SplitSettings = SplitSettings()
    features: FeatureSettings = FeatureSettings()
    head: HeadSettings = field(default_factory=HeadSettings)

    def stages(self) -> dict[str, Any]:
        """Return each stage's settings by the name of its table."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


def train_head(
    dataset: Dataset,
    out: str | Path,
    settings: HeadTraining = HeadTraining(),
    *,
    cache: FeatureCache | None = None,
    start: Start = "new",
    progress: Progress = SILENT,
) -> LoopRun:
    """Train a head on a frozen encoder; its features are computed once, however many epochs there are.

    Args:
        dataset: labelled rows with a train split; validation rows are taken from it where there is no such split.
        out: the run folder.
        settings: of every stage.
        cache: where features are kept; the user's cache folder when not given.
        start: what to do with a run that is in `out`.
        progress: is told what is being done.

    Raises:
        DataError: no train split, a row without a label, a class without training rows.
        SettingsError: `out` holds another run, or the settings do not fit the encoder.
        TrainingError: the loss is not finite.
        Interrupted: a signal came; a checkpoint is saved.
    """
    return train_by_loop(dataset, out, HeadMethod(settings, cache or FeatureCache()), start=start, progress=progress)


@dataclass(frozen=True)
class HeadMethod:
    """Training a head, as `train_by_loop` asks for it."""

    settings: HeadTraining
    cache: FeatureCache
    name = "head"

    @property
    def loop(self) -> HeadSettings:
        """The settings of the loop."""
        return self.settings.head

    def stages(self) -> dict[str, Any]:
        """Return each stage's settings by the name of its table."""
        return self.settings.stages()

    def with_loop(self, loop: Mapping[str, Any]) -> "HeadMethod":
        """Return the same with other settings of the loop."""
        return HeadMethod(replace(self.settings, head=replace(self.loop, **loop)), self.cache)

    def open(self, n_labels: int, progress: Progress = SILENT, *, numerics: str | None = None) -> "HeadWork":
        """Load the encoder and draw a head for it.

        Raises:
            SettingsError: the settings do not fit the encoder or the machine.
        """
        features = self.settings.features
        loaded = load_encoder_folder(features.encoder, progress=progress)
        engine = None if numerics is None else open_engine_of(loaded, numerics, progress=progress)
        engine = engine or open_engine(loaded, device=features.device, precision=features.precision, progress=progress)
        rate = HEAD_RATE if self.loop.learning_rate is None else self.loop.learning_rate
        return HeadWork(self.with_loop({"learning_rate": rate}), engine, n_labels)


class HeadWork:
    """One training of a head.

    Args:
        method: settings, the learning rate resolved, and where features are kept.
        engine: computes them.
        n_labels: number of classes.
    """

    def __init__(self, method: HeadMethod, engine: Engine, n_labels: int) -> None:
        features = method.settings.features
        self.loaded = engine.loaded
        self.numerics = engine.numerics
        self.stages = method.stages()
        self._method = method
        self._engine = engine
        self._n_labels = n_labels
        self._max_tokens = engine.loaded.tokenizer.checked_limit(features.max_tokens)
        self._blocks = blocks_for(features.pooling, features.layer, engine.layers)
        torch.manual_seed(method.loop.seed)
        self._head = _new_head(method.loop, self._blocks, engine.loaded.config, n_labels)
        self._validation: Features | None = None

    def prepare(self, rows: TrainingRows, watch: Stopwatch, progress: Progress) -> Prepared:
        """Encode each text once, or take its features from the cache."""
        settings = self._method.loop
        train, validation = (
            extract_features(
                part.texts,
                self._engine,
                self._blocks,
                max_tokens=self._max_tokens,
                cache=self._method.cache,
                progress=Named(progress, f"{name} rows"),
            )
            for name, part in (("train", rows.train), ("validation", rows.validation))
        )
        watch.lap("encode")
        self._validation = validation
        to_learn, to_judge = (
            FeatureExamples(self._head, found.values_NF, labelled(part, np.ones(len(part), np.int64)))
            for part, found in ((rows.train, train), (rows.validation, validation))
        )
        return Prepared(
            module=self._head,
            train=to_learn,
            validation=to_judge,
            plan=Plan(
                settings=settings,
                learning_rate=fixed_rate(settings),
                n_labels=self._n_labels,
                token_budget=settings.batch_rows,
            ),
            texts_cut={
                "train": int((train.cut_tokens_N > 0).sum()),
                "validation": int((validation.cut_tokens_N > 0).sum()),
            },
        )

    def finish(self, rows: TrainingRows, record: dict[str, Any], progress: Progress) -> Outcome:
        """Answer the validation rows."""
        if self._validation is None:
            raise TrainingError("a head is finished before it was prepared")
        head = with_all_logits(self._head, self._n_labels)
        return Outcome(
            bundle=Bundle(
                loaded=self.loaded, head=head, facts=make_facts(head, self._blocks, rows, record, self._max_tokens)
            ),
            answers=_answers(rows.validation, self._validation, head.probabilities(self._validation.values_NF)),
        )


def _new_head(settings: HeadSettings, blocks: tuple[Block, ...], config: EncoderConfig, n_labels: int) -> Head:
    n_logits = count_logits(settings, n_labels)
    if settings.head == "linear":
        return LinearHead.zeros(n_logits, config.dim * len(blocks))
    if blocks != blocks_for("cls", None, config.n_layers):
        raise SettingsError(
            f"head = 'mlp' on {', '.join(map(str, blocks))} is not possible: it is Hugging Face's head, which sees "
            "[CLS] of the last layer; give --pooling cls, or --head linear"
        )
    return hugging_face_head(config, n_logits)


def _answers(rows: Dataset, features: Features, probabilities_NC: np.ndarray) -> Predictions:
    return Predictions(
        row_ids=tuple(rows.row_ids),
        label_names=rows.label_names,
        probabilities=probabilities_NC,
        true_labels=rows.table["label"],
        tokens=features.lengths_N + features.cut_tokens_N,
        truncated=features.cut_tokens_N > 0,
        texts=tuple(rows.texts),
    )
