"""Answers to more rows than fit anywhere, as a folder of parts: planned, computed in units, checked.

In: files, a model, a folder. Out: the folder, and a `PartsSummary`. The same call again goes on: what is finished
stays, what is missing is computed, what was set aside is tried again. The manifest is written last, when every row is
there once. It does not know who computes (see `crews`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from limbeck import errors
from limbeck.data.dataset import ReadNote
from limbeck.errors import FaultLog, LimbeckError, SettingsError, StorageError
from limbeck.folder_lock import lock
from limbeck.progress import SILENT, Progress
from limbeck.remote_files import path_of
from limbeck.scale.crews import CREWS, CrewJob
from limbeck.scale.input_files import find_input_files
from limbeck.scale.part_record import PartRecord
from limbeck.scale.parts_folder import STATE_FOLDER, PartsFolder, SetAside, notes_of
from limbeck.scale.parts_request import PartsRequest
from limbeck.scale.scale_settings import check_scale
from limbeck.scale.unit_plan import UnitPlan, open_plan
from limbeck.scale.unit_queue import UnitQueue
from limbeck.scale.work import require_part_format
from limbeck.scale.worker_processes import plan_in_process
from limbeck.storage import check_folder


@dataclass(frozen=True, kw_only=True)
class PartsSummary:
    """What is in a folder of parts.

    Attributes:
        rows: answered.
        left_out: rows at fault that were left out.
        parts: files with answers.
        computed: units that were computed now.
        count_cut: texts that were longer than the model's limit.
        count_unread: texts that the model could not read.
        notes: what reading left out or changed.
        set_aside: units that could not be answered.
    """

    rows: int
    left_out: int
    parts: int
    computed: int
    count_cut: int
    count_unread: int
    notes: tuple[ReadNote, ...]
    set_aside: tuple[SetAside, ...]

    def __len__(self) -> int:
        return self.rows

    def require_whole(self, out: Path) -> None:
        """Do nothing where every row was answered.

        Raises:
            LimbeckError: units were set aside; of the kind of the first one's error.
        """
        faults = FaultLog()
        faults.extend(f"{one.words}: {' '.join(_lines_of(one.why))}" for one in self.set_aside)
        kind = getattr(errors, self.set_aside[0].kind, LimbeckError) if self.set_aside else LimbeckError
        faults.raise_as(
            kind,
            what=f"{out} is not whole; units of work that were set aside: {len(self.set_aside):,}",
            todo="Run the same command again: it tries these alone; with --on-bad-row skip it leaves rows at fault "
            "out. A file that is corrected is another file: answer it into another folder.",
        )


def predict_to_parts(request: PartsRequest, *, progress: Progress = SILENT) -> PartsSummary:
    """Answer files into a folder of parts, or go on with it.

    Raises:
        SettingsError: the folder was begun with other settings, or settings are impossible.
        DataError: files are at fault, differ in their columns, or were changed since the folder was begun.
        StorageError: a file cannot be read, or the disk is full; what is finished stays.
        MissingExtraError: the library of who is to compute is not installed.
        LockedError: another process is working in the folder.
    """
    check_scale(request.scale)
    require_part_format(request.work, request.scale.part_format)
    _check_places(request)
    request = replace(request, scale=CREWS[request.scale.on].settle(request.scale))
    parts = PartsFolder(request.out)
    check_folder(request.out, new=not parts.plan_path.is_file() and not _is_fresh(request.out))
    with lock(parts.state):
        parts.sweep()
        _settle(request, progress)
        plan = open_plan(parts.plan_path)
        records = [parts.finished(plan.unit(number)) for number in range(len(plan))]
        missing = [number for number, record in enumerate(records) if record is None]
        if missing:
            parts.manifest_path.unlink(missing_ok=True)
            _compute(request, plan, parts, missing, progress)
        after = [record or parts.finished(plan.unit(number)) for number, record in enumerate(records)]
        there = [record for record in after if record is not None]
        aside = [parts.aside(plan.unit(number)) for number, record in enumerate(after) if record is None]
        if len(there) == len(plan):
            _check_counts(plan, there)
            parts.write_manifest(plan, there)
    return PartsSummary(
        rows=sum(record.rows for record in there),
        left_out=sum(record.left_out for record in there),
        parts=sum(record.part is not None for record in there),
        computed=sum(after[number] is not None for number in missing),
        count_cut=sum(record.count_cut for record in there),
        count_unread=sum(record.count_unread for record in there),
        notes=notes_of(there),
        set_aside=tuple(one for one in aside if one is not None),
    )


def _check_places(request: PartsRequest) -> None:
    """Refuse files that are not there, and a folder of parts among those that are read."""
    source, out = path_of(request.source).absolute(), request.out.absolute()
    if source.is_dir() and (out == source or out.is_relative_to(source)):
        raise SettingsError(f"{request.out} lies in {request.source}, which is read: give a folder beside it")
    found = find_input_files(request.source)
    if inside := [path for path in found.paths if path.absolute().is_relative_to(out)]:
        raise SettingsError(f"{inside[0]} lies in {request.out}, which is written: give another pattern or folder")


def _settle(request: PartsRequest, progress: Progress) -> None:
    """Make the plan, or look at the one that is there."""
    if request.scale.on == "here":
        from limbeck.scale.plan_settling import settle_plan

        settle_plan(request, progress)
    else:
        plan_in_process(request, progress)


def _is_fresh(out: Path) -> bool:
    """Tell whether a folder holds nothing, or only what was begun before there was a plan."""
    return out.is_dir() and all(entry.name == STATE_FOLDER for entry in out.iterdir())


def _compute(
    request: PartsRequest, plan: UnitPlan, parts: PartsFolder, missing: Sequence[int], progress: Progress
) -> None:
    if len(missing) < len(plan):
        progress.say(f"going on: {len(plan) - len(missing):,} of {len(plan):,} units were answered before")
    rows = sum(plan.pieces[number][1].rows for number in missing)
    job = CrewJob(folder=str(parts.path), settings=request.scale, progress=progress)
    try:
        with progress.track(request.work.doing, total=rows, unit="rows") as advance:
            CREWS[request.scale.on].work(UnitQueue(plan, parts, missing, advance), job)
    finally:
        parts.sweep()


def _check_counts(plan: UnitPlan, records: Sequence[PartRecord]) -> None:
    """Refuse parts that do not have each row once."""
    for number, record in enumerate(records):
        unit = plan.unit(number)
        if record.rows + record.left_out != unit.piece.rows:
            raise StorageError(f"the record of {unit.words} does not have each row once: remove it and run again")


def _lines_of(why: str) -> list[str]:
    """Return the first line of a message, or what is below it where it is the head of a list."""
    lines = [line.strip().removeprefix("- ") for line in why.splitlines()[:2]]
    return lines[1:] if lines[0].endswith(":") and lines[1:] else lines[:1]
