"""Raters: the ceiling is what a model that knows the truth reaches, whatever is missing."""

import json

import numpy as np
import pytest
from scipy import stats

from limbeck.errors import DataError
from limbeck.evaluation.rater_agreement import RaterAgreement, measure_agreement


def rated(rows, raters, noise, seed=0, missing=0.0):
    """True values of variance 1, and ratings of them with noise; some are missing."""
    generator = np.random.default_rng(seed)
    true = generator.normal(size=rows)
    ratings = true[:, None] + noise * generator.normal(size=(rows, raters))
    ratings[generator.random(ratings.shape) < missing] = np.nan
    return true, ratings


@pytest.mark.parametrize("missing", [0.0, 0.4])
def test_truth_correlates_with_the_mean_rating_by_the_ceiling(missing):
    """On 20,000 rows: who knows the true values reaches the ceiling, one rater the figure of one rater."""
    true, ratings = rated(20_000, 6, 1.5, missing=missing)
    found = measure_agreement(ratings, resamples=50)
    enough = np.isfinite(ratings).sum(axis=1) >= 2
    reached = stats.pearsonr(true[enough], np.nanmean(ratings[enough], axis=1))[0]
    assert found.ceiling.value == pytest.approx(reached, abs=0.01)
    assert found.rows == enough.sum()


def test_reliability_is_shrout_and_fleiss():
    """Their table 2 (four judges, six targets): ICC(1, 1) is 0.17, so that of a mean of four 0.44."""
    ratings = np.array([[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]])
    found = measure_agreement(ratings, resamples=20)
    assert found.reliability.value == pytest.approx(0.44, abs=0.005)
    assert found.ceiling.value == pytest.approx(np.sqrt(found.reliability.value))
    assert found.ratings_per_row == 4


def test_one_rater_is_the_plain_correlation_with_the_others_mean():
    """Written out, rating by rating."""
    _, ratings = rated(50, 5, 1.0, seed=3, missing=0.2)
    pairs = [
        (line[place], np.nanmean(np.delete(line, place)))
        for line in ratings
        for place in range(5)
        if np.isfinite(line[place]) and np.isfinite(np.delete(line, place)).any()
    ]
    found = measure_agreement(ratings, resamples=20)
    assert found.one_rater.value == pytest.approx(stats.pearsonr(*np.array(pairs).T)[0], abs=1e-9)


def test_raters_that_agree_by_chance_alone_have_no_ceiling_to_speak_of():
    """Ratings without any truth in them: reliability and ceiling are near 0, and never below it."""
    found = measure_agreement(np.random.default_rng(0).normal(size=(2000, 4)), resamples=50)
    assert 0 <= found.reliability.low <= 0.1
    facts = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert RaterAgreement.from_dict(facts) == found


def test_too_few_ratings_are_refused():
    """Agreement needs two rows with two ratings."""
    with pytest.raises(DataError, match="two rows with two ratings"):
        measure_agreement(np.array([[1.0, np.nan], [1.0, 2.0]]))
