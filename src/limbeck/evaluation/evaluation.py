"""Evaluation: what is known about a classifier on one set of rows, as one frozen value.

In: probabilities (N, C), true labels (N,), label names, the majority label of the training rows. Out: every score with
its interval, the confusion matrix, the baseline, and a dictionary of them with documented keys.
It does not know models, texts or where it is shown.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import ArrayLike

from limbeck.display.frames import frame_of
from limbeck.display.tables import Table
from limbeck.display.views import View, listed
from limbeck.errors import DataError
from limbeck.evaluation import intervals, metrics
from limbeck.evaluation.calibration import Calibration, measure_calibration
from limbeck.evaluation.class_scores import ClassScores, score_classes
from limbeck.evaluation.confusions import Confusion, confusion_counts_of, find_worst, matrix_facts
from limbeck.evaluation.measured import (
    ROUNDING,
    Measured,
    brief,
    joined,
    measured,
    reading_figures,
    with_interval,
)
from limbeck.evaluation.proportions import share_of

if TYPE_CHECKING:
    import pandas as pd

MOST_DRAWN = 10
"""Classes up to which a notebook shows the whole confusion matrix; of more, the worst confusions in words."""


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """What is reached without reading a text: the most frequent label of the training rows, said of every row.

    Attributes:
        label: that label's name.
        accuracy: share of rows that are right.
        f1_weighted: mean F1 of the classes, weighted by their rows.
        f1_macro: plain mean F1 of the classes that were true or said.
        log_loss: the lowest that one constant answer can reach on these rows (the entropy of their labels, in nats);
            certainty of the majority label has an infinite one, beside which anything would look good.
    """

    label: str
    accuracy: float
    f1_weighted: float
    f1_macro: float
    log_loss: float


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Evaluation(View):
    """What is known about a classifier on N rows.

    Attributes:
        rows: N.
        label_names: the C class names, in the order of every array here.
        accuracy: share of rows that are right.
        f1_weighted: mean F1 of the classes, weighted by their rows.
        f1_macro: plain mean F1 of the classes that were true or said (see `metrics.f1_macro`).
        log_loss: mean negative logarithm of the true label's probability, in nats.
        calibration: how far the probabilities can be taken at their word.
        per_class: the scores of each class, in the order of `label_names`; a class without rows has support 0.
        confusion_counts: rows by true label (row) and predicted label (column), int64 (C, C).
        baseline: the majority class, scored on the same rows.
        resamples: bootstrap resamples behind the intervals of the mean F1s and of log loss; all others are Wilson's.
        seed: of the bootstrap.
    """

    rows: int
    label_names: tuple[str, ...]
    accuracy: Measured
    f1_weighted: Measured
    f1_macro: Measured
    log_loss: Measured
    calibration: Calibration
    per_class: tuple[ClassScores, ...]
    confusion_counts: np.ndarray
    baseline: Baseline
    resamples: int
    seed: int

    @property
    def confusion_shares(self) -> np.ndarray:
        """The confusion matrix as shares of the true label, float64 (C, C)."""
        return metrics.confusion_shares(self.confusion_counts)

    @property
    def worst_confusions(self) -> tuple[Confusion, ...]:
        """The worst confusions, at most `WORST_CONFUSIONS`: those of the most rows first; of equals, by share.

        So one row of three (0.33, but maybe chance) does not outrank ninety of a thousand.
        """
        return find_worst(self.confusion_counts, self.label_names)

    def to_pandas(self) -> "pd.DataFrame":
        """Return a DataFrame with a row for each class, each score beside the ends of its interval."""
        rows = [
            {
                "label": one.name,
                "rows": one.support,
                "predicted": one.predicted,
                **{
                    f"{name}{end}": getattr(getattr(one, name), field)
                    for name in ("precision", "recall", "f1")
                    for end, field in (("", "value"), ("_low", "low"), ("_high", "high"))
                },
            }
            for one in self.per_class
        ]
        return frame_of(pa.Table.from_pylist(rows))

    def class_table(self) -> Table:
        """Return precision, recall and F1 of each class with their intervals, in the order of the label names."""
        return Table(
            title="Classes, 95 % intervals",
            header=("label", "rows", "predicted", "precision", "recall", "F1"),
            rows=tuple(
                (one.name, f"{one.support:,}", f"{one.predicted:,}", *map(brief, (one.precision, one.recall, one.f1)))
                for one in self.per_class
            ),
        )

    def confusion_table(self) -> Table:
        """Return the confusion matrix: true labels down, predicted ones across, counts with shares of the row."""
        counts, shares = self.confusion_counts, np.nan_to_num(self.confusion_shares)
        return Table(
            title="Confusion matrix, rows and share of the true label",
            header=("true ↓ predicted →", *self.label_names),
            rows=tuple(
                (name, *(f"{count:,} ({share:.2f})" for count, share in zip(counts[true], shares[true], strict=True)))
                for true, name in enumerate(self.label_names)
            ),
            shares=tuple(tuple(line) for line in shares.tolist()),
        )

    def worst_confusion_table(self) -> Table:
        """Return the worst confusions in words, the most rows first."""
        return Table(
            title="Worst confusions, 95 % intervals",
            header=("true → predicted", "rows", "share of the true label"),
            rows=tuple(
                (f"{one.true_label} → {one.predicted_label}", f"{one.count:,}", brief(one.share))
                for one in self.worst_confusions
            ),
        )

    def _lines(self) -> tuple[str, str]:
        worst = f"; worst confusion {self.worst_confusions[0]}" if self.worst_confusions else ""
        return (
            f"Evaluation of {self.rows:,} rows, {len(self.label_names):,} classes: accuracy {brief(self.accuracy)}, "
            f"macro F1 {brief(self.f1_macro)}",
            f"always {listed([self.baseline.label])}: accuracy {self.baseline.accuracy:.3f}, "
            f"macro F1 {self.baseline.f1_macro:.3f}; calibration error {self.calibration.ece.value:.3f}{worst}",
        )

    def _tables(self) -> tuple[Table, ...]:
        named = {
            "accuracy": (self.accuracy, self.baseline.accuracy),
            "weighted F1": (self.f1_weighted, self.baseline.f1_weighted),
            "macro F1": (self.f1_macro, self.baseline.f1_macro),
            "log loss (nats)": (self.log_loss, self.baseline.log_loss),
        }
        scores = Table(
            title="Scores",
            header=("", "value", "95 % interval", f"always {listed([self.baseline.label])}"),
            rows=tuple(
                (name, f"{one.value:.3f}", one.between(3), f"{plain:.3f}") for name, (one, plain) in named.items()
            ),
        )
        is_drawn = len(self.label_names) <= MOST_DRAWN
        return (scores, self.class_table(), self.confusion_table() if is_drawn else self.worst_confusion_table())

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON; keys and their order are stable.

        `rows`, `labels`, `accuracy`, `f1_weighted`, `f1_macro`, `log_loss`, `ece`;
        `intervals`: `level`, `method`, `resamples`, `seed`, and `low` and `high` under the name of each score (that of
        `ece` is reflected, see `calibration`);
        `per_class`, by name: `support`, `predicted`, `precision`, `recall`, `f1`, and `intervals` of the last three;
        `confusion`: `counts` and `shares` of the true label, rows true and columns predicted, in the order of `labels`;
        of more than 50 classes instead `cells`, those in which rows fell (`true`, `predicted`: places in `labels`;
        `counts`); and `worst`, the worst cells by name;
        `baseline`: `label` and the four scores;
        `calibration`: see `Calibration.to_dict`.
        """
        summary = {name: getattr(self, name) for name in ("accuracy", "f1_weighted", "f1_macro", "log_loss")}
        summary["ece"] = self.calibration.ece
        return {
            "rows": self.rows,
            "labels": list(self.label_names),
            **{name: one.value for name, one in summary.items()},
            "intervals": {
                "level": intervals.LEVEL,
                "method": "Wilson; of the mean F1s and log loss, bootstrap percentile",
                "resamples": self.resamples,
                "seed": self.seed,
                **{name: one.ends for name, one in summary.items()},
            },
            "per_class": {one.name: one.to_dict() for one in self.per_class},
            "confusion": matrix_facts(self.confusion_counts, self.label_names),
            "baseline": {
                "label": self.baseline.label,
                "accuracy": self.baseline.accuracy,
                "f1_weighted": self.baseline.f1_weighted,
                "f1_macro": self.baseline.f1_macro,
                "log_loss": self.baseline.log_loss,
            },
            "calibration": self.calibration.to_dict(),
        }

    @classmethod
    def from_dict(cls, facts: Mapping[str, Any]) -> "Evaluation":
        """Make an evaluation of what `to_dict` returned.

        Raises:
            DataError: a key is missing or a value is of the wrong kind.
        """
        with reading_figures():
            return cls(
                rows=int(facts["rows"]),
                label_names=tuple(facts["labels"]),
                accuracy=joined(facts, "accuracy"),
                f1_weighted=joined(facts, "f1_weighted"),
                f1_macro=joined(facts, "f1_macro"),
                log_loss=joined(facts, "log_loss"),
                calibration=Calibration.from_dict(facts["calibration"]),
                per_class=tuple(ClassScores.from_dict(name, facts["per_class"][name]) for name in facts["labels"]),
                confusion_counts=_frozen(confusion_counts_of(facts["confusion"], len(facts["labels"]))),
                baseline=Baseline(
                    label=facts["baseline"]["label"],
                    accuracy=float(facts["baseline"]["accuracy"]),
                    f1_weighted=float(facts["baseline"]["f1_weighted"]),
                    f1_macro=float(facts["baseline"]["f1_macro"]),
                    log_loss=float(facts["baseline"]["log_loss"]),
                ),
                resamples=int(facts["intervals"]["resamples"]),
                seed=int(facts["intervals"]["seed"]),
            )


def evaluate(
    probabilities_NC: ArrayLike,
    labels_N: ArrayLike,
    label_names: Sequence[str],
    *,
    majority_label: int | None = None,
    seed: int = 0,
    resamples: int = intervals.RESAMPLES,
) -> Evaluation:
    """Score a classifier on rows whose labels are known.

    Shapes: probabilities_NC (N, C) floats, each row adding up to 1; labels_N (N,) integers 0 … C-1.

    Args:
        probabilities_NC: what the classifier said; the first of equal probabilities is its answer.
        labels_N: the true labels.
        label_names: the C class names.
        majority_label: the most frequent label of the *training* rows; the baseline says it of every row. That of
            these rows when not given, which is the hardest single answer to beat.
        seed: of the bootstrap.
        resamples: bootstrap resamples behind each interval.

    Raises:
        DataError: no row, shapes that differ, a label out of range, a row that is no distribution, a name given twice.

    Example:
        >>> found = evaluate([[0.9, 0.1], [0.2, 0.8]], [0, 1], ("no", "yes"))
        >>> found.accuracy.value, found.baseline.accuracy
        (1.0, 0.5)
    """
    probabilities_NC, labels_N = np.asarray(probabilities_NC), np.asarray(labels_N)
    losses_N = metrics.row_losses(probabilities_NC, labels_N)
    if majority_label is None:
        majority_label = int(np.bincount(labels_N).argmax())
    names = _checked_names(label_names, class_count=probabilities_NC.shape[1], majority_label=majority_label)
    predicted_N = metrics.predicted_labels(probabilities_NC)
    counts_CC = metrics.confusion_counts(labels_N, predicted_N, len(names))
    cells = intervals.cells_of(labels_N, predicted_N, losses_N, len(names))
    drawn = intervals.bootstrap(cells, seed=seed, resamples=resamples)
    calibration = measure_calibration(probabilities_NC, labels_N, seed=seed, resamples=resamples)
    sums = RowSums(confusion_counts=counts_CC, mean_loss=float(losses_N.mean()), drawn=drawn, calibration=calibration)
    return evaluation_of_sums(sums, names, majority_label=majority_label, seed=seed, resamples=resamples)


@dataclass(frozen=True, kw_only=True, eq=False)
class RowSums:
    """What an evaluation needs of all rows together.

    Attributes:
        confusion_counts: rows by true and predicted label, int64 (C, C).
        mean_loss: in nats.
        drawn: intervals of the mean scores.
        calibration: of the probabilities.
    """

    confusion_counts: np.ndarray
    mean_loss: float
    drawn: intervals.Intervals
    calibration: Calibration


def evaluation_of_sums(
    sums: RowSums, label_names: tuple[str, ...], *, majority_label: int, seed: int, resamples: int
) -> Evaluation:
    """Return the evaluation of rows of which there are sums alone; the arguments are those of `evaluate`."""
    names, counts_CC, drawn = label_names, sums.confusion_counts, sums.drawn
    tally = metrics.tally_of(counts_CC)
    rows = int(counts_CC.sum())
    per_class = score_classes(names, tally)
    right = share_of(int(tally.hits.sum()), rows)
    weighted, macro = metrics.f1_weighted(tally), metrics.f1_macro(tally)
    return Evaluation(
        rows=rows,
        label_names=names,
        accuracy=measured(right.value, right.low, right.high),
        f1_weighted=_mean_f1(weighted, drawn.f1_weighted, per_class, weights_C=tally.support),
        f1_macro=_mean_f1(macro, drawn.f1_macro, per_class, weights_C=np.ones(len(names))),
        log_loss=_mean_loss(sums.mean_loss, drawn.log_loss),
        calibration=sums.calibration,
        per_class=per_class,
        confusion_counts=_frozen(counts_CC),
        baseline=_baseline(tally.support, names, majority_label),
        resamples=resamples,
        seed=seed,
    )


def _checked_names(label_names: Sequence[str], *, class_count: int, majority_label: int) -> tuple[str, ...]:
    names = tuple(label_names)
    if len(names) != class_count:
        raise DataError(f"{class_count} probabilities a row but {len(names)} label names ({', '.join(names)})")
    if len(set(names)) != len(names):
        raise DataError(f"a label name is given twice in {', '.join(names)}: each class needs a name of its own")
    if not 0 <= majority_label < class_count:
        raise DataError(f"the majority label is {majority_label}, expected 0 to {class_count - 1}")
    return names


def _baseline(support_C: np.ndarray, names: tuple[str, ...], majority_label: int) -> Baseline:
    counts_CC = np.zeros((len(names), len(names)), np.int64)
    counts_CC[:, majority_label] = support_C
    tally = metrics.tally_of(counts_CC)
    return Baseline(
        label=names[majority_label],
        accuracy=float(metrics.accuracy(tally)),
        f1_weighted=float(metrics.f1_weighted(tally)),
        f1_macro=float(metrics.f1_macro(tally)),
        log_loss=metrics.entropy(tally.support),
    )


def _mean_f1(
    value: np.ndarray, drawn: intervals.Interval, per_class: tuple[ClassScores, ...], *, weights_C: np.ndarray
) -> Measured:
    """Put a mean F1 and its interval together.

    Where every resample scores the same, as where no answer is wrong, the bootstrap knows nothing. The mean of the
    classes' own ends stands in for it: it is wider than 95 %, since the classes do not all err to one side at once.
    """
    if _has_width(drawn):
        return with_interval(value, drawn)
    known = [(one.f1, weight) for one, weight in zip(per_class, weights_C, strict=True) if one.f1.is_known]
    whole = sum(weight for _, weight in known)
    low, high = (sum(getattr(f1, end) * weight for f1, weight in known) / whole for end in ("low", "high"))
    return measured(value, low, high)


def _mean_loss(value: float, drawn: intervals.Interval) -> Measured:
    """Put a mean loss and its interval together; of equal losses, or a single one, nothing is known."""
    return with_interval(value, drawn) if _has_width(drawn) else measured(value, np.nan, np.nan)


def _has_width(drawn: intervals.Interval) -> bool:
    """Tell whether resamples differ by more than rounding."""
    return bool(drawn.high - drawn.low > ROUNDING)


def _frozen(array: np.ndarray) -> np.ndarray:
    array.flags.writeable = False
    return array
