"""The command line: one short file a command, registered here.

In: words. Out: calls of the library. It has no logic of its own, and imports nothing heavy before a command runs.
"""

from typing import Annotated, Any

import typer

import limbeck
from limbeck.cli.audit import audit
from limbeck.cli.cache import cache
from limbeck.cli.clean import clean
from limbeck.cli.compare import compare
from limbeck.cli.demo import demo
from limbeck.cli.distil import distil
from limbeck.cli.doctor import doctor
from limbeck.cli.evaluate import evaluate
from limbeck.cli.features import features
from limbeck.cli.help_screen import SETTINGS, HelpfulCommand, HelpfulGroup
from limbeck.cli.labels import labels
from limbeck.cli.options import speaking
from limbeck.cli.predict import predict
from limbeck.cli.pretrain import pretrain
from limbeck.cli.publish import publish
from limbeck.cli.report import report
from limbeck.cli.serve import serve
from limbeck.cli.split import split
from limbeck.cli.sweep import sweep
from limbeck.cli.threshold import threshold
from limbeck.cli.tokens import tokens
from limbeck.cli.train import train

COMMAND_GROUPS: dict[str, tuple[Any, ...]] = {
    "Data": (audit, clean, split, labels),
    "Train": (demo, train, sweep, distil, pretrain),
    "Judge": (evaluate, report, compare, threshold),
    "Use": (predict, serve, publish, tokens, features),
    "Machine": (doctor, cache),
}
"""The commands, as the help lists them."""

app = typer.Typer(
    name="limbeck",
    cls=HelpfulGroup,
    help="Distil text into labels, with DistilBERT, on this machine.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings=SETTINGS,
)


def _show_version(wanted: bool) -> None:
    if wanted:
        print(limbeck.__version__)
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and stop.")
    ] = False,
) -> None:
    """Distil text into labels, with DistilBERT, on this machine."""


for group, commands in COMMAND_GROUPS.items():
    for command in commands:
        if isinstance(command, typer.Typer):
            app.add_typer(command, rich_help_panel=group)
        else:
            app.command(cls=HelpfulCommand, rich_help_panel=group)(speaking(command))
