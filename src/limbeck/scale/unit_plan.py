"""Unit plan: which units there are; a file, so that the same command, or any other process, goes on with the same.

In: files and their pieces, or plan.json. Out: a `UnitPlan`, and any of its units. It does not know how pieces were
chosen, nor who computes them.
"""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from limbeck.errors import FaultLog, SettingsError, StorageError
from limbeck.reading.cut_file import FilePiece, cut_file_of
from limbeck.scale.unit import UNIT_FORMAT, Answering, InputFile, Unit, answering_of
from limbeck.scale.work import Work
from limbeck.settings import ReadSettings
from limbeck.storage import read_json, write_json


@dataclass(frozen=True, kw_only=True, eq=False)
class UnitPlan:
    """What is to be answered, cut into units.

    Attributes:
        model: where the model is, or its name.
        answering: what the answers depend on beside the rows.
        files: that hold rows, in order.
        pieces: of each unit the place of its file among `files`, and its rows.
        empty: files without rows, and the SHA-256 of their bytes.
        tokens_per_s: at which a worker was measured when units were made.
    """

    model: str
    answering: Answering
    files: tuple[InputFile, ...]
    pieces: Sequence[tuple[int, FilePiece]]
    empty: Mapping[str, str] = field(default_factory=dict)
    tokens_per_s: float = 0.0

    def __len__(self) -> int:
        return len(self.pieces)

    @property
    def rows(self) -> int:
        """Rows of all units."""
        return sum(piece.rows for _, piece in self.pieces)

    def unit(self, number: int) -> Unit:
        """Return a unit by its place among all, from 0."""
        file, piece = self.pieces[number]
        return Unit(number=number, file=self.files[file], piece=piece, answering=self.answering)


def write_plan(plan: UnitPlan, path: Path) -> None:
    """Write a plan.

    Raises:
        StorageError: it cannot be written.
    """
    schema = plan.files[0].cut.schema
    write_json(
        path,
        {
            "format": UNIT_FORMAT,
            "model": plan.model,
            "answering": plan.answering.to_json(),
            "columns": [[one.name, str(one.type)] for one in schema],
            "schema": base64.b64encode(schema.serialize().to_pybytes()).decode("ascii"),
            "tokens_per_s": plan.tokens_per_s,
            "files": [
                {
                    **file.cut.to_json(),
                    **{one.name: getattr(file, one.name) for one in fields(InputFile) if one.name != "cut"},
                }
                for file in plan.files
            ],
            "empty": plan.empty,
            # A row per unit would be most of the file as objects.
            "units": [
                [file, piece.first, piece.rows, piece.start, piece.stop, piece.weight] for file, piece in plan.pieces
            ],
        },
    )


def open_plan(path: Path) -> UnitPlan:
    """Read a plan.

    Raises:
        StorageError: it is not there, or is none that this limbeck wrote.
    """
    values = read_json(path)
    advice = "it was written by another limbeck, or damaged: answer into another folder"
    try:
        if values["format"] != UNIT_FORMAT:
            raise StorageError(f"{path} cannot be used: {advice}")
        schema = pa.ipc.read_schema(pa.py_buffer(base64.b64decode(values["schema"])))
        own = [one.name for one in fields(InputFile) if one.name != "cut"]
        return UnitPlan(
            model=values["model"],
            answering=answering_of(values["answering"]),
            files=tuple(
                InputFile(cut=cut_file_of(file, schema), **{name: file[name] for name in own})
                for file in values["files"]
            ),
            pieces=tuple(
                (file, FilePiece(first=first, rows=rows, start=start, stop=stop, weight=weight))
                for file, first, rows, start, stop, weight in values["units"]
            ),
            empty=values["empty"],
            tokens_per_s=values["tokens_per_s"],
        )
    except (KeyError, TypeError, ValueError, pa.ArrowException) as error:
        raise StorageError(f"{path} cannot be used ({error}): {advice}") from error


def require_same_answering(plan: UnitPlan, asked: Mapping[str, Any], out: Path) -> UnitPlan:
    """Refuse to go on with a plan under other settings; what to do with rows at fault may be decided later.

    Args:
        plan: that is in the folder.
        asked: fields of `Answering` that are wanted now.
        out: the folder, for messages.

    Returns:
        The plan, with a looser `on_bad_row` where that is wanted.

    Raises:
        SettingsError: gathers what differs.
    """
    faults = FaultLog()
    known = plan.answering
    for name, value in asked.items():
        if name == "bundle" and value != known.bundle:
            faults.add(f"the model is another one, or was changed: the folder was begun with {plan.model}")
        elif name == "reading":
            differing = [
                one.name
                for one in fields(ReadSettings)
                if one.name != "on_bad_row" and getattr(value, one.name) != getattr(known.reading, one.name)
            ]
            faults.extend(f"{one} was {getattr(known.reading, one)!r}" for one in differing)
            before, now = known.reading.on_bad_row, value.on_bad_row
            if before not in ("error", now):
                faults.add(f"on_bad_row was {before!r}: rows were left out or changed")
        elif name == "work":
            faults.extend(_differing_work(value, known.work))
        elif name != "bundle" and value != getattr(known, name):
            faults.add(f"{name} was {getattr(known, name)!r}")
    faults.raise_as(
        SettingsError,
        what=f"{out} was begun with other settings",
        todo="give those, or another folder",
    )
    reading = asked.get("reading", known.reading)
    return replace(plan, answering=replace(known, reading=reading))


def _differing_work(asked: Work, known: Work) -> list[str]:
    """Say what was to be done when a plan was made, where that is something else."""
    if type(asked) is not type(known):
        return [f"it was begun by limbeck {known.command}"]
    before = known.to_json()
    return [f"{name} was {before[name]!r}" for name, value in asked.to_json().items() if value != before[name]]
