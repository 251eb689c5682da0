"""Records out of physical lines, one after another; where quotes go wrong, the lines are read again one by one.

In: an open file and its dialect. Out: the cells of each record, or what is wrong with it.
It does not know the header, nor what a fault costs.
"""

import csv
import sys
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TextIO

from limbeck.data.decoding import replaced
from limbeck.data.dialect import Dialect

MAX_CELL_CHARS = 1 << 24
"""A cell longer than this is a quote that was never closed, or no text."""
_EXCERPT_CHARS = 60


@dataclass(frozen=True)
class Broken:
    """A record that cannot be read: the fault in the plural, for counts, and what is wrong with this one."""

    kind: str
    detail: str


class Records:
    """Iterates over the records of a file.

    A wrong quote can swallow lines. They are not lost: the line in which the record began is the broken one, and those
    after it are read again, each for itself. `lines_of_record` is how many lines the last record took.
    """

    def __init__(self, file: TextIO, dialect: Dialect) -> None:
        # The csv module's limit is one for the whole process; it is never lowered.
        csv.field_size_limit(max(csv.field_size_limit(), min(MAX_CELL_CHARS, sys.maxsize)))
        self._file = file
        self.dialect = dialect
        self._again: deque[str] = deque()
        self._taken: list[str] = []
        self._half: str | None = None
        self.lines_read = 0
        self.marks = 0
        self.lines_of_record = 0

    def __iter__(self) -> Iterator[list[str] | Broken]:
        reader = self.dialect.reader(self._lines())
        taken = self._taken
        while True:
            taken.clear()
            try:
                row = next(reader, None)
            except csv.Error as error:
                yield self._broken(str(error))
                reader = self.dialect.reader(self._lines())
                continue
            if row is None:
                return
            self.lines_of_record = len(taken)
            if self._half is not None and len(taken) == 1 and taken[0] is self._half:
                self._half = None
                yield Broken(
                    "rows with a stray double quote",
                    f"ends a cell that a quote opened in a row before, or has a quote too many: {_start(taken[0])}",
                )
                continue
            yield row

    def _lines(self) -> Iterator[str]:
        while True:
            if self._again:
                line = self._again.popleft()
            else:
                line = self._file.readline()
                if not line:
                    return
                self.lines_read += 1
                if line[0] == "\ufeff":
                    # Files that were laid end to end, each with its mark.
                    line, self.marks = line.lstrip("\ufeff"), self.marks + 1
            self._taken.append(line)
            yield line

    def _broken(self, error: str) -> Broken:
        """Say what is wrong, and give back the lines that belong to no one."""
        lines = self._taken[:]
        self.lines_of_record = 1
        if "new-line character" in error:
            self.lines_of_record = len(lines)
            return Broken(
                "rows with a lone carriage return",
                "holds a carriage return (\\r) that ends no line, outside double quotes: replace it by a space, or put "
                f"the text in double quotes: {_start(lines[-1])}",
            )
        if "field limit" in error and len(lines) == 1:
            return Broken(
                "rows with a cell of more than 16 MiB",
                f"has a cell of more than {csv.field_size_limit():,} characters, the limit of a cell "
                f"(the line has {len(lines[0]):,}): cut the text, or take the row out: {_start(lines[0])}",
            )
        self._again.extendleft(reversed(lines[1:]))
        if "field limit" in error or "unexpected end" in error:
            return Broken(
                "rows with a double quote that is never closed",
                "a double quote that opens here is never closed, so the rest of the file would be one cell: close it, "
                f"or double it if it belongs to the text: {_start(lines[0])}",
            )
        if len(lines) > 1 and lines[-1].count('"') % 2:
            self._half = lines[-1]
        return Broken(
            "rows with a stray double quote",
            f"a closing double quote is followed by other characters ({error}): double the quotes that belong to the "
            f"text, and put no space before a quote that opens a cell: {_start(lines[0])}",
        )


def _start(line: str) -> str:
    return repr(replaced(line[:_EXCERPT_CHARS].rstrip("\r\n")))
