"""Comparison: whether one classifier is better than another on the same rows, or only luckier.

In: probabilities of two classifiers for the same N rows, and the labels. Out: differences with paired intervals, an
exact test, which rows were mended and which were broken.
It does not know models, runs or files; that the rows are the same is the caller's to see to.

Both classifiers meet the same rows, so what is hard for one is mostly hard for the other. Paired intervals resample
rows, each with both its answers; intervals of each classifier apart would be far too wide for their difference.
A difference of accuracy is tested by McNemar's test, in its exact form at any size: of the rows that only one of the
two got right, each is a fair coin toss if there is no difference. (The chi-square form with continuity correction
approximates it, and there is no need: the exact one costs nothing.)

Source: McNemar (1947); Dietterich, Approximate Statistical Tests for Comparing Supervised Classification Learning
Algorithms (1998), section 3.1; Efron & Tibshirani (1993), chapter 13, for the intervals.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from limbeck.display.tables import Table
from limbeck.display.views import View
from limbeck.errors import DataError
from limbeck.evaluation import intervals, metrics
from limbeck.evaluation.measured import Measured, signed, told, with_interval

LEAST_P = 1 - intervals.LEVEL
"""A p-value below this is called a difference: 0.05."""
KEPT_DRAWS = 10_000
"""Draws behind the interval of `accuracy_kept`."""


@dataclass(frozen=True, kw_only=True)
class McNemar:
    """McNemar's exact test.

    Attributes:
        mended: rows that the first got wrong and the second right.
        broken: rows that the first got right and the second wrong.
        p_value: chance of so uneven a split, or more, if neither were better; two-sided.
    """

    mended: int
    broken: int
    p_value: float


@dataclass(frozen=True, kw_only=True)
class ClassDifference:
    """What changed for one class.

    Attributes:
        name: of the class.
        rows: of the class.
        mended: of them.
        broken: of them.
        recall: the second's minus the first's.
        f1: the same.
    """

    name: str
    rows: int
    mended: int
    broken: int
    recall: Measured
    f1: Measured


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Comparison(View):
    """The second classifier beside the first, on N rows. Differences are the second's score minus the first's.

    Attributes:
        rows: N.
        accuracy: difference, with its paired 95 % interval.
        f1_macro: the same.
        log_loss: the same, in nats; below 0 the second is better.
        mcnemar: the test of the accuracies.
        f1_macro_p, log_loss_p: chance of a difference as far from 0 if there were none, by the bootstrap (`drawn_p`).
        mended: positions of the rows that only the second got right, int64.
        broken: positions of the rows that only the first got right.
        moved: positions of the rows that both got wrong, in different ways.
        per_class: by true class.
        resamples: behind the intervals.
        seed: of the bootstrap.
    """

    rows: int
    accuracy: Measured
    f1_macro: Measured
    log_loss: Measured
    f1_macro_p: float
    log_loss_p: float
    mcnemar: McNemar
    mended: np.ndarray
    broken: np.ndarray
    moved: np.ndarray
    per_class: tuple[ClassDifference, ...]
    resamples: int
    seed: int

    def _lines(self) -> tuple[str, str]:
        test = self.mcnemar
        return (
            f"Comparison on {self.rows:,} rows: accuracy {signed(self.accuracy)}, macro F1 {signed(self.f1_macro)}",
            f"{test.mended:,} rows mended, {test.broken:,} broken, McNemar p = {test.p_value:.2g}",
        )

    def _tables(self) -> Iterator[Table]:
        tests = {"accuracy": self.mcnemar.p_value, "macro F1": self.f1_macro_p, "log loss (nats)": self.log_loss_p}
        found = (self.accuracy, self.f1_macro, self.log_loss)
        yield Table(
            title="The second minus the first",
            header=("score", "difference (95 %)", "p"),
            rows=tuple(
                (name, signed(one), f"{p_value:.2g}") for (name, p_value), one in zip(tests.items(), found, strict=True)
            ),
        )
        yield Table(
            title="Classes",
            header=("label", "rows", "mended", "broken", "recall (95 %)", "F1 (95 %)"),
            rows=tuple(
                (one.name, f"{one.rows:,}", f"{one.mended:,}", f"{one.broken:,}", signed(one.recall), signed(one.f1))
                for one in self.per_class
            ),
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON: differences with ends, the test, counts by class; rows by their position."""
        return {
            "rows": self.rows,
            **{name: told(getattr(self, name)) for name in ("accuracy", "f1_macro", "log_loss")},
            "f1_macro_p": self.f1_macro_p,
            "log_loss_p": self.log_loss_p,
            "mcnemar": {"mended": self.mcnemar.mended, "broken": self.mcnemar.broken, "p_value": self.mcnemar.p_value},
            "mended": self.mended.tolist(),
            "broken": self.broken.tolist(),
            "moved": self.moved.tolist(),
            "per_class": {
                one.name: {
                    "rows": one.rows,
                    "mended": one.mended,
                    "broken": one.broken,
                    "recall": told(one.recall),
                    "f1": told(one.f1),
                }
                for one in self.per_class
            },
            "resamples": self.resamples,
            "seed": self.seed,
        }


def compare_answers(
    first_NC: np.ndarray,
    second_NC: np.ndarray,
    labels_N: np.ndarray,
    label_names: Sequence[str],
    *,
    seed: int = 0,
    resamples: int = intervals.RESAMPLES,
) -> Comparison:
    """Compare what two classifiers say of the same rows.

    Shapes: first_NC and second_NC (N, C), labels_N (N,).

    Raises:
        DataError: shapes differ, a label is out of range, or a row is no distribution.

    Example:
        >>> one, other = np.array([[0.9, 0.1], [0.9, 0.1]]), np.array([[0.9, 0.1], [0.1, 0.9]])
        >>> found = compare_answers(one, other, np.array([0, 1]), ("no", "yes"))
        >>> found.accuracy.value, found.mended.tolist(), found.mcnemar.p_value
        (0.5, [1], 1.0)
    """
    if first_NC.shape != second_NC.shape or first_NC.shape[1:] != (len(label_names),):
        raise DataError(
            f"answers of shape {first_NC.shape} and {second_NC.shape} with {len(label_names)} label names: give both "
            "one row a text and one column a class"
        )
    losses_1N, losses_2N = metrics.row_losses(first_NC, labels_N), metrics.row_losses(second_NC, labels_N)
    said_1N, said_2N = metrics.predicted_labels(first_NC), metrics.predicted_labels(second_NC)
    right_1N, right_2N = said_1N == labels_N, said_2N == labels_N
    mended, broken = np.flatnonzero(right_2N & ~right_1N), np.flatnonzero(right_1N & ~right_2N)
    classes = len(label_names)
    cell_N = (labels_N.astype(np.int64) * classes + said_1N) * classes + said_2N
    cell_K, counts_K = np.unique(cell_N, return_counts=True)
    cells = intervals.Cells(
        labels_K=cell_K // classes**2,
        predicted_K=cell_K // classes % classes,
        counts_K=counts_K,
        losses_N=(losses_2N - losses_1N)[np.argsort(cell_N, kind="stable")],
        class_count=classes,
    )
    generator = np.random.default_rng(seed)
    counts_RK = intervals.draw_counts(counts_K, resamples, generator)
    drawn_1, drawn_2 = (
        intervals.tally_cells(cells.labels_K, said_K, counts_RK, classes)
        for said_K in (cells.predicted_K, cell_K % classes)
    )
    tally_1, tally_2 = (
        metrics.tally_of(metrics.confusion_counts(labels_N, said, classes)) for said in (said_1N, said_2N)
    )
    recall, f1 = (
        with_difference(score(tally_2) - score(tally_1), score(drawn_2) - score(drawn_1))
        for score in (metrics.recall_by_class, metrics.f1_by_class)
    )
    drawn_f1_R = metrics.f1_macro(drawn_2) - metrics.f1_macro(drawn_1)
    drawn_loss_R = intervals.draw_mean_losses(cells, counts_RK, generator)
    return Comparison(
        rows=len(labels_N),
        accuracy=with_difference(
            metrics.accuracy(tally_2) - metrics.accuracy(tally_1), metrics.accuracy(drawn_2) - metrics.accuracy(drawn_1)
        )[0],
        f1_macro=with_difference(metrics.f1_macro(tally_2) - metrics.f1_macro(tally_1), drawn_f1_R)[0],
        log_loss=with_difference((losses_2N - losses_1N).mean(), drawn_loss_R)[0],
        f1_macro_p=drawn_p(drawn_f1_R),
        log_loss_p=drawn_p(drawn_loss_R),
        mcnemar=mcnemar(len(mended), len(broken)),
        mended=mended,
        broken=broken,
        moved=np.flatnonzero(~right_1N & ~right_2N & (said_1N != said_2N)),
        per_class=tuple(
            ClassDifference(
                name=name,
                rows=int(tally_1.support[label]),
                mended=int((labels_N[mended] == label).sum()),
                broken=int((labels_N[broken] == label).sum()),
                recall=recall[label],
                f1=f1[label],
            )
            for label, name in enumerate(label_names)
        ),
        resamples=resamples,
        seed=seed,
    )


def mcnemar(mended: int, broken: int) -> McNemar:
    """Test whether as many rows were mended as broken.

    Example:
        >>> round(mcnemar(1, 9).p_value, 4)  # 2 (1 + 10) / 1024
        0.0215
    """
    from scipy.stats import binom  # late: it takes long, and answers need none of it

    rows = mended + broken
    p_value = min(1.0, 2 * float(binom.cdf(min(mended, broken), rows, 0.5))) if rows else 1.0
    return McNemar(mended=mended, broken=broken, p_value=p_value)


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """Return p-values corrected for their number, in the same order.

    The chance that any of several true nulls is below 0.05 then stays below 0.05, however they depend on each other.

    Source: Holm, A Simple Sequentially Rejective Multiple Test Procedure (1979).

    Example:
        >>> holm([0.01, 0.04, 0.03])
        (0.03, 0.06, 0.06)
    """
    given = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(given, kind="stable")
    raised = np.minimum(1.0, np.maximum.accumulate(given[order] * np.arange(len(given), 0, -1)))
    corrected = np.empty_like(given)
    corrected[order] = raised
    return tuple(corrected.tolist())


def drawn_p(drawn_R: np.ndarray) -> float:
    """Return the two-sided p-value of a difference whose resamples are (R,): below 0.05 where the interval is off 0.

    The share of resamples on the rarer side of 0, twice; never below 2 / (R + 1), which is all that R draws can show.

    Source: Davison & Hinkley, Bootstrap Methods and their Application (1997), section 4.2, for adding one to both.
    """
    rarer = min(int((drawn_R <= 0).sum()), int((drawn_R >= 0).sum()))
    return min(1.0, 2 * (rarer + 1) / (len(drawn_R) + 1))


def with_difference(value: np.ndarray, drawn_R: np.ndarray) -> tuple[Measured, ...]:
    """Put differences (...) and their resamples (R, ...) together."""
    interval = intervals.percentile_interval(drawn_R)
    ends = zip(np.atleast_1d(value), np.atleast_1d(interval.low), np.atleast_1d(interval.high), strict=True)
    return tuple(with_interval(one, intervals.Interval(low=low, high=high)) for one, low, high in ends)


def accuracy_kept(small_N: np.ndarray, large_N: np.ndarray, *, seed: int = 0) -> Measured:
    """Return the accuracy of the smaller classifier divided by that of the larger one, with its 95 % interval.

    Each row falls in one of four cells: right by both, by one of the two, by none. The shares of the cells are drawn
    from their posterior under Jeffreys' prior, Dirichlet(n + 1/2), and the ratio is computed of each draw. Unlike a
    bootstrap this has a width where the two never differ, too: 31 of 31 rows do not make a certainty.

    Args:
        small_N: bool (N,), rows that the smaller one got right.
        large_N: bool (N,), rows that the larger one got right; one of them at least.
        seed: of the draws.
    """
    cell_N = 2 * np.asarray(small_N, np.int64) + np.asarray(large_N, np.int64)
    counts_K = np.bincount(cell_N, minlength=4)
    shares_RK = np.random.default_rng(seed).dirichlet(counts_K + 0.5, size=KEPT_DRAWS)
    found = intervals.percentile_interval((shares_RK[:, 2] + shares_RK[:, 3]) / (shares_RK[:, 1] + shares_RK[:, 3]))
    value = (counts_K[2] + counts_K[3]) / (counts_K[1] + counts_K[3])
    return Measured(value=float(value), low=float(found.low), high=float(found.high))
