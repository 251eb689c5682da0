"""Audit counts, opened: rows are counted, without a model, and a part holds counts and keys of texts.

In: a dataset, some rows at a time. Out: a sorted table of keys, with the other counts in its metadata. It does not know
units or files, nor what is made of the counts (see `audited_parts`).
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from limbeck.auditing.row_counts import RowCounts, counts_of_json, counts_of_rows, joined_keys, text_keys
from limbeck.auditing.rows import RowColumns, row_columns_of
from limbeck.data.dataset import Dataset
from limbeck.progress import Progress
from limbeck.scale.audited_parts import COUNTED_ROWS
from limbeck.scale.opened_work import MadeWith, PieceAnswers
from limbeck.scale.work import AuditCounts
from limbeck.setting_tables import build
from limbeck.settings import Device, EngineName, ReadSettings
from limbeck.task import task_named

COUNTS_FORMAT = "1"
"""Is counted up when the same rows give other counts or keys."""
GROUP_ROWS = 4_096
"""Keys of a row group: a merge reads those groups that hold the keys it is at."""


@dataclass(frozen=True, kw_only=True, eq=False)
class AuditWork:
    """Counting; it needs nothing.

    Attributes:
        made_with: no model.
    """

    made_with: MadeWith

    def reading(self, given: Mapping[str, Any]) -> ReadSettings:
        """Return how rows are read that may be faulty; the task is said, since some rows alone do not tell it.

        Raises:
            SettingsError: rows have numbers.
        """
        own = ReadSettings(task="single", on_bad_row="mend", labels="optional")
        found = build(ReadSettings, asdict(own), given, where="flags")
        task_named(found.task or "single").require(
            ("single", "ordinal", "multi"),
            doing="limbeck audit into a folder of parts",
            todo="Audit as many rows as memory holds, in one file",
        )
        return found

    def count_tokens(self, texts: Sequence[str]) -> int:
        """Return how many characters texts have, which is what counting depends on."""
        return sum(map(len, texts)) + len(texts)

    def compute(self, texts: Sequence[str]) -> object:
        """Count texts."""
        columns = RowColumns(
            text=pa.array(texts, pa.large_string()),
            plain=pa.array(texts, pa.large_string()),
            label=np.full(len(texts), -1, np.int64),
            label_names=(),
            split=np.zeros(len(texts), np.int64),
            split_names=("train",),
            row_id=pa.array([""] * len(texts), pa.large_string()),
        )
        return counts_of_rows(columns), joined_keys([text_keys(columns)])

    def answer(self, dataset: Dataset, others: pa.Table | None) -> PieceAnswers:
        """Count some rows."""
        del others
        columns = row_columns_of(dataset)
        counts = json.dumps(counts_of_rows(columns).to_json())
        return PieceAnswers(table=text_keys(columns).replace_schema_metadata({COUNTED_ROWS: counts}), count_cut=0)

    def joined(self, tables: Iterator[pa.Table]) -> Iterator[pa.Table]:
        """Give the keys of all of them, sorted, a row group at a time."""
        counts, keys = RowCounts(), []
        for table in tables:
            counts.add(counts_of_json(json.loads(table.schema.metadata[COUNTED_ROWS])))
            keys.append(table.replace_schema_metadata(None))
        found = joined_keys(keys).replace_schema_metadata({COUNTED_ROWS: json.dumps(counts.to_json())})
        for start in range(0, len(found), GROUP_ROWS):
            yield found.slice(start, GROUP_ROWS)


def open_audit_counts(
    work: AuditCounts, model: str, *, device: Device, engine: EngineName | None, progress: Progress
) -> AuditWork:
    """Open counting; there is no model, so that all but the work itself has no meaning."""
    del work, model, device, engine, progress
    return AuditWork(made_with=MadeWith(model="", bundle="", engine=None, build=COUNTS_FORMAT, device="cpu"))
