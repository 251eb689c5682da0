"""Answers of every shape, drawn: any number of labels, ordered classes, numbers."""

import numpy as np
import pyarrow as pa

from limbeck.data.label_sets import sets_of_indicators
from limbeck.evaluation.conformal import ConformalWidth
from limbeck.evaluation.multi_predictions import MultiPredictions
from limbeck.evaluation.prediction_tables import AnyPredictions
from limbeck.evaluation.predictions import Predictions
from limbeck.evaluation.value_predictions import ValuePredictions
from limbeck.task import ORDINAL

SHAPES = ("multi", "ordinal", "regression")
LABELS = ("red", "round", "빨강", "<b>large</b>")
STEPS = ("low", "middle", "high", "top")


def shaped(kind: str, rows: int = 120, *, noise: float = 1.0, seed: int = 0, answer_seed: int = 0) -> AnyPredictions:
    """Answers of a kind; the same `seed` is the same rows with the same truth, more `noise` makes worse answers."""
    generator, teller = np.random.default_rng(seed), np.random.default_rng(1000 + answer_seed)
    hidden_NC = generator.normal(size=(rows, 4))
    said_NC = hidden_NC + noise * teller.normal(size=(rows, 4))
    every = {
        "row_ids": tuple(f"validation:{row + 1}" for row in range(rows)),
        "tokens": np.full(rows, 7),
        "truncated": np.arange(rows) % 11 == 0,
        "texts": tuple(f"text {row}" for row in range(rows)),
    }
    if kind == "multi":
        return MultiPredictions(
            **every,
            label_names=LABELS,
            probabilities=1 / (1 + np.exp(-2 * said_NC)),
            true_labels=sets_of_indicators(hidden_NC > 0.4),
            thresholds=np.array([0.4, 0.5, 0.6, 0.5]),
        )
    if kind == "regression":
        width = ConformalWidth(level=0.9, half_width=1.5, rows=rows, found_on="out_of_fold")
        return ValuePredictions(
            **every, values=said_NC[:, 0], true_values=pa.array(hidden_NC[:, 0], pa.float64()), width=width
        )
    true_N = np.digitize(hidden_NC[:, 0], [-0.7, 0.0, 0.7])
    distance_NC = np.abs(said_NC[:, :1] - np.array([-1.1, -0.35, 0.35, 1.1]))
    shares_NC = np.exp(-3 * distance_NC) / np.exp(-3 * distance_NC).sum(axis=1, keepdims=True)
    return Predictions(
        **every, label_names=STEPS, probabilities=shares_NC, true_labels=pa.array(true_N, pa.int32()), task=ORDINAL
    )
