"""How much of a larger classifier's accuracy a smaller one keeps."""

import numpy as np
import pytest

from limbeck.evaluation.kept import accuracy_kept


@pytest.mark.parametrize("rows", [4, 31, 2000])
def test_equal_answers_are_no_certainty(rows):
    """The ratio is 1, and its interval has a width that falls with the rows."""
    right = np.ones(rows, bool)
    found = accuracy_kept(right, right)
    assert found.value == 1
    assert found.low < 1 < found.high
    assert 0.5 / rows < found.high - found.low < 10 / rows


def test_the_interval_is_paired():
    """Rows that both got wrong make no difference between the two, however many."""
    small, large = np.array([1, 1, 1, 0] * 250, bool), np.array([1, 1, 0, 1] * 250, bool)
    paired = accuracy_kept(small, large)
    apart = accuracy_kept(small, np.random.default_rng(0).permutation(large))
    assert paired.value == pytest.approx(1)
    assert paired.low < 1 < paired.high
    same = accuracy_kept(small, small)
    assert same.high - same.low < (apart.high - apart.low) / 5


def test_the_ratio_is_that_of_the_accuracies():
    """Above 1 where the smaller one is better; the same seed gives the same interval."""
    small, large = np.array([1, 1, 1, 0], bool), np.array([1, 1, 0, 0], bool)
    assert accuracy_kept(small, large).value == pytest.approx(1.5)
    assert accuracy_kept(small, large) == accuracy_kept(small, large)
