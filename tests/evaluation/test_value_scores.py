"""Scores of numbers: scikit-learn and SciPy say the same, ties and constant numbers included."""

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics as oracle

from limbeck.errors import DataError
from limbeck.evaluation.intervals import row_counts
from limbeck.evaluation.value_scores import rank_correlation, score_values


def random_case(seed):
    """Predicted and true numbers; some cases have ties, large offsets, or are very short."""
    generator = np.random.default_rng(seed)
    rows = int(generator.integers(2, 80))
    true = generator.normal(size=rows) * 10.0 ** int(generator.integers(-3, 4)) + (1e6 if seed % 5 == 0 else 0)
    predicted = true + generator.normal(size=rows) * true.std() * generator.uniform(0.01, 3)
    if seed % 3 == 0:
        true, predicted = np.round(true), np.round(predicted)
    return predicted, true


@pytest.mark.parametrize("seed", [*range(30), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(30, 200))])
def test_figures_equal_scikit_learn_and_scipy(seed):
    """Each figure equals theirs on a random case; where numbers do not differ there is no correlation."""
    predicted, true = random_case(seed)
    found = {name: one.value for name, one in score_values(predicted, true, resamples=2).items()}
    assert found["mae"] == pytest.approx(oracle.mean_absolute_error(true, predicted), rel=1e-9)
    assert found["rmse"] == pytest.approx(oracle.root_mean_squared_error(true, predicted), rel=1e-9)
    assert found["bias"] == pytest.approx(np.mean(predicted - true), rel=1e-7, abs=1e-12)
    if np.ptp(true) == 0:
        assert np.isnan(found["r2"])
    else:
        assert found["r2"] == pytest.approx(oracle.r2_score(true, predicted), rel=1e-6, abs=1e-9)
    if np.ptp(true) == 0 or np.ptp(predicted) == 0:
        assert np.isnan(found["pearson"])
        assert np.isnan(found["spearman"])
    else:
        assert found["pearson"] == pytest.approx(stats.pearsonr(true, predicted)[0], abs=1e-7)
        assert found["spearman"] == pytest.approx(stats.spearmanr(true, predicted)[0], abs=1e-9)


def test_counted_rows_are_ranked_as_repeated_rows_are():
    """Spearman of resampled rows equals SciPy's of the rows written out: what the bootstrap relies on."""
    generator = np.random.default_rng(3)
    true = np.round(3 * generator.normal(size=60))
    predicted = np.round(true + generator.normal(size=60))
    for counts_BN in row_counts(len(true), seed=0, resamples=30):
        for counts_N in counts_BN:
            rows = np.repeat(np.arange(len(true)), counts_N.astype(int))
            expected = stats.spearmanr(true[rows], predicted[rows])[0]
            assert rank_correlation(predicted, true, counts_N) == pytest.approx(expected, abs=1e-9)


@pytest.mark.slow
def test_intervals_cover_the_truth():
    """Over 40 draws of two numbers that correlate by 0.7 about 95 % of the intervals hold it, and R², too."""
    covered = dict.fromkeys(("pearson", "r2"), 0)
    for seed in range(40):
        generator = np.random.default_rng(seed)
        predicted = 0.7 * (true := generator.normal(size=200)) + np.sqrt(0.51) * generator.normal(size=200)
        found = score_values(predicted, true, seed=seed, resamples=100)
        for name, value in (("pearson", 0.7), ("r2", 1 - (0.3**2 + 0.51))):
            covered[name] += found[name].low <= value <= found[name].high
    assert all(34 <= count <= 40 for count in covered.values()), covered


def test_same_seed_same_interval():
    """The seed alone decides."""
    one, again, other = (score_values(*random_case(7), seed=seed, resamples=50) for seed in (1, 1, 2))
    assert one == again
    assert one["mae"] != other["mae"]


@pytest.mark.parametrize(
    ("predicted", "true", "message"),
    [
        ([1.0], [1.0, 2.0], "one of each a row"),
        ([], [], "there is no row"),
        ([1.0, np.nan], [1.0, 2.0], "row 1: the predicted value is nan"),
        ([1.0, 2.0], [np.inf, 2.0], "row 0: the true value is inf"),
    ],
)
def test_faulty_numbers_are_refused_with_their_place(predicted, true, message):
    """Other lengths, no row and what is no number are errors that say where."""
    with pytest.raises(DataError, match=message):
        score_values(np.array(predicted), np.array(true))
