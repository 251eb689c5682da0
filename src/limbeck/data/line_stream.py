"""Texts that arrive line by line: standard input, as it comes.

In: a stream of bytes. Out: the lines that are there, as soon as they are, with their numbers.
It does not know what is done with them.
"""

import codecs
from collections.abc import Iterator
from typing import Protocol

from limbeck.data.decoding import check_encoding
from limbeck.errors import DataError
from limbeck.settings import ReadSettings

READ_BYTES = 1 << 16


class Pieces(Protocol):
    """A stream that gives what is there."""

    def read1(self, size: int, /) -> bytes:
        """Return up to `size` bytes as soon as there are some; none at the end."""
        ...


class Lines:
    """The lines of a stream.

    Attributes:
        left_out: numbers of the lines that were left out, as `on_bad_row` is "skip".
    """

    def __init__(self, stream: Pieces, settings: ReadSettings) -> None:
        check_encoding(settings.encoding)
        self._stream = stream
        self._policy = settings.on_bad_row
        self.left_out: list[int] = []
        encoding = "utf-8-sig" if codecs.lookup(settings.encoding).name == "utf-8" else settings.encoding
        errors = "replace" if self._policy in ("keep-replacement", "mend") else "strict"
        self._decoder = codecs.getincrementaldecoder(encoding)(errors)
        self._encoding = settings.encoding
        self._seen = 0

    def __iter__(self) -> Iterator[list[tuple[int, str]]]:
        """Give the lines that have come, as pairs of number and text, each time that some have.

        Raises:
            DataError: a line is empty or not in the encoding; names it.
        """
        rest = ""
        while content := self._stream.read1(READ_BYTES):
            *lines, rest = (rest + self._decoded(content)).split("\n")
            yield from self._checked(lines)
        rest += self._decoded(b"", final=True)
        yield from self._checked([rest] if rest else [])

    def _decoded(self, content: bytes, *, final: bool = False) -> str:
        try:
            return self._decoder.decode(content, final)
        except UnicodeDecodeError as error:
            raise DataError(
                f"standard input is not {self._encoding}, after line {self._seen:,} ({error.reason}): give --encoding, "
                "or --on-bad-row keep-replacement"
            ) from error

    def _checked(self, lines: list[str]) -> Iterator[list[tuple[int, str]]]:
        """Give the lines that hold a text; those before a fault are given first."""
        good = []
        fault = None
        for line in lines:
            self._seen += 1
            text = line.removesuffix("\r")
            if text.strip():
                good.append((self._seen, text))
            elif self._policy == "skip":
                self.left_out.append(self._seen)
            else:
                fault = f"line {self._seen:,} of standard input is empty: take it out, or give --on-bad-row skip"
                break
        if good:
            yield good
        if fault is not None:
            raise DataError(fault)
