"""`limbeck train`: fit a classifier and leave a run folder."""

from pathlib import Path
from typing import Annotated

import typer

from limbeck.cli import options, screen


def train(
    data: options.Data,
    out: Annotated[Path, typer.Option(help="Run folder to make.", show_default=False)],
    method: Annotated[
        str, typer.Option(help="What is trained: 'probe', a linear classifier on frozen features.")
    ] = "probe",
    encoder: Annotated[
        str | None, typer.Option(help="A preset (minilm, distilbert-base-uncased, …) or a folder. [default: minilm]")
    ] = None,
    pooling: Annotated[
        str | None,
        typer.Option(
            help="'cls', 'mean' or 'max' of one layer, 'layers' for all three of every layer side by side, or 'auto' to choose by cross-validation. [default: mean]"
        ),
    ] = None,
    layer: options.Layer = None,
    max_tokens: options.MaxTokens = None,
    balance: Annotated[
        str | None,
        typer.Option(
            help="How unequal class sizes are met, inside training folds only: none, weights, oversample or smote. [default: none]"
        ),
    ] = None,
    folds: Annotated[int | None, typer.Option(help="Cross-validation folds. [default: 5]")] = None,
    seed: Annotated[
        int | None,
        typer.Option(help="Seed of folds, resampling and of a validation split that has to be made. [default: 0]"),
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="TOML file with tables read, features, probe and split; flags win over it.")
    ] = None,
    text_column: options.TextColumn = None,
    label_column: options.LabelColumn = None,
    label_names: options.LabelNames = None,
    encoding: Annotated[
        str | None,
        typer.Option(help="Encoding of text files: utf-8, cp949, euc-kr, utf-16, latin-1, … [default: utf-8]"),
    ] = None,
    on_bad_row: Annotated[
        str | None,
        typer.Option(
            help="Rows at fault: 'error' lists them and stops, 'keep-replacement' keeps undecodable bytes as U+FFFD, 'skip' leaves rows out; counted and recorded. [default: error]"
        ),
    ] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu, cuda or mps. [default: auto]")] = None,
    cache_dir: options.CacheFolder = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a finished run in --out.")] = False,
    as_json: options.AsJson = False,
) -> None:
    """Train a classifier on DATA and leave a run folder: model, figures, predictions, pictures.

    Rows of the validation split are only scored; those of a test split are not looked at.
    """
