"""Confusions: the worst cells of the confusion matrix in words, each with rows to read.

In: an `Evaluation`, which has measured them, and the `HardCases` of the same rows. Out: `NamedConfusion` values.
It does not measure anything itself.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from limbeck.errors import DataError
from limbeck.evaluation.evaluation import Confusion, Evaluation
from limbeck.evaluation.hard_cases import HardCase, HardCases


@dataclass(frozen=True, kw_only=True)
class NamedConfusion:
    """One class taken for another.

    Attributes:
        confusion: the labels, how many rows, and their share of the true label's rows with its interval.
        of: rows of the true label.
        examples: of those rows, some of the highest loss.
    """

    confusion: Confusion
    of: int
    examples: tuple[HardCase, ...]

    def __str__(self) -> str:
        share = self.confusion.share
        return f"{self.confusion} ({self.confusion.count:,} of {self.of:,}; 95 % {share.low:.2f}–{share.high:.2f})"

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        one = self.confusion
        return {
            "true_label": one.true_label,
            "predicted_label": one.predicted_label,
            "count": one.count,
            "of": self.of,
            "share": one.share.value,
            "low": one.share.low,
            "high": one.share.high,
            "in_words": str(self),
            "examples": [case.row_id for case in self.examples],
        }


def name_confusions(evaluation: Evaluation, cases: HardCases, *, examples: int = 3) -> tuple[NamedConfusion, ...]:
    """Name the worst confusions, the most rows first (see `Evaluation.worst_confusions`), with rows of each.

    Raises:
        DataError: evaluation and cases are of different rows.
    """
    support: Mapping[str, int] = {one.name: one.support for one in evaluation.per_class}
    if len(cases) != evaluation.rows:
        raise DataError(f"the evaluation is of {evaluation.rows:,} rows, the cases are {len(cases):,}: give the same")
    cells = {part.name: part for part in cases.by_confusion(examples)}
    return tuple(
        NamedConfusion(
            confusion=one,
            of=support[one.true_label],
            examples=cells[f"{one.true_label} → {one.predicted_label}"].highest,
        )
        for one in evaluation.worst_confusions
    )
