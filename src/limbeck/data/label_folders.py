"""Folders with one folder a label and one file a text, as IMDb comes.

In: a `LabelFolders`. Out: a `RawTable` with text, label and file name.
It does not know which folders there are.
"""

from dataclasses import replace
from pathlib import Path

from limbeck.data.bad_rows import BadRows
from limbeck.data.decoding import CellStrings, check_encoding, decode_marked
from limbeck.data.folders import LabelFolders, text_files
from limbeck.data.raw import RawRows, RawTable, SourceFile
from limbeck.progress import Advance
from limbeck.settings import ReadSettings
from limbeck.storage import explained

CHUNK_FILES = 2_000


def read_label_folders(source: LabelFolders, settings: ReadSettings, bad: BadRows, advance: Advance) -> RawTable:
    """Read one text a file; the label is its folder's name. Rows are numbered by folder, then by file name.

    Line ends at the end of a file are not part of its text.
    """
    encoding = check_encoding(settings.encoding)
    files = [(label, file) for label, folder in source.labels.items() for file in text_files(folder)]
    names = tuple(str(file) for _, file in files)
    cells = CellStrings(str(source.path), settings.encoding, bad, files=names)
    rows = RawRows()
    for start in range(0, len(files), CHUNK_FILES):
        chunk = files[start : start + CHUNK_FILES]
        contents = [_content(file) for _, file in chunk]
        columns: dict[str, list[str | None]] = {
            "text": [decode_marked(content, encoding).removeprefix("\ufeff").rstrip("\r\n") for content in contents],
            "file": [file.relative_to(source.path).as_posix() for _, file in chunk],
        }
        if None not in source.labels:
            columns["label"] = [label for label, _ in chunk]
        numbers = range(start + 1, start + len(chunk) + 1)
        arrays, dropped = cells.convert(columns, numbers)
        rows.add(arrays, numbers, dropped)
        advance(sum(map(len, contents)))
    whole = SourceFile(path=source.path, name=str(source.path), split=source.split)
    return replace(rows.finish(whole, rows_seen=len(files)), files=names)


def _content(file: Path) -> bytes:
    with explained(file, doing="read"):
        return file.read_bytes()
