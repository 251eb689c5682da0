"""RawTable: one file's rows as they stand in it, before anyone knows which column is the text.

In: what a format's reader found. Out: columns with the file's own names, and the number of each row.
It does not know labels, splits beyond the file's own name, nor what a fault is.
"""

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa

from limbeck.data.dataset import ReadNote
from limbeck.progress import Advance
from limbeck.reading.bad_rows import BadRows
from limbeck.settings import ReadSettings, TaskKind

LISTED_ROWS = 2_000
"""Rows that are held as Python lists at a time; more are slower, as the garbage collector looks at each list."""
GATHERED_ROWS = 20_000
"""Rows that are held as Python strings at a time, before they become columns."""


@dataclass(frozen=True, kw_only=True)
class SourceFile:
    """One file to read.

    Attributes:
        path: where it is.
        name: what messages call it.
        split: the split that its name, or its folder's, tells.
        label_names: column → index → name, where something beside the file says what its label integers mean.
        cells: column → what stands in each of its rows, where folders called `column=value` say so.
    """

    path: Path
    name: str
    split: str
    label_names: Mapping[str, Mapping[int, str]] = field(default_factory=dict)
    cells: Mapping[str, str | None] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class RawTable:
    """One file's rows.

    Shapes: R rows kept of the file.

    Attributes:
        name: what messages call it.
        split: the split of its rows unless a column says otherwise.
        table: R rows; columns named as in the file.
        numbers: int64 (R,), the number of each row in the file: 1 is the first data row, rows left out are counted.
        rows_seen: how many data rows the file has, those left out included.
        label_names: index → name, where the file says what its label integers mean.
        files: the file of each row by its number, where every row is a file of its own; else empty.
        odd: column → row number → what stands there, for cells that are no text in a column of texts.
        notes: what earlier readings of the same rows left out or changed, where the file keeps it.
        task: the task of its labels, where the file keeps it.
        pair: names of the two text columns, where the file says that its rows have two.
    """

    name: str
    split: str
    table: pa.Table
    numbers: pa.Array
    rows_seen: int
    label_names: Mapping[str, Mapping[int, str]] = field(default_factory=dict)
    odd: Mapping[str, Mapping[int, str]] = field(default_factory=dict)
    notes: tuple[ReadNote, ...] = ()
    task: TaskKind | None = None
    pair: tuple[str, str] | None = None
    files: tuple[str, ...] = ()


class RawRows:
    """Gathers the rows of one file chunk by chunk, without those that are left out."""

    def __init__(self) -> None:
        self.tables: list[pa.Table] = []
        self.numbers: list[pa.Array] = []

    def add(self, columns: Mapping[str, pa.Array], numbers: Sequence[int], dropped: Set[int]) -> None:
        """Add a chunk.

        Args:
            columns: name → array (R,).
            numbers: (R,) row numbers.
            dropped: positions in the chunk of rows that are left out.
        """
        # A range is made an array without its numbers ever being Python objects.
        counted = np.arange(numbers.start, numbers.stop) if isinstance(numbers, range) else numbers
        table, kept = pa.table(dict(columns)), pa.array(counted, pa.int64())
        if dropped:
            keep = pa.array([place not in dropped for place in range(len(kept))], pa.bool_())
            table, kept = table.filter(keep), kept.filter(keep)
        self.tables.append(table)
        self.numbers.append(kept)

    def finish(self, source: SourceFile, *, rows_seen: int, table: pa.Table | None = None) -> RawTable:
        """Return the rows of all chunks.

        Args:
            source: the file.
            rows_seen: how many data rows it has.
            table: the chunks laid end to end, where that took more than concatenation.
        """
        return RawTable(
            name=source.name,
            split=source.split,
            table=pa.concat_tables(self.tables) if table is None else table,
            numbers=pa.chunked_array(self.numbers, pa.int64()).combine_chunks(),
            rows_seen=rows_seen,
        )


Reader = Callable[[SourceFile, ReadSettings, BadRows, Advance], RawTable]
"""Reads one format. Raises DataError for a fault of the file as a whole; faults of rows go to `BadRows`."""
