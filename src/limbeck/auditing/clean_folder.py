"""A cleaning on disk: the new dataset, the log of what went, and the counts.

In: a `Cleaning`. Out: a folder with `data/` (one Parquet file a split), `removed.jsonl` (one line a removed row) and
`clean.json`. The folder is whole or absent.
It does not know why rows went.
"""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from limbeck.auditing.clean import Cleaning
from limbeck.data.write import write
from limbeck.settings import CleanSettings
from limbeck.storage import staged_folder, write_json, write_text

DATA_NAME = "data"
REMOVED_NAME = "removed.jsonl"
COUNTS_NAME = "clean.json"


def counts_of(cleaning: Cleaning, settings: CleanSettings) -> dict[str, Any]:
    """Return the value of clean.json: `rows_in` is always `rows_out` and `rows_removed` together."""
    rows_out = len(cleaning.dataset)
    return {
        "source": cleaning.dataset.source,
        "settings": asdict(settings),
        "rows_in": rows_out + cleaning.removed.num_rows,
        "rows_out": rows_out,
        "rows_removed": cleaning.removed.num_rows,
        "removed_by_kind": cleaning.counts,
        "splits_out": cleaning.dataset.split_sizes(),
        "notes": [asdict(note) for note in cleaning.dataset.notes],
    }


def write_cleaning(cleaning: Cleaning, settings: CleanSettings, folder: Path) -> None:
    """Write a cleaning.

    Raises:
        StorageError: the folder is there already and not empty, or cannot be written.
    """
    with staged_folder(folder) as staged:
        write(cleaning.dataset, staged / DATA_NAME)
        lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in cleaning.removed.to_pylist())
        write_text(staged / REMOVED_NAME, "".join(lines))
        write_json(staged / COUNTS_NAME, counts_of(cleaning, settings))
