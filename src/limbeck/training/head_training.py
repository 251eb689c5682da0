"""A head on a frozen encoder, from end to end: labelled texts in, a run folder out.

The encoder is in evaluation mode: no dropout, the mask applied. What it says of a text is then the same in every epoch,
so it is computed once and kept; the head is trained on that, by the same loop and to the same bits as if the encoder
ran again each time.

In: a `Dataset` with labels. Out: a `LoopRun`. It does not read files of data, and never looks at the test split.
"""

from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch

from limbeck.data.dataset import Dataset
from limbeck.errors import SettingsError
from limbeck.evaluation.predictions import Predictions
from limbeck.features.cache import FeatureCache
from limbeck.features.extraction import Features, extract_features
from limbeck.inference.choice import open_engine
from limbeck.model.bundle import Bundle
from limbeck.model.config import EncoderConfig
from limbeck.model.heads import Head, LinearHead
from limbeck.model.pooling import Block, blocks_for
from limbeck.model.presets import load_encoder_folder
from limbeck.progress import SILENT, Progress
from limbeck.settings import FeatureSettings, HeadSettings, ReadSettings, SplitSettings
from limbeck.training.examples import FeatureExamples
from limbeck.training.interruption import noticed_signals
from limbeck.training.loop import Loop, Plan
from limbeck.training.loop_heads import count_logits, hugging_face_head, with_all_logits
from limbeck.training.loop_run import LoopRun, Start, Trained, finish_run, labelled, make_facts, open_start
from limbeck.training.record import claim_run, make_record
from limbeck.training.rows import training_rows
from limbeck.training.setting_checks import check_training
from limbeck.training.stopwatch import Stopwatch


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
    watch = Stopwatch()
    with noticed_signals() as stop, open_start(out, start) as folder:
        check_training(settings.head, n_labels=len(dataset.label_names))
        rows = training_rows(dataset, settings.split, progress)
        engine = open_engine(
            load_encoder_folder(settings.features.encoder),
            device=settings.features.device,
            precision=settings.features.precision,
        )
        blocks = blocks_for(settings.features.pooling, settings.features.layer, engine.layers)
        torch.manual_seed(settings.head.seed)
        head = _new_head(settings.head, blocks, engine.loaded.config, len(rows.label_names))
        record = make_record(rows.dataset, settings.stages(), engine.loaded, engine.numerics)
        claim_run(folder, record, progress)
        watch.lap("load")
        kept = cache or FeatureCache()
        train, validation = (
            extract_features(
                part.texts, engine, blocks, max_tokens=settings.features.max_tokens, cache=kept, progress=progress
            )
            for part in (rows.train, rows.validation)
        )
        watch.lap("encode")
        plan = Plan(
            settings=settings.head,
            learning_rate=settings.head.learning_rate,
            n_labels=len(rows.label_names),
            token_budget=settings.head.batch_rows,
        )
        to_learn, to_judge = (
            FeatureExamples(head, found.values_NF, labelled(part, np.ones(len(part), np.int64)))
            for part, found in ((rows.train, train), (rows.validation, validation))
        )
        result = Loop(head, to_learn, to_judge, plan, folder).run(stop, progress)
        watch.lap("train")
        answering = with_all_logits(head, len(rows.label_names))
        limit = settings.features.max_tokens or engine.loaded.tokenizer.max_tokens
        trained = Trained(
            method="head",
            stages=settings.stages(),
            rows=rows,
            bundle=Bundle(
                loaded=engine.loaded, head=answering, facts=make_facts(answering, blocks, rows, record, limit)
            ),
            answers=_answers(rows.validation, validation, answering.probabilities(validation.values_NF)),
            texts_cut={
                "train": int((train.cut_tokens_N > 0).sum()),
                "validation": int((validation.cut_tokens_N > 0).sum()),
            },
            result=result,
        )
        return finish_run(trained, folder, watch)


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
