"""Reviewed parts: the labels of all parts, judged together, and the rows that should be looked at.

In: a folder that `limbeck labels` made, whole. Out: `PartsReviewed`: how many labels are probably wrong, and the worst
rows with their texts. Parts are read a batch at a time, some times over. It does not know models.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from limbeck.errors import DataError
from limbeck.review.issue_passes import PassedLabels, RankedRow, pass_over_labels
from limbeck.review.label_doubts import SHEET_ROWS, LabelDoubts, LabelIssue
from limbeck.review.noise import ConfidentJoint, LabelNoise
from limbeck.scale.marked_parts import MarkedPart, marked_parts
from limbeck.storage import explained

JUDGED_LABELS = b"limbeck.judged_labels"
"""In the metadata of a part: JSON of the label names, in the order of the probabilities."""
MOST_SHEET_ROWS = 10_000
"""Rows of a sheet where nobody says how many: more than a person reads, and few enough to be held."""
_BATCH_ROWS = 16_384


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class PartsReviewed(LabelDoubts):
    """How probably the labels of a folder of parts are wrong; equal and nearly equal texts were not looked for.

    Attributes:
        names: the label names.
        passed: what was found of all rows that were judged.
        rows_worst: the worst rows, worst first.
        learned_rows: rows whose text the model learned from: their labels were not judged.
    """

    names: tuple[str, ...]
    passed: PassedLabels
    rows_worst: tuple[LabelIssue, ...]
    learned_rows: int

    def __len__(self) -> int:
        return self.passed.rows

    @property
    def label_names(self) -> tuple[str, ...]:
        """The class names, in the order of the probabilities."""
        return self.names

    @property
    def noise(self) -> LabelNoise:  # type: ignore[override]  # there it is an attribute
        """How labels go wrong, as the anchors say."""
        return self.passed.noise

    @property
    def learning(self) -> ConfidentJoint:  # type: ignore[override]  # there it is an attribute
        """What confident learning says of the same probabilities."""
        return self.passed.learning

    @property
    def probably_wrong(self) -> int:
        """Rows of which another label is more probable than the given one."""
        return self.passed.probably_wrong

    @property
    def right(self) -> int:
        """Rows whose label is the model's most probable one, before the label itself says anything."""
        return self.passed.right

    @property
    def disagreeing(self) -> None:
        """Equal and nearly equal texts were not looked for."""
        return

    def rows_to_review(self, rows: int | None = None) -> int:
        """Return how many rows a sheet holds: as of rows in memory, but at most `MOST_SHEET_ROWS` unless told."""
        return rows or min(super().rows_to_review(), MOST_SHEET_ROWS)

    def worst(self, count: int) -> tuple[LabelIssue, ...]:
        """Return the rows of the least quality, least first: as many as were kept."""
        return self.rows_worst[:count]

    def to_dict(self, count: int) -> dict[str, Any]:
        """Return plain values for JSON, as of rows in memory, and the rows that were not judged."""
        return {**super().to_dict(count), "learned_rows": self.learned_rows}


def review_parts(out: Path, *, rows: int | None = None) -> PartsReviewed:
    """Judge the labels of a folder.

    Args:
        out: a folder that `predict_to_parts` made with `LabelAnswers`, whole.
        rows: worst rows to keep; `MOST_SHEET_ROWS` when not given.

    Raises:
        StorageError: the folder is not whole, or a part cannot be read.
        DataError: it holds no such rows, or the model learned from all of them.
    """
    parts = marked_parts(out, JUDGED_LABELS, holds="labels with their probabilities", command="limbeck labels")
    if not parts:
        raise DataError(f"{out} holds no row whose label could be judged: every row was left out")
    names = tuple(map(str, parts[0].said))
    learned_P = [_learned_rows(part.path) for part in parts]
    judged_P = [part.rows - learned for part, learned in zip(parts, learned_P, strict=True)]
    if not sum(judged_P):
        raise DataError(
            f"the model learned from every row of {out}, so its answers tell nothing about their labels: limbeck "
            "labels RUN judges the training rows by models that did not see them"
        )

    def batches() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for part in parts:
            for batch in _batches_of(part.path, ("learned", "label", "probabilities")):
                is_judged = ~_array(batch, "learned")
                if not is_judged.any():
                    continue
                shares_BC = batch["probabilities"].flatten().to_numpy().reshape(len(is_judged), len(names))
                yield shares_BC[is_judged], _array(batch, "label").astype(np.int64)[is_judged]

    passed = pass_over_labels(batches, len(names), most=max(SHEET_ROWS, rows or MOST_SHEET_ROWS))
    return PartsReviewed(
        names=names,
        passed=passed,
        rows_worst=tuple(_with_texts(passed.worst, parts, judged_P, names)),
        learned_rows=sum(learned_P),
    )


def _with_texts(
    worst: Sequence[RankedRow], parts: Sequence[MarkedPart], judged_P: Sequence[int], names: tuple[str, ...]
) -> Iterator[LabelIssue]:
    """Give rows their ids and texts; only parts that hold some are read."""
    found: dict[int, tuple[str, str]] = {}
    places = np.sort(np.array([one.place for one in worst], np.int64))
    first = 0
    for part, judged in zip(parts, judged_P, strict=True):
        here = places[np.searchsorted(places, first) : np.searchsorted(places, first + judged)]
        if len(here):
            found.update(_texts_of(part.path, here, first))
        first += judged
    for one in worst:
        row_id, text = found[one.place]
        label, suggested = names[one.label], names[one.suggested]
        yield LabelIssue(
            row_id=row_id,
            text=text,
            label=label,
            suggested_label=suggested,
            label_quality=one.quality,
            reason=f"the model gives {label} {one.share:.2f}, {suggested} {one.suggested_share:.2f}",
            flagged=one.flagged,
        )


def _texts_of(part: Path, places: np.ndarray, first: int) -> Iterator[tuple[int, tuple[str, str]]]:
    """Give id and text of some judged rows of a part, by their places; `first` is that of its first one."""
    for batch in _batches_of(part, ("learned", "row_id", "text")):
        judged = np.flatnonzero(~_array(batch, "learned"))
        here = places[np.searchsorted(places, first) : np.searchsorted(places, first + len(judged))]
        for place in here:
            row = int(judged[place - first])
            yield int(place), (batch["row_id"][row].as_py(), batch["text"][row].as_py())
        first += len(judged)


def _learned_rows(part: Path) -> int:
    return sum(int(_array(batch, "learned").sum()) for batch in _batches_of(part, ("learned",)))


def _batches_of(part: Path, columns: tuple[str, ...]) -> Iterator[pa.RecordBatch]:
    with explained(part, doing="read"), pq.ParquetFile(part) as file:
        yield from file.iter_batches(batch_size=_BATCH_ROWS, columns=list(columns))


def _array(batch: pa.RecordBatch, name: str) -> np.ndarray:
    return np.asarray(batch[name].to_numpy(zero_copy_only=False))
