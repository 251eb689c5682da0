"""Reviewed tags: labels that are missing and labels that are too many in all parts together, and the worst of them.

In: the judged rows of a folder, which may have any number of labels each. Out: `PartsTags`. Parts are read a batch at
a time, some twenty times over. It does not know models.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from limbeck.data.label_sets import indicators
from limbeck.review.tag_chances import block_rows
from limbeck.review.tag_doubts import TagDoubts, TagIssue, TagMistake
from limbeck.review.tag_passes import PassedTags, pass_over_tags
from limbeck.scale.judged_parts import BATCH_ROWS, MOST_SHEET_ROWS, JudgedParts


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class PartsTags(TagDoubts):
    """How probably labels of a folder of parts are missing or too many.

    Attributes:
        names: the label names.
        passed: what was found of all rows that were judged.
        pairs_worst: the worst pairs of row and label, worst first, by mistake.
        incomplete: whether a missing label was taken to say little.
        learned_rows: rows whose text the model learned from: their labels were not judged.
    """

    names: tuple[str, ...]
    passed: PassedTags
    pairs_worst: dict[TagMistake, tuple[TagIssue, ...]]
    incomplete: bool
    learned_rows: int

    def __len__(self) -> int:
        return self.passed.rows

    @property
    def label_names(self) -> tuple[str, ...]:
        """The labels, in the order of the probabilities."""
        return self.names

    @property
    def given(self) -> int:
        """How many labels the rows have together."""
        return self.passed.given

    @property
    def missing_C(self) -> np.ndarray:  # noqa: N802  # an array ends in its shape letters
        """Rows from which each label is missing more probably than not, int64 (C,)."""
        return self.passed.missing_C

    @property
    def rates(self) -> dict[TagMistake, float]:
        """Estimated share of the pairs where a label is true that were not given it, and of the others that were."""
        return self.passed.rates

    def count(self, mistake: TagMistake) -> int:
        """Return how many pairs are this mistake more probably than not."""
        return int(self.passed.missing_C.sum()) if mistake == "missing" else self.passed.superfluous

    def worst(self, mistake: TagMistake, count: int) -> tuple[TagIssue, ...]:
        """Return the pairs that are most probably this mistake: as many as were kept."""
        return self.pairs_worst[mistake][:count]

    def rows_to_review(self, rows: int | None = None) -> int:
        """Return how many pairs a sheet holds: as of rows in memory, but at most `MOST_SHEET_ROWS` unless told."""
        return rows or min(super().rows_to_review(), MOST_SHEET_ROWS)

    def to_dict(self, count: int) -> dict[str, Any]:
        """Return plain values for JSON, as of rows in memory, and the rows that were not judged."""
        return {**super().to_dict(count), "learned_rows": self.learned_rows}


def review_tag_parts(judged: JudgedParts, *, most: int, incomplete: bool) -> PartsTags:
    """Judge the label sets of a folder.

    Args:
        judged: its rows.
        most: worst pairs of each mistake to keep.
        incomplete: a missing label says little.

    Raises:
        StorageError: a part cannot be read.
    """
    classes = len(judged.names)

    def batches() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for shares_BC, sets in judged.batches(min(BATCH_ROWS, block_rows(classes))):
            yield shares_BC, indicators(sets, classes)

    passed = pass_over_tags(batches, classes, most=most, incomplete=incomplete)
    found = judged.texts_at(np.array([one.place for tags in passed.worst.values() for one in tags], np.int64))
    pairs: dict[TagMistake, tuple[TagIssue, ...]] = {
        mistake: tuple(
            TagIssue(
                row_id=found[one.place][0],
                text=found[one.place][1],
                label=judged.names[one.label],
                mistake=mistake,
                probability=one.wrong,
                model_probability=one.share,
                context_probability=one.given if passed.in_context else None,
                out_of_fold=False,
            )
            for one in tags
        )
        for mistake, tags in passed.worst.items()
    }
    return PartsTags(
        names=judged.names, passed=passed, pairs_worst=pairs, incomplete=incomplete, learned_rows=judged.learned_rows
    )
