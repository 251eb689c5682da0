"""Answers to many rows, straight into a file: piece by piece, so that an interrupted one goes on where it stopped.

In: a `Predictor`, a `Dataset` and a path. Out: the file, whole or absent. Its pieces stand in a folder beside it
meanwhile, under a name that tells rows, model and columns, so that pieces of anything else are never taken for it.
It does not know what the answers are for.
"""

import hashlib
import json
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from glob import escape
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from limbeck.data.dataset import CORE_SCHEMA, Dataset
from limbeck.evaluation.prediction_files import read_any_predictions, write_predictions, write_tables
from limbeck.evaluation.prediction_tables import AnyPredictions
from limbeck.inference.predictor import Predictor, others_of
from limbeck.progress import SILENT, Progress
from limbeck.task import SINGLE

PIECE_ROWS = 2_000
"""Rows of a piece: what an interruption can cost."""
FOLDER_PREFIX = ".limbeck-parts-"


@dataclass(frozen=True, kw_only=True)
class Written:
    """Answers that were given and are not kept in memory.

    Attributes:
        rows: answered.
        count_cut: texts that were longer than the model's limit.
        count_unread: texts that the model could not read (`Predictions.unread`).
    """

    rows: int
    count_cut: int
    count_unread: int

    def __len__(self) -> int:
        return self.rows

    def and_of(self, found: AnyPredictions) -> "Written":
        """Return what it is with these answers too."""
        return Written(
            rows=self.rows + len(found),
            count_cut=self.count_cut + found.count_cut,
            count_unread=self.count_unread + found.count_unread,
        )


_NOTHING = Written(rows=0, count_cut=0, count_unread=0)


def predict_to_file(
    predictor: Predictor, dataset: Dataset, out: Path, *, top_k: int | None = None, progress: Progress = SILENT
) -> Written:
    """Answer a dataset's rows and write them, in order, their other columns first; labels are not looked at.

    Raises:
        SettingsError: the suffix is none of .parquet, .jsonl, .csv, or `top_k` is out of range.
        StorageError: the file cannot be written; what stood there before still stands.
    """
    dataset = without_labels(dataset)
    if len(dataset) <= PIECE_ROWS:
        found = predictor.predict_dataset(dataset, progress=progress)
        write_predictions(out, found, top_k=top_k)
        return _NOTHING.and_of(found)
    folder = out.parent / f"{FOLDER_PREFIX}{out.name}-{_key(predictor, dataset, top_k)[:16]}"
    for older in out.parent.glob(f"{FOLDER_PREFIX}{escape(out.name)}-*"):
        if older != folder:
            shutil.rmtree(older, ignore_errors=True)
    others = others_of(dataset)
    starts = range(0, len(dataset), PIECE_ROWS)
    pieces = {start: folder / f"{start:012}.parquet" for start in starts}
    if kept := sum(piece.is_file() for piece in pieces.values()):
        progress.say(f"going on: about {kept * PIECE_ROWS:,} of {len(dataset):,} rows were answered before")
    with progress.track("answering", total=len(dataset), unit="rows") as advance:
        for start, piece in pieces.items():
            rows = range(start, min(start + PIECE_ROWS, len(dataset)))
            if not piece.is_file():
                found = predictor.predict_dataset(dataset.select(rows))
                # Of all rows, so that every piece has the same columns.
                found = replace(found, others=None if others is None else others.slice(start, len(rows)))
                write_predictions(piece, found, top_k=top_k)
            advance(len(rows))
    written = _NOTHING
    for piece in pieces.values():
        written = written.and_of(read_any_predictions(piece))
    write_tables(out, _tables(pieces.values()))
    shutil.rmtree(folder, ignore_errors=True)
    return written


def without_labels(dataset: Dataset) -> Dataset:
    """Return the same rows, none of which has a label."""
    table = dataset.table.set_column(3, CORE_SCHEMA.field("label"), pa.nulls(len(dataset), pa.int32()))
    return replace(dataset, table=table, label_names=(), task=SINGLE)


def _tables(pieces: Iterable[Path]) -> Iterator[pa.Table]:
    for piece in pieces:
        yield pq.ParquetFile(piece).read()


def _key(predictor: Predictor, dataset: Dataset, top_k: int | None) -> str:
    """Return a digest of everything that the answers and their columns depend on."""
    bundle = predictor.bundle
    facts = {
        "encoder": bundle.loaded.fingerprint,
        "tokenizer": hashlib.sha256(bundle.loaded.tokenizer.content.encode()).hexdigest(),
        "head": bundle.head_fingerprint(),
        "facts": asdict(bundle.facts),
        "numerics": predictor.numerics,
        "rows": dataset.fingerprint(),
        "top_k": top_k,
        "piece": PIECE_ROWS,
    }
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode())
    for field in dataset.table.schema:
        digest.update(f"{field.name}\0{field.type}\0".encode())
    for name in dataset.table.column_names[4:]:
        for chunk in dataset.table[name].chunks:
            digest.update(repr(chunk.to_pylist()).encode("utf-8", "surrogatepass"))
    return digest.hexdigest()
