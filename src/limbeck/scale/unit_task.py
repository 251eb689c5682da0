"""Unit task: what a process does that was given a folder and the number of a unit; any engine calls this.

In: a path and a number, which travel anywhere. Out: a `PartRecord`, or a `UnitFault` where the rows are at fault. The
plan is read and the model opened once in a process. It does not know who calls: a worker process, Ray, Spark.
"""

import time
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

from limbeck.errors import BundleError, DataError, LimbeckError, SettingsError, StoreUnreachableError
from limbeck.reading.pieces import PieceRows
from limbeck.scale.opened_work import OpenedWork
from limbeck.scale.parts_folder import PartsFolder
from limbeck.scale.unit import Answering, Unit
from limbeck.scale.unit_plan import UnitPlan, open_plan
from limbeck.scale.unit_queue import UnitFault, UnitOutcome
from limbeck.scale.unit_run import read_rows_of, write_unit_part
from limbeck.scale.work_opening import open_work
from limbeck.storage import explained

STORE_PAUSES_S = (1.0, 5.0, 20.0)
"""Seconds to wait for a store that gives no answer, before a unit is given back to be tried again later."""


def do_unit(folder: str, number: int, *, tell: Callable[[int], object] = lambda rows: None) -> UnitOutcome:
    """Compute one unit of the plan in a folder.

    Args:
        folder: of the parts; it has a plan.
        number: of the unit.
        tell: is told how many more rows were answered.

    Returns:
        A record once the part is written, whole; a fault where its rows, or their file, are to blame. Whoever calls
        keeps either.

    Raises:
        LimbeckError: no unit could be computed: the model is not what was planned, the part cannot be written.
    """
    parts = PartsFolder(Path(folder))
    plan = plan_in(parts)
    unit, opened = plan.unit(number), open_model(plan.model, plan.answering)
    try:
        read = _read_patiently(unit)
    except LimbeckError as error:
        return _fault(error)
    try:
        return write_unit_part(unit, read, opened, parts.path, tell=tell)
    except DataError as error:
        return _fault(error)


def open_model_of(folder: str) -> OpenedWork:
    """Open the model of the plan in a folder.

    Raises:
        LimbeckError: as `do_unit` says.
    """
    plan = plan_in(PartsFolder(Path(folder)))
    return open_model(plan.model, plan.answering)


@lru_cache(maxsize=1)
def open_model(model: str, answering: Answering) -> OpenedWork:
    """Open the model of work with the engine that was planned, and no other; nothing is measured.

    Raises:
        BundleError: the model was changed.
        SettingsError: the engine is not here, or of another build, so that answers would differ in their last bits.
    """
    opened = open_work(answering.work, model, device=answering.device, engine=answering.engine)
    if opened.made_with.bundle != answering.bundle:
        raise BundleError(f"{model} was changed since the plan was made: answer into another folder")
    if opened.made_with.build != answering.build:
        raise SettingsError(
            f"{answering.engine} is of another build here than where the plan was made, so that answers could differ "
            "in their last bits: answer into another folder"
        )
    return opened


def plan_in(parts: PartsFolder) -> UnitPlan:
    """Return the plan of a folder, read once in a process while it is not written anew.

    Raises:
        StorageError: it cannot be read.
    """
    with explained(parts.plan_path, doing="read"):
        stamp = parts.plan_path.stat().st_mtime_ns
    return _plan_at(parts.plan_path, stamp)


@lru_cache(maxsize=1)
def _plan_at(path: Path, _stamp: int) -> UnitPlan:
    """Return the plan that was written at a time; a plan that is written anew is read anew."""
    return open_plan(path)


def _read_patiently(unit: Unit) -> PieceRows:
    """Read a unit's rows; while a store gives no answer, wait and ask again."""
    for pause_s in STORE_PAUSES_S:
        try:
            return read_rows_of(unit)
        except StoreUnreachableError:
            time.sleep(pause_s)
    return read_rows_of(unit)


def _fault(error: LimbeckError) -> UnitFault:
    may_pass = isinstance(error, StoreUnreachableError)
    return UnitFault(kind=type(error).__name__, why=str(error), may_pass=may_pass)
