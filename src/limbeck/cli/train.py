"""`limbeck train`: fit a classifier and leave a run folder."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from limbeck.cli import options, screen
from limbeck.cli import training_options as own
from limbeck.cli.figures_screen import show_seeds
from limbeck.cli.method_settings import settings_of
from limbeck.errors import SettingsError

if TYPE_CHECKING:
    from limbeck.cli.method_settings import Settings
    from limbeck.data.dataset import Dataset
    from limbeck.features.cache import FeatureCache
    from limbeck.methods.probe import ProbeRun
    from limbeck.progress import Progress
    from limbeck.training.outcome import LoopRun
    from limbeck.training.session import Start

    Run = LoopRun | ProbeRun


def train(
    data: options.Data,
    out: Annotated[Path, typer.Option(help="Run folder to make.", show_default=False)],
    method: own.MethodName = None,
    encoder: options.Encoder = None,
    pooling: options.Pooling = None,
    layer: options.Layer = None,
    max_tokens: options.MaxTokens = None,
    balance: own.Balance = None,
    folds: options.Folds = None,
    epochs: own.Epochs = None,
    learning_rate: own.LearningRate = None,
    batch_size: own.BatchSize = None,
    schedule: own.Schedule = None,
    warmup_share: own.WarmupShare = None,
    weight_decay: own.WeightDecay = None,
    clip_norm: own.ClipNorm = None,
    loss: own.Loss = None,
    label_smoothing: own.LabelSmoothing = None,
    best_by: own.BestBy = None,
    patience: own.Patience = None,
    head: own.HeadKind = None,
    top_layers: own.TopLayers = None,
    layer_decay: own.LayerDecay = None,
    unfreeze: own.Unfreeze = None,
    freeze_words: own.FreezeWords = None,
    dropout: own.Dropout = None,
    token_budget: own.TokenBudget = None,
    precision: own.Precision = None,
    checkpoint_every_s: own.CheckpointEvery = None,
    keep_checkpoints: own.KeepCheckpoints = None,
    calibrate: own.Calibrate = None,
    tensorboard: own.TensorBoard = None,
    seed: options.Seed = None,
    seeds: own.Seeds = None,
    config: options.Config = None,
    text_column: options.TextColumn = None,
    label_column: options.LabelColumn = None,
    label_names: options.LabelNames = None,
    encoding: options.Encoding = None,
    on_bad_row: options.OnBadRow = None,
    device: options.DeviceName = None,
    cache_dir: options.CacheFolder = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the run in --out.")] = False,
    resume: own.Resume = False,
    accept_engine: own.AcceptEngine = False,
    as_json: options.AsJson = False,
) -> None:
    """Train a classifier on DATA and leave a run folder: model, figures, predictions, pictures.

    The validation split is only scored, and made of training rows where there is none; a test split is not looked at.
    """
    from limbeck import progress
    from limbeck.features.cache import FeatureCache
    from limbeck.reading.read import read_with
    from limbeck.settings import SplitSettings
    from limbeck.training.team import is_follower

    tables = own.tables_of(config, out, resume=resume)
    chosen = own.method_of(method, tables)
    features = own.only_given(
        encoder=encoder, pooling=pooling, layer=layer, max_tokens=max_tokens, device=device, precision=precision
    )
    fitting = own.only_given(
        balance=balance,
        folds=folds,
        epochs=epochs,
        learning_rate=own.rate_of(learning_rate),
        batch_rows=batch_size,
        schedule=schedule,
        warmup_share=warmup_share,
        weight_decay=weight_decay,
        clip_norm=own.number_or_off(clip_norm, "--clip-norm"),
        loss=loss,
        label_smoothing=label_smoothing,
        best_by=best_by,
        patience=patience,
        head=head,
        top_layers=top_layers,
        layer_decay=layer_decay,
        unfreeze=unfreeze,
        freeze_words=freeze_words,
        dropout=dropout,
        token_budget=token_budget,
        checkpoint_every_s=own.number_or_off(checkpoint_every_s, "--checkpoint-every-s"),
        keep_checkpoints=keep_checkpoints,
        tensorboard=tensorboard,
        calibrate=calibrate,
        seed=seed,
        seeds=seeds,
    )
    reading = options.read_settings(text_column, label_column, label_names, encoding, on_bad_row, tables)
    split = options.stage(SplitSettings, "split", tables, options.given(seed=seed))
    settings = settings_of(chosen, own.Given(read=reading, split=split, features=features, fitting=fitting), tables)
    start = own.start_of(overwrite=overwrite, resume=resume, accept_engine=accept_engine)
    is_speaking = not is_follower()
    following = progress.for_stream() if is_speaking else progress.SILENT
    dataset = read_with(data, reading, following)
    run = _train_with(settings, dataset, out, start, FeatureCache(cache_dir), following)
    if not is_speaking:
        return
    from limbeck.reporting.run_pictures import draw_pictures

    pictures = draw_pictures(run, following)
    if as_json:
        screen.show_json(run.metrics)
        return
    if "epochs" in run.metrics:
        screen.show_epochs(run.metrics["epochs"], best_epoch=run.metrics["best_epoch"])
    if "spread" in run.metrics:
        show_seeds(run.metrics)
    by_folds = run.metrics.get("judged_by") == "out_of_fold"
    where = "out of fold, on all training rows" if by_folds else "on the validation split"
    screen.show_evaluation(run.validation, title=f"{chosen.capitalize()} {where} of {data}")
    screen.show_warnings(run.metrics)
    screen.show_run_places(run.folder, pictures)
    how = options.reading_flags(text_column, label_column, label_names, encoding, on_bad_row)
    screen.show_scoring_next(out, data, how, splits=run.dataset.split_names)


def _train_with(
    settings: "Settings", data: "Dataset", out: Path, start: "Start", cache: "FeatureCache", following: "Progress"
) -> "Run":
    """Train by the method that the settings are of."""
    from limbeck.methods.finetune import Finetuning, finetune
    from limbeck.methods.head import HeadTraining, train_head
    from limbeck.methods.probe import train_probe
    from limbeck.training.team import is_one_of_many

    if isinstance(settings, Finetuning):
        return finetune(data, out, settings, start=start, progress=following)
    if isinstance(settings, HeadTraining):
        return train_head(data, out, settings, cache=cache, start=start, progress=following)
    if start not in ("new", "overwrite"):
        raise SettingsError("a probe is not resumed: leave --resume out; its features are kept, so little is lost")
    if is_one_of_many():
        raise SettingsError("a probe is fitted in one process: run limbeck without torchrun")
    return train_probe(data, out, settings, cache=cache, overwrite=start == "overwrite", progress=following)
