"""Folds of rows with any number of labels are stratified by every label, and every row is held out once."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from limbeck.linear.label_folds import assign_label_folds, plan_label_folds
from limbeck.settings import ProbeSettings


def draw(rows=300, labels=6, seed=0):
    """Draw label sets: labels of very different sizes, one of which most rows have."""
    random = np.random.default_rng(seed)
    return random.random((rows, labels)) < np.geomspace(0.02, 0.9, labels)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("folds", [2, 5])
def test_each_label_is_spread_evenly(folds, seed):
    """Every row has one fold; each fold has its share of the rows with each label, and of all rows, within two."""
    targets_NL = draw(seed=seed)
    fold_N, parted = assign_label_folds(targets_NL, folds=folds, seed=seed)
    assert parted == []
    assert set(fold_N.tolist()) == set(range(folds))
    for rows_K, share in [
        (np.bincount(fold_N, minlength=folds), len(fold_N) / folds),
        *((np.bincount(fold_N[has], minlength=folds), has.sum() / folds) for has in targets_NL.T),
    ]:
        assert np.abs(rows_K - share).max() <= 2 + 0.03 * len(fold_N) / folds


def test_the_seed_decides():
    """The same seed deals the same folds, another seed others."""
    targets_NL = draw()
    first, _ = assign_label_folds(targets_NL, folds=5, seed=1)
    assert np.array_equal(first, assign_label_folds(targets_NL, folds=5, seed=1)[0])
    assert not np.array_equal(first, assign_label_folds(targets_NL, folds=5, seed=2)[0])


@given(
    rows=st.lists(
        st.tuples(st.lists(st.booleans(), min_size=3, max_size=3), st.integers(0, 20)), min_size=4, max_size=80
    ),
    folds=st.integers(2, 5),
    seed=st.integers(0, 9),
)
def test_some_of_each_label_can_be_learned_from(rows, folds, seed):
    """Whatever the groups, no fold holds out every row with a label, nor every one without it; groups stay whole."""
    targets_NL = np.array([has for has, _ in rows])
    group_N = np.array([group for _, group in rows])
    fold_N, parted = assign_label_folds(targets_NL, folds=folds, seed=seed, group_N=group_N)
    for has in targets_NL.T:
        rare = ~has if has.mean() > 0.5 else has
        assert rare.sum() < 2 or len(set(fold_N[rare])) > 1
    if not parted:
        assert all(len(set(fold_N[group_N == group])) == 1 for group in group_N)


def test_copies_that_are_a_whole_label_are_parted_and_said():
    """A label all of whose rows are one text is dealt out row by row; the note names it."""
    targets_NL = np.zeros((12, 2), bool)
    targets_NL[:4, 0] = True
    targets_NL[6:, 1] = True
    group_N = np.array([0, 0, 0, 0, *range(1, 9)])
    plan = plan_label_folds(targets_NL, ProbeSettings(folds=2), ("copied", "other"), group_N)
    assert np.bincount(plan.fold_N[:4]).tolist() == [2, 2]
    assert len(plan.notes) == 1
    assert "copied" in plan.notes[0]
    assert "other" not in plan.notes[0]
