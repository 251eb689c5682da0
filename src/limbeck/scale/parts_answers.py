"""Answers to more rows than fit anywhere, as a folder of parts: planned, computed in units, checked.

In: files, a model, a folder. Out: the folder, and a `PartsSummary`. The same call again goes on: what is finished
stays, what is missing is computed, what was set aside is tried again. The manifest is written last, when every row is
there once. It does not know who computes (see `crews`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from limbeck import errors
from limbeck.data.dataset import ReadNote
from limbeck.errors import DataError, FaultLog, LimbeckError, SettingsError, StorageError
from limbeck.folder_lock import lock
from limbeck.progress import SILENT, Progress
from limbeck.runtime import release_free_memory, usable_cores
from limbeck.scale.crews import CREWS, CrewJob
from limbeck.scale.input_files import FoundFiles, find_input_files
from limbeck.scale.part_record import PartRecord
from limbeck.scale.parts_folder import STATE_FOLDER, PartsFolder, SetAside, notes_of
from limbeck.scale.scale_settings import ScaleSettings, check_scale
from limbeck.scale.unit_plan import UnitPlan, open_plan, require_same_answering, write_plan
from limbeck.scale.unit_queue import UnitQueue
from limbeck.setting_tables import build
from limbeck.settings import FeatureSettings, ReadSettings
from limbeck.storage import check_folder

if TYPE_CHECKING:
    from limbeck.inference.predictor import Predictor


@dataclass(frozen=True, kw_only=True)
class PartsRequest:
    """What is to be answered, and how.

    Attributes:
        source: a file, a folder, or a pattern of files.
        run: the model, as `load` takes it.
        out: the folder of parts.
        scale: how units are made and computed.
        computing: device and engine.
        reading: fields of `ReadSettings` that were given.
        top_k: labels per text in columns of their own.
    """

    source: str
    run: Path
    out: Path
    scale: ScaleSettings = field(default_factory=ScaleSettings)
    computing: FeatureSettings = field(default_factory=FeatureSettings)
    reading: Mapping[str, Any]
    top_k: int | None = None


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
            what=f"{out} is not whole: {len(self.set_aside):,} units of work were set aside, all others are done",
            todo="Correct what is wrong and run the same command again: it tries these alone. --on-bad-row skip leaves "
            "rows at fault out.",
        )


def predict_to_parts(request: PartsRequest, *, progress: Progress = SILENT) -> PartsSummary:
    """Answer files into a folder of parts, or go on with it.

    Raises:
        SettingsError: the folder was begun with other settings, or settings are impossible.
        DataError: files are at fault, differ in their columns, or were changed since the folder was begun.
        StorageError: a file cannot be read, or the disk is full; what is finished stays.
        LockedError: another process is working in the folder.
    """
    check_scale(request.scale)
    found = _found(request)
    parts = PartsFolder(request.out)
    check_folder(request.out, new=not parts.plan_path.is_file() and not _is_fresh(request.out))
    with lock(parts.state):
        parts.sweep()
        plan = _plan_of(request, found, parts, progress)
        release_free_memory()
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


def _found(request: PartsRequest) -> FoundFiles:
    """Return the files; parts of this folder are none of them."""
    source, out = Path(request.source).absolute(), request.out.absolute()
    if source.is_dir() and (out == source or out.is_relative_to(source)):
        raise SettingsError(f"{request.out} lies in {request.source}, which is read: give a folder beside it")
    found = find_input_files(request.source)
    if inside := [path for path in found.paths if path.absolute().is_relative_to(out)]:
        raise SettingsError(f"{inside[0]} lies in {request.out}, which is written: give another pattern or folder")
    return found


def _is_fresh(out: Path) -> bool:
    """Tell whether a folder holds nothing, or only what was begun before there was a plan."""
    return out.is_dir() and all(entry.name == STATE_FOLDER for entry in out.iterdir())


def _plan_of(request: PartsRequest, found: FoundFiles, parts: PartsFolder, progress: Progress) -> UnitPlan:
    """Return the plan that is in the folder, or make one."""
    before = open_plan(parts.plan_path) if parts.plan_path.is_file() else None
    predictor = _opened(request, before, progress)
    own = ReadSettings(text_column=predictor.text_column, label_names=predictor.label_names, labels="ignored")
    reading = build(ReadSettings, asdict(own), request.reading, where="flags")
    wanted = {"top_k": request.top_k, "part_format": request.scale.part_format}
    if before is None:
        from limbeck.scale.unit_planning import answering_of, make_plan

        for note in found.notes:
            progress.say(str(note))
        workers = request.scale.workers_on(usable_cores())
        answering = answering_of(predictor, reading, **wanted)
        plan = make_plan(found, predictor, answering, request.scale.unit_tokens, workers, progress)
        if plan.empty:
            progress.say(f"files without rows: {len(plan.empty):,} (first: {plan.empty[0]})")
        write_plan(plan, parts.plan_path)
        progress.say(f"{request.out}: {plan.rows:,} rows of {len(plan.files):,} files, in {len(plan):,} units of work")
        return plan
    given = {"device": request.computing.device, "engine": request.computing.engine}
    asked = {
        "bundle": predictor.bundle.digest(),
        "reading": reading,
        **wanted,
        **{name: value for name, value in given.items() if value not in (None, "auto")},
    }
    plan = require_same_answering(before, asked, request.out)
    plan = replace(plan, files=_unchanged(plan, found, request.out))
    if plan.files != before.files or plan.answering != before.answering:
        write_plan(plan, parts.plan_path)
    return plan


def _opened(request: PartsRequest, before: UnitPlan | None, progress: Progress) -> "Predictor":
    """Open the model; of a folder that was begun with the engine of then, so that nothing is measured."""
    from limbeck.inference.predictor import load

    device, engine = request.computing.device, request.computing.engine
    if before is not None:
        device, engine = before.answering.device, before.answering.engine
    return load(request.run, device=device, engine=engine, progress=progress)


def _unchanged(plan: UnitPlan, found: FoundFiles, out: Path) -> tuple[Any, ...]:
    """Return the files of a plan, with the times that they have now; refuse those whose bytes are others.

    Raises:
        DataError: names the files that were changed, that came, and that are gone.
    """
    faults = FaultLog()
    known = {str(file.cut.path) for file in plan.files} | {str(Path(name).absolute()) for name in plan.empty}
    there = {str(path.absolute()) for path in found.paths}
    faults.extend(f"{name} was not there when the folder was begun" for name in sorted(there - known))
    faults.extend(f"{name} is gone, or no longer meant" for name in sorted(known - there))
    files = []
    for file in plan.files:
        is_there = str(file.cut.path) in there
        if is_there and not file.is_unchanged():
            faults.add(f"{file.cut.path} was changed since the folder was begun")
        is_touched = is_there and not file.looks_unchanged()
        files.append(replace(file, mtime_ns=file.cut.path.stat().st_mtime_ns) if is_touched else file)
    faults.raise_as(
        DataError,
        what=f"{out} cannot go on with these files",
        todo="Put them back as they were, or answer into another folder.",
    )
    return plan.files if files == list(plan.files) else tuple(files)


def _compute(
    request: PartsRequest, plan: UnitPlan, parts: PartsFolder, missing: Sequence[int], progress: Progress
) -> None:
    if len(missing) < len(plan):
        progress.say(f"going on: {len(plan) - len(missing):,} of {len(plan):,} units were answered before")
    rows = sum(plan.pieces[number][1].rows for number in missing)
    job = CrewJob(folder=str(parts.path), settings=request.scale, progress=progress)
    try:
        with progress.track("answering", total=rows, unit="rows") as advance:
            CREWS[request.scale.on](UnitQueue(plan, parts, missing, advance), job)
    finally:
        parts.sweep()


def _check_counts(plan: UnitPlan, records: Sequence[PartRecord]) -> None:
    """Refuse parts that do not have each row once."""
    for number, record in enumerate(records):
        unit = plan.unit(number)
        if record.rows + record.left_out != unit.piece.rows:
            raise StorageError(f"the record of {unit.words} does not have each row once: remove it and run again")


def _lines_of(why: str) -> list[str]:
    """Return the first lines of a message, without what marks them as a list."""
    return [line.strip().removeprefix("- ") for line in why.splitlines()[:2]]
