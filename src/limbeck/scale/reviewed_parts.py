"""Reviewed parts: the labels of all parts, judged together, and the rows that should be looked at.

In: a folder that `limbeck labels` made, whole. Out: how many labels are probably wrong, and the worst rows with their
texts: `PartsReviewed` where a row has one label, `PartsTags` where it has any number. Parts are read a batch at a time,
some times over. It does not know models.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from limbeck.review.issue_passes import PassedLabels, RankedRow, pass_over_labels
from limbeck.review.label_doubts import SHEET_ROWS, LabelDoubts, LabelIssue
from limbeck.review.noise import ConfidentJoint, LabelNoise
from limbeck.scale.judged_parts import MOST_SHEET_ROWS, JudgedParts, judged_parts
from limbeck.scale.reviewed_tags import PartsTags, review_tag_parts
from limbeck.task import MULTI


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


def review_parts(out: Path, *, rows: int | None = None, incomplete: bool = False) -> PartsReviewed | PartsTags:
    """Judge the labels of a folder.

    Args:
        out: a folder that `predict_to_parts` made with `LabelAnswers`, whole.
        rows: worst rows to keep, or pairs of row and label; `MOST_SHEET_ROWS` when not given.
        incomplete: of any number of labels per row: a missing label says little.

    Raises:
        StorageError: the folder is not whole, or a part cannot be read.
        DataError: it holds no such rows, or the model learned from all of them.
        SettingsError: `incomplete` is asked for where a row has one label.
    """
    judged = judged_parts(out)
    most = max(SHEET_ROWS, rows or MOST_SHEET_ROWS)
    if judged.task == MULTI:
        return review_tag_parts(judged, most=most, incomplete=incomplete)
    if incomplete:
        judged.task.require(("multi",), doing="--incomplete")

    def batches() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for shares_BC, labels_B in judged.batches():
            yield shares_BC, labels_B.to_numpy().astype(np.int64)

    passed = pass_over_labels(batches, len(judged.names), most=most)
    return PartsReviewed(
        names=judged.names,
        passed=passed,
        rows_worst=tuple(_with_texts(passed.worst, judged)),
        learned_rows=judged.learned_rows,
    )


def _with_texts(worst: Sequence[RankedRow], judged: JudgedParts) -> Iterator[LabelIssue]:
    """Give rows their ids and texts."""
    found = judged.texts_at(np.array([one.place for one in worst], np.int64))
    for one in worst:
        row_id, text = found[one.place]
        label, suggested = judged.names[one.label], judged.names[one.suggested]
        yield LabelIssue(
            row_id=row_id,
            text=text,
            label=label,
            suggested_label=suggested,
            label_quality=one.quality,
            reason=f"the model gives {label} {one.share:.2f}, {suggested} {one.suggested_share:.2f}",
            flagged=one.flagged,
        )
