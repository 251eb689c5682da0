"""How a training is asked for: its method, its settings of flags and a file, and whether it goes on.

In: flags and the tables of a settings file. Out: the settings of a training, checked before data is read.
It does not know how a method trains.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from limbeck.cli import help_screen, options
from limbeck.cli.settings_options import Flags, From
from limbeck.errors import SettingsError
from limbeck.methods.options import Tables, training_of
from limbeck.methods.table import CLASSIFIERS, METHODS, Method
from limbeck.settings import FeatureSettings, SplitSettings

if TYPE_CHECKING:
    from limbeck.training.session import Start


CLASSIFIER = (
    From(kind=SplitSettings, only=("seed",)),
    From(kind=FeatureSettings),
    *(From(kind=type(one.training().fitting), method=name) for name, one in CLASSIFIERS.items()),
    options.READING,
)
"""The settings of `train`."""


def _way_to_train(among: Mapping[str, Method]) -> Any:
    """Return the option that names a method, with what each does."""
    each = " ".join(f"'{name}': {method.summary}." for name, method in among.items())
    option = typer.Option("--method", help=f"Way to train. {each} [default: probe]")
    return Annotated[Literal[tuple(among)] | None, option]


if TYPE_CHECKING:
    MethodName = str | None
    AnyMethodName = str | None
else:  # typer makes choices of it
    MethodName = _way_to_train(CLASSIFIERS)
    AnyMethodName = _way_to_train(METHODS)
OverwriteRun = Annotated[
    bool, typer.Option("--overwrite", help="Replace the run in --out.", rich_help_panel=help_screen.OUTPUT)
]
Resume = Annotated[
    bool, typer.Option("--resume", help="Go on with the unfinished run in --out; begin where there is none.")
]
AcceptEngine = Annotated[
    bool,
    typer.Option(
        "--accept-engine",
        help="With --resume: go on although this machine computes in another arithmetic than the one that the run was "
        "begun in; run.json records it.",
    ),
]
Elastic = Annotated[
    bool,
    typer.Option(
        "--elastic",
        help="With torchrun: go on from the newest checkpoint of --out, or begin where there is none, with as many "
        "processes as there are; includes --resume and --accept-engine. All hosts must share --out.",
    ),
]


@contextmanager
def in_team() -> Iterator[None]:
    """Be one of the processes that torchrun started, from the first moment on: the others know when this one is lost.

    Where torchrun started none, nothing is loaded for it.
    """
    from limbeck.runtime import is_one_of_many

    if not is_one_of_many():
        yield
        return
    from limbeck.training.team import joined_team

    with joined_team():
        yield


def tables_asked(
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


def method_asked(method: str | None, tables: Tables) -> str:
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


def settings_of(method: str, flags: Flags, tables: Tables, sources: Sequence[From] = CLASSIFIER) -> Any:
    """Build the settings of a method: of the flags, those that `sources` have.

    Raises:
        SettingsError: gathers the faults of a stage.
    """
    is_read = "read" in options.TABLES[method]
    asked = [one for one in sources if is_read or one is not options.READING]
    given = {name: value for one in asked for name, value in flags.of(one).items()}
    return training_of(method, given, tables, among=METHODS)


def start_of(*, overwrite: bool, resume: bool, accept_engine: bool = False, elastic: bool = False) -> "Start":
    """Say what to do with a run that is there already.

    Raises:
        SettingsError: flags were given that exclude each other, or one without that which it goes with.
    """
    if elastic and overwrite:
        raise SettingsError(
            "--overwrite and --elastic exclude each other: torchrun gives the same command each time it goes on"
        )
    if elastic:
        _require_new_meetings()
        return "elastic"
    if accept_engine and not resume:
        raise SettingsError("--accept-engine says how to go on with a run: give --resume with it")
    if overwrite and resume:
        raise SettingsError("--overwrite and --resume exclude each other: begin again, or go on")
    if accept_engine:
        return "resume-with-any-engine"
    return "resume" if resume else "overwrite" if overwrite else "new"


def _require_new_meetings() -> None:
    """Refuse to go on and on where torchrun would let the processes meet at the same place each time.

    Its store then still holds the addresses of processes that are gone, and hosts look for the first host at the place
    where it was at the beginning (torch 2.13).
    """
    if os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == str(True):
        raise SettingsError(
            "--elastic needs a new meeting place each time that torchrun goes on: start torchrun with "
            "TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1 in its environment, on every host"
        )
