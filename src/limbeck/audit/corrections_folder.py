"""Corrections on disk: the new dataset, the log of every change, the counts.

In: a `Corrections`. Out: a folder with `data/` (one Parquet file a split), `changes.csv` (one row a changed label, made
for spreadsheets) and `labels.json`. The folder is whole or absent. It does not know why labels were changed.
"""

import csv
import io
from pathlib import Path
from typing import Any

from limbeck.audit.corrections import CHANGES_SCHEMA, Corrections
from limbeck.data.write import write
from limbeck.evaluation.spreadsheet import neutralise
from limbeck.storage import staged_folder, write_bytes, write_json

DATA_NAME = "data"
CHANGES_NAME = "changes.csv"
COUNTS_NAME = "labels.json"


def write_corrections(corrections: Corrections, folder: Path, *, facts: dict[str, Any]) -> None:
    """Write corrections; `facts` are said in labels.json beside the counts.

    Raises:
        StorageError: the folder is there already and not empty, or cannot be written.
        DataError: a split has a name that cannot be a file's.
    """
    content = io.StringIO()
    writer = csv.writer(content, lineterminator="\r\n")
    writer.writerow(CHANGES_SCHEMA.names)
    for row in corrections.changes.to_pylist():
        writer.writerow([neutralise(str(value or "")) for value in row.values()])
    with staged_folder(folder) as staged:
        write(corrections.dataset, staged / DATA_NAME)
        write_bytes(staged / CHANGES_NAME, content.getvalue().encode("utf-8-sig", "replace"))
        write_json(staged / COUNTS_NAME, {**facts, **corrections.to_dict()})
