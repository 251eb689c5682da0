"""Multi evaluation: what is known about a classifier that gives any number of labels, as one frozen value.

In: `MultiPredictions` of rows whose labels are known, and the label shares of the training rows. Out: every score with
its interval, each label by itself, the baseline, and a dictionary of them with documented keys.
It does not know models, texts or where it is shown.

Rows are independent draws, the labels of a row are not. So the intervals of figures over several labels resample rows,
each with all its labels (1,000 resamples, the same for every figure). Precision, recall and F1 of one label are shares
of counted rows (see `label_scores`) and have Wilson intervals; so has subset accuracy. The mean AUC-PR has the interval
of the jackknife.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from limbeck.display.frames import frame_of
from limbeck.display.tables import Table
from limbeck.display.views import View, listed
from limbeck.errors import DataError
from limbeck.evaluation import label_metrics, metrics
from limbeck.evaluation.drawn_figures import draw_label_figures
from limbeck.evaluation.intervals import LEVEL, RESAMPLES
from limbeck.evaluation.label_calibration import measure_label_calibration
from limbeck.evaluation.label_scores import LabelScores, score_labels, threshold_text
from limbeck.evaluation.measured import Measured, brief, centred, measured, read_told, reading_figures, told
from limbeck.evaluation.multi_predictions import MultiPredictions
from limbeck.evaluation.proportions import Z, share_of

if TYPE_CHECKING:
    import pandas as pd

MULTI_FIGURES = {
    "f1_micro": "micro F1",
    "f1_macro": "macro F1",
    "f1_samples": "F1 of rows",
    "subset_accuracy": "all labels right",
    "hamming_loss": "share of wrong labels",
    "lrap": "ranking precision (LRAP)",
    "auc_pr": "AUC-PR, mean of labels",
    "log_loss": "log loss (nats)",
}
"""Name of each figure of an evaluation, and what a screen calls it."""


@dataclass(frozen=True, kw_only=True)
class MultiBaseline:
    """What is reached without reading a text: the most frequent labels of the training rows, said of every row.

    Attributes:
        labels: as many as a training row has on average, at least one.
        figures: the scores of that answer by their names; as probabilities it has the labels' shares.
    """

    labels: tuple[str, ...]
    figures: dict[str, float]

    def __str__(self) -> str:
        return listed(self.labels, most=3)


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class MultiEvaluation(View):
    """What is known about a classifier of any number of labels on N rows.

    Attributes:
        rows: N.
        label_names: the C names.
        labels_per_row: mean number of labels, true ones.
        given_per_row: mean number of labels that are given.
        f1_micro: F1 of all labels of all rows counted together.
        f1_macro: mean F1 of the labels that were true or given at least once.
        f1_samples: mean F1 of the rows; 1 of a row without labels that is given none.
        subset_accuracy: share of rows all of whose labels are right.
        hamming_loss: share of the N × C answers that are wrong; small wherever labels are rare, so look at the others.
        lrap: label ranking average precision: how far a row's labels stand above the others, whatever the thresholds.
        auc_pr: mean over labels of the area under the precision-recall curve, whatever the thresholds.
        log_loss: mean over rows and labels of minus the logarithm of what was given to the truth, in nats.
        calibration_error: mean over labels of the expected calibration error.
        beyond_chance: labels whose calibration error is more than chance explains.
        per_label: each label, in the order of the names.
        baseline: what is reached without reading.
        resamples: bootstrap resamples behind the intervals of figures over several labels.
        seed: of the bootstrap.
    """

    rows: int
    label_names: tuple[str, ...]
    labels_per_row: float
    given_per_row: float
    f1_micro: Measured
    f1_macro: Measured
    f1_samples: Measured
    subset_accuracy: Measured
    hamming_loss: Measured
    lrap: Measured
    auc_pr: Measured
    log_loss: Measured
    calibration_error: float
    beyond_chance: int
    per_label: tuple[LabelScores, ...]
    baseline: MultiBaseline
    resamples: int
    seed: int

    @property
    def figures(self) -> dict[str, Measured]:
        """The scores by the names of `MULTI_FIGURES`."""
        return {name: getattr(self, name) for name in MULTI_FIGURES}

    @property
    def judged_labels(self) -> int:
        """Labels that at least one row has: of the others nothing can be said but that they were given wrongly."""
        return sum(1 for one in self.per_label if one.counted.support)

    def to_pandas(self) -> "pd.DataFrame":
        """Return a DataFrame with a row for each label, each score beside the ends of its interval."""
        rows = []
        for one in self.per_label:
            scores = {name: getattr(one.counted, name) for name in ("precision", "recall", "f1")}
            scores["auc_pr"] = one.auc_pr
            ends = {
                f"{name}{end}": getattr(score, field)
                for name, score in scores.items()
                for end, field in (("", "value"), ("_low", "low"), ("_high", "high"))
            }
            counts = {"label": one.counted.name, "rows": one.counted.support, "given": one.counted.predicted}
            rows.append({**counts, "threshold": one.threshold, **ends, "ece": one.ece})
        return frame_of(pa.Table.from_pylist(rows))

    def figure_table(self) -> Table:
        """Return the figures over all labels with their intervals, beside the baseline."""
        return Table(
            title="Scores",
            header=("", "value", "95 % interval", f"always {self.baseline}"),
            rows=tuple(
                (
                    MULTI_FIGURES[name],
                    "–" if math.isnan(one.value) else f"{one.value:.4f}",
                    one.between(4),
                    f"{self.baseline.figures[name]:.4f}",
                )
                for name, one in self.figures.items()
            ),
        )

    def label_table(self) -> Table:
        """Return the scores of each label with their intervals, the labels of the most rows first."""
        ranked = sorted(self.per_label, key=lambda one: -one.counted.support)
        return Table(
            title="Labels, 95 % intervals",
            header=("label", "rows", "given", "given from", "precision", "recall", "F1", "AUC-PR"),
            rows=tuple(
                (
                    one.counted.name,
                    f"{one.counted.support:,}",
                    f"{one.counted.predicted:,}",
                    threshold_text(one.threshold),
                    *map(brief, (one.counted.precision, one.counted.recall, one.counted.f1, one.auc_pr)),
                )
                for one in ranked
            ),
        )

    def _lines(self) -> tuple[str, str]:
        unjudged = len(self.label_names) - self.judged_labels
        none = f"; {unjudged:,} labels that no row has" if unjudged else ""
        base = self.baseline
        return (
            f"Evaluation of {self.rows:,} rows, {len(self.label_names):,} labels: micro F1 {brief(self.f1_micro)}, "
            f"macro F1 {brief(self.f1_macro)}",
            f"{self.labels_per_row:.2f} labels per row, {self.given_per_row:.2f} given; always {base}: micro F1 "
            f"{base.figures['f1_micro']:.3f}, macro F1 {base.figures['f1_macro']:.3f}{none}",
        )

    def _tables(self) -> tuple[Table, ...]:
        return (self.figure_table(), self.label_table())

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON; keys and their order are stable.

        `task` ("multi"), `rows`, `labels`, `labels_per_row`, `given_per_row`; each figure of `MULTI_FIGURES`;
        `intervals`: `level`, `method`, `resamples`, `seed`, and `low` and `high` under the name of each figure;
        `calibration_error`, `beyond_chance`; `per_label`, by name: see `LabelScores.to_dict`;
        `baseline`: `labels` and the figures.
        """
        return {
            "task": "multi",
            "rows": self.rows,
            "labels": list(self.label_names),
            "labels_per_row": self.labels_per_row,
            "given_per_row": self.given_per_row,
            **{name: told(one)["value"] for name, one in self.figures.items()},
            "intervals": {
                "level": LEVEL,
                "method": "bootstrap of rows; Wilson of subset accuracy and of labels; jackknife of the mean AUC-PR",
                "resamples": self.resamples,
                "seed": self.seed,
                **{name: one.ends for name, one in self.figures.items()},
            },
            "calibration_error": self.calibration_error,
            "beyond_chance": self.beyond_chance,
            "per_label": {one.counted.name: one.to_dict() for one in self.per_label},
            "baseline": {
                "labels": list(self.baseline.labels),
                **{name: None if math.isnan(value) else value for name, value in self.baseline.figures.items()},
            },
        }

    @classmethod
    def from_dict(cls, facts: Mapping[str, Any]) -> "MultiEvaluation":
        """Make an evaluation of what `to_dict` returned.

        Raises:
            DataError: a key is missing or a value is of the wrong kind.
        """
        with reading_figures():
            told_figures = {
                name: read_told({"value": facts[name], **facts["intervals"][name]}) for name in MULTI_FIGURES
            }
            base = facts["baseline"]
            return cls(
                rows=int(facts["rows"]),
                label_names=tuple(facts["labels"]),
                labels_per_row=float(facts["labels_per_row"]),
                given_per_row=float(facts["given_per_row"]),
                **told_figures,
                calibration_error=float(facts["calibration_error"]),
                beyond_chance=int(facts["beyond_chance"]),
                per_label=tuple(LabelScores.from_dict(name, facts["per_label"][name]) for name in facts["labels"]),
                baseline=MultiBaseline(
                    labels=tuple(base["labels"]),
                    figures={name: math.nan if base[name] is None else float(base[name]) for name in MULTI_FIGURES},
                ),
                resamples=int(facts["intervals"]["resamples"]),
                seed=int(facts["intervals"]["seed"]),
            )


def evaluate_multi(
    predictions: MultiPredictions,
    *,
    label_shares: np.ndarray | None = None,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> MultiEvaluation:
    """Score the rows whose labels are known.

    Args:
        predictions: of these rows, and maybe of others.
        label_shares: share of the *training* rows with each label, float64 (C,), for the baseline; that of these rows
            when not given.
        seed: of the bootstrap.
        resamples: bootstrap resamples behind the intervals.

    Raises:
        DataError: no row has known labels, or not one share a label.
    """
    rows = predictions.labelled_rows
    if not len(rows):
        raise DataError("no row of the predictions has known labels: there is nothing to score them by")
    targets_NC = predictions.known_targets
    shares_NC, decided_NC = predictions.probabilities[rows], predictions.decided_NC[rows]
    names = predictions.label_names
    tally = label_metrics.tally_of_labels(targets_NC, decided_NC)
    drawn = draw_label_figures(predictions, seed=seed, resamples=resamples)
    spread = {
        name: centred(drawn[name].value, drawn[name].drawn_R, least=0.0, most=1.0)
        for name in ("f1_micro", "f1_macro", "f1_samples", "hamming_loss", "lrap")
    }
    auc_C, deviation = label_metrics.label_auc_pr(shares_NC, targets_NC)
    wrong_N = label_metrics.row_mistakes(targets_NC, decided_NC)
    right = share_of(int((wrong_N == 0).sum()), len(rows))
    mean_auc = float(np.nanmean(auc_C)) if tally.support.any() else math.nan
    calibration = measure_label_calibration(shares_NC, targets_NC, seed=seed)
    shares_C = targets_NC.mean(axis=0) if label_shares is None else np.asarray(label_shares, dtype=np.float64)
    return MultiEvaluation(
        rows=len(rows),
        label_names=names,
        labels_per_row=float(targets_NC.sum(axis=1).mean()),
        given_per_row=float(decided_NC.sum(axis=1).mean()),
        **spread,
        subset_accuracy=measured(right.value, right.low, right.high),
        auc_pr=_with_deviation(mean_auc, deviation),
        log_loss=centred(drawn["log_loss"].value, drawn["log_loss"].drawn_R, least=0.0),
        calibration_error=calibration.mean,
        beyond_chance=calibration.beyond_chance,
        per_label=score_labels(names, tally, auc_C, predictions.thresholds, calibration),
        baseline=_baseline(targets_NC, shares_C, names),
        resamples=resamples,
        seed=seed,
    )


def _with_deviation(value: float, deviation: float) -> Measured:
    if not deviation:
        return measured(value, math.nan, math.nan)
    return measured(value, max(0.0, value - Z * deviation), min(1.0, value + Z * deviation))


def constant_labels(shares_C: np.ndarray) -> np.ndarray:
    """Return the labels that the baseline gives every row: as many as a training row has on average, at least one."""
    count = max(1, round(float(shares_C.sum())))
    return np.asarray(np.sort(np.argsort(-shares_C, kind="stable")[:count]))


def _baseline(targets_NC: np.ndarray, shares_C: np.ndarray, names: tuple[str, ...]) -> MultiBaseline:
    if shares_C.shape != (len(names),):
        raise DataError(f"{len(shares_C)} shares for {len(names)} labels: give one for each label")
    first = constant_labels(shares_C)
    decided_NC = np.zeros_like(targets_NC)
    decided_NC[:, first] = True
    constant_NC = np.broadcast_to(shares_C, targets_NC.shape)
    tally = label_metrics.tally_of_labels(targets_NC, decided_NC)
    wrong_N = label_metrics.row_mistakes(targets_NC, decided_NC)
    support_C = tally.support[tally.support > 0] / len(targets_NC)
    figures = {
        "f1_micro": metrics.f1_micro(tally),
        "f1_macro": metrics.f1_macro(tally),
        "f1_samples": label_metrics.row_f1(targets_NC, decided_NC).mean(),
        "subset_accuracy": (wrong_N == 0).mean(),
        "hamming_loss": wrong_N.mean() / len(names),
        "lrap": label_metrics.row_rankings(constant_NC, targets_NC).mean(),
        "auc_pr": support_C.mean() if len(support_C) else math.nan,
        "log_loss": label_metrics.log_loss_of_labels(constant_NC, targets_NC).mean(),
    }
    return MultiBaseline(
        labels=tuple(names[label] for label in first), figures={name: float(one) for name, one in figures.items()}
    )
