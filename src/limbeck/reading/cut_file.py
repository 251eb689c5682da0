"""A file that was cut: what a piece of it is, and what must be known of the whole to read one.

In: nothing. Out: plain values, which can be written down and read again. It opens nothing.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from limbeck.reading.delimited import TableHead
from limbeck.reading.dialect import Dialect
from limbeck.reading.raw import SourceFile
from limbeck.remote_files import path_of


@dataclass(frozen=True, kw_only=True, slots=True)
class FilePiece:
    """Some rows of a file that follow each other.

    Attributes:
        first: the number of its first row in the file; 1 is the first.
        rows: how many there are.
        start: where they begin in the file's bytes, those of a compressed file unpacked; 0 in Parquet.
        stop: where they end.
        weight: bytes that tell how much there is to compute: of the texts in Parquet, of the rows elsewhere.
    """

    first: int
    rows: int
    start: int
    stop: int
    weight: int

    @property
    def last(self) -> int:
        """The number of its last row."""
        return self.first + self.rows - 1

    def with_next(self, following: "FilePiece") -> "FilePiece":
        """Return this piece and the one that follows it as one."""
        return FilePiece(
            first=self.first,
            rows=self.rows + following.rows,
            start=self.start,
            stop=following.stop,
            weight=self.weight + following.weight,
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class CutFile:
    """What is known of a whole file.

    Attributes:
        path: where it is.
        schema: its columns, by its own names, in the types that their cells are read in.
        dialect: how a table of text parts its cells; None of other formats.
        head: the header of a table of text; None of other formats.
    """

    path: Path
    schema: pa.Schema
    dialect: Dialect | None = None
    head: TableHead | None = None

    @property
    def source(self) -> SourceFile:
        """The file as readers take it."""
        return SourceFile(path=self.path, name=str(self.path), split="train")

    def to_json(self) -> dict[str, Any]:
        """Return the values as JSON has them; the schema, which files share, is not one of them."""
        return {
            "path": str(self.path),
            "dialect": None if self.dialect is None else asdict(self.dialect),
            "head": None if self.head is None else {"names": self.head.names, "written": self.head.written},
        }


def cut_file_of(values: Mapping[str, Any], schema: pa.Schema) -> CutFile:
    """Return what `CutFile.to_json` wrote."""
    dialect, head = values["dialect"], values["head"]
    return CutFile(
        path=path_of(values["path"]),
        schema=schema,
        dialect=None if dialect is None else Dialect(**{**dialect, "notes": tuple(dialect["notes"])}),
        head=None if head is None else TableHead(head["names"], head["written"], 0, []),
    )
