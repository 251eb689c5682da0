"""Folds are stratified, and every row is held out once."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from limbeck.training.folds import assign_folds


@given(labels=st.lists(st.integers(0, 4), min_size=1, max_size=200), folds=st.integers(2, 7), seed=st.integers(0, 99))
def test_each_class_is_spread_evenly(labels, folds, seed):
    """Every row has one fold; two folds differ by at most one row, in each class and in all."""
    labels_N = np.array(labels)
    fold_N = assign_folds(labels_N, folds=folds, seed=seed)
    assert fold_N.shape == labels_N.shape
    assert set(fold_N) <= set(range(folds))
    for part in [fold_N, *(fold_N[labels_N == label] for label in set(labels))]:
        sizes = np.bincount(part, minlength=folds)
        assert sizes.max() - sizes.min() <= 1


def test_the_seed_decides():
    """The same seed deals the same folds, another seed others."""
    labels_N = np.arange(100) % 3
    first = assign_folds(labels_N, folds=5, seed=1)
    assert np.array_equal(first, assign_folds(labels_N, folds=5, seed=1))
    assert not np.array_equal(first, assign_folds(labels_N, folds=5, seed=2))
