"""Label doubts: what is said of labels that are probably wrong, whether all their rows are at hand or not.

In: counts and estimates, which whoever inherits has. Out: shares with intervals, tables, plain values. It does not know
how labels were judged (see `issues` and `issue_passes`).
"""

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from limbeck.display.tables import Table
from limbeck.display.views import View, listed
from limbeck.evaluation.counted import percent
from limbeck.evaluation.proportions import Share, share_of
from limbeck.review.noise import ConfidentJoint, LabelNoise

LEAST_RIGHT = 0.8
"""Share of labels that a model must agree with, out of fold, before its doubts are taken for an estimate of wrong ones:
the mistakes of a weaker one outnumber them."""
SHEET_ROWS = 100
"""Rows to review at least, while there are so many."""
NUMBERS_TODO = "limbeck report shows the rows whose numbers are furthest from the answers: read these"
"""What to do instead where rows have numbers, which are not right or wrong."""


@dataclass(frozen=True, kw_only=True)
class LabelIssue:
    """One row whose label should be looked at.

    Attributes:
        row_id: its id in the dataset.
        text: of the row; None where the predictions hold no texts.
        label: the label it has.
        suggested_label: the most probable other label.
        label_quality: probability that the label is right, 0 to 1.
        reason: why, in words.
        flagged: whether confident learning points at it.
    """

    row_id: str
    text: str | None
    label: str
    suggested_label: str
    label_quality: float
    reason: str
    flagged: bool


class LabelDoubts(View):
    """How many labels are probably wrong, how they go wrong, and the worst rows.

    Attributes:
        noise: how labels go wrong, as the anchors say.
        learning: what confident learning says of the same probabilities.
    """

    noise: LabelNoise
    learning: ConfidentJoint

    @abstractmethod
    def __len__(self) -> int:
        """Return how many labels were judged."""

    @property
    @abstractmethod
    def label_names(self) -> tuple[str, ...]:
        """The class names, in the order of the probabilities."""

    @property
    @abstractmethod
    def probably_wrong(self) -> int:
        """Rows of which another label is more probable than the given one."""

    @property
    @abstractmethod
    def right(self) -> int:
        """Rows whose label is the model's most probable one, before the label itself says anything."""

    @property
    @abstractmethod
    def disagreeing(self) -> int | None:
        """Rows with an equal or nearly equal text that is labelled otherwise; None where they were not looked for."""

    @abstractmethod
    def worst(self, count: int) -> tuple[LabelIssue, ...]:
        """Return the rows of the least quality, least first."""

    def _lines(self) -> tuple[str, str]:
        names = self.label_names
        mixups = [f"{one.given} → {one.true} {one.rows:,}" for one in self.learning.mixups(names)[:3]]
        most = "not estimated" if self.most_wrong is None else f"at most about {percent(self.most_wrong)}"
        return (
            f"Label issues in {len(self):,} rows: {self.probably_wrong:,} labels look wrong to the model",
            f"labels that are wrong: {most}; mixed up most: {listed(mixups)}",
        )

    def _tables(self) -> Iterator[Table]:
        names = self.label_names
        yield Table(
            title="Rows whose label is least probably right",
            header=("text", "label", "suggested", "quality", "why"),
            rows=tuple(
                (
                    one.row_id if one.text is None else one.text,
                    one.label,
                    one.suggested_label,
                    f"{one.label_quality:.3f}",
                    one.reason,
                )
                for one in self.worst(8)
            ),
            prose=("label", "suggested", "why"),
        )
        mixups = self.learning.mixups(names)[:5]
        if mixups:
            yield Table(
                title="Mixed up most (confident learning)",
                header=("labelled", "probably", "rows", "share of the label"),
                rows=tuple((one.given, one.true, f"{one.rows:,}", f"{one.share:.3f}") for one in mixups),
                prose=("probably",),
            )

    @property
    def doubtful(self) -> Share:
        """The same as a share of the rows, with its interval: of labels that look wrong to the model, not that are."""
        return share_of(self.probably_wrong, len(self))

    @property
    def right_out_of_fold(self) -> Share:
        """How often the model that judges the labels agrees with them, each row by a fit that did not see it."""
        return share_of(self.right, len(self))

    @property
    def most_wrong(self) -> float | None:
        """What share of the labels may be wrong at most (`noise.rate`); None where the model is too weak to tell."""
        return self.noise.rate if self.right_out_of_fold.low >= LEAST_RIGHT else None

    def rows_to_review(self, rows: int | None = None) -> int:
        """Return how many rows a sheet holds: `rows` where given, else those that look wrong, `SHEET_ROWS` at least.

        None looks wrong: 0, there is nothing to review.
        """
        wrong = self.probably_wrong
        return rows or (min(len(self), max(SHEET_ROWS, wrong)) if wrong else 0)

    def to_dict(self, count: int) -> dict[str, Any]:
        """Return plain values for JSON: the estimates, the mix-ups in words and the `count` worst rows."""
        names = self.label_names
        return {
            "rows": len(self),
            "labels": list(names),
            "probably_wrong": self.probably_wrong,
            "doubtful": self.doubtful.to_dict(),
            "most_wrong": self.most_wrong,
            "noise_rate": {"anchors": self.noise.rate, "confident_learning": self.learning.noise_rate},
            "confident_learning": self.learning.to_dict(names),
            "mixups": [
                {"given": one.given, "true": one.true, "share": one.share, "rows": one.rows}
                for one in self.learning.mixups(names)
            ],
            "disagreeing_repeats": self.disagreeing,
            "worst": [vars(one) for one in self.worst(count)],
        }

    @property
    def disagreeing_share(self) -> Share | None:
        """The same as a share of the rows, with its interval."""
        return None if self.disagreeing is None else share_of(self.disagreeing, len(self))
