"""Raw texts, one after another, from files that may be larger than memory.

In: a file of any format that is read, or a folder of them. Out: texts in chunks. Labels are not looked at. A text of
nothing but white space is left out and counted. Parquet, JSON lines and text files may be larger than memory; files of
other formats are held one at a time.
"""

import codecs
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from limbeck.data.dataset import ReadNote
from limbeck.errors import DataError, SettingsError
from limbeck.reading.bad_rows import BadRows
from limbeck.reading.columns import find_columns
from limbeck.reading.decoding import check_encoding, is_broken, open_text
from limbeck.reading.folders import LEFT_BEHIND, NO_DATA
from limbeck.reading.formats import READ_SUFFIXES, READERS, check_signature, reader_of
from limbeck.reading.json_files import BYTE_ORDER_MARK, parse_json
from limbeck.reading.raw import SourceFile
from limbeck.settings import ReadSettings
from limbeck.storage import explained, sha256_of

CHUNK_TEXTS = 4096


@dataclass(frozen=True)
class TextStream:
    """Files of raw texts, in the order in which they are read.

    Attributes:
        files: of any format that is read; a text file has a text on each line.
        text_column: its name; found by its usual names when not given.
        encoding: of files of text.
        notes: what lies beside them and is not read.
    """

    files: tuple[Path, ...]
    text_column: str | None = None
    encoding: str = "utf-8"
    notes: tuple[ReadNote, ...] = ()

    @property
    def size_bytes(self) -> int:
        """Of all files together."""
        with explained(self.files[0].parent, doing="read"):
            return sum(file.stat().st_size for file in self.files)

    def fingerprint(self) -> list[str]:
        """Return the SHA-256 of each file, in order."""
        return [sha256_of(file) for file in self.files]

    def chunks(self) -> Iterator[list[str]]:
        """Yield the texts, some thousand at a time; each chunk is of one file.

        Raises:
            DataError: a file is damaged, or a row has no text; names file and row.
            StorageError: a file cannot be read.
        """
        readers = {
            ".parquet": self._parquet,
            ".jsonl": self._json_lines,
            ".ndjson": self._json_lines,
            ".txt": self._lines,
        }
        for file in self.files:
            check_signature(file)
            with explained(file, doing="read"):
                yield from readers.get(file.suffix.lower(), self._table)(file)

    def _table(self, path: Path) -> Iterator[list[str]]:
        """Read a file of another format whole, as `limbeck.read` does."""
        bad = BadRows("error")
        settings = ReadSettings(text_column=self.text_column, encoding=self.encoding, labels="ignored")
        raw = reader_of(path)(SourceFile(path=path, name=str(path), split="unsupervised"), settings, bad, _unfollowed)
        bad.raise_gathered(str(path))
        texts = raw.table[self._column(raw.table.column_names, path)].to_pylist()
        for row, text in zip(raw.numbers.to_pylist(), texts, strict=True):
            _require_text(text, path, row)
        for start in range(0, len(texts), CHUNK_TEXTS):
            yield texts[start : start + CHUNK_TEXTS]

    def _parquet(self, path: Path) -> Iterator[list[str]]:
        try:
            with pq.ParquetFile(path) as file:
                name = self._column(file.schema_arrow.names, path)
                row = 0
                for batch in file.iter_batches(CHUNK_TEXTS, columns=[name]):
                    texts = batch.column(0).to_pylist()
                    for place, text in enumerate(texts, row + 1):
                        _require_text(text, path, place)
                    row += len(texts)
                    yield texts
        except pa.ArrowException as error:
            raise DataError(f"{path} is not a whole Parquet file: {error}") from error

    def _json_lines(self, path: Path) -> Iterator[list[str]]:
        chunk: list[str] = []
        name: str | None = None
        with open_text(path, self.encoding) as file:
            for row, line in enumerate(map(_without_mark, file), 1):
                if not line.strip():
                    continue
                self._require_decoded(line, path, row)
                try:
                    value = parse_json(line)
                except (ValueError, RecursionError) as error:
                    raise DataError(f"{path}, row {row:,}: not valid JSON ({error}); one object a line") from error
                if not isinstance(value, dict):
                    raise DataError(f'{path}, row {row:,}: an object such as {{"text": …}} was expected')
                name = name or self._column(list(value), path)
                _require_text(value.get(name), path, row)
                chunk.append(value[name])
                if len(chunk) == CHUNK_TEXTS:
                    yield chunk
                    chunk = []
        yield chunk

    def _lines(self, path: Path) -> Iterator[list[str]]:
        chunk: list[str] = []
        with open_text(path, self.encoding) as file:
            for row, line in enumerate(map(_without_mark, file), 1):
                self._require_decoded(line, path, row)
                chunk.append(line.rstrip("\r\n"))
                if len(chunk) == CHUNK_TEXTS:
                    yield chunk
                    chunk = []
        yield chunk

    def _require_decoded(self, line: str, path: Path, row: int) -> None:
        if is_broken(line):
            raise DataError(f"{path}, row {row:,}: has bytes that are not {self.encoding}; give another --encoding")

    def _column(self, names: list[str], path: Path) -> str:
        reading = ReadSettings(text_column=self.text_column, labels="ignored")
        columns = find_columns(names, reading, file=str(path), split="unsupervised")
        if columns.second is not None:
            raise SettingsError(
                f"--text-column {self.text_column} names two columns: raw texts, read one after another, stand in one"
            )
        return columns.text


def open_stream(path: str | Path, *, text_column: str | None = None, encoding: str = "utf-8") -> TextStream:
    """Find the files of a stream: the one that was given, or those of a folder, by name.

    Raises:
        DataError: it is not there, or nothing in it can be streamed.

    Example:
        >>> stream = open_stream("reviews.csv")
    """
    path = Path(path)
    if not path.exists():
        raise DataError(f"{path} does not exist: give a {', '.join(READERS)} file, or a folder of them")
    found = sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]
    found = [file for file in found if not any(_is_left_behind(part) for part in file.relative_to(path).parts)]
    files = tuple(file for file in found if file.suffix.lower() in READ_SUFFIXES and file.name not in NO_DATA)
    if not files:
        raise DataError(f"{path} holds no file that can be streamed: {', '.join(READERS)} were expected")
    left = [str(file) for file in found if file not in files]
    shown = ", ".join(left[:5])
    notes = (ReadNote(what="files beside the texts, not read", rows=len(left), example=shown),) if left else ()
    return TextStream(files=files, text_column=text_column, encoding=encoding, notes=notes)


def _unfollowed(_: int, /, note: str = "") -> None:
    """Follow the reading of one file for nobody: whoever asks for chunks sees them come."""


def _is_left_behind(name: str) -> bool:
    return LEFT_BEHIND.fullmatch(name) is not None


def _without_mark(line: str) -> str:
    """Take off a byte-order mark: files that were laid end to end have one inside."""
    return line.removeprefix(BYTE_ORDER_MARK)


def _require_text(value: object, path: Path, row: int) -> None:
    if not isinstance(value, str):
        raise DataError(f"{path}, row {row:,}: {value!r} is no text; a string was expected")


READ_BYTES = 1 << 16


class ByteStream(Protocol):
    """A stream that gives what is there."""

    def read1(self, size: int, /) -> bytes:
        """Return up to `size` bytes as soon as there are some; none at the end."""
        ...


class LineStream:
    """The lines of a stream.

    Attributes:
        left_out: numbers of the lines that were left out, as `on_bad_row` is "skip".
    """

    def __init__(self, stream: ByteStream, settings: ReadSettings) -> None:
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
