"""`limbeck train`: fit a classifier and leave a run folder."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from limbeck.cli import options, screen


def train(
    data: options.Data,
    out: Annotated[Path, typer.Option(help="Run folder to make.", show_default=False)],
    method: Annotated[
        Literal["probe"], typer.Option(help="'probe': a linear classifier on frozen features.")
    ] = "probe",
    encoder: options.Encoder = None,
    pooling: options.Pooling = None,
    layer: options.Layer = None,
    max_tokens: options.MaxTokens = None,
    balance: options.Balance = None,
    folds: options.Folds = None,
    seed: options.Seed = None,
    config: options.Config = None,
    text_column: options.TextColumn = None,
    label_column: options.LabelColumn = None,
    label_names: options.LabelNames = None,
    encoding: options.Encoding = None,
    on_bad_row: options.OnBadRow = None,
    device: options.DeviceName = None,
    cache_dir: options.CacheFolder = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a finished run in --out.")] = False,
    as_json: options.AsJson = False,
) -> None:
    """Train a classifier on DATA and leave a run folder: model, figures, predictions, pictures.

    The validation split is only scored, and made of training rows where there is none; a test split is not looked at.
    """
    from limbeck import progress
    from limbeck.data.read import read_with
    from limbeck.features.cache import FeatureCache
    from limbeck.reporting.run_pictures import write_run_pictures
    from limbeck.settings import FeatureSettings, ProbeSettings, SplitSettings
    from limbeck.training.probe_training import ProbeTraining, train_probe

    tables = options.tables_of(config)
    reading = options.read_settings(text_column, label_column, label_names, encoding, on_bad_row, tables)
    features = options.given(encoder=encoder, pooling=pooling, layer=layer, max_tokens=max_tokens, device=device)
    settings = ProbeTraining(
        read=reading,
        split=options.stage(SplitSettings, "split", tables, options.given(seed=seed)),
        features=options.stage(FeatureSettings, "features", tables, features),
        probe=options.stage(ProbeSettings, "probe", tables, options.given(balance=balance, folds=folds, seed=seed)),
    )
    following = progress.for_stream()
    dataset = read_with(data, reading, following)
    trainers = {"probe": train_probe}
    run = trainers[method](
        dataset, out, settings, cache=FeatureCache(cache_dir), overwrite=overwrite, progress=following
    )
    pictures = write_run_pictures(run.dataset, run.validation, run.folder.pictures)
    if as_json:
        screen.show_json(run.metrics)
    else:
        screen.show_evaluation(run.validation, title=f"Probe on the validation split of {data}")
        screen.show_run_places(run.folder, pictures)
        screen.show_line(f"Next: limbeck evaluate {out} {data} --split test")
