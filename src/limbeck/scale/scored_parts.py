"""Scored parts: the counters of all parts, added up, are one evaluation.

In: a folder that `limbeck evaluate` made, whole. Out: the figures of all of its rows. It does not know models.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from limbeck.display.tables import Table
from limbeck.display.views import View
from limbeck.errors import DataError
from limbeck.evaluation.abstaining import AnsweredScores
from limbeck.evaluation.any_counts import counted_by, evaluation_of_any_counts
from limbeck.evaluation.any_evaluation import AnyEvaluation
from limbeck.evaluation.score_counts import add_counts, answered_of, learned_rows_of
from limbeck.evaluation.shape_counts import NOT_COUNTED_OF
from limbeck.scale.marked_parts import MarkedPart, marked_parts
from limbeck.storage import explained

COUNTED_BY = b"limbeck.counted_by"
"""In the metadata of a part: JSON of `CountedBy`."""


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class PartsScored(View):
    """How right a model was on all rows of a folder of parts.

    Attributes:
        evaluation: of every row's most probable label, or of what it is given.
        answered: what its thresholds do; None when it has none.
        learned_rows: rows whose text the model learned from; None where that is not known.
        not_counted: figures that counts do not tell, and why.
    """

    evaluation: AnyEvaluation
    answered: AnsweredScores | None
    learned_rows: int | None
    not_counted: tuple[str, ...]

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
    parts = marked_parts(out, COUNTED_BY, holds="counts", command="limbeck evaluate")
    if not parts:
        raise DataError(f"{out} holds no row that could be counted: every row was left out")
    counts = add_counts(map(_table_of, parts))
    by = counted_by(parts[0].said)
    return PartsScored(
        evaluation=evaluation_of_any_counts(counts, by, seed=seed),
        answered=answered_of(counts, by.labels) if by.task == "single" else None,
        learned_rows=learned_rows_of(counts),
        not_counted=NOT_COUNTED_OF[by.task],
    )


def _table_of(part: MarkedPart) -> pa.Table:
    with explained(part.path, doing="read"):
        return pq.ParquetFile(part.path).read()
