"""Which suffix is which format, and what is refused by name.

In: a path. Out: the reader for it, or an error that says what is read and why this is not.
It does not know what readers do.
"""

import csv
import json
import zipfile
from difflib import get_close_matches
from itertools import islice
from pathlib import Path

from limbeck.errors import DataError, StorageError
from limbeck.progress import Advance
from limbeck.reading.bad_rows import BadRows
from limbeck.reading.columnar import read_arrow, read_parquet
from limbeck.reading.columns import has_text_column
from limbeck.reading.decoding import open_text
from limbeck.reading.delimited import read_delimited
from limbeck.reading.json_files import read_json_file, read_json_lines
from limbeck.reading.plain_text import read_lines
from limbeck.reading.raw import RawTable, Reader, SourceFile
from limbeck.reading.workbook import read_workbook
from limbeck.remote_files import refuse_remote
from limbeck.settings import ReadSettings
from limbeck.storage import GIT_LFS_ADVICE, GIT_LFS_HEAD, explained

_LOOKED_AT = 20


def read_by_content(source: SourceFile, settings: ReadSettings, bad: BadRows, advance: Advance) -> RawTable:
    """Read a file of text whose name does not tell its format.

    Raises:
        DataError: as the reader that is chosen.
    """
    reader, what = _reader(source, settings)
    bad.note(f"files without a suffix, read by their content as {what}", 1, source.name)
    return reader(source, settings, bad, advance)


def _reader(source: SourceFile, settings: ReadSettings) -> tuple[Reader, str]:
    with open_text(source.path, settings.encoding) as file:
        lines = [line for line in islice(iter(file.readline, ""), _LOOKED_AT) if line.strip()]
    first = lines[0].strip() if lines else ""
    if first[:1] == "{" and _is_json(first):
        return read_json_lines, "JSONL"
    if first[:1] in ("{", "["):
        return read_json_file, "JSON"
    if lines and all("\t" in line for line in lines):
        return read_delimited, "tab-separated"
    if any(has_text_column(next(csv.reader([first], delimiter=mark)), settings) and mark in first for mark in ",;|"):
        return read_delimited, "CSV"
    return read_lines, "text, one row per line"


def _is_json(line: str) -> bool:
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True


READERS: dict[str, Reader] = {
    ".csv": read_delimited,
    ".tsv": read_delimited,
    ".tab": read_delimited,
    ".txt": read_lines,
    ".jsonl": read_json_lines,
    ".ndjson": read_json_lines,
    ".json": read_json_file,
    ".parquet": read_parquet,
    ".arrow": read_arrow,
    ".feather": read_arrow,
    ".xlsx": read_workbook,
    ".xlsm": read_workbook,
}
READ_SUFFIXES = frozenset(READERS)
COLUMNAR = frozenset((".parquet", ".arrow", ".feather", ".xlsx", ".xlsm"))
"""Files that say themselves how they are encoded."""

_PICKLE = "a pickle, which can run any code when opened, so limbeck never opens one: save the rows as Parquet or CSV"
_IMAGE = "an image: limbeck reads texts"
_ARCHIVE = "an archive: unpack it first"
_SHEET = "a spreadsheet: save it as .xlsx or as CSV (UTF-8)"
_DOCUMENT = "a document: save its rows as CSV"
_WEIGHTS = "a file of arrays or weights, not of texts"
_DATABASE = "a database: export the rows as CSV or Parquet"

REFUSED: dict[str, str] = {
    **dict.fromkeys((".pkl", ".pickle", ".joblib"), _PICKLE),
    **dict.fromkeys((".png", ".jpg", ".jpeg", ".gif", ".bmp", ".webp", ".tif", ".tiff", ".svg"), _IMAGE),
    **dict.fromkeys((".zip", ".gz", ".bz2", ".xz", ".zst", ".tar", ".tgz", ".7z", ".rar"), _ARCHIVE),
    **dict.fromkeys((".xls", ".xlsb", ".ods", ".numbers"), _SHEET),
    **dict.fromkeys((".pdf", ".doc", ".docx", ".hwp", ".hwpx"), _DOCUMENT),
    **dict.fromkeys((".npy", ".npz", ".pt", ".pth", ".bin", ".safetensors", ".onnx", ".h5"), _WEIGHTS),
    **dict.fromkeys((".db", ".sqlite", ".sqlite3", ".duckdb"), _DATABASE),
}
"""Suffix → what it is and what to do instead."""

_ZIP = b"PK\x03\x04"
_WORKBOOK_PARTS = frozenset(("xl/workbook.xml", "[Content_Types].xml"))
_WEB_PAGES = (b"<!doctype html", b"<html", b"<head", b"<body")
_START_BYTES = 1024
_SIGNATURES: tuple[tuple[bytes, str], ...] = (
    (b"\x1f\x8b", _ARCHIVE),
    (b"BZh", _ARCHIVE),
    (b"\xfd7zXZ\0", _ARCHIVE),
    (b"\x28\xb5\x2f\xfd", _ARCHIVE),
    (b"\x89PNG", _IMAGE),
    (b"\xff\xd8\xff", _IMAGE),
    (b"GIF8", _IMAGE),
    (b"%PDF", _DOCUMENT),
    (
        b"\xd0\xcf\x11\xe0",
        "a file of old Excel or Word, or one with a password: save it as CSV (UTF-8) or .xlsx without one",
    ),
    (b"{\\rtf", _DOCUMENT),
    (b"SQLite format 3\0", _DATABASE),
    *((bytes([0x80, protocol]), _PICKLE) for protocol in range(2, 6)),
)
_COLUMNAR_SIGNATURES = (
    (b"PAR1", "a Parquet file: name it .parquet"),
    (b"ARROW1", "an Arrow file: name it .arrow"),
)


def reader_of(path: Path) -> Reader:
    """Return the reader for a file's suffix; a file without one is read by its content.

    Raises:
        DataError: the suffix is not read, or of something that is refused.
    """
    suffix = path.suffix.lower()
    if not suffix:
        return read_by_content
    if suffix in READERS:
        return READERS[suffix]
    if suffix in REFUSED:
        raise DataError(f"{path} is not read: it is {REFUSED[suffix]}")
    raise DataError(
        f"{path} is not read: the suffix {suffix!r} is not known. Read are {', '.join(READERS)}, and folders of them"
    )


def check_readable(path: Path) -> None:
    """Check that something is there.

    Raises:
        StorageError: nothing is there (names the nearest neighbour), or it may not be read.
        SettingsError: it is in a store.
    """
    refuse_remote(
        path, doing="limbeck predict with --output FOLDER reads it there; for all else copy it to this machine"
    )
    with explained(path, doing="read"):
        if path.exists():
            return
        near: list[str] = []
        if path.parent.is_dir():
            near = get_close_matches(path.name, [entry.name for entry in path.parent.iterdir()], n=1, cutoff=0.5)
    hint = f"did you mean {path.parent / near[0]}?" if near else "check the path; 'sample' is the embedded sample"
    raise StorageError(f"cannot read {path}: there is no such file or folder; {hint}")


def check_signature(path: Path) -> None:
    """Refuse a file that is empty or begins as something else does.

    Raises:
        DataError: says what it is.
    """
    with explained(path, doing="read"), path.open("rb", buffering=0) as file:
        start = file.read(_START_BYTES)
    if not start:
        raise DataError(f"{path} is empty: rows with a text were expected")
    for signature, what in (*_SIGNATURES, *(() if path.suffix.lower() in COLUMNAR else _COLUMNAR_SIGNATURES)):
        if start.startswith(signature):
            raise DataError(f"{path} is not what its name says: it is {what}")
    if start.startswith(_ZIP) and (what := _zip_told(path)) is not None:
        raise DataError(f"{path} is not what its name says: it is {what}")
    if start.startswith(GIT_LFS_HEAD):
        raise DataError(f"{path} is {GIT_LFS_ADVICE}")
    if start.lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith(_WEB_PAGES):
        raise DataError(
            f"{path} is not what its name says: it is a web page (HTML): download the file itself (on GitHub: Raw)"
        )


def _zip_told(path: Path) -> str | None:
    """Say what a zip file is; None where its name says so."""
    try:
        with zipfile.ZipFile(path) as archive:
            is_workbook = set(archive.namelist()) >= _WORKBOOK_PARTS
    except (zipfile.BadZipFile, ValueError, EOFError):
        return "a damaged archive (zip)"
    if not is_workbook:
        return "an archive (zip): unpack it first"
    return None if path.suffix.lower() in (".xlsx", ".xlsm") else "an Excel workbook: name it .xlsx"
