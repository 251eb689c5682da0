"""Parquet in pieces: any rows, of which only their row groups are unpacked.

In: a file. Out: its pieces; the rows of some. It does not know which column is which, but for the texts' size.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from limbeck.reading.bad_rows import BadRows
from limbeck.reading.columnar import explained_format, raw_table
from limbeck.reading.columns import find_columns
from limbeck.reading.cut_file import CutFile, FilePiece
from limbeck.reading.raw import RawTable, SourceFile
from limbeck.remote_files import RemotePath
from limbeck.settings import ReadSettings

_BATCH_ROWS = 4_096
_BUFFER_BYTES = 1 << 20
"""Of a column's bytes so many are held at a time, not all those of a row group."""
_REMOTE_BUFFER_BYTES = 1 << 23
"""The same of a file in a store, where each is a request."""


def cut_parquet(
    source: SourceFile, settings: ReadSettings, rows_per_piece: int, most_pieces: int | None
) -> tuple[CutFile, list[FilePiece]]:
    """Cut a Parquet file; only its footer is read.

    Raises:
        DataError: the file is not Parquet, is cut short or damaged, or has no column of texts.
    """
    with explained_format(source.path, "Parquet"), _opened(source.path) as file:
        schema, metadata = file.schema_arrow, file.metadata
    columns = find_columns(schema.names, settings, file=source.name, split=source.split)
    texts = {columns.text, columns.second}
    rows_at, bytes_at = [0], [0]
    for place in range(metadata.num_row_groups):
        group = metadata.row_group(place)
        chunks = [group.column(one) for one in range(group.num_columns)]
        rows_at.append(rows_at[-1] + group.num_rows)
        size_bytes = sum(chunk.total_uncompressed_size for chunk in chunks if chunk.path_in_schema in texts)
        bytes_at.append(bytes_at[-1] + size_bytes)
    starts = range(0, rows_at[-1], rows_per_piece)
    weights_at = np.interp([*starts, rows_at[-1]], rows_at, bytes_at).astype(np.int64).tolist()
    pieces = [
        FilePiece(
            first=start + 1,
            rows=min(rows_per_piece, rows_at[-1] - start),
            start=0,
            stop=0,
            weight=weights_at[place + 1] - weights_at[place],
        )
        for place, start in enumerate(islice(starts, most_pieces))
    ]
    return CutFile(path=source.path, schema=schema.remove_metadata()), pieces


def read_parquet_piece(file: CutFile, piece: FilePiece, bad: BadRows) -> RawTable:
    """Read some rows of a Parquet file.

    Raises:
        DataError: the file is cut short or damaged.
    """
    source = file.source
    with explained_format(file.path, "Parquet"), _opened(file.path) as parquet:
        sizes = [parquet.metadata.row_group(place).num_rows for place in range(parquet.metadata.num_row_groups)]
        ends = np.cumsum(sizes)
        groups = [
            place
            for place, end in enumerate(ends.tolist())
            if sizes[place] and piece.first <= end and end - sizes[place] < piece.last
        ]
        before = int(ends[groups[0]]) - sizes[groups[0]] if groups else 0
        skipped, wanted = piece.first - 1 - before, piece.rows
        batches = []
        for batch in parquet.iter_batches(_BATCH_ROWS, row_groups=groups):
            part = batch.slice(skipped, wanted)
            skipped, wanted = max(0, skipped - len(batch)), wanted - len(part)
            if len(part):
                batches.append(part)
            if not wanted:
                break
        table = pa.Table.from_batches(batches, None if batches else parquet.schema_arrow)
        return raw_table(table, name=source.name, split=source.split, bad=bad, rows_before=piece.first - 1)


@contextmanager
def _opened(path: Path) -> Iterator[pq.ParquetFile]:
    if not isinstance(path, RemotePath):
        with pq.ParquetFile(path, buffer_size=_BUFFER_BYTES) as parquet:
            yield parquet
        return
    with path.open("rb", buffering=0) as file, pq.ParquetFile(file, buffer_size=_REMOTE_BUFFER_BYTES) as parquet:
        yield parquet
