"""The command line: one short file a command, registered here.

In: words. Out: calls of the library. It has no logic of its own, and imports nothing heavy before a command runs.
"""

from typing import Annotated

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
from limbeck.cli.predict import predict
from limbeck.cli.pretrain import pretrain
from limbeck.cli.publish import publish
from limbeck.cli.report import report
from limbeck.cli.split import split
from limbeck.cli.sweep import sweep
from limbeck.cli.threshold import threshold
from limbeck.cli.tokens import tokens
from limbeck.cli.train import train

app = typer.Typer(
    name="limbeck",
    cls=HelpfulGroup,
    help="Distil text into labels, with DistilBERT, on this machine.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
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


for command in (
    demo,
    audit,
    clean,
    split,
    train,
    sweep,
    distil,
    pretrain,
    evaluate,
    report,
    compare,
    threshold,
    predict,
    publish,
    tokens,
    features,
    doctor,
):
    app.command(cls=HelpfulCommand)(command)
app.add_typer(labels, name="labels")
app.add_typer(cache, name="cache")
