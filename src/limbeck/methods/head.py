"""A head on a frozen encoder, from end to end: labelled texts in, a run folder out.

The encoder is in evaluation mode: no dropout, the mask applied. What it says of a text is then the same in every epoch,
so it is computed once and kept; the head is trained on that, by the same loop and to the same bits as if the encoder
ran again each time.

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
from limbeck.features.cache import FeatureCache
from limbeck.features.extraction import extract_features
from limbeck.inference.answers import predictions_of
from limbeck.inference.choice import open_engine, open_engine_of
from limbeck.inference.engine import Engine
from limbeck.inference.usage import Usage, texts_of
from limbeck.methods.new_heads import count_logits, hugging_face_head, in_units_of, with_all_logits
from limbeck.methods.recipe import ClassifierRecipe
from limbeck.methods.trainings import HeadTraining
from limbeck.methods.window_choice import choose_window, recorded_window, settle_window
from limbeck.model.blocks import Block, blocks_for
from limbeck.model.bundle import Bundle
from limbeck.model.config import EncoderConfig
from limbeck.model.heads import Head, LinearHead
from limbeck.progress import SILENT, Named, Progress, ProgressLike, as_progress
from limbeck.runs.training_rows import training_rows
from limbeck.settings import HeadSettings
from limbeck.tokens import Window
from limbeck.training.examples import FeatureExamples
from limbeck.training.job import train
from limbeck.training.judge import judge_of
from limbeck.training.losses import losses_of
from limbeck.training.outcome import (
    LoopRun,
    Outcome,
    answered_rows,
    claimed_rows,
    finish_run,
    labelled,
    make_facts,
)
from limbeck.training.plan import Job, LoopResult, Plan, fixed_rate
from limbeck.training.session import Session, Start

HEAD_RATE = 1e-3
"""The learning rate that suits a head on features, whatever their width."""


def train_head(
    dataset: Dataset,
    out: str | Path,
    settings: HeadTraining = HeadTraining(),
    *,
    cache: FeatureCache | None = None,
    start: Start = "new",
    progress: ProgressLike = SILENT,
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

    Example:
        >>> run = train_head(data, "HEAD", HeadTraining(head=HeadSettings(epochs=1)))
        >>> run.best_epoch
        1
    """
    progress = as_progress(progress)
    return train(recipe_of(settings, dataset, cache or FeatureCache()), out, start, progress=progress)


@dataclass(frozen=True, kw_only=True)
class HeadRecipe(ClassifierRecipe[HeadTraining]):
    """Training a head on a data set, as `training.job.train` asks for it."""

    tasks = ("single", "multi", "ordinal", "regression")

    cache: FeatureCache

    @property
    def loop(self) -> HeadSettings:
        """The settings of the loop."""
        return self.settings.head

    def usual_rate(self, progress: Progress = SILENT) -> float:
        """Return the learning rate that suits a head."""
        return HEAD_RATE

    def prepare(self, session: Session) -> Job[LoopRun]:
        """Draw a head, and encode each text once, or take its features from the cache.

        Raises:
            SettingsError: the settings do not fit the encoder or the machine.
        """
        progress = session.progress
        rate = HEAD_RATE if self.loop.learning_rate is None else self.loop.learning_rate
        settings = replace(self.loop, learning_rate=rate)
        engine = self._open_engine(session.numerics, progress)
        loaded, task, n_labels = engine.loaded, self.dataset.task, len(self.dataset.label_names)
        settled = settle_window(
            self.settings.features,
            loaded.tokenizer,
            lambda features: choose_window(
                training_rows(self.dataset, self.settings.split).train,
                engine,
                features,
                cache=self.cache,
                progress=progress,
            ),
            recorded=recorded_window(session.folder),
        )
        features = settled.features
        _require_one_row(settings, settled.window)
        stages = replace(self.settings, features=features).with_fitting(learning_rate=rate).stages()
        blocks = blocks_for(features.pooling, features.layer, engine.layers)
        torch.manual_seed(settings.seed)
        n_logits = task.n_logits(n_labels)
        head = _new_head(settings, blocks, loaded.config, n_logits)
        rows, record = claimed_rows(self.dataset, stages, loaded, engine.numerics, session)
        head = in_units_of(head, rows.train)
        train, validation = (
            extract_features(
                part.texts,
                engine,
                blocks,
                window=settled.window,
                cache=self.cache,
                progress=Named(progress, f"{name} rows"),
            )
            for name, part in (("train", rows.train), ("validation", rows.validation))
        )
        session.watch.lap("encode")
        hierarchy = rows.hierarchy
        to_learn, to_judge = (
            FeatureExamples(head, encoded.values_NF, labelled(part, np.ones(len(part), np.int64), hierarchy))
            for part, encoded in ((rows.train, train), (rows.validation, validation))
        )

        def finish(result: LoopResult, stages: Mapping[str, Any]) -> LoopRun:
            """Answer the validation rows."""
            whole = with_all_logits(head, n_logits)
            bundle = Bundle(loaded=loaded, head=whole, facts=make_facts(whole, blocks, rows, record, settled.window))
            answered = answered_rows(rows.validation, validation)
            outcome = Outcome(
                method=self.name,
                rows=rows,
                bundle=bundle,
                answers=predictions_of(bundle.facts, bundle.answers(validation.values_NF), answered),
                texts_cut={
                    "train": int((train.cut_tokens_N > 0).sum()),
                    "validation": int((validation.cut_tokens_N > 0).sum()),
                },
                window=settled.choice,
            )
            return finish_run(outcome, result, stages, session)

        return Job(
            module=head,
            losses=losses_of(task, to_learn, settings, n_labels, torch.device("cpu")),
            judge=judge_of(task)(head, to_judge, settings, n_labels, team=session.team),
            plan=Plan(settings=settings, learning_rate=fixed_rate(settings), token_budget=settings.batch_rows),
            stages=stages,
            finish=finish,
        )

    def _open_engine(self, numerics: str | None, progress: Progress) -> Engine:
        """Open the engine that was asked for, or an unfinished run was begun with; where there is none, the fastest."""
        features = self.settings.features
        loaded = load_encoder_folder(features.encoder, progress=progress)
        is_free = features.engine is None
        engine = open_engine_of(loaded, numerics, progress=progress) if numerics is not None and is_free else None
        return engine or open_engine(
            loaded,
            usage=Usage(texts=texts_of(self.dataset)),
            device=features.device,
            precision=features.precision,
            engine=features.engine,
            progress=progress,
        )


def recipe_of(settings: HeadTraining, dataset: Dataset, cache: FeatureCache) -> HeadRecipe:
    """Return the recipe of a head's training."""
    return HeadRecipe(settings=settings, dataset=dataset, cache=cache)


def _require_one_row(settings: HeadSettings, window: Window) -> None:
    if settings.head == "mlp" and window.name == "all":
        raise SettingsError(
            "head = 'mlp' with window = 'all' is not possible: such a head averages logits, and a frozen encoder's "
            "windows are averaged as features; give --head linear, or --method finetune"
        )


def _new_head(settings: HeadSettings, blocks: tuple[Block, ...], config: EncoderConfig, n_logits: int) -> Head:
    n_logits = count_logits(settings, n_logits)
    if settings.head == "linear":
        return LinearHead.zeros(n_logits, config.dim * len(blocks))
    if blocks != blocks_for("cls", None, config.n_layers):
        raise SettingsError(
            f"head = 'mlp' on {', '.join(map(str, blocks))} is not possible: it is Hugging Face's head, which sees "
            "[CLS] of the last layer; give --pooling cls, or --head linear"
        )
    return hugging_face_head(config, n_logits)
