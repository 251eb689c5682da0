"""Bytes to characters: codecs by name, and bytes that do not decode found cell by cell.

In: a path and a codec name. Out: an open text file in which bytes that do not decode have become a mark, and Arrow
strings made of cells, with the marks found. It does not know rows, columns or formats.
"""

import codecs
import encodings.aliases
import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import TextIO

import pyarrow as pa

from limbeck.data.bad_rows import BadRows, place_of
from limbeck.errors import SettingsError
from limbeck.storage import explained

MARK = "\udcff"
"""Stands for bytes that did not decode: half of a surrogate pair, which no valid decoding gives."""
REPLACEMENT = "\ufffd"

_MARKING = "limbeck.mark"
_BROKEN = re.compile("[\ud800-\udfff]")
_USUAL = ("utf-8", "utf-16", "cp949", "euc-kr", "latin-1", "cp1252", "shift_jis", "gb18030", "big5")
_EXCERPT_CHARS = 20


def check_encoding(name: str) -> str:
    """Return a codec's own name for any of its usual spellings.

    Raises:
        SettingsError: Python has no such text codec; names the nearest.
    """
    try:
        # Some codecs turn bytes into bytes; only decoding something tells them apart.
        b"\0\0\0\0".decode(name, "ignore")
        return codecs.lookup(name).name
    except (LookupError, UnicodeError, ValueError):
        known = {*_USUAL, *encodings.aliases.aliases, *encodings.aliases.aliases.values()}
        near = get_close_matches(name.lower().replace(" ", "_"), known, n=3, cutoff=0.5)
        raise SettingsError(
            f"encoding {name!r} is not known; {'near ones: ' + ', '.join(near) if near else 'usual ones'}"
            f"{'' if near else ': ' + ', '.join(_USUAL)}. Give the name of a Python text codec"
        ) from None


def open_text(path: Path, encoding: str, *, newline: str = "") -> TextIO:
    r"""Open a text file with line ends as they are, its byte-order marks taken off, undecodable bytes become `MARK`.

    Args:
        path: the file.
        encoding: how it is decoded.
        newline: what ends a line: "" for \n, \r\n and a lone \r, "\n" for line feeds only.

    Raises:
        StorageError: the file cannot be opened.
    """
    codecs.register_error(_MARKING, _mark)
    with explained(path, doing="read"):
        file = path.open(encoding=check_encoding(encoding), errors=_MARKING, newline=newline)
        start = file.tell()
        # A tool that adds a mark to a file that has one leaves two.
        while file.read(1) == "\ufeff":
            start = file.tell()
        file.seek(start)
    return file


def decode_marked(content: bytes, encoding: str = "utf-8") -> str:
    """Decode bytes; those that do not decode become `MARK`."""
    codecs.register_error(_MARKING, _mark)
    return content.decode(encoding, _MARKING)


def position_of(file: TextIO) -> int:
    """Return how many bytes of the file have been taken from the disk."""
    return file.buffer.tell()


class CellStrings:
    """Turns chunks of Python strings into Arrow strings, and meets undecodable bytes as the policy says."""

    def __init__(self, file: str, encoding: str, bad: BadRows, *, files: Sequence[str] = ()) -> None:
        self._file = file
        self._files = files
        self._encoding = encoding
        self._bad = bad

    def convert(
        self, columns: Mapping[str, Sequence[str | None]], numbers: Sequence[int]
    ) -> tuple[dict[str, pa.Array], set[int]]:
        """Return each column as an Arrow array, and the positions of the rows to leave out.

        Shapes: every column and `numbers` (R,).
        """
        arrays: dict[str, pa.Array] = {}
        broken: dict[int, str] = {}
        for name, values in columns.items():
            try:
                arrays[name] = pa.array(values, pa.large_string())
            except UnicodeEncodeError:
                cells = [place for place, value in enumerate(values) if value is not None and is_broken(value)]
                self._report(name, values, numbers, cells, broken)
                arrays[name] = pa.array([replaced(value) for value in values], pa.large_string())
        rows = sorted(broken)
        if self._bad.mends:
            self._bad.mend("rows with undecodable bytes, kept with U+FFFD", rows, broken.__getitem__)
        elif self._bad.skips:
            self._bad.reject("rows with undecodable bytes", rows, broken.__getitem__)
            return arrays, set(rows)
        return arrays, set()

    def _report(
        self,
        column: str,
        values: Sequence[str | None],
        numbers: Sequence[int],
        cells: list[int],
        broken: dict[int, str],
    ) -> None:
        """Describe the cells at fault: gathered at once under "error", or one a row in `broken`."""

        def describe(position: int) -> str:
            where = place_of(self._file, numbers[position], column, self._files)
            return f"{where}: {self._describe(values[position] or '')}"

        if self._bad.policy == "error":
            self._bad.reject("rows with undecodable bytes", cells, describe)
            return
        for position in cells:
            broken.setdefault(position, describe(position))

    def _describe(self, value: str) -> str:
        found = _BROKEN.search(value)
        start = found.start() if found else 0
        excerpt = value[max(0, start - _EXCERPT_CHARS) : start + _EXCERPT_CHARS]
        shown = _BROKEN.sub(REPLACEMENT, excerpt)
        if found and found.group() != MARK:
            return f"has half of a \\u pair at character {start + 1:,}: {shown!r}"
        return f"has bytes that are not {self._encoding} at character {start + 1:,}: {shown!r}"


def is_broken(value: str) -> bool:
    """Tell whether a string holds a mark, or half of a surrogate pair."""
    return _BROKEN.search(value) is not None


def replaced(value: str | None) -> str | None:
    """Return a string with each mark, or half of a surrogate pair, become U+FFFD."""
    return None if value is None else _BROKEN.sub(REPLACEMENT, value)


def _mark(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return MARK, error.end
