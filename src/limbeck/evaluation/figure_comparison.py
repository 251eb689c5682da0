"""Figure comparison: whether one model is better than another on the same rows, where the answer is not one label.

In: answers of two models, or of several seeds of each, to the same rows. Out: by figure the difference with its paired
interval and a p-value.
It does not know runs or files; that the rows are the same is the caller's to see to. One label a row: see `comparison`.

Rows are drawn anew, each with both its answers, and every figure is computed on the same draws. Where a model has
several seeds, seeds are drawn too, so that the interval holds their luck.

Source: Efron & Tibshirani, An Introduction to the Bootstrap (1993), chapter 13.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from limbeck.errors import DataError
from limbeck.evaluation import intervals
from limbeck.evaluation.comparison import drawn_p, with_difference
from limbeck.evaluation.drawn_figures import DrawnFigure, draw_figures
from limbeck.evaluation.measured import Measured, measured, told
from limbeck.evaluation.multi_evaluation import MULTI_FIGURES
from limbeck.evaluation.multi_predictions import MultiPredictions
from limbeck.evaluation.ordinal_evaluation import ORDINAL_FIGURES
from limbeck.evaluation.prediction_tables import AnyPredictions
from limbeck.evaluation.spread import Spread, draw_runs, spread_of
from limbeck.evaluation.value_evaluation import VALUE_FIGURES
from limbeck.evaluation.value_predictions import ValuePredictions

LOWER_IS_BETTER = ("hamming_loss", "log_loss", "mae", "rmse")
"""Figures of which the smaller one is the better one; of all others it is the larger one."""
NO_DIRECTION = ("bias",)
"""Figures that are neither better nor worse."""


@dataclass(frozen=True, kw_only=True)
class FigureDifference:
    """One figure of two models on the same rows.

    Attributes:
        name: of the figure.
        words: what a screen calls it.
        first: of the first model; over its seeds.
        second: of the second.
        difference: the second's minus the first's, with its paired 95 % interval.
        p_value: chance of a difference as far from 0 if there were none, by the bootstrap (`drawn_p`).
    """

    name: str
    words: str
    first: Spread
    second: Spread
    difference: Measured
    p_value: float

    @property
    def is_better(self) -> bool:
        """Whether the second's value is the better one, by chance or not."""
        return (self.difference.value < 0) == (self.name in LOWER_IS_BETTER)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "first": self.first.to_dict(),
            "second": self.second.to_dict(),
            "difference": told(self.difference),
            "p_value": self.p_value,
        }


def compare_figures(
    first: Sequence[AnyPredictions],
    second: Sequence[AnyPredictions],
    *,
    seed: int = 0,
    resamples: int = intervals.RESAMPLES,
) -> tuple[FigureDifference, ...]:
    """Compare what two models say of the same rows, by every figure of their shape that has a better side.

    Args:
        first: answers of the first model; of each of its seeds.
        second: the same of the second.
        seed: of the draws.
        resamples: behind the intervals.

    Raises:
        DataError: there is no model, or answers are of different shapes or numbers of rows.
    """
    if not first or not second:
        raise DataError("give answers of two models")
    if len({(type(one), len(one.labelled_rows)) for one in (*first, *second)}) > 1:
        raise DataError("the answers are of different shapes, or of different numbers of rows with a known truth")
    sides = [[draw_figures(one, seed=seed, resamples=resamples) for one in side] for side in (first, second)]
    generator = np.random.default_rng(seed)
    names = figure_words(first[0])
    return tuple(
        _difference(name, names[name], sides, generator)
        for name in names
        if name in sides[0][0] and name not in NO_DIRECTION
    )


def figure_words(found: AnyPredictions) -> Mapping[str, str]:
    """Return the figures of a shape by their names, as a screen calls them."""
    if isinstance(found, MultiPredictions):
        return MULTI_FIGURES
    return VALUE_FIGURES if isinstance(found, ValuePredictions) else ORDINAL_FIGURES


def _difference(
    name: str, words: str, sides: Sequence[Sequence[Mapping[str, DrawnFigure]]], generator: np.random.Generator
) -> FigureDifference:
    spreads = [spread_of([one[name].value for one in side]) for side in sides]
    drawn = [draw_runs(np.column_stack([one[name].drawn_R for one in side]), generator) for side in sides]
    difference_R = drawn[1] - drawn[0]
    known_R = difference_R[np.isfinite(difference_R)]
    value = spreads[1].mean - spreads[0].mean
    if not len(known_R) or not np.isfinite(value):
        found, p_value = measured(value, np.nan, np.nan), 1.0
    else:
        found, p_value = with_difference(np.asarray(value), known_R)[0], drawn_p(known_R)
    return FigureDifference(
        name=name, words=words, first=spreads[0], second=spreads[1], difference=found, p_value=p_value
    )
