"""Plan settling: a folder gets its plan, or the plan that is there is held against what is wanted now.

In: a `PartsRequest`. Out: plan.json, by which units are computed. The model is opened here: by a process of its own, so
that the one that waits for workers holds none. It does not know who computes.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from limbeck.errors import DataError, FaultLog
from limbeck.progress import SILENT, Progress
from limbeck.remote_files import path_of
from limbeck.runtime import usable_cores
from limbeck.scale.input_files import FoundFiles, find_input_files
from limbeck.scale.opened_work import OpenedWork
from limbeck.scale.parts_folder import PartsFolder
from limbeck.scale.parts_request import PartsRequest
from limbeck.scale.unit import InputFile, known_by
from limbeck.scale.unit_plan import UnitPlan, open_plan, require_same_answering, write_plan
from limbeck.scale.unit_planning import answering_by, make_plan
from limbeck.scale.work_opening import open_work


def settle_plan(request: PartsRequest, progress: Progress = SILENT) -> None:
    """Make the plan of a folder, or go on with the one that is there.

    Raises:
        SettingsError: the folder was begun with other settings.
        DataError: files are at fault, differ in their columns, or were changed since the folder was begun.
        StorageError: a file cannot be read, or the plan not be written.
    """
    found, place = find_input_files(request.source), PartsFolder(request.out).plan_path
    before = open_plan(place) if place.is_file() else None
    opened = _opened(request, before, progress)
    reading, part_format = opened.reading(request.reading), request.scale.part_format
    if before is None:
        for note in found.notes:
            progress.say(str(note))
        answering = answering_by(opened, request.work, reading, part_format)
        workers = request.scale.workers_on(usable_cores())
        plan = make_plan(found, opened, answering, request.scale.unit_tokens, workers, progress)
        if plan.empty:
            progress.say(f"files without rows: {len(plan.empty):,} (first: {next(iter(plan.empty))})")
        write_plan(plan, place)
        progress.say(f"{request.out}: files {len(plan.files):,}, rows {plan.rows:,}, units of work {len(plan):,}")
        return
    given = {"device": request.computing.device, "engine": request.computing.engine}
    asked = {
        "bundle": opened.made_with.bundle,
        "reading": reading,
        "work": request.work,
        "part_format": part_format,
        **{name: value for name, value in given.items() if value not in (None, "auto")},
    }
    plan = require_same_answering(before, asked, request.out)
    files = _unchanged(plan, found, request.out)
    if files is not None or plan.answering != before.answering:
        write_plan(plan if files is None else replace(plan, files=tuple(files)), place)


def _opened(request: PartsRequest, before: UnitPlan | None, progress: Progress) -> OpenedWork:
    """Open the model; of a folder that was begun with the engine of then, so that nothing is measured."""
    device, engine = request.computing.device, request.computing.engine
    if before is not None:
        device, engine = before.answering.device, before.answering.engine
    return open_work(request.work, str(request.run), device=device, engine=engine, progress=progress)


def _unchanged(plan: UnitPlan, found: FoundFiles, out: Path) -> Sequence[InputFile] | None:
    """Refuse files whose bytes are others; return all with the times that they have now, None where these are the same.

    Raises:
        DataError: names the files that were changed, that came, and that are gone.
    """
    faults = FaultLog()
    known = {*(str(file.cut.path) for file in plan.files), *plan.empty}
    there = {str(path.absolute()) for path in found.paths}
    faults.extend(f"{name} was not there when the folder was begun" for name in sorted(there - known))
    faults.extend(f"{name} is gone, or no longer meant" for name in sorted(known - there))
    changed = [name for name, sha256 in plan.empty.items() if name in there and known_by(path_of(name)) != sha256]
    files = []
    for file in plan.files:
        is_there = str(file.cut.path) in there
        if is_there and not file.is_unchanged():
            changed.append(str(file.cut.path))
        is_touched = is_there and not file.looks_unchanged()
        files.append(replace(file, mtime_ns=file.cut.path.stat().st_mtime_ns) if is_touched else file)
    faults.extend(f"{name} was changed since the folder was begun" for name in changed)
    faults.raise_as(
        DataError,
        what=f"{out} cannot go on with these files",
        todo="Put them back as they were, or answer into another folder.",
    )
    return files if any(one is not other for one, other in zip(files, plan.files, strict=True)) else None
