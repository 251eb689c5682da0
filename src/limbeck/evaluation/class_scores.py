"""Class scores: precision, recall and F1 of each class, each with its interval.

In: counts of each class (`metrics.Tally`). Out: `ClassScores`, also as plain values for JSON and back.
It does not know rows, probabilities or the other figures.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from limbeck.evaluation import metrics
from limbeck.evaluation.measured import Measured, joined, measured
from limbeck.evaluation.proportions import f1_ends, wilson


@dataclass(frozen=True, kw_only=True)
class ClassScores:
    """The scores of one class.

    Attributes:
        name: of the class.
        support: rows of the class.
        predicted: rows that were given the class.
        precision: share of the rows given the class that are of it.
        recall: share of the rows of the class that were given it.
        f1: their harmonic mean.
    """

    name: str
    support: int
    predicted: int
    precision: Measured
    recall: Measured
    f1: Measured

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON; the name is their key."""
        scores = {"precision": self.precision, "recall": self.recall, "f1": self.f1}
        return {
            "support": self.support,
            "predicted": self.predicted,
            **{name: one.value for name, one in scores.items()},
            "intervals": {name: one.ends for name, one in scores.items()},
        }

    @classmethod
    def from_dict(cls, name: str, facts: Mapping[str, Any]) -> "ClassScores":
        """Make the scores of a class of what `to_dict` returned."""
        return cls(
            name=name,
            support=int(facts["support"]),
            predicted=int(facts["predicted"]),
            precision=joined(facts, "precision"),
            recall=joined(facts, "recall"),
            f1=joined(facts, "f1"),
        )


def score_classes(names: tuple[str, ...], tally: metrics.Tally) -> tuple[ClassScores, ...]:
    """Score each class, in the order of the names; shares have Wilson intervals."""
    precision = wilson(tally.hits, tally.predicted)
    recall = wilson(tally.hits, tally.support)
    f1 = f1_ends(tally.hits, tally.support, tally.predicted)
    precision_C, recall_C, f1_C = (
        metrics.precision_by_class(tally),
        metrics.recall_by_class(tally),
        metrics.f1_by_class(tally),
    )
    return tuple(
        ClassScores(
            name=name,
            support=int(tally.support[label]),
            predicted=int(tally.predicted[label]),
            precision=measured(precision_C[label], precision.low[label], precision.high[label]),
            recall=measured(recall_C[label], recall.low[label], recall.high[label]),
            f1=measured(f1_C[label], f1.low[label], f1.high[label]),
        )
        for label, name in enumerate(names)
    )
