"""How a file of delimited text is written, and the cells of its records.

In: the beginning of a file, then its lines. Out: a `Dialect`; the cells of each record, or what is wrong with it: where
quotes go wrong, the lines are read again one by one. It does not know the header, nor what a fault costs.
"""

import csv
import re
import sys
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TextIO

import numpy as np

from limbeck.reading.columns import has_usual_name
from limbeck.reading.compression import open_bytes
from limbeck.reading.decoding import check_encoding, open_text, replaced
from limbeck.storage import explained

BLOCK_BYTES = 1 << 22
_QUOTE = ord('"')
_RETURN, _FEED = _LINE_ENDS = b"\r\n"
SEPARATORS = (",", ";", "\t", "|")
_SEP_LINE = re.compile(r'"?sep=(.)"?[,;\t|]*\s*', re.IGNORECASE)
_QUOTED = re.compile(r'"(?:[^"]|"")*"')
_WRAPPED = re.compile(r'"((?:[^"]|"")*)"')
_ESCAPED = re.compile(r'(?<!\\)((?:\\\\)*)\\"')


@dataclass(frozen=True, kw_only=True)
class Dialect:
    r"""How one file parts its cells.

    Attributes:
        separator: between cells.
        quotes: "csv" as RFC 4180 has them, "none" where a quote is a character like any other, "backslash" where a
            quote inside a cell is written `\"`.
        skips_space: whether a space after the separator is part of no cell.
        newline: what parts lines: "\n", or "" where a lone carriage return does too.
        sep_lines: 1 where the first line is Excel's `sep=;`, which names the separator; else 0.
        notes: how the file was understood, where it did not say so plainly.
    """

    separator: str
    quotes: Literal["csv", "none", "backslash"] = "csv"
    skips_space: bool = False
    newline: str = "\n"
    sep_lines: int = 0
    notes: tuple[str, ...] = ()

    @property
    def is_usual(self) -> bool:
        """True when Arrow reads it as this module does."""
        return self.quotes != "backslash" and not self.skips_space

    def reader(self, lines: Iterable[str]) -> Any:
        """Return a csv reader of this dialect."""
        if self.quotes == "none":
            return csv.reader(lines, delimiter=self.separator, quoting=csv.QUOTE_NONE, strict=True)
        if self.quotes == "backslash":
            lines = map(_doubled, lines)
        return csv.reader(lines, delimiter=self.separator, skipinitialspace=self.skips_space, strict=True)


def find_dialect(path: Path, encoding: str, usual: str) -> Dialect:
    """Find out how a file parts its cells.

    Args:
        path: the file.
        encoding: how it is decoded.
        usual: the separator that its name tells.
    """
    with open_text(path, encoding, newline="") as file:
        first = next((line for line in iter(file.readline, "") if line.strip()), "")
        # Where lines end in \n, a lone carriage return is part of a text.
        newline = "" if first.endswith("\r") else "\n"
        notes: list[str] = []
        sep_line = _SEP_LINE.fullmatch(first)
        if sep_line is not None:
            first = next((line for line in iter(file.readline, "") if line.strip()), "")
    separator = sep_line.group(1) if sep_line else _separator(first, usual)
    if sep_line is not None:
        notes.append(f"a first line sep={separator}, which names the separator, taken as that")
    elif usual == "\t" and separator != usual:
        notes.append(f"tables named as tab-separated, read as separated by {separator!r}, as their first lines are")
    found = Dialect(separator=separator, newline=newline, sep_lines=int(sep_line is not None))
    if separator == "\t":
        quotes, told = _tab_quotes(path, encoding, first, found)
        return _with(found, [*notes, *told], quotes=quotes)
    cells = _QUOTED.sub("", first.rstrip("\r\n")).split(separator)
    spaced = len(cells) > 1 and all(cell[:1] == " " for cell in cells[1:])
    spaces = f"a space after each {separator!r}, taken off"
    if spaced:
        return _with(found, [*notes, spaces], skips_space=True)
    if _is_plain(path, encoding, found):
        return _with(found, notes)
    if _is_plain(path, encoding, found, _doubled):
        return _with(found, [*notes, 'double quotes inside texts written as \\", read as "'], quotes="backslash")
    after = re.compile(re.escape(separator) + ' +"')
    if _is_plain(path, encoding, found, lambda line: after.sub(f'{separator}"', line)):
        return _with(found, [*notes, spaces], skips_space=True)
    return _with(found, notes)


def _with(found: Dialect, notes: Sequence[str], **changes: Any) -> Dialect:
    return Dialect(
        separator=found.separator,
        newline=found.newline,
        sep_lines=found.sep_lines,
        notes=tuple(notes),
        **changes,
    )


def _separator(header: str, usual: str) -> str:
    """Look at the header outside its quotes: the usual separator, unless another one parts it, into usual names."""
    outside = _QUOTED.sub('""', header.rstrip("\r\n"))
    there = [mark for mark in SEPARATORS if mark in outside]
    if usual in there or not there:
        names_told = [mark for mark in there if has_usual_name(_bare(header, mark))]
        return names_told[0] if names_told and usual not in names_told else usual
    told = [mark for mark in there if has_usual_name(_bare(header, mark))]
    if usual == "\t":
        # A file of one column may have any character in its name.
        return told[0] if told else usual
    return (told or there)[0]


def _bare(header: str, mark: str) -> list[str]:
    return next(csv.reader([header.strip()], delimiter=mark), [])


def _tab_quotes(path: Path, encoding: str, header: str, found: Dialect) -> tuple[Literal["csv", "none"], list[str]]:
    """Tell files of tabs that quote cells as CSV does from those in which a quote is a character of the text.

    Without quoting every line is a row. So where quotes stand that open or close no cell within their line, and each
    line has as many cells as the header, they are characters. Where every quoted cell is whole within its line, the
    rows are the same either way; then quotes around cells that need none, in a column whose other cells have none, are
    part of the text.
    """
    width = header.rstrip("\r\n").count("\t") + 1
    regular, loose, rows_seen, doubled = True, 0, 0, False
    wrapped = [0] * width
    needless = [0] * width
    if any(map(_WRAPPED.fullmatch, header.rstrip("\r\n").split("\t"))):
        return "csv", []
    with open_text(path, encoding, newline=found.newline) as file:
        for line in file:
            body = line.rstrip("\r\n")
            if not body:
                continue
            rows_seen += 1
            regular = regular and body.count("\t") + 1 == width
            if '"' not in body:
                continue
            for place, cell in enumerate(body.split("\t")[:width]):
                if '"' in cell:
                    whole = _WRAPPED.fullmatch(cell)
                    if whole is None:
                        loose += 1
                        continue
                    wrapped[place] += 1
                    doubled = doubled or '""' in whole.group(1)
                    needless[place] += not any(mark in whole.group(1) for mark in (",", ";", '"'))
    if loose:
        if not regular and _is_plain(path, encoding, found):
            return "csv", []
        return "none", ["tab-separated files in which double quotes are read as characters of the text, not as quoting"]
    mixed = [place for place in range(width) if 0 < wrapped[place] < rows_seen - 1]
    if any(needless[place] for place in mixed):
        return "none", ["tab-separated files in which double quotes are read as characters of the text, not as quoting"]
    if mixed and not doubled:
        return "csv", ["tab-separated files in which double quotes around cells are read as quoting, and taken off"]
    return "csv", []


def _is_plain(path: Path, encoding: str, found: Dialect, change: Any = None) -> bool:
    """Tell whether quotes stand at the ends of cells only, after every line was changed."""
    if change is None and check_encoding(encoding) == "utf-8":
        return has_plain_quotes(path, found.separator)
    with open_text(path, encoding, newline=found.newline) as file:
        return plain_quotes(_blocks(file, change), found.separator)


def _blocks(file: TextIO, change: Any) -> Iterator[bytes]:
    while lines := file.readlines(1 << 22):
        text = "".join(lines if change is None else map(change, lines))
        yield text.encode("utf-8", "surrogatepass")


def _doubled(line: str) -> str:
    r"""Write `\"` as `""`; a backslash that stands before no quote, or is itself escaped before one, stays."""
    return _ESCAPED.sub(r'\1""', line)


def has_plain_quotes(path: Path, separator: str) -> bool:
    """Tell whether a file's double quotes and carriage returns are those of plain CSV: see `plain_quotes`."""
    return plain_quotes(_file_blocks(path), separator)


def has_plain_lines(path: Path) -> bool:
    """Tell whether every carriage return of a file stands before a line feed."""
    return plain_quotes((block.replace(b'"', b"_") for block in _file_blocks(path)), ",")


def plain_quotes(blocks: Iterable[bytes], separator: str) -> bool:
    r"""Tell whether every double quote opens a cell, closes one, or is doubled inside one.

    Counted from the start of the file, odd quotes open and even ones close; a doubled quote closes and opens again. So
    an odd one stands at the start of a cell or after a quote, an even one at the end of a cell or before a quote. Where
    all do, every reader of CSV agrees on the cells; where one does not, the file needs the careful road. So does one
    with a carriage return outside quotes that no line feed follows: readers do not agree whether it ends a row.
    """
    around = np.zeros(256, bool)
    around[[ord(separator), _QUOTE, *_LINE_ENDS]] = True
    opened = False
    before = _LINE_ENDS[-1:]
    rest = iter(blocks)
    block = next(rest, b"")
    while block:
        following = next(rest, b"")
        content = np.frombuffer(before + block + (following[:1] or _LINE_ENDS[-1:]), np.uint8)
        places = np.flatnonzero(content[1:-1] == _QUOTE) + 1
        openings, closings = places[int(opened) :: 2], places[1 - int(opened) :: 2]
        if not (around[content[openings - 1]].all() and around[content[closings + 1]].all()):
            return False
        if b"\r" in block:
            returns = np.flatnonzero((content[1:-1] == _RETURN) & (content[2:] != _FEED)) + 1
            if not ((np.searchsorted(places, returns) + opened) % 2).all():
                return False
        opened ^= bool(len(places) % 2)
        before, block = block[-1:], following
    return not opened


def _file_blocks(path: Path) -> Iterator[bytes]:
    with explained(path, doing="read"), open_bytes(path) as file:
        if file.read(3) != b"\xef\xbb\xbf":
            file.seek(0)
        while block := file.read(BLOCK_BYTES):
            yield block


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
