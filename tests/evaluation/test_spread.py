"""Several seeds: mean and spread by hand, and intervals that hold the luck of rows and seeds."""

import numpy as np
import pytest

from limbeck.errors import DataError
from limbeck.evaluation.spread import compare_seeds, spread_of


def runs(accuracies, rows=500, seed=0):
    """Whether each run is right of each row, drawn at its accuracy."""
    generator = np.random.default_rng(seed)
    return np.stack([generator.random(rows) < accuracy for accuracy in accuracies])


def test_spread_by_hand():
    """Mean 2 and sample deviation 1 of 1, 2, 3; a single seed has no deviation."""
    found = spread_of([1, 2, 3])
    assert (found.mean, found.deviation) == (2, 1)
    assert str(found) == "2.0000 ± 1.0000"
    assert str(spread_of([0.5])) == "0.5000"
    with pytest.raises(DataError, match="at least one"):
        spread_of([])


def test_the_spread_of_seeds_widens_the_interval():
    """Two groups of the same mean: those whose seeds lie apart have the wider interval."""
    even = compare_seeds(runs([0.8] * 4), runs([0.8] * 4, seed=1), resamples=300).accuracy
    apart = compare_seeds(runs([0.6, 0.7, 0.9, 1.0]), runs([0.6, 0.7, 0.9, 1.0], seed=1), resamples=300).accuracy
    assert apart.high - apart.low > 1.5 * (even.high - even.low)
    assert apart.low < 0 < apart.high


def test_a_real_difference_is_found():
    """A group that is right much more often is better with certainty; the value is the difference of the means."""
    first, second = runs([0.6, 0.62, 0.61]), runs([0.8, 0.82, 0.79], seed=1)
    found = compare_seeds(first, second, resamples=300)
    assert found.accuracy.value == pytest.approx(second.mean() - first.mean())
    assert found.accuracy.low > 0
    assert found.p_value < 0.05


def test_one_seed_each_is_the_paired_bootstrap():
    """With one run each only rows are drawn: the deviation of a mean of differences."""
    first, second = runs([0.7]), runs([0.75], seed=1)
    found = compare_seeds(first, second, resamples=3000).accuracy
    expected = (second[0].astype(int) - first[0]).std() / np.sqrt(500)
    assert (found.high - found.low) / (2 * 1.96) == pytest.approx(expected, rel=0.08)


def test_other_rows_are_refused():
    """Groups with different rows cannot be compared."""
    with pytest.raises(DataError, match="the same rows"):
        compare_seeds(runs([0.7]), runs([0.7], rows=400))
