"""Tag issues: where rows may have several labels, the pairs of row and label in the order in which to look at them.

In: targets bool (N, C) and out-of-fold probabilities (N, C), each in 0 … 1 by itself. Out: `TagIssues`: of each pair
how probable it is that the row has the label; labels that are missing and labels that are too many, each worst first.
It does not know models or files, nor whether anybody will agree.

A label that is missing and one that is too many are different mistakes: nobody thought of the one, somebody chose the
other. So there are two lists, and two rates: how often a label is missing where it is true, and how often it is given
where it is not.

1. The probabilities of each label are calibrated on its own column (Platt), since labels are compared with each other.
2. The row's other labels are looked at, too: a program with no `role` at all lacks one, whatever the text says. Each
   label is predicted, linearly and by other rows, from the calibrated probabilities of all labels and from the other
   labels that the row was given; calibrated again, this is q, the chance that the row *was given* the label. Both lists
   have the order of q.
3. Rates. Missing: of the rows where a label's q is highest, its anchors, the share that was not given it. Too many: of
   the lower quarter of the rows by q, the share that was. Each is taken over all labels together: a rate for each label
   by itself found fewer planted mistakes, since a label that is hard to tell looks like one that is often wrong.
4. Bayes: with the rates, and q for the chance that the label is true, how probable it is that the pair is wrong. Where
   labels are missing q is rather too low for that, so no more is called missing than the model gives reason for.

**Incomplete tags** ("a missing tag is not a no"): where people added the tags they thought of, what is given is mostly
right and what is missing says little. Then nothing is taken as given without being true, and the missing rate is that
of Elkan and Noto: one minus the mean q of the rows that have the label.

Source: Platt, Probabilistic Outputs for Support Vector Machines (1999); Lauritzen, Graphical Models (1996), section
5.1, for all regressions of each column on all others by one inverse; Patrini et al., Making Deep Neural Networks
Robust to Label Noise (2017), section 3.3, for anchors; Elkan & Noto, Learning Classifiers from Only Positive and
Unlabeled Data (2008), sections 2 and 3.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from limbeck.display.tables import Table
from limbeck.display.views import View, listed
from limbeck.errors import DataError
from limbeck.evaluation import label_metrics
from limbeck.evaluation.multi_predictions import MultiPredictions
from limbeck.review.label_doubts import SHEET_ROWS

TagMistake = Literal["missing", "superfluous"]
ANCHORS_PER_LABEL = 0.1
"""Anchors of a label, as a share of the rows that have it."""
FEWEST_ANCHORS = 20
"""Anchors of a label at least."""
LEAST_RATE = 1e-4
MOST_RATE = 0.5
ROW_PARTS = 5
"""Parts of the rows, of which each is looked at with what the others say of labels that go together."""
RIDGE = 0.3
"""Added to each column's correlation with itself (chosen on Debian's packages with planted mistakes: docs/log.md)."""
FEWEST_ROWS_PER_LABEL = 20
"""Of fewer rows per label nobody can tell which labels go together: the text alone speaks."""
_LOGITS = 8.0
"""Logits per unit of a line from 0 to 1, to begin with."""
_NEWTON_STEPS = 25
_BLOCK_CELLS = 1 << 20


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


@dataclass(frozen=True, kw_only=True)
class TagIssue:
    """One pair of row and label to look at.

    Attributes:
        row_id: the row's id in the dataset.
        text: of the row; None where the predictions hold no texts.
        label: the label.
        mistake: "missing" where the row has it not, "superfluous" where it has.
        probability: that the pair is wrong, 0 to 1.
        model_probability: of the label, out of fold, as the model said it of the text.
        context_probability: that a row with this text and these other labels is given the label; None where there are
            too few rows to tell.
    """

    row_id: str
    text: str | None
    label: str
    mistake: TagMistake
    probability: float
    model_probability: float
    context_probability: float | None

    @property
    def reason(self) -> str:
        """Why, in words: "probably missing: out of fold the model gives it 0.93, with the row's other labels 0.97"."""
        what = "probably missing" if self.mistake == "missing" else "probably too many"
        said = f"{what}: out of fold the model gives it {self.model_probability:.2f}"
        beside = self.context_probability
        return said if beside is None else f"{said}, with the row's other labels {beside:.2f}"


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class TagIssues(View):
    """Labels of rows that are probably missing, and labels that are probably too many.

    Attributes:
        predictions: out of fold, what a model that did not see the row said of it.
        order: of their pairs.
        incomplete: whether a missing label was taken to say little.
    """

    predictions: MultiPredictions
    order: TagOrder
    incomplete: bool

    def _lines(self) -> tuple[str, str]:
        found = self.predictions
        given = int(self.order.targets_NC.sum())
        names = [f"{found.label_names[label]} {count:,}" for label, count in self._most_missing()]
        return (
            f"Tag issues in {len(found):,} rows with {given:,} labels: {self.order.count('missing'):,} labels look "
            f"missing, {self.order.count('superfluous'):,} too many",
            f"missing most: {listed(names)}{'; tags taken as incomplete' if self.incomplete else ''}",
        )

    def _most_missing(self) -> list[tuple[int, int]]:
        counts_C = np.count_nonzero(~self.order.targets_NC & (self.order.wrong_NC > 0.5), axis=0)
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
            shown = self.worst(mistake, min(count, self.order.count(mistake)))
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

    def rows_to_review(self, rows: int | None = None) -> int:
        """Return how many pairs a sheet holds: `rows` where given, else those that look wrong, 100 at least."""
        wrong = self.order.count("missing") + self.order.count("superfluous")
        return rows or (min(self.order.wrong_NC.size, max(SHEET_ROWS, wrong)) if wrong else 0)

    def worst_of_both(self, count: int) -> tuple[TagIssue, ...]:
        """Return the pairs that are most probably wrong, whichever mistake they are."""
        both = [*self.worst("missing", count), *self.worst("superfluous", count)]
        return tuple(sorted(both, key=lambda one: -one.probability)[:count])

    def to_dict(self, count: int) -> dict[str, Any]:
        """Return plain values for JSON: how many of each mistake, rates by label, and the `count` worst of each."""
        names = self.predictions.label_names
        return {
            "rows": len(self.predictions),
            "labels": list(names),
            "incomplete": self.incomplete,
            "probably_missing": self.order.count("missing"),
            "probably_superfluous": self.order.count("superfluous"),
            "rates": {"missing": self.order.missing, "superfluous": self.order.superfluous},
            "missing": [vars(one) for one in self.worst("missing", count)],
            "superfluous": [vars(one) for one in self.worst("superfluous", count)],
        }


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
    alone_NC = _calibrated(lambda labels: _logits(probabilities_NC[:, labels]), targets_NC)
    given_NC = alone_NC
    if in_context := rows >= FEWEST_ROWS_PER_LABEL * classes:
        line_NC = _in_context(alone_NC, targets_NC)
        given_NC = _calibrated(lambda labels: _LOGITS * (line_NC[:, labels].astype(np.float64) - 0.5), targets_NC)
    missing, superfluous = _rates(given_NC, targets_NC, incomplete=incomplete)
    wrong_NC = np.empty_like(given_NC)
    for start in range(0, rows, max(1, _BLOCK_CELLS // classes)):
        part = slice(start, start + max(1, _BLOCK_CELLS // classes))
        true_BC = np.clip(given_NC[part].astype(np.float64), 1e-9, 1 - 1e-9)
        wrong_BC = np.where(targets_NC[part], (1 - true_BC) * superfluous, true_BC * missing)
        right_BC = np.where(targets_NC[part], true_BC * (1 - missing), (1 - true_BC) * (1 - superfluous))
        wrong_NC[part] = wrong_BC / (wrong_BC + right_BC)
    return TagOrder(
        wrong_NC=wrong_NC,
        targets_NC=targets_NC,
        given_NC=given_NC,
        missing=missing,
        superfluous=superfluous,
        in_context=in_context,
    )


def _in_context(alone_NC: np.ndarray, targets_NC: np.ndarray) -> np.ndarray:
    """Return how far each row has each label by a line through its probabilities and its other labels, float32 (N, C).

    All lines come from one inverse of the columns' correlations, with a ridge; each row's from those of the other
    parts of the rows.
    """
    rows, classes = targets_NC.shape
    part_N = np.random.default_rng(0).permutation(np.arange(rows) % ROW_PARTS)
    size = max(1, _BLOCK_CELLS // classes)
    blocks = [
        [own_M[start : start + size] for start in range(0, len(own_M), size)]
        for own_M in (np.flatnonzero(part_N == part) for part in range(ROW_PARTS))
    ]

    def columns_of(rows_B: np.ndarray) -> np.ndarray:
        """Return what is known of some rows: the labels that they have, and the chance of each."""
        return np.column_stack([targets_NC[rows_B], alone_NC[rows_B].astype(np.float64)])

    sums = np.zeros((ROW_PARTS, 2 * classes))
    products = np.zeros((ROW_PARTS, 2 * classes, 2 * classes))
    for part, own in enumerate(blocks):
        for rows_B in own:
            both_BK = columns_of(rows_B)
            sums[part] += both_BK.sum(axis=0)
            products[part] += both_BK.T @ both_BK
    line_NC = np.empty((rows, classes), dtype=np.float32)
    for part, own in enumerate(blocks):
        others = rows - sum(map(len, own))
        mean_K = (sums.sum(axis=0) - sums[part]) / others
        covariance_KK = (products.sum(axis=0) - products[part]) / others - np.outer(mean_K, mean_K)
        deviation_K = np.sqrt(np.maximum(covariance_KK.diagonal(), 0))
        # A column that is the same in all other rows says nothing.
        unit_K = np.divide(1, deviation_K, out=np.zeros_like(deviation_K), where=deviation_K > 1e-9)
        inverse_KK = np.linalg.inv(covariance_KK * np.outer(unit_K, unit_K) + RIDGE * np.eye(len(mean_K)))
        slope_KC = -inverse_KK[:, :classes] / inverse_KK.diagonal()[:classes]
        slope_KC[np.arange(classes), np.arange(classes)] = 0.0
        for rows_B in own:
            standard_BK = (columns_of(rows_B) - mean_K) * unit_K
            line_NC[rows_B] = standard_BK @ slope_KC * deviation_K[:classes] + mean_K[:classes]
    return line_NC


def _logits(probabilities_NK: np.ndarray) -> np.ndarray:
    """Return the logits of probabilities, float64, none of them endless."""
    inside_NK = np.clip(probabilities_NK.astype(np.float64), 1e-6, 1 - 1e-6)
    return np.asarray(np.log(inside_NK / (1 - inside_NK)))


def _calibrated(logits_of: Callable[[slice], np.ndarray], targets_NC: np.ndarray) -> np.ndarray:
    """Return sigmoid(a · logit + b) of each label, float32: a and b fitted to its column, and drawn towards 1 and 0.

    Args:
        logits_of: gives the logits of some labels, float64 (N, K); of all at once they would fill the memory.
        targets_NC: which rows have which label.
    """
    rows, classes = targets_NC.shape
    found_NC = np.empty((rows, classes), dtype=np.float32)
    size = max(1, _BLOCK_CELLS // rows)
    for start in range(0, classes, size):
        labels = slice(start, start + size)
        found_NC[:, labels] = _sigmoid_fitted(logits_of(labels), targets_NC[:, labels])
    return found_NC


def _sigmoid_fitted(logits_NK: np.ndarray, targets_NK: np.ndarray) -> np.ndarray:
    slope_K, offset_K = np.ones(logits_NK.shape[1]), np.zeros(logits_NK.shape[1])
    for _ in range(_NEWTON_STEPS):
        shares_NK = 1 / (1 + np.exp(-np.clip(slope_K * logits_NK + offset_K, -40, 40)))
        over_NK, bend_NK = shares_NK - targets_NK, shares_NK * (1 - shares_NK)
        slope_by, offset_by = (over_NK * logits_NK).sum(axis=0) + slope_K - 1, over_NK.sum(axis=0) + offset_K
        xx, x, one = (
            (bend_NK * logits_NK**2).sum(axis=0) + 1,
            (bend_NK * logits_NK).sum(axis=0),
            bend_NK.sum(axis=0) + 1,
        )
        size = xx * one - x * x
        step_slope, step_offset = (one * slope_by - x * offset_by) / size, (xx * offset_by - x * slope_by) / size
        # Far from the end a whole step may overshoot.
        slope_K, offset_K = slope_K - np.clip(step_slope, -1, 1), offset_K - np.clip(step_offset, -2, 2)
        if max(np.abs(step_slope).max(), np.abs(step_offset).max()) < 1e-6:
            break
    return np.asarray(1 / (1 + np.exp(-np.clip(slope_K * logits_NK + offset_K, -40, 40))))


def _rates(given_NC: np.ndarray, targets_NC: np.ndarray, *, incomplete: bool) -> tuple[float, float]:
    """Return how often labels are missing, and how often they are too many, over all labels together."""
    rows, classes = targets_NC.shape
    if incomplete:
        missed = float((1 - given_NC[targets_NC]).sum()) / max(1, int(np.count_nonzero(targets_NC)))
        return float(np.clip(missed, LEAST_RATE, MOST_RATE)), LEAST_RATE
    quarter = max(1, rows // 4)
    missed_count = anchors = added = 0
    for label in range(classes):
        has_N = targets_NC[:, label][np.argsort(-given_NC[:, label], kind="stable")]
        count = int(has_N.sum())
        own = min(count, max(FEWEST_ANCHORS, round(ANCHORS_PER_LABEL * count)))
        anchors += own
        missed_count += own - int(has_N[:own].sum())
        added += int(has_N[-quarter:].sum())
    found = missed_count / max(1, anchors), added / (quarter * classes)
    return float(np.clip(found[0], LEAST_RATE, MOST_RATE)), float(np.clip(found[1], LEAST_RATE, MOST_RATE))
