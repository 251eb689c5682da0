"""A file without a suffix: which format its first lines look like.

In: a file. Out: a `RawTable` from that format's reader, with a note of how the file was understood.
Only a file that was given by name comes here: in a folder, files without a suffix are no data.
"""

import csv
import json
from itertools import islice

from limbeck.data.bad_rows import BadRows
from limbeck.data.columns import has_text_column
from limbeck.data.decoding import open_text
from limbeck.data.delimited import read_delimited
from limbeck.data.json_lines import read_json, read_json_lines
from limbeck.data.raw import RawTable, Reader, SourceFile
from limbeck.data.text_lines import read_lines
from limbeck.progress import Advance
from limbeck.settings import ReadSettings

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
        return read_json, "JSON"
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
