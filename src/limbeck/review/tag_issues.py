"""Tag issues: where rows may have several labels, the pairs of row and label in the order in which to look at them.

In: targets bool (N, C) and out-of-fold probabilities (N, C), each in 0 … 1 by itself. Out: `TagIssues`: of each pair
how probable it is that the row has the label; labels that are missing and labels that are too many, each worst first.
It does not know models or files, nor whether anybody will agree.

A label that is missing and one that is too many are different mistakes: nobody thought of the one, somebody chose the
other. So there are two lists, and two rates: how often a label is missing where it is true, and how often it is given
where it is not. Both lists have the order of the chance that the row was given the label, by its text and by its other
labels: see `tag_chances`.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from limbeck.errors import DataError
from limbeck.evaluation import label_metrics
from limbeck.evaluation.multi_predictions import MultiPredictions
from limbeck.review.tag_chances import block_rows, find_tag_chances
from limbeck.review.tag_doubts import TagDoubts, TagIssue, TagMistake


@dataclass(frozen=True, kw_only=True, eq=False)
class TagOrder:
    """Every pair of row and label, by how probably it is wrong.

    Shapes: N rows, C labels.

    Attributes:
        wrong_NC: probability that the row should not have the label it has, or should have the one that it has not,
            float32.
        targets_NC: the labels that rows have, bool.
        given_NC: calibrated probability that the row was given the label, by its text and its other labels, float32.
        missing: estimated share of the pairs where a label is true that were not given it.
        superfluous: estimated share of the pairs where it is not true that were given it.
        in_context: whether a row's other labels were looked at; there are too few rows where not.
    """

    wrong_NC: np.ndarray
    targets_NC: np.ndarray
    given_NC: np.ndarray
    missing: float
    superfluous: float
    in_context: bool

    def pairs(self, mistake: TagMistake) -> np.ndarray:
        """Return the pairs that may be this mistake, int64 (K, 2) of row and label, the most probable one first."""
        places = np.flatnonzero(self.targets_NC if mistake == "superfluous" else ~self.targets_NC)
        shares = self.given_NC.ravel()[places]
        order = np.argsort(shares if mistake == "superfluous" else -shares, kind="stable")
        return np.column_stack(np.unravel_index(places[order], self.wrong_NC.shape))

    def count(self, mistake: TagMistake) -> int:
        """Return how many pairs are this mistake more probably than not."""
        asked_NC = self.targets_NC if mistake == "superfluous" else ~self.targets_NC
        return int(np.count_nonzero(asked_NC & (self.wrong_NC > 0.5)))


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class TagIssues(TagDoubts):
    """Labels of rows that are probably missing, and labels that are probably too many.

    Attributes:
        predictions: out of fold, what a model that did not see the row said of it.
        order: of their pairs.
        incomplete: whether a missing label was taken to say little.
    """

    predictions: MultiPredictions
    order: TagOrder
    incomplete: bool

    def __len__(self) -> int:
        return len(self.predictions)

    @property
    def label_names(self) -> tuple[str, ...]:
        """The labels, in the order of the probabilities."""
        return self.predictions.label_names

    @property
    def given(self) -> int:
        """How many labels the rows have together."""
        return int(self.order.targets_NC.sum())

    @property
    def missing_C(self) -> np.ndarray:  # noqa: N802  # an array ends in its shape letters
        """Rows from which each label is missing more probably than not, int64 (C,)."""
        return np.asarray(np.count_nonzero(~self.order.targets_NC & (self.order.wrong_NC > 0.5), axis=0))

    @property
    def rates(self) -> dict[TagMistake, float]:
        """Estimated share of the pairs where a label is true that were not given it, and of the others that were."""
        return {"missing": self.order.missing, "superfluous": self.order.superfluous}

    def count(self, mistake: TagMistake) -> int:
        """Return how many pairs are this mistake more probably than not."""
        return self.order.count(mistake)

    def worst(self, mistake: TagMistake, count: int) -> tuple[TagIssue, ...]:
        """Return the pairs that are most probably this mistake."""
        found = self.predictions
        return tuple(
            TagIssue(
                row_id=found.row_ids[row],
                text=None if found.texts is None else found.texts[row],
                label=found.label_names[label],
                mistake=mistake,
                probability=float(self.order.wrong_NC[row, label]),
                model_probability=float(found.probabilities[row, label]),
                context_probability=float(self.order.given_NC[row, label]) if self.order.in_context else None,
            )
            for row, label in self.order.pairs(mistake)[:count].tolist()
        )


def review_tags(predictions: MultiPredictions, *, incomplete: bool = False) -> TagIssues:
    """Find labels that are missing and labels that are too many, from out-of-fold predictions of labelled rows.

    Raises:
        DataError: a row's labels are not known.
    """
    if len(predictions.labelled_rows) != len(predictions):
        missing = len(predictions) - len(predictions.labelled_rows)
        raise DataError(f"the labels of {missing:,} of {len(predictions):,} rows are not known: leave them out")
    order = find_tag_issues(predictions.known_targets, predictions.probabilities, incomplete=incomplete)
    return TagIssues(predictions=predictions, order=order, incomplete=incomplete)


def find_tag_issues(targets_NC: np.ndarray, probabilities_NC: np.ndarray, *, incomplete: bool = False) -> TagOrder:
    """Say of each pair of row and label how probably it is wrong.

    Args:
        targets_NC: the labels that rows have, bool.
        probabilities_NC: out of fold.
        incomplete: a missing label says little; what is given is mostly right.

    Raises:
        DataError: shapes differ, there is no row, or a value is no probability.
    """
    label_metrics.check_shares(probabilities_NC)
    label_metrics.check_targets(targets_NC, probabilities_NC.shape)
    rows, classes = targets_NC.shape
    parts = [slice(start, start + block_rows(classes)) for start in range(0, rows, block_rows(classes))]

    def blocks() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for part in parts:
            yield np.ascontiguousarray(probabilities_NC[part]), targets_NC[part]

    chances = find_tag_chances(blocks, classes, incomplete=incomplete, kept=True)
    given_NC, wrong_NC = np.empty((2, rows, classes), np.float32)
    for part, (given_BC, targets_BC) in zip(parts, chances.blocks(), strict=True):
        given_NC[part] = given_BC
        wrong_NC[part] = chances.wrong(given_BC, targets_BC)
    return TagOrder(
        wrong_NC=wrong_NC,
        targets_NC=targets_NC,
        given_NC=given_NC,
        missing=chances.missing,
        superfluous=chances.superfluous,
        in_context=chances.in_context,
    )
