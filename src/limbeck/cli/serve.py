"""`limbeck serve`: a model behind HTTP."""

from pathlib import Path
from typing import Annotated

import typer

from limbeck.cli import options, screen
from limbeck.cli.help_screen import SERVING
from limbeck.cli.settings_options import Flags, From, takes
from limbeck.settings import ServeSettings


@takes(From(kind=ServeSettings, group=SERVING), options.ENGINE_OPTIONS)
def serve(
    run: Annotated[
        Path,
        typer.Argument(
            metavar="RUN",
            help="Run folder of `limbeck train`, a bundle, a classifier that transformers saved, or hub:OWNER/NAME.",
        ),
    ],
    flags: Flags,
) -> None:
    """Answer texts over HTTP with RUN, until it is ended with Ctrl-C or SIGTERM."""
    from limbeck.serving.web_extra import need_web_server
    from limbeck.settings import FeatureSettings

    settings = flags.build(ServeSettings)
    computing = flags.build(FeatureSettings)
    need_web_server()

    from limbeck.serving.local_service import LocalService
    from limbeck.serving.server import run_server

    following = screen.following()
    service = LocalService(str(run), settings, computing=computing, say=following.say)
    run_server(service, settings, folder=str(run), progress=following)
