"""Parts folder: the parts of one answer, and beside them, in `_limbeck`, what is known of them.

    part-000000-….parquet       a part per unit; they sort as their rows stand
    _limbeck/plan.json          which units there are
    _limbeck/units/             a record per finished unit
    _limbeck/set_aside/         why a unit was set aside
    _limbeck/manifest.json      rows and SHA-256 of each part; written last, when all are there

In: units and records. Out: the same again. Readers of folders (Arrow, Spark, limbeck) pass over names that begin with
an underscore. It does not know what the parts hold.
"""

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from limbeck.data.dataset import ReadNote
from limbeck.errors import StorageError
from limbeck.scale.part_record import PartRecord, record_of
from limbeck.scale.unit import Unit
from limbeck.scale.unit_plan import UnitPlan
from limbeck.storage import MANIFEST_NAME, STAGED_PREFIX, explained, read_json, sha256_of, write_json

STATE_FOLDER = "_limbeck"


@dataclass(frozen=True, kw_only=True)
class SetAside:
    """A unit that could not be answered.

    Attributes:
        words: which rows.
        why: what was wrong.
        kind: the name of the error.
        tries: how often it was tried.
    """

    words: str
    why: str
    kind: str
    tries: int


@dataclass(frozen=True)
class PartsFolder:
    """Where parts are.

    Attributes:
        path: the folder.
    """

    path: Path

    @property
    def state(self) -> Path:
        """What is known of the parts."""
        return self.path / STATE_FOLDER

    @property
    def plan_path(self) -> Path:
        """Which units there are."""
        return self.state / "plan.json"

    @property
    def manifest_path(self) -> Path:
        """What is written last."""
        return self.state / MANIFEST_NAME

    def finished(self, unit: Unit) -> PartRecord | None:
        """Return the record of a unit whose part is there; None where it must be computed."""
        path = self._record_path(unit)
        if not path.is_file():
            return None
        with suppress(StorageError, TypeError, KeyError):
            record = record_of(read_json(path))
            if record.unit == unit.name and (record.part is None or self._has(record)):
                return record
        return None

    def keep(self, unit: Unit, record: PartRecord) -> None:
        """Remember that a unit is finished."""
        write_json(self._record_path(unit), record.to_json())
        self._aside_path(unit).unlink(missing_ok=True)

    def set_aside(self, unit: Unit, why: str, kind: str, tries: int) -> None:
        """Remember that a unit could not be answered."""
        values = {"file": str(unit.file.cut.path), "first_row": unit.piece.first, "last_row": unit.piece.last}
        write_json(self._aside_path(unit), {**values, "why": why, "error": kind, "tries": tries})

    def aside(self, unit: Unit) -> SetAside | None:
        """Return why a unit was set aside; None where it was not."""
        path = self._aside_path(unit)
        if not path.is_file():
            return None
        values = read_json(path)
        return SetAside(words=unit.words, why=values["why"], kind=values["error"], tries=values["tries"])

    def sweep(self) -> None:
        """Remove what killed processes left half written."""
        for folder in (self.path, self.state, self.state / "units", self.state / "set_aside"):
            for left in folder.glob(f"{STAGED_PREFIX}*"):
                with explained(left, doing="remove"):
                    left.unlink(missing_ok=True)

    def write_manifest(self, plan: UnitPlan, records: Sequence[PartRecord]) -> dict[str, Any]:
        """Check every part, and write down what they are; the last that is written.

        Raises:
            StorageError: a part is not what its record says; the next command computes it again.
        """
        for number, record in enumerate(records):
            if record.part is not None and sha256_of(self.path / record.part) != record.sha256:
                self._record_path(plan.unit(number)).unlink(missing_ok=True)
                raise StorageError(
                    f"{self.path / record.part} is not what was written there: run the same command again, which "
                    "writes it anew"
                )
        answering = plan.answering
        values = {
            "command": answering.work.command,
            "model": plan.model,
            "model_sha": answering.bundle,
            "engine": answering.engine,
            "rows": sum(record.rows for record in records),
            "left_out": sum(record.left_out for record in records),
            "notes": [str(note) for note in notes_of(records)],
            "parts": [
                {
                    "part": record.part,
                    "file": str(unit.file.cut.path),
                    "first_row": unit.piece.first,
                    "last_row": unit.piece.last,
                    "rows": record.rows,
                    "left_out": record.left_out,
                    "sha256": record.sha256,
                    "bytes": record.size_bytes,
                }
                for unit, record in zip(map(plan.unit, range(len(plan))), records, strict=True)
            ],
        }
        write_json(self.manifest_path, values)
        return values

    def _has(self, record: PartRecord) -> bool:
        part = self.path / str(record.part)
        return part.is_file() and part.stat().st_size == record.size_bytes

    def _record_path(self, unit: Unit) -> Path:
        return self.state / "units" / f"{Path(unit.part_name).stem}.json"

    def _aside_path(self, unit: Unit) -> Path:
        return self.state / "set_aside" / f"{Path(unit.part_name).stem}.json"


def notes_of(records: Sequence[PartRecord]) -> tuple[ReadNote, ...]:
    """Return what reading left out or changed in all parts, each kind counted once."""
    rows: Counter[str] = Counter()
    examples: dict[str, str] = {}
    for note in (note for record in records for note in record.notes):
        rows[note.what] += note.rows
        examples.setdefault(note.what, note.example)
    return tuple(ReadNote(what=what, rows=count, example=examples[what]) for what, count in rows.items())
