"""Compressed files of text, read as what they hold: .gz and .zst.

In: a path. Out: its bytes, unpacked as they are read; they can be sought too, but only by reading on from the start. It
does not know what the bytes mean.
"""

import io
from pathlib import Path
from typing import BinaryIO, cast

import pyarrow as pa

from limbeck.remote_files import RemotePath

CODECS = {".gz": "gzip", ".zst": "zstd"}
"""Suffix → the codec's name."""
_SKIPPED_BYTES = 1 << 22


def open_bytes(path: Path) -> BinaryIO:
    """Open a file for reading, unpacked where its suffix says that it is compressed.

    Raises:
        OSError: it is not there, or not readable.
    """
    codec = CODECS.get(path.suffix.lower())
    if codec is None:
        return path.open("rb")
    return cast("BinaryIO", io.BufferedReader(_Unpacked(path, codec), _SKIPPED_BYTES))


def inner_suffix(path: Path) -> str:
    """Return the suffix that tells the format, in lower case: of reviews.csv.gz it is .csv.

    Example:
        >>> inner_suffix(Path("reviews.CSV.gz")), inner_suffix(Path("reviews.parquet"))
        ('.csv', '.parquet')
    """
    suffix = path.suffix.lower()
    return Path(path.stem).suffix.lower() if suffix in CODECS else suffix


class _Unpacked(io.RawIOBase):
    """The unpacked bytes of a file."""

    def __init__(self, path: Path, codec: str) -> None:
        self._path, self._codec = path, codec
        self._open()

    def _open(self) -> None:
        if isinstance(self._path, RemotePath):
            packed = self._path.open("rb")
        else:
            with self._path.open("rb"):
                pass  # what Arrow says of a file that is not there has no number, and no advice
            packed = pa.OSFile(str(self._path))
        self._stream = pa.CompressedInputStream(packed, self._codec)
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: "memoryview[int]") -> int:  # type: ignore[override]  # any buffer that is asked for
        content = self._stream.read(len(buffer))
        buffer[: len(content)] = content
        self._position += len(content)
        return len(content)

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        target = offset + (self._position if whence == io.SEEK_CUR else 0)
        if whence == io.SEEK_END:
            raise io.UnsupportedOperation("the size of what is compressed is not known")
        if target < self._position:
            self._stream.close()
            self._open()
        while self._position < target:
            passed = len(self._stream.read(min(_SKIPPED_BYTES, target - self._position)))
            if not passed:
                break
            self._position += passed
        return self._position

    def close(self) -> None:
        if not self.closed:
            self._stream.close()
        super().close()
