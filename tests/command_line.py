"""The command line, built once: to build its options takes longer than some commands do."""

from functools import cache
from typing import Any

import typer

from limbeck.cli.app import app


@cache
def built() -> Any:
    """Return what `limbeck` runs; it takes the place of `limbeck.cli.app.app`, which is built whenever it is called."""
    return typer.main.get_command(app)
