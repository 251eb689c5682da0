"""Options of `limbeck train`, each described once, and what they mean for the methods.

An option that is not given is None, so that a TOML file, or else the default in `limbeck.settings`, speaks for it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

import typer

from limbeck.cli import help_screen, options
from limbeck.errors import SettingsError
from limbeck.settings import OFF, ReadSettings, SplitSettings

if TYPE_CHECKING:
    from limbeck.training.session import Start

Method = Literal["probe", "head", "finetune"]
METHODS: tuple[Method, ...] = get_args(Method)

MethodName = Annotated[
    Method | None,
    typer.Option(
        help="'probe': a linear classifier on frozen features, cross-validated. 'head': a head trained by gradients on "
        "frozen features. 'finetune': the encoder and a head on [CLS], trained together. [default: probe]"
    ),
]
Balance = Annotated[
    str | None,
    typer.Option(
        help="How unequal class sizes are met, in training rows only. probe: none, weights, oversample or smote; "
        "head and finetune: none, weights or focal. [default: none]",
        rich_help_panel=help_screen.TRAINING,
    ),
]
Epochs = Annotated[
    int | None,
    typer.Option(
        help="Times every training row is seen. [default: head 10, finetune 3]", rich_help_panel=help_screen.TRAINING
    ),
]
LearningRate = Annotated[
    str | None,
    typer.Option(
        "--learning-rate",
        "--lr",
        help="Highest learning rate, or 'auto' to look for it in a short training first. [default: head 1e-3; finetune "
        "by the encoder's width, 2e-4 at 384, 5e-5 at 768]",
        rich_help_panel=help_screen.TRAINING,
    ),
]
BatchSize = Annotated[
    int | None, typer.Option(help="Rows an optimizer step. [default: 64]", rich_help_panel=help_screen.TRAINING)
]
Schedule = Annotated[
    str | None,
    typer.Option(
        help="Learning rate after the warm-up: linear, cosine or constant. [default: head constant, finetune linear]",
        rich_help_panel=help_screen.TRAINING,
    ),
]
WarmupShare = Annotated[
    float | None,
    typer.Option(
        help="Share of all steps in which it rises. [default: head 0, finetune 0.1]",
        rich_help_panel=help_screen.TRAINING,
    ),
]
WeightDecay = Annotated[
    float | None, typer.Option(help="Of AdamW. [default: head 0, finetune 0.01]", rich_help_panel=help_screen.TRAINING)
]
ClipNorm = Annotated[
    str | None,
    typer.Option(help="Longest gradient, or 'off' for any length. [default: 1]", rich_help_panel=help_screen.TRAINING),
]
# Of distil and pretrain, which have one method each.
LoopSchedule = Annotated[
    str | None,
    typer.Option(
        "--schedule",
        help="Learning rate after the warm-up: linear, cosine or constant. [default: linear]",
        rich_help_panel=help_screen.TRAINING,
    ),
]
LoopWarmupShare = Annotated[
    float | None,
    typer.Option(
        "--warmup-share",
        help="Share of all steps in which it rises. [default: 0.1]",
        rich_help_panel=help_screen.TRAINING,
    ),
]
LoopWeightDecay = Annotated[
    float | None,
    typer.Option("--weight-decay", help="Of AdamW. [default: 0.01]", rich_help_panel=help_screen.TRAINING),
]
LoopTokenBudget = Annotated[
    int | None,
    typer.Option(
        "--token-budget",
        help="Tokens computed at a time; bounds the memory. [default: 4096]",
        rich_help_panel=help_screen.MACHINE,
    ),
]
Loss = Annotated[
    str | None,
    typer.Option(
        help="cross-entropy, or for two classes binary: one logit. [default: cross-entropy]",
        rich_help_panel=help_screen.TRAINING,
    ),
]
LabelSmoothing = Annotated[
    float | None,
    typer.Option(
        help="Share of a label that is spread over all classes. [default: 0]", rich_help_panel=help_screen.TRAINING
    ),
]
BestBy = Annotated[
    str | None,
    typer.Option(
        help="Validation figure that decides which epoch is kept: accuracy, f1_weighted, f1_macro or loss. "
        "[default: accuracy]",
        rich_help_panel=help_screen.TRAINING,
    ),
]
SweepBy = Annotated[
    str | None,
    typer.Option(
        "--by",
        help="Validation figure that decides which trial is the best, and within a trial which epoch: accuracy, "
        "f1_weighted, f1_macro or loss. [default: accuracy]",
        rich_help_panel=help_screen.TRAINING,
    ),
]
Patience = Annotated[
    int | None,
    typer.Option(
        help="End after this many epochs without a better figure. [default: all epochs are run]",
        rich_help_panel=help_screen.TRAINING,
    ),
]
HeadKind = Annotated[
    str | None,
    typer.Option(
        "--head",
        help="With --method head: linear or mlp (two layers, on [CLS]). [default: linear]",
        rich_help_panel=help_screen.TRAINING,
    ),
]
TopLayers = Annotated[
    int | None,
    typer.Option(
        help="Fine-tune this many of the uppermost layers only. [default: everything]",
        rich_help_panel=help_screen.TRAINING,
    ),
]
LayerDecay = Annotated[
    float | None,
    typer.Option(
        help="Factor by which the learning rate falls from each layer to the one below. [default: 1]",
        rich_help_panel=help_screen.TRAINING,
    ),
]
Unfreeze = Annotated[
    str | None,
    typer.Option(
        help="Fine-tune 'all' layers from the first step, or 'gradual': the head first, then one more layer an epoch. "
        "[default: all]",
        rich_help_panel=help_screen.TRAINING,
    ),
]
FreezeWords = Annotated[
    bool | None,
    typer.Option(
        "--freeze-words",
        help="Leave the word embeddings as they are while fine-tuning.",
        rich_help_panel=help_screen.TRAINING,
    ),
]
Dropout = Annotated[
    float | None,
    typer.Option(
        help="Rate of every dropout inside the encoder. [default: the encoder's own]",
        rich_help_panel=help_screen.TRAINING,
    ),
]
TokenBudget = Annotated[
    int | None,
    typer.Option(
        help="Tokens computed at a time while fine-tuning; bounds the memory. [default: 4096]",
        rich_help_panel=help_screen.MACHINE,
    ),
]
Precision = Annotated[
    str | None,
    typer.Option(
        help="Arithmetic: float32, bfloat16, or auto, what this machine is fastest with. [default: auto]",
        rich_help_panel=help_screen.MACHINE,
    ),
]
CheckpointEvery = Annotated[
    str | None,
    typer.Option(
        "--checkpoint-every-s",
        help="Seconds between two checkpoints, the first of which come sooner; 0: after every step; 'off': at the end "
        "of an epoch only. [default: 120]",
        rich_help_panel=help_screen.MACHINE,
    ),
]
KeepCheckpoints = Annotated[
    int | None, typer.Option(help="Checkpoints that are kept. [default: 2]", rich_help_panel=help_screen.MACHINE)
]
Calibrate = Annotated[
    bool | None,
    typer.Option(
        "--calibrate/--no-calibrate",
        help="Fit a temperature on rows that the model did not learn from, so that a probability can be taken at its "
        "word; no label changes. [default: calibrate]",
        rich_help_panel=help_screen.TRAINING,
    ),
]
TensorBoard = Annotated[
    bool | None,
    typer.Option(
        "--tensorboard",
        help="Write events for TensorBoard into OUT/events, epoch by epoch.",
        rich_help_panel=help_screen.MACHINE,
    ),
]
Seeds = Annotated[
    int | None,
    typer.Option(
        help="Train this many models, each with the next seed; tell mean and spread, keep the best. Not for probe, "
        "which has no chance in it. [default: 1]",
        rich_help_panel=help_screen.TRAINING,
    ),
]
Resume = Annotated[
    bool, typer.Option("--resume", help="Go on with the unfinished run in --out; begin where there is none.")
]
AcceptEngine = Annotated[
    bool,
    typer.Option(
        "--accept-engine",
        help="With --resume: go on although this machine computes in another arithmetic than the one that the run was "
        "begun in; it is recorded in run.json.",
    ),
]

Tables = Mapping[str, Mapping[str, Any]]


def tables_of(
    config: Path | None, out: Path, *, resume: bool, used: Sequence[str] = options.CLASSIFIER_TABLES
) -> Tables:
    """Read the settings file, or when a run is resumed without one, the settings that it began with.

    Raises:
        SettingsError: the file is unreadable, or names a table that is not a stage.
    """
    from limbeck.runs.run_folder import RunFolder
    from limbeck.storage import read_json

    record = RunFolder(out).record
    if resume and config is None and record.is_file():
        settings: Tables = read_json(record)["settings"]
        return settings
    return options.tables_of(config, used)


def method_of(method: Method | None, tables: Tables) -> Method:
    """Return the method: the one that was given, else the one that the settings have a table of, else "probe".

    Raises:
        SettingsError: the settings have a table of another method.
    """
    stated = [name for name in METHODS if name in tables]
    if others := [name for name in stated if name != (method or stated[0])]:
        raise SettingsError(
            f"the settings have a table of {others[0]}, but the method is {method or stated[0]}: take the table out, "
            f"or give --method {others[0]}"
        )
    return method or (stated[0] if stated else "probe")


def only_given(**flags: Any) -> dict[str, Any]:
    """Gather the flags that were given, so that one which the method does not have is an error, not ignored."""
    return {name: value for name, value in flags.items() if value is not None}


def rate_of(said: str | None) -> float | str | None:
    """Read `--learning-rate`.

    Raises:
        SettingsError: it is neither a number nor "auto".
    """
    if said is None or said == "auto":
        return said
    try:
        return float(said)
    except ValueError as error:
        raise SettingsError(f"--learning-rate {said!r} is not possible: give a number such as 2e-4, or auto") from error


def number_or_off(said: str | None, option: str) -> float | str | None:
    """Read an option that is a number or "off".

    Raises:
        SettingsError: it is neither.
    """
    if said is None or said == OFF:
        return said
    try:
        return float(said)
    except ValueError as error:
        raise SettingsError(f"{option} {said!r} is not possible: give a number, or off") from error


def start_of(*, overwrite: bool, resume: bool, accept_engine: bool = False) -> "Start":
    """Say what to do with a run that is there already.

    Raises:
        SettingsError: flags were given that exclude each other, or one without that which it goes with.
    """
    if accept_engine and not resume:
        raise SettingsError("--accept-engine says how to go on with a run: give --resume with it")
    if overwrite and resume:
        raise SettingsError("--overwrite and --resume exclude each other: begin again, or go on")
    if accept_engine:
        return "resume-with-any-engine"
    return "resume" if resume else "overwrite" if overwrite else "new"


@dataclass(frozen=True, kw_only=True)
class Given:
    """What was given on the command line, by stage: finished settings, or the flags of a stage yet to be built."""

    read: ReadSettings
    split: SplitSettings
    features: Mapping[str, Any]
    fitting: Mapping[str, Any]
