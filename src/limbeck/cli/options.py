"""Options that several commands share, each described once.

In: nothing. Out: options that are no settings, and the settings whose fields are options of several commands. It does
not know what a command does with them.
"""

import functools
import inspect
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from limbeck.cli import help_screen, screen
from limbeck.cli.help_screen import OUTPUT
from limbeck.cli.settings_options import Flags, From
from limbeck.errors import SettingsError
from limbeck.methods.table import CLASSIFIERS, METHODS
from limbeck.setting_tables import check_keys, read_toml, said_names
from limbeck.settings import FeatureSettings, ReadSettings


def out(meaning: str, *names: str) -> Any:
    """Return the option that says where results go; further names beside `--out` and `-o` come first."""
    return typer.Option(*names, "--out", "-o", help=meaning, rich_help_panel=help_screen.OUTPUT, show_default=False)


Data = Annotated[
    str,
    typer.Argument(
        metavar="DATA",
        help="CSV, TSV, XLSX, JSONL, JSON, Parquet, Arrow or text;label file, a folder with one file per split, a "
        "folder with one subfolder per label, a data set of the hub (hub:OWNER/NAME@REVISION#CONFIG/SPLIT, the last "
        "three as wanted), or 'sample'.",
        show_default=False,
    ),
]
RunOut = Annotated[Path, out("Run folder to make.")]
CacheFolder = Annotated[
    Path | None,
    typer.Option(
        "--cache-dir",
        help="Folder where features are cached. [default: the user's cache folder]",
        rich_help_panel=help_screen.MACHINE,
    ),
]
AsJson = Annotated[
    bool,
    typer.Option("--json", help="Print one JSON object for a program to read.", rich_help_panel=help_screen.OUTPUT),
]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Replace a file that is there already.", rich_help_panel=help_screen.OUTPUT)
]

Quiet = Annotated[
    bool,
    typer.Option(
        "--quiet", "-q", help="Show no progress and no notes; results and errors stay.", rich_help_panel=OUTPUT
    ),
]
NoColor = Annotated[
    bool,
    typer.Option("--no-color", help="Show no colours, as with NO_COLOR=1.", rich_help_panel=OUTPUT),
]


def speaking(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that every command has: how much it says meanwhile, and in which colours."""

    @functools.wraps(command)
    def run(*, quiet: bool, no_color: bool, **words: Any) -> None:
        screen.be_quiet(quiet)
        if no_color:
            os.environ["NO_COLOR"] = "1"
        command(**words)

    own = inspect.signature(command, eval_str=True)
    more = {"quiet": Quiet, "no_color": NoColor}
    common = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=False, annotation=kind)
        for name, kind in more.items()
    ]
    params = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in own.parameters.values()]
    run.__signature__ = own.replace(parameters=[*params, *common])  # type: ignore[attr-defined]  # typer reads it
    run.__annotations__ = {one.name: one.annotation for one in (*params, *common)}
    return run


READING = From(kind=ReadSettings, without=("labels",))
MENDING = From(kind=ReadSettings, without=("labels",), defaults={"on_bad_row": "mend"})
"""How data are read that may be faulty."""
READING_TEXTS = From(kind=ReadSettings, only=("text_column", "encoding", "on_bad_row"))
ENCODER_OPTIONS = From(kind=FeatureSettings, only=("encoder", "device"))
DEVICE_OPTION = From(kind=FeatureSettings, only=("device",))
ENGINE_OPTIONS = From(kind=FeatureSettings, only=("device", "engine"))

TABLES = {name: tuple(method.training().stages()) for name, method in METHODS.items()}
"""The tables of a settings file that each method uses."""
CLASSIFIER_TABLES = tuple(dict.fromkeys(table for name in CLASSIFIERS for table in TABLES[name]))
"""Those of `train` and `sweep`."""


def config(tables: Sequence[str]) -> Any:
    """Return the option that names a settings file with some of these tables."""
    return typer.Option("--config", help=f"TOML file with settings; flags win over it. Tables: {', '.join(tables)}.")


def tables_of(config: Path | None, used: Sequence[str] = CLASSIFIER_TABLES) -> Mapping[str, Mapping[str, Any]]:
    """Read the tables of a settings file; one that the command does not use is an error.

    Raises:
        SettingsError: the file is unreadable, or has a table that is unknown, or of another command.
    """
    if config is None:
        return {}
    tables = read_toml(config)
    check_keys(tables, {table for used_by in TABLES.values() for table in used_by}, where=str(config))
    if idle := [name for name in tables if name not in used]:
        raise SettingsError(
            f"{config}: this command does not use the table {', '.join(f'[{name}]' for name in idle)}, but "
            f"{', '.join(f'[{name}]' for name in used)}: take it out"
        )
    return tables


def reading_words(flags: Flags) -> dict[str, str]:
    """Return the flags of reading as they were given, to be said again in a command that reads the same data.

    A switch has no value, but "".
    """
    given = flags.of(READING)
    return {
        name: said_names(value) if isinstance(value, tuple) else "" if value is True else str(value)
        for name, value in given.items()
        if value is not None and value is not False
    }


def flags_that_read(settings: ReadSettings) -> dict[str, str]:
    """Return the flags that make these settings: those of a past run."""
    usual = ReadSettings()
    changed = {name: getattr(settings, name) for name in READING.fields}
    return reading_words(Flags({name: value for name, value in changed.items() if value != getattr(usual, name)}))
