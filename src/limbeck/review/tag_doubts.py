"""Tag doubts: what is said of labels that are missing or too many, whether all their rows are at hand or not.

In: counts and pairs of row and label, which whoever inherits has. Out: tables, plain values, the rows of a sheet. It
does not know how pairs were judged (see `tag_issues` and `tag_passes`).
"""

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from limbeck.display.tables import Table
from limbeck.display.views import View, listed
from limbeck.review.label_doubts import SHEET_ROWS, LabelIssue

TagMistake = Literal["missing", "superfluous"]


@dataclass(frozen=True, kw_only=True)
class TagIssue:
    """One pair of row and label to look at.

    Attributes:
        row_id: the row's id in the dataset.
        text: of the row; None where the predictions hold no texts.
        label: the label.
        mistake: "missing" where the row has it not, "superfluous" where it has.
        probability: that the pair is wrong, 0 to 1.
        model_probability: of the label, as the model said it of the text; it did not learn from the row.
        context_probability: that a row with this text and these other labels is given the label; None where there are
            too few rows to tell.
        out_of_fold: whether the model is one of several, each of which saw other rows.
    """

    row_id: str
    text: str | None
    label: str
    mistake: TagMistake
    probability: float
    model_probability: float
    context_probability: float | None
    out_of_fold: bool = True

    @property
    def reason(self) -> str:
        """Why, in words: "probably missing: out of fold the model gives it 0.93, with the row's other labels 0.97"."""
        what = "probably missing" if self.mistake == "missing" else "probably too many"
        who = "out of fold the model" if self.out_of_fold else "the model"
        said = f"{what}: {who} gives it {self.model_probability:.2f}"
        beside = self.context_probability
        return said if beside is None else f"{said}, with the row's other labels {beside:.2f}"

    def as_label_issue(self) -> LabelIssue:
        """Return the pair as a row of a sheet: what is missing is suggested, what is too many is the label."""
        is_missing = self.mistake == "missing"
        return LabelIssue(
            row_id=self.row_id,
            text=self.text,
            label="" if is_missing else self.label,
            suggested_label=self.label if is_missing else "",
            label_quality=1 - self.probability,
            reason=self.reason,
            flagged=self.probability > 0.5,
        )


class TagDoubts(View):
    """How many labels are probably missing or too many, and the worst pairs of row and label.

    Attributes:
        incomplete: whether a missing label was taken to say little.
    """

    incomplete: bool

    @abstractmethod
    def __len__(self) -> int:
        """Return how many rows were judged."""

    @property
    @abstractmethod
    def label_names(self) -> tuple[str, ...]:
        """The labels, in the order of the probabilities."""

    @property
    @abstractmethod
    def given(self) -> int:
        """How many labels the rows have together."""

    @property
    @abstractmethod
    def missing_C(self) -> np.ndarray:  # noqa: N802  # an array ends in its shape letters
        """Rows from which each label is missing more probably than not, int64 (C,)."""

    @property
    @abstractmethod
    def rates(self) -> dict[TagMistake, float]:
        """Estimated share of the pairs where a label is true that were not given it, and of the others that were."""

    @abstractmethod
    def count(self, mistake: TagMistake) -> int:
        """Return how many pairs are this mistake more probably than not."""

    @abstractmethod
    def worst(self, mistake: TagMistake, count: int) -> tuple[TagIssue, ...]:
        """Return the pairs that are most probably this mistake."""

    def _lines(self) -> tuple[str, str]:
        names = [f"{self.label_names[label]} {count:,}" for label, count in self._most_missing()]
        return (
            f"Tag issues in {len(self):,} rows with {self.given:,} labels: {self.count('missing'):,} labels look "
            f"missing, {self.count('superfluous'):,} too many",
            f"missing most: {listed(names)}{'; tags taken as incomplete' if self.incomplete else ''}",
        )

    def _most_missing(self) -> list[tuple[int, int]]:
        counts_C = self.missing_C
        return [(int(label), int(counts_C[label])) for label in np.argsort(-counts_C, kind="stable") if counts_C[label]]

    def _tables(self) -> Iterator[Table]:
        yield from self.tables(8)

    def tables(self, count: int) -> Iterator[Table]:
        """Give the worst pairs of each list that are wrong more probably than not; no table where there is none."""
        titles: dict[TagMistake, str] = {
            "missing": "Labels that are probably missing",
            "superfluous": "Labels that are probably too many",
        }
        for mistake, title in titles.items():
            shown = self.worst(mistake, min(count, self.count(mistake)))
            if not shown:
                continue
            yield Table(
                title=title,
                header=("text", "label", "probability", "the model's"),
                rows=tuple(
                    (
                        one.row_id if one.text is None else one.text,
                        one.label,
                        f"{one.probability:.3f}",
                        f"{one.model_probability:.3f}",
                    )
                    for one in shown
                ),
                prose=("label",),
            )

    def rows_to_review(self, rows: int | None = None) -> int:
        """Return how many pairs a sheet holds: `rows` where given, else those that look wrong, 100 at least."""
        wrong = self.count("missing") + self.count("superfluous")
        pairs = len(self) * len(self.label_names)
        return rows or (min(pairs, max(SHEET_ROWS, wrong)) if wrong else 0)

    def worst_of_both(self, count: int) -> tuple[TagIssue, ...]:
        """Return the pairs that are most probably wrong, whichever mistake they are."""
        both = [*self.worst("missing", count), *self.worst("superfluous", count)]
        return tuple(sorted(both, key=lambda one: -one.probability)[:count])

    def to_dict(self, count: int) -> dict[str, Any]:
        """Return plain values for JSON: how many of each mistake, rates by label, and the `count` worst of each."""
        return {
            "rows": len(self),
            "labels": list(self.label_names),
            "incomplete": self.incomplete,
            "probably_missing": self.count("missing"),
            "probably_superfluous": self.count("superfluous"),
            "rates": self.rates,
            "missing": [dict(vars(one)) for one in self.worst("missing", count)],
            "superfluous": [dict(vars(one)) for one in self.worst("superfluous", count)],
        }
