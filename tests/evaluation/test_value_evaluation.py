"""Evaluation of numbers: every number in its place, the promise of intervals, the raters' ceiling, JSON and back."""

import json

import numpy as np
import pyarrow as pa
import pytest

from limbeck.errors import DataError
from limbeck.evaluation.conformal import find_conformal_width
from limbeck.evaluation.rater_agreement import measure_agreement
from limbeck.evaluation.value_evaluation import ValueEvaluation, evaluate_values
from limbeck.evaluation.value_predictions import ValuePredictions


def made(rows=300, seed=0, **more):
    """Numbers that are half right, and ratings of the true ones."""
    generator = np.random.default_rng(seed)
    true = generator.normal(size=rows)
    facts = {
        "row_ids": tuple(map(str, range(rows))),
        "values": 0.8 * true + 0.6 * generator.normal(size=rows),
        "true_values": pa.array(true),
        "tokens": np.full(rows, 5),
        "truncated": np.zeros(rows, bool),
    }
    return ValuePredictions(**(facts | more))


def test_figures_intervals_baseline_promise_and_ceiling():
    """Each figure stands between its ends; what intervals hold is counted; the raters' ceiling stands beside."""
    width = find_conformal_width(made(500, 1).known_errors, level=0.8)
    found = made(width=width)
    ratings = found.known_values[:, None] + np.random.default_rng(2).normal(size=(300, 5))
    raters = measure_agreement(ratings, resamples=50)
    evaluation = evaluate_values(found, training_mean=0.1, raters=raters, resamples=200)
    for one in evaluation.figures.values():
        assert one.low < one.value < one.high
    assert evaluation.baseline_mae == pytest.approx(np.abs(found.known_values - 0.1).mean())
    assert evaluation.inside is not None
    assert 0.7 < evaluation.inside.value < 0.9
    assert "promise 80% of the true values and hold" in evaluation.promise
    assert f"raters' ceiling {raters.ceiling.value:.3f}" in repr(evaluation)
    facts = json.loads(json.dumps(evaluation.to_dict(), allow_nan=False))
    assert ValueEvaluation.from_dict(facts).to_dict() == facts
    with pytest.raises(DataError, match="no key 'mae'"):
        ValueEvaluation.from_dict({name: value for name, value in facts.items() if name != "mae"})


def test_equal_numbers_have_no_correlation_and_say_so():
    """Null in JSON, a dash in words: nothing computes a number that means nothing."""
    found = evaluate_values(made(20, values=np.ones(20)), resamples=50)
    assert np.isnan(found.pearson.value)
    assert "Pearson –" in repr(found)
    facts = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert facts["pearson"] is None
    assert ValueEvaluation.from_dict(facts).to_dict() == facts


def test_no_known_number_is_refused():
    """There is nothing to score by."""
    with pytest.raises(DataError, match="no row of the predictions has a known value"):
        evaluate_values(made(5, true_values=pa.nulls(5, pa.float64())))
