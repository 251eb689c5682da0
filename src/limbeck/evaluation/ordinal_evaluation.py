"""Ordinal evaluation: how far answers lie from the truth where classes have an order.

In: probabilities (N, C), labels (N,), the C names in their order. Out: quadratic weighted kappa, error in steps,
answers within one step, each with its interval.
It does not know models, texts or where it is shown, nor how two are compared (see `figure_comparison`).

The answer of a row is its median class, the first whose cumulated probability reaches one half: of all answers it has
the smallest expected error in steps. The most probable class is another one where probabilities have two peaks.

Quadratic weighted kappa is 1 - Σ (i-j)² / Σ' (i-j)², i true and j answered, Σ' over all pairs of a true and an
answered row: 1 is perfect, 0 what answers without any relation reach, and a mistake of two steps weighs four of one
step. It needs the sums of i, j, i² and j² only.

Source: Cohen, Weighted Kappa (1968), with squared weights; it equals scikit-learn's `cohen_kappa_score`.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from limbeck.display.tables import Table
from limbeck.display.views import View, listed
from limbeck.errors import DataError
from limbeck.evaluation import intervals, metrics
from limbeck.evaluation.class_scores import ClassScores, score_classes
from limbeck.evaluation.confusions import confusion_counts_of, matrix_facts
from limbeck.evaluation.label_calibration import measure_label_calibration
from limbeck.evaluation.measured import Measured, brief, centred, measured, read_told, reading_figures, told
from limbeck.evaluation.proportions import share_of
from limbeck.task import ORDINAL

ORDINAL_FIGURES = {
    "quadratic_kappa": "quadratic kappa",
    "mae": "mean error, steps",
    "within_one": "within one step",
    "accuracy": "accuracy",
    "log_loss": "log loss (nats)",
}
"""Name of each figure of an evaluation, and what a screen calls it."""


@dataclass(frozen=True, kw_only=True)
class OrdinalBaseline:
    """What is reached without reading: the median label of the training rows, said of every row; its kappa is 0.

    Attributes:
        label: that label's name.
        mae: mean error in steps.
        within_one: share of rows at most one step off.
        accuracy: share of rows that are right.
        log_loss: the lowest that one constant answer can reach on these rows, in nats.
    """

    label: str
    mae: float
    within_one: float
    accuracy: float
    log_loss: float

    @property
    def quadratic_kappa(self) -> float:
        """A constant answer is related to nothing."""
        return 0.0


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class OrdinalEvaluation(View):
    """What is known about a classifier of ordered classes on N rows.

    Attributes:
        rows: N.
        label_names: the C names, in their order.
        quadratic_kappa: quadratic weighted kappa, at most 1; NaN where all rows and answers are of one class.
        mae: mean number of steps between answer and truth.
        within_one: share of rows whose answer is at most one step off.
        accuracy: share of rows that are right.
        log_loss: mean negative logarithm of the true label's probability, in nats.
        calibration_error: mean over the C - 1 places between two classes of the calibration error of "above here".
        per_class: the scores of each class, in the order of the names.
        confusion_counts: rows by true label (row) and answer (column), int64 (C, C).
        baseline: what is reached without reading.
        resamples: bootstrap resamples behind the intervals of kappa, mean error and log loss; the others are Wilson's.
        seed: of the bootstrap.
    """

    rows: int
    label_names: tuple[str, ...]
    quadratic_kappa: Measured
    mae: Measured
    within_one: Measured
    accuracy: Measured
    log_loss: Measured
    calibration_error: float
    per_class: tuple[ClassScores, ...]
    confusion_counts: np.ndarray
    baseline: OrdinalBaseline
    resamples: int
    seed: int

    @property
    def figures(self) -> dict[str, Measured]:
        """The scores by the names of `ORDINAL_FIGURES`."""
        return {name: getattr(self, name) for name in ORDINAL_FIGURES}

    def figure_table(self) -> Table:
        """Return the figures with their intervals, beside the baseline."""
        return Table(
            title="Scores",
            header=("", "value", "95 % interval", f"always {listed([self.baseline.label])}"),
            rows=tuple(
                (
                    ORDINAL_FIGURES[name],
                    "–" if math.isnan(one.value) else f"{one.value:.4f}",
                    one.between(4),
                    f"{getattr(self.baseline, name):.4f}",
                )
                for name, one in self.figures.items()
            ),
        )

    def step_table(self) -> Table:
        """Return the confusion matrix in the order of the classes: true labels down, answers across."""
        counts, shares = self.confusion_counts, metrics.confusion_shares(self.confusion_counts)
        return Table(
            title="Answers by true label, rows and share of the true label",
            header=("true ↓ answer →", *self.label_names),
            rows=tuple(
                (name, *(f"{count:,} ({share:.2f})" for count, share in zip(counts[true], shares[true], strict=True)))
                for true, name in enumerate(self.label_names)
            ),
            shares=tuple(tuple(line) for line in shares.tolist()),
        )

    def _lines(self) -> tuple[str, str]:
        base = self.baseline
        return (
            f"Evaluation of {self.rows:,} rows, {len(self.label_names):,} ordered classes: quadratic kappa "
            f"{brief(self.quadratic_kappa)}, mean error {brief(self.mae)} steps",
            f"within one step {brief(self.within_one)}; always {listed([base.label])}: mean error {base.mae:.3f}, "
            f"within one step {base.within_one:.3f}",
        )

    def _tables(self) -> tuple[Table, ...]:
        return (self.figure_table(), self.step_table())

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON; keys and their order are stable.

        `task` ("ordinal"), `rows`, `labels`; each figure of `ORDINAL_FIGURES`, null where there is none; `intervals`:
        `level`, `method`, `resamples`, `seed`, and `low` and `high` by figure; `calibration_error`; `per_class` and
        `confusion` as of one label a row; `baseline`: `label` and the figures.
        """
        return {
            "task": "ordinal",
            "rows": self.rows,
            "labels": list(self.label_names),
            **{name: told(one)["value"] for name, one in self.figures.items()},
            "intervals": {
                "level": intervals.LEVEL,
                "method": "Wilson; of kappa, mean error and log loss, bootstrap",
                "resamples": self.resamples,
                "seed": self.seed,
                **{name: one.ends for name, one in self.figures.items()},
            },
            "calibration_error": self.calibration_error,
            "per_class": {one.name: one.to_dict() for one in self.per_class},
            "confusion": matrix_facts(self.confusion_counts, self.label_names),
            "baseline": {
                "label": self.baseline.label,
                **{name: getattr(self.baseline, name) for name in ORDINAL_FIGURES},
            },
        }

    @classmethod
    def from_dict(cls, facts: Mapping[str, Any]) -> "OrdinalEvaluation":
        """Make an evaluation of what `to_dict` returned.

        Raises:
            DataError: a key is missing or a value is of the wrong kind.
        """
        with reading_figures():
            figures = {name: read_told({"value": facts[name], **facts["intervals"][name]}) for name in ORDINAL_FIGURES}
            base = facts["baseline"]
            return cls(
                rows=int(facts["rows"]),
                label_names=tuple(facts["labels"]),
                **figures,
                calibration_error=float(facts["calibration_error"]),
                per_class=tuple(ClassScores.from_dict(name, facts["per_class"][name]) for name in facts["labels"]),
                confusion_counts=confusion_counts_of(facts["confusion"], len(facts["labels"])),
                baseline=OrdinalBaseline(
                    label=base["label"],
                    **{name: float(base[name]) for name in ("mae", "within_one", "accuracy", "log_loss")},
                ),
                resamples=int(facts["intervals"]["resamples"]),
                seed=int(facts["intervals"]["seed"]),
            )


def evaluate_ordinal(
    probabilities_NC: np.ndarray,
    labels_N: np.ndarray,
    label_names: Sequence[str],
    *,
    median_label: int | None = None,
    seed: int = 0,
    resamples: int = intervals.RESAMPLES,
) -> OrdinalEvaluation:
    """Score a classifier of ordered classes on rows whose labels are known.

    Args:
        probabilities_NC: float (N, C), each row adding up to 1.
        labels_N: the true labels, 0 … C-1 in their order.
        label_names: the C names, in their order.
        median_label: the median label of the *training* rows, for the baseline; that of these rows when not given.
        seed: of the bootstrap.
        resamples: bootstrap resamples behind the intervals.

    Raises:
        DataError: no row, shapes that differ, a label out of range, a row that is no distribution.

    Example:
        >>> found = evaluate_ordinal(np.eye(3), np.array([0, 1, 1]), ("low", "middle", "high"))
        >>> found.mae.value.__round__(3), found.within_one.value
        (0.333, 1.0)
    """
    losses_N = metrics.row_losses(probabilities_NC, labels_N)
    names = tuple(label_names)
    if len(names) != probabilities_NC.shape[1]:
        raise DataError(f"{probabilities_NC.shape[1]} probabilities a row but {len(names)} label names")
    said_N = median_labels(probabilities_NC)
    cells = intervals.cells_of(labels_N, said_N, losses_N, len(names))
    generator = np.random.default_rng(seed)
    counts_RK = intervals.draw_counts(cells.counts_K, resamples, generator)
    sums = StepSums(
        confusion_counts=metrics.confusion_counts(labels_N, said_N, len(names)),
        counts_RK=counts_RK,
        mean_loss=float(losses_N.mean()),
        losses_R=intervals.draw_mean_losses(cells, counts_RK, generator),
        calibration_error=measure_label_calibration(
            above_each(probabilities_NC), labels_N[:, None] > np.arange(len(names) - 1), seed=seed
        ).mean
        if len(names) > 1
        else 0.0,
    )
    return ordinal_of_sums(sums, names, median_label=median_label, seed=seed)


@dataclass(frozen=True, kw_only=True, eq=False)
class StepSums:
    """What an evaluation of ordered classes needs of all rows together.

    Attributes:
        confusion_counts: rows by true label and answer, int64 (C, C).
        counts_RK: rows of each resample in each cell of these that has rows, in their order.
        mean_loss: in nats.
        losses_R: the mean loss of each resample.
        calibration_error: see `OrdinalEvaluation`.
    """

    confusion_counts: np.ndarray
    counts_RK: np.ndarray
    mean_loss: float
    losses_R: np.ndarray
    calibration_error: float


def ordinal_of_sums(
    sums: StepSums, names: tuple[str, ...], *, median_label: int | None, seed: int
) -> OrdinalEvaluation:
    """Return the evaluation of rows of which there are sums alone; the arguments are those of `evaluate_ordinal`."""
    counts_CC, counts_RK = sums.confusion_counts, sums.counts_RK
    tally, rows = metrics.tally_of(counts_CC), int(counts_CC.sum())
    labels_K, said_K = np.nonzero(counts_CC)
    counts_K, steps_K = counts_CC[labels_K, said_K], np.abs(labels_K - said_K)
    near = share_of(int(counts_K[steps_K <= 1].sum()), rows)
    right = share_of(int(tally.hits.sum()), rows)
    return OrdinalEvaluation(
        rows=rows,
        label_names=names,
        quadratic_kappa=centred(
            quadratic_kappa(labels_K, said_K, counts_K), quadratic_kappa(labels_K, said_K, counts_RK), most=1.0
        ),
        mae=centred(counts_K @ steps_K / rows, counts_RK @ steps_K / rows, least=0.0),
        within_one=measured(near.value, near.low, near.high),
        accuracy=measured(right.value, right.low, right.high),
        log_loss=centred(sums.mean_loss, sums.losses_R, least=0.0),
        calibration_error=sums.calibration_error,
        per_class=score_classes(names, tally),
        confusion_counts=counts_CC,
        baseline=_baseline(tally.support, names, median_label),
        resamples=len(counts_RK),
        seed=seed,
    )


def above_each(probabilities_NC: np.ndarray) -> np.ndarray:
    """Return how probable it is that a row lies above each class but the last, float64 (N, C - 1)."""
    return np.asarray(np.clip(1 - np.cumsum(probabilities_NC.astype(np.float64), axis=1)[:, :-1], 0.0, 1.0))


def median_labels(probabilities_NC: np.ndarray) -> np.ndarray:
    """Return the median class of each row, int64 (N,): the first whose cumulated probability reaches one half.

    Example:
        >>> median_labels(np.array([[0.4, 0.2, 0.4], [0.5, 0.2, 0.3]])).tolist()
        [1, 0]
    """
    return np.asarray(ORDINAL.decided(probabilities_NC).argmax(axis=1), dtype=np.int64)


def quadratic_kappa(labels_K: np.ndarray, said_K: np.ndarray, counts_K: np.ndarray) -> np.ndarray:
    """Return the quadratic weighted kappa of cells, (...); NaN where every row and every answer is of one class.

    Args:
        labels_K: true label of each cell.
        said_K: answered label of each cell.
        counts_K: rows in each cell, (..., K).

    Example:
        >>> float(quadratic_kappa(np.array([0, 1, 2]), np.array([0, 1, 1]), np.ones(3)).round(4))
        0.6667
    """
    values_KM = np.column_stack([labels_K, said_K, labels_K**2 + said_K**2, (labels_K - said_K) ** 2, labels_K**0])
    sums = counts_K @ values_KM.astype(np.float64)
    chance = sums[..., 2] - 2 * sums[..., 0] * sums[..., 1] / sums[..., 4]
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(chance > 1e-9, 1 - sums[..., 3] / chance, np.nan)


def _baseline(support_C: np.ndarray, names: tuple[str, ...], median_label: int | None) -> OrdinalBaseline:
    rows = int(support_C.sum())
    label = median_label
    if label is None:
        label = int(np.searchsorted(np.cumsum(support_C), (rows - 1) // 2, side="right"))
    if not 0 <= label < len(names):
        raise DataError(f"the median label is {label}, expected 0 to {len(names) - 1}")
    steps_C = np.abs(np.arange(len(names)) - label)
    return OrdinalBaseline(
        label=names[label],
        mae=float(support_C @ steps_C / rows),
        within_one=float(support_C[steps_C <= 1].sum() / rows),
        accuracy=float(support_C[label] / rows),
        log_loss=metrics.entropy(support_C),
    )
