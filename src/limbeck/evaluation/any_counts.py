"""Counts of every shape: which counters the answers of a task have, and what evaluation they make.

In: predictions of some rows whose truth is known; `CountedBy`, what else an evaluation needs of a model. Out: counters;
the evaluation of all rows. It does not know models, texts or files.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, cast

import numpy as np
import pyarrow as pa

from limbeck.errors import DataError
from limbeck.evaluation.any_evaluation import AnyEvaluation
from limbeck.evaluation.conformal import ConformalWidth
from limbeck.evaluation.intervals import RESAMPLES
from limbeck.evaluation.multi_predictions import MultiPredictions
from limbeck.evaluation.prediction_tables import AnyPredictions
from limbeck.evaluation.predictions import Predictions
from limbeck.evaluation.score_counts import LEARNED, count_one, count_scores, evaluation_of_counts
from limbeck.evaluation.shape_counts import (
    count_label_sets,
    count_steps,
    count_values,
    label_sets_of_counts,
    ordinal_of_counts,
    values_of_counts,
)
from limbeck.settings import TaskKind


@dataclass(frozen=True, kw_only=True)
class CountedBy:
    """What an evaluation needs of a model beside the counters.

    Attributes:
        task: the shape of its answers.
        labels: their names; none of numbers.
        majority_label: most frequent label of the training rows; None where that is not known.
        median_label: median label of the training rows, where labels have an order; None where that is not known.
        mean_number: mean of the training rows, of numbers.
        label_shares: share of the training rows with each label, of several labels.
        label_thresholds: from which probability on each of several labels is given; None where there are none.
        value_width: how far intervals reach, of numbers; None where nothing is promised.
    """

    task: TaskKind
    labels: tuple[str, ...]
    majority_label: str | None = None
    median_label: str | None = None
    mean_number: float | None = None
    label_shares: tuple[float, ...] | None = None
    label_thresholds: tuple[float, ...] | None = None
    value_width: ConformalWidth | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the values as JSON has them."""
        return {**asdict(self), "value_width": None if self.value_width is None else self.value_width.to_dict()}

    @property
    def shares(self) -> np.ndarray:
        """The share of the training rows with each label, float64 (C,)."""
        return np.array(self.label_shares, np.float64)


def counted_by(values: Mapping[str, Any]) -> CountedBy:
    """Return what `CountedBy.to_json` made."""
    width = values["value_width"]
    lists = {
        name: None if values[name] is None else tuple(values[name])
        for name in ("labels", "label_shares", "label_thresholds")
    }
    return CountedBy(**{**values, **lists, "value_width": None if width is None else ConformalWidth.from_dict(width)})


def count_any(found: AnyPredictions, by: CountedBy, *, learned_rows: int | None = None) -> pa.Table:
    """Count rows whose truth is known.

    Args:
        found: what a model answered, at least one row.
        by: of the model.
        learned_rows: how many of them the model learned from; None where that is not known.

    Raises:
        DataError: the truth of a row is not known, or an answer is none.
    """
    if len(found.labelled_rows) != len(found):
        raise DataError("the truth of a row is not known: a score needs it of every row")
    if isinstance(found, Predictions) and by.task == "single":
        return count_scores(found, learned_rows=learned_rows)
    if isinstance(found, Predictions):
        tables = count_steps(found)
    elif isinstance(found, MultiPredictions):
        tables = count_label_sets(found, label_shares=by.shares)
    else:
        tables = count_values(found, training_mean=cast("float", by.mean_number))
    if learned_rows is not None:
        tables.append(count_one(LEARNED, learned_rows, 0.0))
    return pa.concat_tables(tables)


def evaluation_of_any_counts(
    counts: pa.Table, by: CountedBy, *, seed: int = 0, resamples: int = RESAMPLES
) -> AnyEvaluation:
    """Return the evaluation of rows that were counted.

    Args:
        counts: of all rows, added up.
        by: of the model.
        seed: of the bootstrap.
        resamples: behind the intervals.

    Raises:
        DataError: no row was counted.
    """
    if not len(counts):
        raise DataError("no row was counted: a score needs at least one")
    names, drawn = by.labels, {"seed": seed, "resamples": resamples}
    if by.task == "single":
        majority = None if by.majority_label is None else names.index(by.majority_label)
        return evaluation_of_counts(counts, names, majority_label=majority, **drawn)
    if by.task == "ordinal":
        median = None if by.median_label is None else names.index(by.median_label)
        return ordinal_of_counts(counts, names, median_label=median, **drawn)
    if by.task == "regression":
        return values_of_counts(counts, training_mean=cast("float", by.mean_number), width=by.value_width, **drawn)
    thresholds_C = None if by.label_thresholds is None else np.array(by.label_thresholds)
    return label_sets_of_counts(counts, names, label_shares=by.shares, thresholds_C=thresholds_C, **drawn)
