"""Audited parts: the counts of all parts, added up, and the keys of their texts, merged, are one audit.

In: a folder that `limbeck audit` made, whole. Out: `CountedAudit` of all of its rows. Keys are digests, so they lie
evenly: a range of them holds its share of the rows of every part, and ranges are looked at one after the other.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from limbeck.auditing.counted_audit import CountedAudit, audit_of_counts
from limbeck.auditing.row_counts import TEXT_KEYS, RowCounts, counts_of_json
from limbeck.errors import DataError
from limbeck.scale.marked_parts import MarkedPart, marked_parts
from limbeck.storage import explained

COUNTED_ROWS = b"limbeck.counted_rows"
"""In the metadata of a part: JSON of its `RowCounts`."""
KEYS_AT_ONCE = 2_000_000
"""Keys that are merged at a time."""
_ALL_KEYS = 1 << 64


def audit_parts(out: Path, *, keys_at_once: int = KEYS_AT_ONCE) -> CountedAudit:
    """Add up the counts of a folder, and merge its keys.

    Args:
        out: a folder that `predict_to_parts` made with `AuditCounts`, whole.
        keys_at_once: how many keys are held at a time, about.

    Raises:
        StorageError: the folder is not whole, or a part cannot be read.
        DataError: it holds no such counts, or no row was counted.
    """
    parts = marked_parts(out, COUNTED_ROWS, holds="counts of an audit", command="limbeck audit")
    if not parts:
        raise DataError(f"{out} holds no row that could be counted: every row was left out")
    counts = RowCounts()
    for part in parts:
        counts.add(counts_of_json(part.said))
    ranges = -(-sum(part.rows for part in parts) // keys_at_once)
    return audit_of_counts(counts, _merged(parts, ranges))


def _merged(parts: Sequence[MarkedPart], ranges: int) -> Iterator[pa.Table]:
    """Give the keys of all parts, a range of the digests at a time."""
    bounds = [_ALL_KEYS * number // ranges for number in range(ranges + 1)]
    for first, stop in pairwise(bounds):
        yield pa.concat_tables([_keys_between(part.path, first, stop - 1) for part in parts])


def _keys_between(part: Path, first: int, last: int) -> pa.Table:
    """Return the keys of a part whose upper half lies between two numbers; other row groups are not read."""
    with explained(part, doing="read"), pq.ParquetFile(part) as file:
        about, place = file.metadata, file.schema_arrow.names.index("high")
        statistics = [about.row_group(group).column(place).statistics for group in range(about.num_row_groups)]
        groups = [group for group, found in enumerate(statistics) if found.min <= last and found.max >= first]
        if not groups:
            return TEXT_KEYS.empty_table()
        table = file.read_row_groups(groups).replace_schema_metadata(None).cast(TEXT_KEYS)
    limits = pa.scalar(first, pa.uint64()), pa.scalar(last, pa.uint64())
    return table.filter(pc.and_(pc.greater_equal(table["high"], limits[0]), pc.less_equal(table["high"], limits[1])))
