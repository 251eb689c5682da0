"""Thresholds: from which probability on an answer is given, chosen so that a promise can be kept.

In: probabilities (N, C) and labels (N,) of rows that the classifier did not learn from, and a goal: a precision or a
coverage. Out: a threshold for each class, with what was seen and what can be promised.
It does not know models; what a threshold does is said in `abstaining`.

A precision that is merely reached on the rows at hand would be missed on half of all others: the threshold was chosen
for looking good. The promise here holds with the stated confidence over the draw of the rows. Candidates, one for each
hundredth of the rows and surest first, are tested in order, each with its share of the allowed error, and a test that
succeeds hands its share on to the next (the fallback procedure). The chance that any candidate which misses the goal
passes is at most 1 - confidence, and the loosest one that passed is taken. Candidates with too few rows to pass even
without an error are not tested. By class the allowed error is divided among the classes, so that all promises hold
together.

Source: Geifman & El-Yaniv, Selective Classification for Deep Neural Networks (2017), for the promise; Angelopoulos,
Bates, Candès, Jordan & Lei, Learn then Test (2021), for choosing by tests; Wiens, A fixed sequence Bonferroni procedure
(2003), for the order of tests; Clopper & Pearson (1934), for each test.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from limbeck.display.tables import Table
from limbeck.display.views import View, listed
from limbeck.errors import DataError, SettingsError
from limbeck.evaluation import metrics
from limbeck.evaluation.abstaining import NEVER
from limbeck.evaluation.counted import percent
from limbeck.evaluation.intervals import LEVEL
from limbeck.evaluation.proportions import Share, least_share, share_of

CANDIDATES = 100
"""Thresholds that are tried: one for each hundredth of the rows."""


@dataclass(frozen=True, kw_only=True)
class Goal:
    """What a threshold is to reach; one of the two.

    Attributes:
        precision: minimum share of correct answers among those that are given, with `confidence`.
        coverage: minimum share of the rows that are answered, of those it is chosen on.
        confidence: of what is promised.
        per_class: a threshold for each class, each of which reaches the goal, instead of one for all.
    """

    precision: float | None = None
    coverage: float | None = None
    confidence: float = LEVEL
    per_class: bool = False


@dataclass(frozen=True, kw_only=True)
class Threshold:
    """A threshold, and the rows that it was chosen on.

    Attributes:
        label: the class whose answers it is for; None for those of every class.
        value: answers above it are given; `NEVER` when the goal cannot be reached.
        answered: of the rows.
        right: of the answered rows; None when none is answered.
        precision_low: the precision that can be promised; 0 when none is answered.
        most_precision: the highest precision that any threshold could promise on these rows.
    """

    label: str | None
    value: float
    answered: Share | None
    right: Share | None
    precision_low: float
    most_precision: float

    @property
    def is_reached(self) -> bool:
        """Whether any row is answered."""
        return self.value < NEVER

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "label": self.label,
            "value": self.value,
            "reached": self.is_reached,
            "answered": None if self.answered is None else self.answered.to_dict(),
            "right": None if self.right is None else self.right.to_dict(),
            "precision_low": self.precision_low,
            "most_precision": self.most_precision,
        }


@dataclass(frozen=True, kw_only=True, repr=False)
class Thresholds(View):
    """The thresholds of a classifier.

    Attributes:
        goal: what they were to reach.
        chosen: one for all, or one a class.
        label_names: the C classes.
    """

    goal: Goal
    chosen: tuple[Threshold, ...]
    label_names: tuple[str, ...]

    @property
    def values(self) -> tuple[float, ...]:
        """The threshold of each class, (C,)."""
        if len(self.chosen) == 1:
            return (self.chosen[0].value,) * len(self.label_names)
        return tuple(one.value for one in self.chosen)

    @property
    def is_reached(self) -> bool:
        """Whether the goal is reached anywhere."""
        return any(one.is_reached for one in self.chosen)

    def _lines(self) -> tuple[str, str]:
        goal = self.goal
        wanted = (
            f"a precision of {goal.precision:g}, with {percent(goal.confidence)} confidence"
            if goal.precision is not None
            else f"{percent(goal.coverage or 0.0)} of the rows answered"
        )
        one, scope = self.chosen[0], "per class" if goal.per_class else "for every class"
        told = f"answers above {one.value:g}" if one.is_reached else "cannot be reached"
        more = "" if one.answered is None else f"; {percent(one.answered.value)} of {one.answered.rows:,} rows answered"
        first = f"{listed([one.label])}: " if one.label is not None else ""
        return f"Thresholds {scope}: {wanted}", f"{first}{told}{more}"

    def _tables(self) -> Iterator[Table]:
        yield Table(
            title="Thresholds",
            header=("answers of", "given above", "rows answered (95 %)", "of these right (95 %)", "precision promised"),
            rows=tuple(
                (
                    "every class" if one.label is None else one.label,
                    f"{one.value:g}" if one.is_reached else "never",
                    "–" if one.answered is None else str(one.answered),
                    "–" if one.right is None else str(one.right),
                    f"{one.precision_low:.3f}",
                )
                for one in self.chosen
            ),
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON: the goal, the values by class, and what each was chosen on."""
        return {
            "precision": self.goal.precision,
            "coverage": self.goal.coverage,
            "confidence": self.goal.confidence,
            "per_class": self.goal.per_class,
            "values": dict(zip(self.label_names, self.values, strict=True)),
            "chosen": [one.to_dict() for one in self.chosen],
        }


def choose_thresholds(
    probabilities_NC: np.ndarray, labels_N: np.ndarray, label_names: Sequence[str], goal: Goal
) -> Thresholds:
    """Choose the thresholds that reach a goal and leave the fewest rows unsure.

    Raises:
        SettingsError: the goal names both or none of precision and coverage, or they are no shares.
        DataError: shapes differ, a label is out of range, or a row is no distribution.
    """
    _check(goal)
    metrics.row_losses(probabilities_NC, labels_N)  # refuses what is no distribution, and labels that do not fit
    if len(label_names) != probabilities_NC.shape[1]:
        raise DataError(f"{probabilities_NC.shape[1]} probabilities a row but {len(label_names)} label names")
    confidence_N = probabilities_NC.max(axis=1).astype(np.float64)
    predicted_N = metrics.predicted_labels(probabilities_NC)
    right_N = predicted_N == labels_N
    error = 1 - goal.confidence
    if not goal.per_class:
        chosen: tuple[Threshold, ...] = (choose_threshold(None, confidence_N, right_N, goal, error),)
    else:
        chosen = tuple(
            choose_threshold(
                name, confidence_N[predicted_N == label], right_N[predicted_N == label], goal, error / len(label_names)
            )
            for label, name in enumerate(label_names)
        )
    return Thresholds(goal=goal, chosen=chosen, label_names=tuple(label_names))


def _check(goal: Goal) -> None:
    if (goal.precision is None) == (goal.coverage is None):
        raise SettingsError("give either a precision or a coverage to reach")
    for name, value in (("precision", goal.precision), ("coverage", goal.coverage), ("confidence", goal.confidence)):
        if value is not None and not 0 < value < 1:
            raise SettingsError(f"{name} = {value} is not possible: give a share above 0 and below 1, such as 0.95")


def choose_threshold(
    label: str | None, confidence_N: np.ndarray, right_N: np.ndarray, goal: Goal, error: float
) -> Threshold:
    """Choose one threshold for rows that share it; `error` is the allowed chance of a broken promise."""
    rows = len(confidence_N)
    surest_first = np.argsort(-confidence_N, kind="stable")
    sorted_N, hits_N = confidence_N[surest_first], np.cumsum(right_N[surest_first])
    # A candidate answers its first k rows; rows of equal confidence cannot be told apart, so all of them or none.
    last_of_ties = np.flatnonzero(np.append(sorted_N[1:] < sorted_N[:-1], True)) + 1 if rows else np.zeros(0, int)
    wanted = np.ceil(np.arange(1, CANDIDATES + 1) * rows / CANDIDATES).astype(int)
    counts_K = np.unique(last_of_ties[np.searchsorted(last_of_ties, wanted)]) if rows else last_of_ties
    hits_K = hits_N[counts_K - 1] if rows else counts_K
    found: int | None = None
    promised = most = 0.0
    if goal.precision is not None:
        hopeful_K = goal.precision**counts_K <= error
        spent = error / max(1, hopeful_K.sum())
        if hopeful_K.any():
            most = float(least_share(hits_K[hopeful_K], counts_K[hopeful_K], confidence=1 - spent).max())
        allowed = 0.0
        for place in np.flatnonzero(hopeful_K):
            allowed += spent
            low = float(least_share(hits_K[place], counts_K[place], confidence=1 - allowed))
            if low >= goal.precision:
                found, promised = int(place), low
            else:
                allowed = 0.0
    elif rows and goal.coverage is not None:
        found = int(np.argmax(counts_K >= goal.coverage * rows - 1e-9))
        promised = most = float(least_share(hits_K[found], counts_K[found], confidence=1 - error))
    if found is None:
        answered = share_of(0, rows) if rows else None
        return Threshold(
            label=label, value=NEVER, answered=answered, right=None, precision_low=0.0, most_precision=most
        )
    count = int(counts_K[found])
    return Threshold(
        label=label,
        value=0.0 if count == rows else _between(sorted_N[count], sorted_N[count - 1]),
        answered=share_of(count, rows),
        right=share_of(int(hits_K[found]), count),
        precision_low=promised,
        most_precision=max(most, promised),
    )


def _between(below: float, above: float) -> float:
    """Return the shortest decimal number from `below` up to, but without, `above`."""
    for digits in range(2, 17):
        rounded = round((below + above) / 2, digits)
        if below <= rounded < above:
            return float(rounded)
    return float(below)
