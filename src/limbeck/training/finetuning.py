"""Fine-tuning from end to end: labelled texts in, a run folder out.

The encoder and Hugging Face's head on [CLS] are trained together; the bundle opens in `transformers` as it is.

In: a `Dataset` with labels. Out: a `LoopRun`. It does not read files of data, and never looks at the test split.
"""

from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import torch

from limbeck.data.dataset import Dataset
from limbeck.errors import SettingsError
from limbeck.inference.predictor import Predictor
from limbeck.model.bundle import Bundle
from limbeck.model.network import Network
from limbeck.model.pooling import blocks_for
from limbeck.model.presets import LoadedEncoder, load_encoder_folder
from limbeck.model.weights import fingerprint_of
from limbeck.progress import SILENT, Progress
from limbeck.runtime import choose_device, cpu_features
from limbeck.settings import FeatureSettings, FinetuneSettings, Precision, ReadSettings, SplitSettings
from limbeck.training.examples import TextExamples
from limbeck.training.freezing import freeze, set_dropout
from limbeck.training.interruption import noticed_signals
from limbeck.training.loop import Loop, Plan
from limbeck.training.loop_heads import count_logits, hugging_face_head, with_all_logits
from limbeck.training.loop_run import LoopRun, Start, Trained, finish_run, labelled, make_facts, open_start
from limbeck.training.optim import default_learning_rate
from limbeck.training.record import claim_run, make_record
from limbeck.training.rows import training_rows
from limbeck.training.setting_checks import check_training
from limbeck.training.stopwatch import Stopwatch


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
    watch = Stopwatch()
    with noticed_signals() as stop, open_start(out, start) as folder:
        check_training(settings.finetune, n_labels=len(dataset.label_names))
        if settings.features.pooling != "cls" or settings.features.layer is not None:
            raise SettingsError(
                f"pooling = {settings.features.pooling!r}, layer = {settings.features.layer} cannot be fine-tuned: the "
                "head sees [CLS] of the last layer; leave --pooling and --layer out, or use --method head"
            )
        rows = training_rows(dataset, settings.split, progress)
        loaded = load_encoder_folder(settings.features.encoder)
        config = loaded.config
        device = choose_device(settings.features.device)
        use_bf16 = _use_bf16(settings.finetune.precision, device)
        rate = settings.finetune.learning_rate or default_learning_rate(config.dim)
        settings = replace(settings, finetune=replace(settings.finetune, learning_rate=rate))
        numerics = f"torch {'bfloat16, weights float32' if use_bf16 else 'float32'} {device.type}"
        record = make_record(rows.dataset, settings.stages(), loaded, numerics)
        claim_run(folder, record, progress)
        watch.lap("load")
        limit = settings.features.max_tokens or loaded.tokenizer.max_tokens
        train, validation = (
            loaded.tokenizer.encode(part.texts, max_tokens=limit, progress=progress)
            for part in (rows.train, rows.validation)
        )
        watch.lap("tokenize")
        network = _new_network(loaded, settings.finetune, len(rows.label_names)).to(device)
        plan = Plan(
            settings=settings.finetune,
            learning_rate=rate,
            n_labels=len(rows.label_names),
            token_budget=settings.finetune.token_budget,
            layer_decay=settings.finetune.layer_decay,
            n_layers=config.n_layers,
        )
        to_learn, to_judge = (
            TextExamples(network, found, labelled(part, found.lengths), use_bf16=use_bf16)
            for part, found in ((rows.train, train), (rows.validation, validation))
        )
        result = Loop(network, to_learn, to_judge, plan, folder).run(stop, progress)
        watch.lap("train")
        network.eval().requires_grad_(False)
        head = with_all_logits(network.head, len(rows.label_names))
        bundle = Bundle(
            loaded=replace(loaded, fingerprint=fingerprint_of(network.encoder)),
            head=head,
            facts=make_facts(head, network.blocks, rows, record, limit),
        )
        predictor = Predictor(bundle, device=settings.features.device, precision=settings.features.precision)
        trained = Trained(
            method="finetune",
            stages=settings.stages(),
            rows=rows,
            bundle=bundle,
            answers=predictor.predict_dataset(rows.validation, progress=progress),
            texts_cut={"train": int(train.truncated.sum()), "validation": int(validation.truncated.sum())},
            result=result,
        )
        return finish_run(trained, folder, watch)


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


def _use_bf16(precision: Precision, device: torch.device) -> bool:
    """Tell whether to compute in bfloat16: where the processor has units for it, unless told otherwise."""
    if precision == "auto":
        return cpu_features().bf16 if device.type == "cpu" else device.type == "cuda"
    return precision == "bfloat16"
