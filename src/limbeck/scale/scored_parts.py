"""Scored parts: the counters of all parts, added up, are one evaluation.

In: a folder that `limbeck evaluate` made, whole. Out: the figures of all of its rows. It does not know models.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from limbeck.display.tables import Table
from limbeck.display.views import View
from limbeck.errors import DataError
from limbeck.evaluation.abstaining import AnsweredScores
from limbeck.evaluation.evaluation import Evaluation
from limbeck.evaluation.score_counts import add_counts, answered_of, evaluation_of_counts, learned_rows_of
from limbeck.scale.parts_folder import PartsFolder
from limbeck.storage import explained, read_json

COUNTED_LABELS = b"limbeck.counted_labels"
"""In the metadata of a part: JSON of `labels`, and the `majority_label` of the training rows."""


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class PartsScored(View):
    """How right a model was on all rows of a folder of parts.

    Attributes:
        evaluation: of every row's most probable label.
        answered: what its thresholds do; None when it has none.
        learned_rows: rows whose text the model learned from; None where that is not known.
    """

    evaluation: Evaluation
    answered: AnsweredScores | None
    learned_rows: int | None

    def _lines(self) -> tuple[str, str]:
        return self.evaluation._lines()

    def _tables(self) -> Iterable[Table]:
        return self.evaluation._tables()


def score_parts(out: Path, *, seed: int = 0) -> PartsScored:
    """Add up the counters of a folder, and score them.

    Args:
        out: a folder that `predict_to_parts` made with `ScoreCounts`, whole.
        seed: of the bootstrap.

    Raises:
        StorageError: the folder is not whole, or a part cannot be read.
        DataError: it holds no such counters, or no row was counted.
    """
    labels: dict[str, object] = {}
    counts = add_counts(_counters_in(out, labels))
    names = [str(name) for name in labels["labels"]]  # type: ignore[attr-defined]  # a list, as the parts say
    majority = labels["majority_label"]
    return PartsScored(
        evaluation=evaluation_of_counts(
            counts, names, majority_label=None if majority is None else names.index(str(majority)), seed=seed
        ),
        answered=answered_of(counts, names),
        learned_rows=learned_rows_of(counts),
    )


def _counters_in(out: Path, labels: dict[str, object]) -> Iterator[pa.Table]:
    """Give the counters of each part, and take the labels that they count."""
    manifest = read_json(PartsFolder(out).manifest_path)
    for part in (one["part"] for one in manifest["parts"] if one["part"] is not None):
        with explained(out / part, doing="read"):
            table = pq.ParquetFile(out / part).read()
        said = (table.schema.metadata or {}).get(COUNTED_LABELS)
        if said is None:
            raise DataError(f"{out / part} holds no counts: give a folder that limbeck evaluate made")
        labels.update(json.loads(said))
        yield table
    if not labels:
        raise DataError(f"{out} holds no row that could be counted: every row was left out")
