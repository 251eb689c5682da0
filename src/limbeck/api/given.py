"""What a caller may give: rows in any form that holds them, a run by its folder or by what training returned.

In: what was given. Out: a `Dataset`, a path. It does not know what is done with them.
"""

from pathlib import Path
from typing import Any

from limbeck.auditing.clean import Cleaning
from limbeck.auditing.resplit import Resplit
from limbeck.data.dataset import Dataset
from limbeck.errors import SettingsError
from limbeck.progress import Progress
from limbeck.reading.read import read, wrong_object
from limbeck.review.corrections import Corrections
from limbeck.runs.run_view import RunView
from limbeck.settings import ReadSettings

Rows = Dataset | Cleaning | Resplit | Corrections | str | Path
"""Rows: a dataset, what cleaning, splitting or correcting returned, or where they are, as `read` takes it."""
Run = str | Path | RunView
"""A run: its folder, or what training returned."""


def dataset_of(data: Rows, reading: ReadSettings, progress: Progress, *, where: str) -> Dataset:
    """Return rows as a dataset; a path is read.

    Raises:
        SettingsError: it is no rows, or says how to read what is read already.
        LimbeckError: what reading raises.
    """
    if isinstance(data, str | Path):
        return read(data, reading, progress=progress)
    if not isinstance(data, Dataset | Cleaning | Resplit | Corrections):
        raise wrong_object(data, where=f"limbeck.{where}", takes="a Dataset or a path")
    return data if isinstance(data, Dataset) else data.dataset


def require_path(data: Any, options: dict[str, Any], *, where: str) -> None:
    """Refuse options that say how to read where nothing is read.

    Raises:
        SettingsError: names them.
    """
    if options and not isinstance(data, str | Path):
        raise SettingsError(
            f"limbeck.{where}: {', '.join(options)} say how a file is read, but the rows are read already: give them "
            "to limbeck.read, or give the path here"
        )


def run_path(run: Run) -> Path:
    """Return where a run is."""
    return run.folder.path if isinstance(run, RunView) else Path(run)
