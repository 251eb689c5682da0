"""Value evaluation: what is known about a model of numbers on one set of rows, as one frozen value.

In: `ValuePredictions` of rows whose numbers are known, the mean of the training rows, and where rows have several
ratings each these. Out: every score with its interval, the baseline, the raters' ceiling, what its intervals hold.
It does not know models, texts or where it is shown.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from limbeck.display.tables import Table
from limbeck.display.views import View
from limbeck.errors import DataError
from limbeck.evaluation.conformal import ConformalWidth
from limbeck.evaluation.intervals import LEVEL, RESAMPLES
from limbeck.evaluation.measured import Measured, brief, measured, read_told, reading_figures, told
from limbeck.evaluation.proportions import share_of
from limbeck.evaluation.rater_agreement import RaterAgreement
from limbeck.evaluation.value_predictions import ValuePredictions
from limbeck.evaluation.value_scores import score_values

VALUE_FIGURES = {
    "pearson": "Pearson's correlation",
    "spearman": "Spearman's correlation",
    "r2": "R²",
    "mae": "mean absolute error",
    "rmse": "root mean squared error",
    "bias": "mean error (said minus true)",
}
"""Name of each figure of an evaluation, and what a screen calls it."""


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class ValueEvaluation(View):
    """What is known about a model of numbers on N rows; errors are in the units of the numbers.

    Attributes:
        rows: N.
        pearson: correlation, -1 to 1; NaN where all numbers are equal.
        spearman: the same of the ranks.
        r2: 1 minus squared errors as a share of squared distances from the rows' mean; below 0 the mean is better.
        mae: mean absolute error.
        rmse: root of the mean squared error.
        bias: mean of predicted minus true numbers.
        baseline_value: mean of the training rows, said of every row; its correlations are none.
        baseline_mae: mean absolute error of that answer.
        baseline_rmse: root of its mean squared error.
        width: what the model's intervals promise; None where they promise nothing.
        inside: share of the rows whose truth lies inside them; None where there are none, and of the rows that the
            intervals were found on, where it shows nothing.
        raters: what people reach on these rows; None where they have not several ratings each.
        resamples: bootstrap resamples behind the intervals.
        seed: of the bootstrap.
    """

    rows: int
    pearson: Measured
    spearman: Measured
    r2: Measured
    mae: Measured
    rmse: Measured
    bias: Measured
    baseline_value: float
    baseline_mae: float
    baseline_rmse: float
    width: ConformalWidth | None
    inside: Measured | None
    raters: RaterAgreement | None
    resamples: int
    seed: int

    @property
    def figures(self) -> dict[str, Measured]:
        """The scores by the names of `VALUE_FIGURES`."""
        return {name: getattr(self, name) for name in VALUE_FIGURES}

    def figure_table(self) -> Table:
        """Return the figures with their intervals, beside the baseline and what people reach."""
        base = {"mae": self.baseline_mae, "rmse": self.baseline_rmse}
        people = {} if self.raters is None else {"pearson": brief(self.raters.ceiling)}
        return Table(
            title="Scores",
            header=(
                "",
                "value",
                "95 % interval",
                f"always {self.baseline_value:.4g}",
                *(["raters' ceiling"] if people else []),
            ),
            rows=tuple(
                (
                    VALUE_FIGURES[name],
                    "–" if math.isnan(one.value) else f"{one.value:.4f}",
                    one.between(4, " to "),
                    f"{base[name]:.4f}" if name in base else "",
                    *([people.get(name, "")] if people else []),
                )
                for name, one in self.figures.items()
            ),
        )

    @property
    def promise(self) -> str:
        """What the model's intervals promise and hold, in words; empty where they promise nothing."""
        if self.width is None:
            return ""
        half_width, level = f"{self.width.half_width:.4g}", f"{self.width.level:.0%}"
        if self.inside is None:
            return f"intervals of ± {half_width} promise {level} of the true values; they were found on these rows"
        return f"intervals of ± {half_width} promise {level} of the true values and hold {brief(self.inside)} here"

    def _lines(self) -> tuple[str, str]:
        people = "" if self.raters is None else f"; raters' ceiling {brief(self.raters.ceiling)}"
        more = f"; {self.promise}" if self.promise else ""
        return (
            f"Evaluation of {self.rows:,} rows: Pearson {brief(self.pearson)}, mean absolute error {brief(self.mae)}",
            f"always {self.baseline_value:.4g}: mean absolute error {self.baseline_mae:.3f}{people}{more}",
        )

    def _tables(self) -> tuple[Table, ...]:
        return (self.figure_table(),)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON; keys and their order are stable.

        `task` ("regression"), `rows`; each figure of `VALUE_FIGURES`, null where there is none; `intervals`: `level`,
        `method`, `resamples`, `seed`, and `low` and `high` by figure; `baseline`: `value`, `mae`, `rmse`; `conformal`:
        what is promised, and `inside` with its ends (null on the rows that it was found on), null where nothing is;
        `raters`, null where there are none.
        """
        conformal = None
        if self.width is not None:
            conformal = {**self.width.to_dict(), "inside": None if self.inside is None else told(self.inside)}
        return {
            "task": "regression",
            "rows": self.rows,
            **{name: told(one)["value"] for name, one in self.figures.items()},
            "intervals": {
                "level": LEVEL,
                "method": "bootstrap of rows",
                "resamples": self.resamples,
                "seed": self.seed,
                **{name: one.ends for name, one in self.figures.items()},
            },
            "baseline": {"value": self.baseline_value, "mae": self.baseline_mae, "rmse": self.baseline_rmse},
            "conformal": conformal,
            "raters": None if self.raters is None else self.raters.to_dict(),
        }

    @classmethod
    def from_dict(cls, facts: Mapping[str, Any]) -> "ValueEvaluation":
        """Make an evaluation of what `to_dict` returned.

        Raises:
            DataError: a key is missing or a value is of the wrong kind.
        """
        with reading_figures():
            figures = {name: read_told({"value": facts[name], **facts["intervals"][name]}) for name in VALUE_FIGURES}
            conformal, raters = facts["conformal"], facts["raters"]
            return cls(
                rows=int(facts["rows"]),
                **figures,
                baseline_value=float(facts["baseline"]["value"]),
                baseline_mae=float(facts["baseline"]["mae"]),
                baseline_rmse=float(facts["baseline"]["rmse"]),
                width=None if conformal is None else ConformalWidth.from_dict(conformal),
                inside=None if conformal is None or conformal["inside"] is None else read_told(conformal["inside"]),
                raters=None if raters is None else RaterAgreement.from_dict(raters),
                resamples=int(facts["intervals"]["resamples"]),
                seed=int(facts["intervals"]["seed"]),
            )


def evaluate_values(
    predictions: ValuePredictions,
    *,
    training_mean: float | None = None,
    raters: RaterAgreement | None = None,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> ValueEvaluation:
    """Score the rows whose numbers are known.

    Args:
        predictions: of these rows, and maybe of others.
        training_mean: mean of the *training* rows, for the baseline; that of these rows when not given.
        raters: how well people agree about these rows (see `rater_agreement`).
        seed: of the bootstrap.
        resamples: bootstrap resamples behind the intervals.

    Raises:
        DataError: no row has a known number.
    """
    rows = predictions.labelled_rows
    if not len(rows):
        raise DataError("no row of the predictions has a known value: there is nothing to score them by")
    true_M, said_M = predictions.known_values, predictions.values[rows].astype(np.float64)
    constant = float(true_M.mean()) if training_mean is None else training_mean
    inside = None
    if predictions.width is not None:
        found = share_of(int((np.abs(said_M - true_M) <= predictions.width.half_width).sum()), len(rows))
        inside = measured(found.value, found.low, found.high)
    return ValueEvaluation(
        rows=len(rows),
        **score_values(said_M, true_M, seed=seed, resamples=resamples),
        baseline_value=constant,
        baseline_mae=float(np.abs(true_M - constant).mean()),
        baseline_rmse=float(np.sqrt(((true_M - constant) ** 2).mean())),
        width=predictions.width,
        inside=inside,
        raters=raters,
        resamples=resamples,
        seed=seed,
    )
