"""Folders with one folder a label and one file a text, as IMDb comes.

In: a `LabelFolders`. Out: a `RawTable` with text, label and file name.
It does not know which folders there are.
"""

from pathlib import Path

import numpy as np
import pyarrow as pa

from limbeck.data.bad_rows import BadRows
from limbeck.data.decoding import CellStrings, check_encoding, decode_marked
from limbeck.data.folders import LabelFolders, text_files
from limbeck.data.raw import RawTable
from limbeck.progress import Advance
from limbeck.settings import ReadSettings
from limbeck.storage import explained

CHUNK_FILES = 2_000


def read_label_folders(source: LabelFolders, settings: ReadSettings, bad: BadRows, advance: Advance) -> RawTable:
    """Read one text a file; the label is its folder's name. Rows are numbered by folder, then by file name.

    Line ends at the end of a file are not part of its text.
    """
    encoding = check_encoding(settings.encoding)
    cells = CellStrings(str(source.path), settings.encoding, bad)
    files = [(label, file) for label, folder in source.labels.items() for file in text_files(folder)]
    tables, numbers = [], []
    for start in range(0, len(files), CHUNK_FILES):
        chunk = files[start : start + CHUNK_FILES]
        contents = [_content(file) for _, file in chunk]
        columns = {
            "text": [decode_marked(content, encoding).removeprefix("\ufeff").rstrip("\r\n") for content in contents],
            "label": [label for label, _ in chunk],
            "file": [file.relative_to(source.path).as_posix() for _, file in chunk],
        }
        chunk_numbers = range(start + 1, start + len(chunk) + 1)
        arrays, dropped = cells.convert(columns, chunk_numbers)
        keep = pa.array(np.isin(np.arange(len(chunk)), sorted(dropped), invert=True))
        tables.append(pa.table(arrays).filter(keep))
        numbers.append(pa.array(chunk_numbers, pa.int64()).filter(keep))
        advance(sum(map(len, contents)))
    table = pa.concat_tables(tables)
    if None in source.labels:
        table = table.drop_columns("label")
    return RawTable(
        name=str(source.path),
        split=source.split,
        table=table,
        numbers=pa.chunked_array(numbers, pa.int64()).combine_chunks(),
        rows_seen=len(files),
    )


def _content(file: Path) -> bytes:
    with explained(file, doing="read"):
        return file.read_bytes()
