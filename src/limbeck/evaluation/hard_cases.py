"""Hard cases: the rows that a classifier found hardest and easiest, to be read by a person.

In: `Predictions` of rows whose labels are known. Out: `HardCases`: every such row by its loss, and the tables that are
shown: highest and lowest loss of all, of each class, of each cell of the confusion matrix.
It does not know models, nor whether a label is right: a high loss is either a hard text or a wrong label.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np

from limbeck.display.tables import Table
from limbeck.display.views import View
from limbeck.errors import DataError, SettingsError
from limbeck.evaluation.confusions import Confusion
from limbeck.evaluation.evaluation import Evaluation
from limbeck.evaluation.predictions import Predictions


@dataclass(frozen=True, kw_only=True)
class HardCase:
    """One row, as a person reads it.

    Attributes:
        row_id: its id in the dataset.
        text: of the row; None where the predictions hold no texts.
        label: the label it has.
        predicted: the label it was given.
        probability: of the label it has, 0 to 1.
        loss: -ln of that, in nats.
        margin: that, minus the best other probability; below 0 the answer is wrong.
        tokens: of the text before it was cut.
        truncated: whether it was cut.
    """

    row_id: str
    text: str | None
    label: str
    predicted: str
    probability: float
    loss: float
    margin: float
    tokens: int
    truncated: bool


@dataclass(frozen=True, kw_only=True)
class CasesOf:
    """The hardest and the easiest rows of one part of the rows, hardest and easiest first.

    Attributes:
        name: of the part: a class, or "love → joy".
        rows: how many it has.
        mean_loss: of them, in nats.
        highest: the rows of the highest loss.
        lowest: the rows of the lowest loss.
    """

    name: str
    rows: int
    mean_loss: float
    highest: tuple[HardCase, ...]
    lowest: tuple[HardCase, ...]


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class HardCases(View):
    """Every row whose label is known, by its loss.

    Shapes: M rows with a known label.

    Attributes:
        predictions: what was said of all rows.
        order_M: positions of the rows in the predictions, highest loss first; of equals, the first row first.
        losses_N: of every row of the predictions in nats, NaN where the label is not known.
        margins_N: likewise.
    """

    predictions: Predictions
    order_M: np.ndarray
    losses_N: np.ndarray
    margins_N: np.ndarray

    def __len__(self) -> int:
        return len(self.order_M)

    def _lines(self) -> tuple[str, str]:
        wrong = int((self._said[self.order_M] != self._labels[self.order_M]).sum())
        hardest = self.highest(1)[0]
        return (
            f"Hard cases among {len(self):,} rows: {wrong:,} answered wrong",
            f"highest loss {hardest.loss:.2f} nats: row {hardest.row_id}, {hardest.label} → {hardest.predicted}",
        )

    def _tables(self) -> Iterator[Table]:
        for title, cases in (("Highest loss", self.highest(6)), ("Lowest loss", self.lowest(3))):
            yield Table(
                title=f"{title}, in nats",
                header=("text", "label", "predicted", "loss", "probability of the label"),
                rows=tuple(
                    (
                        one.row_id if one.text is None else one.text,
                        one.label,
                        one.predicted,
                        f"{one.loss:.2f}",
                        f"{one.probability:.3f}",
                    )
                    for one in cases
                ),
                prose=("label", "predicted"),
            )

    def highest(self, count: int) -> tuple[HardCase, ...]:
        """Return the rows of the highest loss, highest first."""
        return self._cases(self.order_M[: _checked(count)])

    def lowest(self, count: int) -> tuple[HardCase, ...]:
        """Return the rows of the lowest loss, lowest first; of equals, the last row first."""
        return self._cases(self.order_M[::-1][: _checked(count)])

    def by_class(self, count: int) -> tuple[CasesOf, ...]:
        """Return the hardest and the easiest rows of each class that has rows, in the order of the label names."""
        labels_M = self._labels[self.order_M]
        names = self.predictions.label_names
        return tuple(
            self._part(name, self.order_M[labels_M == label], count)
            for label, name in enumerate(names)
            if (labels_M == label).any()
        )

    def by_confusion(self, count: int) -> tuple[CasesOf, ...]:
        """Return the rows of each cell of the confusion matrix off its diagonal, the largest cell first."""
        names = self.predictions.label_names
        labels_M, said_M = self._labels[self.order_M], self._said[self.order_M]
        wrong_M = labels_M != said_M
        cells_K, counts_K = np.unique(
            np.stack([labels_M[wrong_M], said_M[wrong_M]], axis=1), axis=0, return_counts=True
        )
        return tuple(
            self._part(f"{names[label]} → {names[said]}", self.order_M[(labels_M == label) & (said_M == said)], count)
            for label, said in cells_K[np.argsort(-counts_K, kind="stable")]
        )

    def to_dict(self, count: int) -> dict[str, Any]:
        """Return plain values for JSON: `highest`, `lowest`, `by_class`, `by_confusion`, each with `count` rows."""
        return {
            "highest": [asdict(case) for case in self.highest(count)],
            "lowest": [asdict(case) for case in self.lowest(count)],
            "by_class": [asdict(part) for part in self.by_class(count)],
            "by_confusion": [asdict(part) for part in self.by_confusion(count)],
        }

    @cached_property
    def _said(self) -> np.ndarray:
        """The answer to every row; found once, for there may be a thousand classes to ask for."""
        return self.predictions.predicted

    @cached_property
    def _labels(self) -> np.ndarray:
        """Return the label of every row; rows without one are in no order, so what stands there is not read."""
        labels_N = np.zeros(len(self.predictions), dtype=np.int64)
        labels_N[self.predictions.labelled_rows] = self.predictions.known_labels
        return labels_N

    def _part(self, name: str, rows: np.ndarray, count: int) -> CasesOf:
        """Describe some rows, given highest loss first."""
        return CasesOf(
            name=name,
            rows=len(rows),
            mean_loss=float(self.losses_N[rows].mean()),
            highest=self._cases(rows[: _checked(count)]),
            lowest=self._cases(rows[::-1][:count]),
        )

    def _cases(self, rows: np.ndarray) -> tuple[HardCase, ...]:
        found = self.predictions
        names, labels_N, predicted_N = found.label_names, self._labels, self._said
        return tuple(
            HardCase(
                row_id=found.row_ids[row],
                text=None if found.texts is None else found.texts[row],
                label=names[labels_N[row]],
                predicted=names[predicted_N[row]],
                probability=float(found.probabilities[row, labels_N[row]]),
                loss=float(self.losses_N[row]),
                margin=float(self.margins_N[row]),
                tokens=int(found.tokens[row]),
                truncated=bool(found.truncated[row]),
            )
            for row in rows
        )


def find_hard_cases(predictions: Predictions) -> HardCases:
    """Order the rows by their loss.

    Raises:
        DataError: no row has a known label.

    Example:
        >>> found = find_hard_cases(load("RUN").predict(data))
        >>> found.highest(1)[0].loss >= found.highest(2)[1].loss
        True
    """
    rows = predictions.labelled_rows
    if not len(rows):
        raise DataError("no row has a known label: a loss needs labels; give labelled rows")
    losses_N = predictions.losses
    return HardCases(
        predictions=predictions,
        order_M=rows[np.argsort(-losses_N[rows], kind="stable")],
        losses_N=losses_N,
        margins_N=predictions.margins,
    )


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


def _checked(count: int) -> int:
    if count < 1:
        raise SettingsError(f"{count} rows cannot be shown: give a number of 1 or more")
    return count
