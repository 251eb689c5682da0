"""Intervals and bounds of shares, against published values and scipy's."""

import numpy as np
import pytest
from scipy.stats import binomtest

from limbeck.evaluation.proportions import f1_ends, least_share, share_of, wilson


@pytest.mark.parametrize(("count", "rows"), [(0, 5), (1, 7), (13, 40), (99, 100), (12, 12)])
def test_wilson_is_scipys(count, rows):
    """The Wilson interval equals scipy's."""
    expected = binomtest(count, rows).proportion_ci(method="wilson")
    found = wilson(count, rows)
    assert (found.low, found.high) == (pytest.approx(expected.low, abs=1e-12), pytest.approx(expected.high, abs=1e-12))


def test_wilson_of_nothing_is_nan():
    """Of no row there is no share: NaN, and no warning; other elements are not touched."""
    found = wilson([0, 1], [0, 2])
    assert np.isnan(found.low[0])
    assert not np.isnan(found.high[1])


@pytest.mark.parametrize(("count", "rows"), [(1, 7), (13, 40), (99, 100), (12, 12)])
def test_lower_bounds_are_scipys_exact_ones(count, rows):
    """One-sided Clopper-Pearson lower bounds equal scipy's."""
    low = binomtest(count, rows, alternative="greater").proportion_ci(0.9, method="exact").low
    assert float(least_share(count, rows, confidence=0.9)) == pytest.approx(low, abs=1e-9)


def test_fifty_nine_right_rows_are_the_fewest_that_show_95_percent():
    """The rule of 59: 0.95 to the 59th is below 0.05, to the 58th above."""
    assert least_share(58, 58) < 0.95 < least_share(59, 59)
    assert least_share(0, 10) == 0


def test_a_share_says_itself():
    """A share shows its value and interval, and gives plain values."""
    share = share_of(8, 10)
    assert str(share) == "0.800 (0.490–0.943)"
    assert share.to_dict()["rows"] == 10


@pytest.mark.parametrize(("precision", "recall"), [(0.8, 0.6), (0.97, 0.98), (0.3, 0.1)])
def test_the_interval_of_f1_covers_the_truth_as_often_as_it_says(precision, recall):
    """Over 4,000 draws of 60 rows of the class, 93 to 98 % of the intervals hold the true F1."""
    generator = np.random.default_rng(5)
    hit, missed = 0.2 * recall, 0.2 * (1 - recall)
    alarm = hit / precision - hit
    cells = generator.multinomial(300, [hit, missed, alarm, 1 - hit - missed - alarm], size=4000)
    found = f1_ends(cells[:, 0], cells[:, 0] + cells[:, 1], cells[:, 0] + cells[:, 2])
    true = 2 * precision * recall / (precision + recall)
    assert 0.93 <= ((found.low <= true) & (true <= found.high)).mean() <= 0.98


def test_f1_of_a_class_by_hand():
    """No hit of 12 rows: from 0 to the F1 of Wilson's high end; neither true nor predicted: not known."""
    high = 1.959964**2 / (12 + 1.959964**2)
    found = f1_ends([0, 0, 4], [12, 0, 4], [0, 0, 4])
    assert (found.low[0], found.high[0]) == (0, pytest.approx(2 * high / (1 + high)))
    assert np.isnan(found.low[1])
    assert (found.low[2], found.high[2]) == (pytest.approx(8 / (8 + 1.959964**2)), 1)
