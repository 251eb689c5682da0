"""Marked parts: the parts of a whole folder that say in their metadata what they hold.

In: a folder, the mark of a kind of work. Out: the parts and what each says. It does not know what is made of them.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from limbeck.errors import DataError
from limbeck.scale.parts_folder import PartsFolder
from limbeck.storage import explained, read_json


@dataclass(frozen=True, kw_only=True)
class MarkedPart:
    """A part.

    Attributes:
        path: where it is.
        rows: of its table.
        said: the value that stands under the mark.
    """

    path: Path
    rows: int
    said: Any


def marked_parts(out: Path, mark: bytes, *, holds: str, command: str) -> list[MarkedPart]:
    """Return the parts of a folder, in the order of the rows; none where every row was left out.

    Args:
        out: the folder, whole.
        mark: under which a part's metadata say what it holds, as JSON.
        holds: what that is, for messages.
        command: that makes such parts.

    Raises:
        StorageError: the folder is not whole, or a part cannot be read.
        DataError: a part holds something else.
    """
    manifest = read_json(PartsFolder(out).manifest_path)
    found = []
    for path in (out / one["part"] for one in manifest["parts"] if one["part"] is not None):
        with explained(path, doing="read"):
            about = pq.read_metadata(path)
        said = (about.metadata or {}).get(mark)
        if said is None:
            raise DataError(f"{path} holds no {holds}: give a folder that {command} made")
        found.append(MarkedPart(path=path, rows=about.num_rows, said=json.loads(said)))
    return found
