r"""How a table of text parts its cells: by which character, and what double quotes and line ends mean in it.

In: a file, decoded. Out: a `Dialect`, with a note where the file did not say it plainly.
RFC 4180 is the rule: a cell in double quotes may hold separators and line ends, a quote in it is doubled. But many
files of tabs quote nothing, some programs write `\"`, and people write a space after the comma.
"""

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TextIO

from limbeck.data.clean_csv import has_plain_quotes, plain_quotes
from limbeck.data.columns import has_usual_name
from limbeck.data.decoding import check_encoding, open_text

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
