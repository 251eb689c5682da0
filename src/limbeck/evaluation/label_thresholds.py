"""Thresholds of labels: from which probability on a row is given a label, for F1 or for a precision that is promised.

In: probabilities (N, C) and targets bool (N, C) of rows that the classifier did not learn from. Out: a threshold for
each label, with what was seen; or, cross-fitted, decisions about the rows themselves that can be scored honestly.
It does not know models. A row is given a label when its probability is at or above the label's threshold.

**0.5 is wrong for rare labels.** The threshold that makes F1 largest is half of the F1 that can be reached, so it falls
with how hard a label is to tell. **For F1** each cut between two probabilities is tried, and of equals the one that
gives the label to the fewest rows is taken. Of few rows the best cut is largely luck, so it is drawn towards the cut
that serves all labels best, in logits, with the weight of `prior_rows` rows of the label. A label that no row has gets
that shared cut.

**For a precision** the candidates are tested as in `thresholds`; the promises of all labels hold together.

A threshold that was chosen for looking good looks too good on its own rows. `decide_cross_fitted` therefore chooses on
some folds and decides on the others: the F1 of those decisions is what new rows can expect, or a little less.

Source: Lipton, Elkan & Naryanaswamy, Optimal Thresholding of Classifiers to Maximize F1 Measure (2014), theorem 1, for
half of F1; Fan & Lin, A Study on Threshold Selection for Multi-label Classification (2007), for cuts a label by
cross-validation and the trouble with rare labels.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from limbeck.display.tables import Table
from limbeck.display.views import View, listed
from limbeck.errors import DataError, SettingsError
from limbeck.evaluation import label_metrics, metrics
from limbeck.evaluation.counted import quantity
from limbeck.evaluation.intervals import LEVEL
from limbeck.evaluation.thresholds import Goal, choose_threshold
from limbeck.task import MULTI

NEVER_GIVEN = 2.0
"""Threshold of a label that no row is given: no probability reaches it."""
PRIOR_ROWS = 10.0
"""Rows of a label that the cut shared by all labels counts for (measured on Debian's tags: docs/log.md)."""
FOLDS = 5
_SHARED_CUTS = 1 / (1 + np.exp(-np.linspace(-5.0, 4.0, 91)))
"""Cuts that are tried for all labels at once: 0.007 to 0.982, even in logits."""
_BLOCK_CELLS = 1 << 21
_LEAST_CANDIDATES = 200
"""Most probable rows of a label that are looked at for a promise, at least."""


@dataclass(frozen=True, kw_only=True)
class LabelGoal:
    """What the threshold of each label is to reach.

    Attributes:
        precision: minimum share of rows with the label among those that are given it, promised; None for the largest
            F1.
        confidence: of what is promised, for all labels together.
        prior_rows: of a threshold for F1: rows of a label that the cut shared by all labels counts for; 0 for none.
    """

    precision: float | None = None
    confidence: float = LEVEL
    prior_rows: float = PRIOR_ROWS


F1_GOAL = LabelGoal()
"""The largest F1 of each label."""


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class LabelThresholds(View):
    """A threshold for each label, and what was seen on the rows that it was chosen on.

    Attributes:
        goal: that was to be reached.
        label_names: the C names.
        values: a row is given a label at or above it; `NEVER_GIVEN` where the goal cannot be reached, float64 (C,).
        tally: rows with each label, given it, and both, with these thresholds. They were chosen to look good here.
        promised: precision that is promised of each label, float64 (C,); 0 where none is, None for F1.
        shared: the one cut that serves the F1 of all labels best; None for a precision.
    """

    goal: LabelGoal
    label_names: tuple[str, ...]
    values: np.ndarray
    tally: metrics.Tally
    promised: np.ndarray | None
    shared: float | None

    @property
    def unseen(self) -> tuple[str, ...]:
        """Labels that no row had, so that nothing could be learned of their threshold."""
        return self._named(self.tally.support == 0)

    @property
    def never_given(self) -> tuple[str, ...]:
        """Labels that are never given, since their precision cannot be promised."""
        return self._named(self.values >= NEVER_GIVEN)

    def _named(self, wanted_C: np.ndarray) -> tuple[str, ...]:
        return tuple(self.label_names[label] for label in np.flatnonzero(wanted_C))

    def _lines(self) -> tuple[str, str]:
        goal, count = self.goal, quantity(len(self.label_names), "labels")
        wanted = "the largest F1" if goal.precision is None else f"precision {goal.precision:g}"
        given = self.values[self.values < NEVER_GIVEN]
        between = f"from {given.min():.3f} to {given.max():.3f}" if len(given) else "none can be reached"
        more = "".join(
            f"; {what}: {listed(names)}"
            for what, names in (("no row has", self.unseen), ("never given", self.never_given))
            if names
        )
        return f"Thresholds of {count} for {wanted}: {between}", f"macro F1 here {self.f1_macro:.3f}{more}"

    @property
    def f1_macro(self) -> float:
        """Macro F1 on the rows that the thresholds were chosen on: too good for new rows."""
        return float(metrics.f1_macro(self.tally))

    def _tables(self) -> Iterator[Table]:
        precision, recall, f1 = (
            score(self.tally) for score in (metrics.precision_by_class, metrics.recall_by_class, metrics.f1_by_class)
        )
        head = () if self.promised is None else ("precision promised",)
        yield Table(
            title="Thresholds, and what was seen on the rows that they were chosen on",
            header=("label", "given from", "rows", "given", "precision", "recall", "F1", *head),
            rows=tuple(
                (
                    name,
                    "never" if self.values[label] >= NEVER_GIVEN else f"{self.values[label]:.4g}",
                    f"{self.tally.support[label]:,}",
                    f"{self.tally.predicted[label]:,}",
                    *(f"{score[label]:.3f}" for score in (precision, recall, f1)),
                    *(() if self.promised is None else (f"{self.promised[label]:.3f}",)),
                )
                for label, name in enumerate(self.label_names)
            ),
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON: the goal, and by label its threshold and the three counts; null for never."""
        return {
            "precision": self.goal.precision,
            "confidence": None if self.goal.precision is None else self.goal.confidence,
            "prior_rows": self.goal.prior_rows if self.goal.precision is None else None,
            "shared": self.shared,
            "f1_macro": self.f1_macro,
            "per_label": {
                name: {
                    "value": None if self.values[label] >= NEVER_GIVEN else float(self.values[label]),
                    "rows": int(self.tally.support[label]),
                    "given": int(self.tally.predicted[label]),
                    "hits": int(self.tally.hits[label]),
                    "promised": None if self.promised is None else float(self.promised[label]),
                }
                for label, name in enumerate(self.label_names)
            },
        }


def choose_label_thresholds(
    probabilities_NC: np.ndarray, targets_NC: np.ndarray, label_names: Sequence[str], goal: LabelGoal = F1_GOAL
) -> LabelThresholds:
    """Choose the threshold of each label on rows that the classifier did not learn from.

    Raises:
        SettingsError: the precision or the confidence is no share, or `prior_rows` is below 0.
        DataError: shapes differ, there is no row, or a value is no probability.

    Example:
        >>> shares = np.array([[0.9, 0.3], [0.6, 0.2], [0.2, 0.1]])
        >>> found = choose_label_thresholds(
        ...     shares, np.array([[1, 1], [1, 0], [0, 0]], bool), ("a", "b"), LabelGoal(prior_rows=0)
        ... )
        >>> found.values.tolist(), found.f1_macro
        ([0.4, 0.25], 1.0)
    """
    _check(probabilities_NC, targets_NC, len(label_names), goal)
    promised: np.ndarray | None = None
    shared: float | None = None
    if goal.precision is None:
        shared = _shared_cut(probabilities_NC, targets_NC)
        values_C = _f1_thresholds(probabilities_NC, targets_NC, shared, goal.prior_rows)
    else:
        values_C, promised = _promised_thresholds(probabilities_NC, targets_NC, goal)
    return LabelThresholds(
        goal=goal,
        label_names=tuple(label_names),
        values=values_C,
        tally=label_metrics.tally_of_labels(targets_NC, decide_labels(probabilities_NC, values_C)),
        promised=promised,
        shared=shared,
    )


def decide_labels(probabilities_NC: np.ndarray, thresholds_C: np.ndarray) -> np.ndarray:
    """Return which labels each row is given, bool (N, C): those at or above their threshold.

    Raises:
        DataError: not one threshold a label.
    """
    if np.shape(thresholds_C) != probabilities_NC.shape[1:]:
        raise DataError(
            f"{np.size(thresholds_C)} thresholds for {probabilities_NC.shape[1]} labels: give one for each label"
        )
    return MULTI.decided(probabilities_NC, np.asarray(thresholds_C, dtype=np.float64))


def decide_cross_fitted(
    probabilities_NC: np.ndarray,
    targets_NC: np.ndarray,
    goal: LabelGoal = F1_GOAL,
    *,
    folds: int = FOLDS,
    seed: int = 0,
) -> np.ndarray:
    """Return which labels each row is given by thresholds that were chosen on the other folds, bool (N, C).

    Raises:
        SettingsError: fewer than two folds, or the goal is impossible.
        DataError: fewer rows than folds, shapes differ, or a value is no probability.
    """
    rows, classes = probabilities_NC.shape
    if folds < 2:
        raise SettingsError(
            f"folds is {folds}: thresholds are judged on rows they were not chosen on, so give 2 or more"
        )
    if rows < folds:
        raise DataError(f"{rows:,} rows cannot be dealt to {folds} folds: give fewer folds or more rows")
    names = tuple(map(str, range(classes)))
    fold_N = np.random.default_rng(seed).permutation(np.arange(rows) % folds)
    decided_NC = np.empty((rows, classes), dtype=np.bool_)
    for fold in range(folds):
        left_out = fold_N == fold
        chosen = choose_label_thresholds(probabilities_NC[~left_out], targets_NC[~left_out], names, goal)
        decided_NC[left_out] = decide_labels(probabilities_NC[left_out], chosen.values)
    return decided_NC


def _check(probabilities_NC: np.ndarray, targets_NC: np.ndarray, names: int, goal: LabelGoal) -> None:
    for name, value in (("precision", goal.precision), ("confidence", goal.confidence)):
        if value is not None and not 0 < value < 1:
            raise SettingsError(f"{name} = {value} is not possible: give a share above 0 and below 1, such as 0.9")
    if not goal.prior_rows >= 0:
        raise SettingsError(f"prior_rows = {goal.prior_rows} is not possible: give 0 or more")
    label_metrics.check_shares(probabilities_NC)
    label_metrics.check_targets(targets_NC, probabilities_NC.shape)
    if names != probabilities_NC.shape[1]:
        raise DataError(f"{probabilities_NC.shape[1]} probabilities a row but {names} label names")


def _shared_cut(probabilities_NC: np.ndarray, targets_NC: np.ndarray) -> float:
    """Return the one cut with the largest mean F1 of the labels that occur; of equals the highest."""
    seen_C = targets_NC.any(axis=0)
    if not seen_C.any():
        return 0.5
    shares_NC, targets_NC = probabilities_NC[:, seen_C], targets_NC[:, seen_C]
    mean_K = [
        metrics.f1_by_class(label_metrics.tally_of_labels(targets_NC, shares_NC >= cut)).mean() for cut in _SHARED_CUTS
    ]
    return float(_SHARED_CUTS[len(mean_K) - 1 - int(np.argmax(mean_K[::-1]))])


def _f1_thresholds(
    probabilities_NC: np.ndarray, targets_NC: np.ndarray, shared: float, prior_rows: float
) -> np.ndarray:
    rows, classes = probabilities_NC.shape
    counts_C = np.count_nonzero(targets_NC, axis=0)
    values_C = np.full(classes, shared)
    size = max(1, _BLOCK_CELLS // rows)
    for start in range(0, classes, size):
        labels = np.flatnonzero(counts_C[start : start + size]) + start
        if len(labels):
            values_C[labels] = _best_cuts(probabilities_NC[:, labels].T, targets_NC[:, labels].T)
    if prior_rows:
        weight_C = counts_C / (counts_C + prior_rows)
        inside_C = np.clip(values_C, 1e-6, 1 - 1e-6)
        logits_C = weight_C * np.log(inside_C / (1 - inside_C)) + (1 - weight_C) * np.log(shared / (1 - shared))
        values_C = 1 / (1 + np.exp(-logits_C))
    return values_C


def _best_cuts(scores_KM: np.ndarray, targets_KM: np.ndarray) -> np.ndarray:
    """Return the cut of each line with the largest F1, float64 (K,); each has a true place."""
    order_KM = np.argsort(-scores_KM, axis=1, kind="stable")
    sorted_KM = np.take_along_axis(scores_KM, order_KM, axis=1).astype(np.float64)
    hits_KM = np.cumsum(np.take_along_axis(targets_KM, order_KM, axis=1), axis=1)
    f1_KM = 2 * hits_KM / (np.arange(1, sorted_KM.shape[1] + 1) + hits_KM[:, -1:])
    f1_KM[:, :-1][sorted_KM[:, 1:] == sorted_KM[:, :-1]] = -1.0  # no cut tells equals apart
    last_K = f1_KM.argmax(axis=1)
    return np.array([_cut(line, int(last)) for line, last in zip(sorted_KM, last_K, strict=True)])


def _cut(sorted_M: np.ndarray, last: int) -> float:
    """Return a short number at or below the place `last` of a falling line, and above the next one."""
    if last + 1 == len(sorted_M):
        return 0.0
    below, above = float(sorted_M[last + 1]), float(sorted_M[last])
    for digits in range(2, 17):
        rounded = round((below + above) / 2, digits)
        if below < rounded <= above:
            return rounded
    return above


def _promised_thresholds(
    probabilities_NC: np.ndarray, targets_NC: np.ndarray, goal: LabelGoal
) -> tuple[np.ndarray, np.ndarray]:
    """Return the lowest thresholds whose precision can be promised, and what is promised.

    Only a label's most probable rows are candidates, twice as many as could have the precision if the probabilities
    were right; the choice of them looks at no target, so it takes nothing from the promise.
    """
    rows, classes = probabilities_NC.shape
    precision = goal.precision or 1.0
    wanted = Goal(precision=precision, confidence=goal.confidence, per_class=True)
    values_C, promised_C = np.full(classes, NEVER_GIVEN), np.zeros(classes)
    for label in range(classes):
        shares_N = probabilities_NC[:, label].astype(np.float64)
        falling_N = -np.sort(-shares_N)
        most = min(rows, max(_LEAST_CANDIDATES, int(np.ceil(2 * shares_N.sum() / precision))))
        likely_N = shares_N >= falling_N[most - 1]
        error = (1 - goal.confidence) / classes
        found = choose_threshold(None, shares_N[likely_N], targets_NC[likely_N, label], wanted, error)
        if found.is_reached and found.answered is not None:
            values_C[label] = _cut(falling_N, found.answered.count - 1)
            promised_C[label] = found.precision_low
    return values_C, promised_C
