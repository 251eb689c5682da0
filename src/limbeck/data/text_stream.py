"""Raw texts, one after another, from files that may be larger than memory.

In: a Parquet, JSONL or text file, or a folder of them. Out: texts in chunks. Labels are not looked at. A text of
nothing but white space is left out and counted.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from limbeck.data.columns import find_columns
from limbeck.errors import DataError
from limbeck.settings import ReadSettings
from limbeck.storage import explained, sha256_of

STREAMED = (".parquet", ".jsonl", ".txt")
CHUNK_TEXTS = 4096


@dataclass(frozen=True)
class TextStream:
    """Files of raw texts, in the order in which they are read.

    Attributes:
        files: Parquet, JSONL or text (a text a line).
        text_column: its name; found by its usual names when not given.
        encoding: of JSONL and text files.
    """

    files: tuple[Path, ...]
    text_column: str | None = None
    encoding: str = "utf-8"

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
        readers = {".parquet": self._parquet, ".jsonl": self._json_lines, ".txt": self._lines}
        for file in self.files:
            with explained(file, doing="read"), _explained_encoding(file, self.encoding):
                yield from readers[file.suffix](file)

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
        with path.open(encoding=self.encoding) as file:
            for row, line in enumerate(file, 1):
                if not line.strip():
                    continue
                try:
                    value = json.loads(line)
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
        with path.open(encoding=self.encoding) as file:
            for line in file:
                chunk.append(line.rstrip("\r\n"))
                if len(chunk) == CHUNK_TEXTS:
                    yield chunk
                    chunk = []
        yield chunk

    def _column(self, names: list[str], path: Path) -> str:
        reading = ReadSettings(text_column=self.text_column, labels="ignored")
        return find_columns(names, reading, file=str(path), split="unsupervised").text


def open_stream(path: Path, *, text_column: str | None = None, encoding: str = "utf-8") -> TextStream:
    """Find the files of a stream: the one that was given, or those of a folder, by name.

    Raises:
        DataError: it is not there, or nothing in it can be streamed.
    """
    if not path.exists():
        raise DataError(f"{path} does not exist: give a {', '.join(STREAMED)} file, or a folder of them")
    found = sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]
    files = tuple(file for file in found if file.suffix in STREAMED)
    if not files:
        raise DataError(f"{path} holds no file that can be streamed: {', '.join(STREAMED)} were expected")
    return TextStream(files=files, text_column=text_column, encoding=encoding)


def _require_text(value: object, path: Path, row: int) -> None:
    if not isinstance(value, str):
        raise DataError(f"{path}, row {row:,}: {value!r} is no text; a string was expected")


@contextmanager
def _explained_encoding(path: Path, encoding: str) -> Iterator[None]:
    try:
        yield
    except (UnicodeDecodeError, LookupError) as error:
        raise DataError(f"{path} cannot be read as {encoding}: {error}; give another --encoding") from error
