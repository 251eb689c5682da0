"""Options that several commands share, each described once; and the settings that they make.

An option that is not given is None, so that a TOML file, or else the default in `limbeck.settings`, speaks for it.
"""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from limbeck.cli import help_screen
from limbeck.errors import SettingsError
from limbeck.settings import Device, FeatureSettings, ReadSettings, SettingsT, build, check_keys, read_toml

Data = Annotated[
    str,
    typer.Argument(
        metavar="DATA",
        help="CSV, TSV, XLSX, JSONL, JSON, Parquet, Arrow or text;label file, a folder of split files, "
        "a folder with one subfolder a label, a data set of the hub (hub:OWNER/NAME@REVISION#CONFIG/SPLIT, the last "
        "three as wanted), or 'sample'.",
        show_default=False,
    ),
]
TextColumn = Annotated[
    str | None,
    typer.Option(
        help="Name of the text column; found by its usual names when not given.", rich_help_panel=help_screen.DATA
    ),
]
LabelColumn = Annotated[
    str | None,
    typer.Option(
        help="Name of the label column; found by its usual names when not given.", rich_help_panel=help_screen.DATA
    ),
]
LabelNames = Annotated[
    str | None,
    typer.Option(
        help="Class names, separated by commas, in the order of their integers; a name that holds a comma stands in "
        "double quotes.",
        rich_help_panel=help_screen.DATA,
    ),
]
Encoding = Annotated[
    str | None,
    typer.Option(
        help="Encoding of text files: utf-8, cp949, euc-kr, utf-16, latin-1, … [default: utf-8]",
        rich_help_panel=help_screen.DATA,
    ),
]
OnBadRow = Annotated[
    str | None,
    typer.Option(
        help="Rows at fault: 'error' lists them and stops, 'keep-replacement' keeps undecodable bytes as U+FFFD, "
        "'skip' leaves the rows out. What was done is counted and recorded. [default: error]",
        rich_help_panel=help_screen.DATA,
    ),
]
Encoder = Annotated[
    str | None,
    typer.Option(
        help="A preset (minilm, distilbert-base-uncased, …), an encoder of the hub (hub:OWNER/NAME@REVISION) or a "
        "folder. [default: minilm]",
        rich_help_panel=help_screen.FEATURES,
    ),
]
Pooling = Annotated[
    str | None,
    typer.Option(
        help="'cls', 'mean' or 'max' of one layer, 'layers' for all three of every layer side by side, "
        "or 'auto' to choose by cross-validation. [default: mean]",
        rich_help_panel=help_screen.FEATURES,
    ),
]
Layer = Annotated[
    int | None,
    typer.Option(
        help="Hidden state to pool: 0 embeddings, 1 first layer, … [default: the last]",
        rich_help_panel=help_screen.FEATURES,
    ),
]
MaxTokens = Annotated[
    int | None,
    typer.Option(
        help="Cut longer texts to this many tokens, [CLS] and [SEP] included. [default: the model's maximum]",
        rich_help_panel=help_screen.FEATURES,
    ),
]
Folds = Annotated[
    int | None, typer.Option(help="Cross-validation folds. [default: 5]", rich_help_panel=help_screen.TRAINING)
]
Seed = Annotated[int | None, typer.Option(help="Seed of every random choice. [default: 0]")]
DeviceName = Annotated[
    str | None,
    typer.Option("--device", help="auto, cpu, cuda or mps. [default: auto]", rich_help_panel=help_screen.MACHINE),
]
Config = Annotated[
    Path | None,
    typer.Option(
        help="TOML file with the tables read, split, features and that of the method (probe, head or finetune); "
        "flags win over it."
    ),
]
CacheFolder = Annotated[
    Path | None,
    typer.Option(
        "--cache-dir",
        help="Where features are cached. [default: the user's cache folder]",
        rich_help_panel=help_screen.MACHINE,
    ),
]
DistilConfig = Annotated[
    Path | None,
    typer.Option("--config", help="TOML file with the tables read, split and distil; flags win over it."),
]
PretrainConfig = Annotated[
    Path | None, typer.Option("--config", help="TOML file with the table pretrain; flags win over it.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object for a program to read.")]

Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace a file that is there already.")]

STAGES = ("read", "split", "features", "probe", "head", "finetune", "distil", "pretrain")
"""The tables of a settings file."""
CLASSIFIER_TABLES = ("read", "split", "features", "probe", "head", "finetune")
"""Those of `train` and `sweep`."""
DISTIL_TABLES = ("read", "split", "distil")
PRETRAIN_TABLES = ("pretrain",)


def given(**flags: Any) -> dict[str, Any]:
    """Gather flags into one layer of settings."""
    return flags


def names_of(label_names: str | None) -> tuple[str, ...] | None:
    """Split `--label-names a,b,c` at commas; a name that holds one stands in double quotes, as in CSV.

    Raises:
        SettingsError: the quotes are not closed.
    """
    if not label_names:
        return None
    try:
        names = next(csv.reader([label_names], skipinitialspace=True, strict=True))
    except csv.Error as error:
        raise SettingsError(
            f"--label-names {label_names} cannot be divided ({error}): write a name that holds a comma in double "
            "quotes, and a double quote inside it twice"
        ) from error
    return tuple(name.strip() for name in names)


def said_names(names: Sequence[str]) -> str:
    """Write names as `--label-names` takes them: the other way round."""
    written = io.StringIO()
    csv.writer(written, lineterminator="").writerow(names)
    return written.getvalue()


def tables_of(config: Path | None, used: Sequence[str] = CLASSIFIER_TABLES) -> Mapping[str, Mapping[str, Any]]:
    """Read the tables of a settings file; one that the command does not use is an error.

    Raises:
        SettingsError: the file is unreadable, or has a table that is unknown, or of another command.
    """
    if config is None:
        return {}
    tables = read_toml(config)
    check_keys(tables, STAGES, where=str(config))
    if idle := [name for name in tables if name not in used]:
        raise SettingsError(
            f"{config}: this command does not use the table {', '.join(f'[{name}]' for name in idle)}, but "
            f"{', '.join(f'[{name}]' for name in used)}: take it out"
        )
    return tables


def stage(
    kind: type[SettingsT], name: str, config: Mapping[str, Mapping[str, Any]], flags: Mapping[str, Any]
) -> SettingsT:
    """Lay flags over a settings file's table over the defaults."""
    return build(kind, config.get(name, {}), flags, where=name)


def read_settings(
    text_column: str | None = None,
    label_column: str | None = None,
    label_names: str | None = None,
    encoding: str | None = None,
    on_bad_row: str | None = None,
    config: Mapping[str, Mapping[str, Any]] | None = None,
    labels: str | None = None,
) -> ReadSettings:
    """Make the settings of reading from the shared flags."""
    flags = given(
        text_column=text_column,
        label_column=label_column,
        label_names=names_of(label_names),
        encoding=encoding,
        on_bad_row=on_bad_row,
        labels=labels,
    )
    return stage(ReadSettings, "read", config or {}, flags)


def reading_flags(
    text_column: str | None = None,
    label_column: str | None = None,
    label_names: str | None = None,
    encoding: str | None = None,
    on_bad_row: str | None = None,
) -> dict[str, str | None]:
    """Gather the reading flags by name, to be said again in a command that reads the same data."""
    return {
        "text_column": text_column,
        "label_column": label_column,
        "label_names": label_names,
        "encoding": encoding,
        "on_bad_row": on_bad_row,
    }


def flags_that_read(settings: ReadSettings) -> dict[str, str | None]:
    """Return the reading flags that make these settings: those of a past run."""
    usual = ReadSettings()
    return reading_flags(
        settings.text_column,
        settings.label_column,
        said_names(settings.label_names) if settings.label_names else None,
        settings.encoding if settings.encoding != usual.encoding else None,
        settings.on_bad_row if settings.on_bad_row != usual.on_bad_row else None,
    )


def device_of(device: str | None) -> Device:
    """Check `--device`; the default when it is not given."""
    return build(FeatureSettings, given(device=device), where="flags").device
