"""`limbeck serve`: a model behind HTTP."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from limbeck.cli import options, screen
from limbeck.cli.help_screen import OUTPUT, SERVING
from limbeck.cli.settings_options import Flags, From, takes
from limbeck.serving.serve_settings import ServeSettings, check_serving

if TYPE_CHECKING:
    from limbeck.serving.service import ServedModel


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
    as_json: Annotated[
        bool,
        typer.Option(
            "--json",
            help="Print one JSON object when the first text can be answered: url, model, model_sha, engine.",
            rich_help_panel=OUTPUT,
        ),
    ] = False,
) -> None:
    """Answer texts over HTTP with RUN, until it is ended with Ctrl-C or SIGTERM."""
    from limbeck.serving.engine_start import start_engine, wish_of
    from limbeck.serving.web_extra import need_web_server
    from limbeck.settings import FeatureSettings

    settings = flags.build(ServeSettings)
    computing = flags.build(FeatureSettings)
    check_serving(settings)
    need_web_server()
    ahead = start_engine(wish_of(str(run), computing))

    # These imports take about as long as the engine takes to import torch, at the same time.
    from limbeck.serving.local_service import LocalService
    from limbeck.serving.server import Listeners, run_server

    following = screen.following(bars=False)
    service = LocalService(str(run), settings, computing=computing, say=following.say, ahead=ahead)
    told = Listeners(progress=following, ready=_show_ready) if as_json else Listeners(progress=following)
    run_server(service, settings, folder=str(run), told=told)


def _show_ready(url: str, model: "ServedModel") -> None:
    """Print where the model is served, at once."""
    screen.show_json({"url": url, "model": model.name, "model_sha": model.digest, "engine": model.numerics})
    sys.stdout.flush()
