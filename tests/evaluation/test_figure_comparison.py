"""Figures of two models on the same rows: scikit-learn's and scipy's differences, paired intervals, seeds."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics as oracle
from tests.evaluation.shaped import SHAPES, shaped

from limbeck.errors import DataError
from limbeck.evaluation.drawn_figures import draw_figures
from limbeck.evaluation.figure_comparison import LOWER_IS_BETTER, compare_figures


def expected(found):
    """The figures by other libraries."""
    if hasattr(found, "values"):
        true_N, said_N = found.known_values, found.values.astype(np.float64)
        return {
            "pearson": stats.pearsonr(true_N, said_N).statistic,
            "spearman": stats.spearmanr(true_N, said_N).statistic,
            "r2": oracle.r2_score(true_N, said_N),
            "mae": oracle.mean_absolute_error(true_N, said_N),
            "rmse": oracle.root_mean_squared_error(true_N, said_N),
            "bias": (said_N - true_N).mean(),
        }
    if hasattr(found, "thresholds"):
        true_NC, said_NC = found.known_targets, found.decided_NC
        return {
            "f1_micro": oracle.f1_score(true_NC, said_NC, average="micro"),
            "f1_macro": oracle.f1_score(true_NC, said_NC, average="macro"),
            "f1_samples": oracle.f1_score(true_NC, said_NC, average="samples", zero_division=1),
            "subset_accuracy": oracle.accuracy_score(true_NC, said_NC),
            "hamming_loss": oracle.hamming_loss(true_NC, said_NC),
            "lrap": oracle.label_ranking_average_precision_score(true_NC, found.probabilities),
            "log_loss": oracle.log_loss(true_NC.ravel(), found.probabilities.ravel().astype(np.float64)),
        }
    true_N, said_N = found.known_labels, found.predicted
    shares_NC = found.probabilities.astype(np.float64)
    return {
        "quadratic_kappa": oracle.cohen_kappa_score(true_N, said_N, weights="quadratic"),
        "mae": np.abs(true_N - said_N).mean(),
        "within_one": (np.abs(true_N - said_N) <= 1).mean(),
        "accuracy": oracle.accuracy_score(true_N, said_N),
        "log_loss": oracle.log_loss(true_N, shares_NC / shares_NC.sum(axis=1, keepdims=True)),
    }


@pytest.mark.parametrize("kind", SHAPES)
def test_figures_are_those_of_other_libraries(kind):
    """Each figure of each shape, and each difference of two models."""
    first, second = shaped(kind), shaped(kind, noise=0.3, answer_seed=1)
    values = {name: one.value for name, one in draw_figures(first, resamples=5).items()}
    assert values == pytest.approx(expected(first), rel=1e-5)
    for one in compare_figures([first], [second], resamples=20):
        difference = expected(second)[one.name] - expected(first)[one.name]
        assert one.difference.value == pytest.approx(difference, rel=1e-4, abs=1e-6)


@pytest.mark.parametrize("kind", SHAPES)
def test_a_better_model_is_shown_to_be_better(kind):
    """With a third of the noise every interval lies off 0, on the better side of each figure."""
    found = compare_figures([shaped(kind)], [shaped(kind, noise=0.3, answer_seed=1)], resamples=200)
    assert found
    for one in found:
        assert one.p_value < 0.05, one.name
        assert one.is_better
        assert (one.difference.high < 0) if one.name in LOWER_IS_BETTER else (one.difference.low > 0)


@pytest.mark.parametrize("kind", SHAPES)
def test_a_model_beside_itself_differs_in_nothing(kind):
    """The same answers differ by exactly nothing in every resample, whatever the figure is like."""
    for one in compare_figures([shaped(kind)], [shaped(kind)], resamples=50):
        assert (one.difference.value, one.difference.low, one.difference.high, one.p_value) == (0, 0, 0, 1)


@pytest.mark.parametrize("kind", SHAPES)
def test_intervals_are_paired(kind):
    """Two models with nearly the same answers have a far narrower interval than two that err apart."""
    first = shaped(kind, rows=300)
    near, far = shaped(kind, rows=300), shaped(kind, rows=300, answer_seed=1)
    if kind == "regression":
        near = replace(near, values=near.values * 1.001)
    else:
        near = replace(near, probabilities=0.999 * near.probabilities + 0.001 / 4)
    paired, apart = (compare_figures([first], [other], resamples=100) for other in (near, far))
    for one, other in zip(paired, apart, strict=True):
        assert one.difference.high - one.difference.low < 0.5 * (other.difference.high - other.difference.low), one.name


def test_seeds_are_drawn_too():
    """Over three seeds the value is the difference of means, and the interval holds the seeds' luck."""
    many = [shaped("regression", answer_seed=seed, noise=0.5 + 0.5 * seed) for seed in range(3)]
    found = {one.name: one for one in compare_figures(many, [many[0]], resamples=300)}
    alone = {one.name: one for one in compare_figures([many[1]], [many[0]], resamples=300)}
    assert len(found["mae"].first.values) == 3
    assert found["mae"].difference.value == pytest.approx(
        expected(many[0])["mae"] - np.mean([expected(one)["mae"] for one in many]), rel=1e-5
    )
    widths = [one["mae"].difference.high - one["mae"].difference.low for one in (found, alone)]
    assert widths[0] > widths[1]


def test_what_cannot_be_compared_is_refused():
    """Other shapes, other numbers of rows, no model."""
    with pytest.raises(DataError, match="different shapes"):
        compare_figures([shaped("multi")], [shaped("regression")])
    with pytest.raises(DataError, match="different numbers of rows"):
        compare_figures([shaped("multi")], [shaped("multi", rows=60)])
    with pytest.raises(DataError, match="two models"):
        compare_figures([shaped("multi")], [])
