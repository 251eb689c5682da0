"""Unit: some rows of one file, and all that their answers depend on; its name tells both.

In: nothing. Out: plain values: paths, numbers, words. Units of one name give the same part, byte for byte, whoever
computes them, so a unit may be computed twice and its part exists once. It does not know who computes.
"""

import hashlib
import json
from dataclasses import asdict, dataclass, field, fields
from functools import lru_cache
from pathlib import Path
from typing import Any

from limbeck.errors import DataError
from limbeck.reading.cut_file import CutFile, FilePiece
from limbeck.remote_files import RemotePath
from limbeck.scale.scale_settings import PartFormat
from limbeck.scale.work import Answers, Work, work_of
from limbeck.settings import Device, EngineName, ReadSettings
from limbeck.storage import explained, sha256_of

UNIT_FORMAT = 1
"""Is counted up when the same rows of the same file give another part."""
_UUID_PARTS = (8, 4, 4, 4, 12)


@dataclass(frozen=True, kw_only=True, eq=False)
class InputFile:
    """A file as it was when it was planned.

    Attributes:
        cut: how pieces of it are read.
        size_bytes: its size.
        mtime_ns: when it was written last.
        sha256: of its bytes; of a file in a store, of what the store says of them (`RemotePath.fingerprint`).
        row_prefix: what stands before the row numbers, so that those of several files differ.
    """

    cut: CutFile
    size_bytes: int
    mtime_ns: int
    sha256: str
    row_prefix: str

    def looks_unchanged(self) -> bool:
        """Tell whether size and time are those that it had; of a file in a store, what the store says of it.

        Raises:
            StorageError: it is not there, or may not be read.
        """
        if isinstance(self.cut.path, RemotePath):
            return self.cut.path.fingerprint() == self.sha256
        with explained(self.cut.path, doing="read"):
            now = self.cut.path.stat()
        return (now.st_size, now.st_mtime_ns) == (self.size_bytes, self.mtime_ns)

    def is_unchanged(self) -> bool:
        """Tell whether its bytes are those that it had.

        Only a file whose time is another one is read: a copy on another machine, once in each process that reads it.

        Raises:
            StorageError: it is not there, or may not be read.
        """
        return self.looks_unchanged() or _known_as_it_is(self.cut.path) == self.sha256

    def require_unchanged(self) -> None:
        """Refuse a file that somebody wrote to.

        Raises:
            DataError: names it.
        """
        if not self.is_unchanged():
            raise DataError(
                f"{self.cut.path} was changed since the plan was made: put the file back as it was, or answer it anew "
                "into another folder"
            )


@dataclass(frozen=True, kw_only=True)
class Answering:
    """What answers, and the columns of their files, depend on beside the rows.

    Attributes:
        bundle: digest of the model.
        engine: that computes; None for work without a model.
        build: which version of the engine.
        device: that it computes on.
        reading: how rows are read.
        part_format: format of the parts.
        work: what is done with them.
    """

    bundle: str
    engine: EngineName | None
    build: str
    device: Device
    reading: ReadSettings
    part_format: PartFormat
    work: Work = field(default_factory=Answers)

    def to_json(self) -> dict[str, Any]:
        """Return the values as JSON has them; work has those of its kind alone, beside the others."""
        shared = {one.name: getattr(self, one.name) for one in fields(self) if one.name not in ("reading", "work")}
        return {**shared, "reading": asdict(self.reading), **self.work.to_json()}


@dataclass(frozen=True, kw_only=True, eq=False)
class Unit:
    """Some rows to answer.

    Attributes:
        number: its place among all, from 0.
        file: that holds the rows.
        piece: which rows.
        answering: what their answers depend on.
    """

    number: int
    file: InputFile
    piece: FilePiece
    answering: Answering

    @property
    def name(self) -> str:
        """The SHA-256 (hexadecimal) of all that decides the bytes of its part.

        What happens to rows at fault is left out: a part of rows without a fault is the same whatever was to happen.
        """
        piece = self.piece
        rows = f"{piece.first} {piece.rows} {piece.start} {piece.stop}"
        return hashlib.sha256(f"{_shared_digest(self.file, self.answering)} {rows}".encode()).hexdigest()

    @property
    def part_name(self) -> str:
        """The name of its part: parts sort as their rows stand, and programs see that they are parts of one whole."""
        name, pieces = self.name, []
        for length in _UUID_PARTS:
            pieces.append(name[:length])
            name = name[length:]
        return f"part-{self.number:06}-{'-'.join(pieces)}.{self.answering.part_format}"

    @property
    def words(self) -> str:
        """Which rows it is of, for messages."""
        return f"{self.file.cut.path}, rows {self.piece.first:,} to {self.piece.last:,}"


def answering_of(values: dict[str, Any]) -> Answering:
    """Return what `Answering.to_json` made.

    Raises:
        KeyError: a value is missing, or the kind of work is not known.
        TypeError: these are other values.
    """
    reading: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in values["reading"].items()
    }
    names = [one.name for one in fields(Answering) if one.name not in ("reading", "work")]
    return Answering(
        **{name: values[name] for name in names},
        reading=ReadSettings(**reading),
        work=work_of({name: value for name, value in values.items() if name not in (*names, "reading")}),
    )


def known_by(path: Path) -> str:
    """Return what tells a file's bytes: their SHA-256, or of a file in a store that of what the store says of them."""
    return path.fingerprint() if isinstance(path, RemotePath) else sha256_of(path)


def _known_as_it_is(path: Path) -> str:
    if isinstance(path, RemotePath):
        return path.fingerprint()
    with explained(path, doing="read"):
        now = path.stat()
    return _sha256_at(path, now.st_size, now.st_mtime_ns)


@lru_cache(maxsize=1_000)
def _sha256_at(path: Path, _size_bytes: int, _mtime_ns: int) -> str:
    """Return a file's SHA-256; a file that is written anew is read anew."""
    return sha256_of(path)


@lru_cache(maxsize=1_000)
def _shared_digest(file: InputFile, answering: Answering) -> str:
    """Return a digest of what the units of a file have in common; where the file lies is no part of it."""
    cut = file.cut.to_json()
    facts = {
        "format": UNIT_FORMAT,
        "file": file.sha256,
        "row_prefix": file.row_prefix,
        "columns": [[field.name, str(field.type)] for field in file.cut.schema],
        "dialect": cut["dialect"],
        "head": cut["head"],
        **answering.to_json(),
        "reading": {**asdict(answering.reading), "on_bad_row": None},
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode("utf-8", "surrogatepass")).hexdigest()
