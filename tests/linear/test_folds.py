"""Folds are stratified, and every row is held out once."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from limbeck.linear.folds import assign_folds, plan_folds
from limbeck.settings import ProbeSettings


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


@given(
    rows=st.lists(st.tuples(st.integers(0, 2), st.integers(0, 30)), min_size=4, max_size=120),
    folds=st.integers(2, 6),
    seed=st.integers(0, 9),
)
def test_a_group_is_held_out_at_once(rows, folds, seed):
    """Rows of one group share a fold, whatever their labels; only a class that is held out whole is dealt by rows."""
    labels_N = np.array([label for label, _ in rows])
    group_N = np.array([group for _, group in rows])
    fold_N = assign_folds(labels_N, folds=folds, seed=seed, group_N=group_N)
    for label in set(labels_N.tolist()):
        own = labels_N == label
        assert own.sum() == 1 or len(set(fold_N[own])) > 1
    parted = {group for group in group_N.tolist() if len(set(fold_N[group_N == group])) > 1}
    few = {label for label in labels_N.tolist() if len(set(group_N[labels_N == label])) <= folds}
    assert all(set(labels_N[group_N == group].tolist()) & few for group in parted)


def test_groups_of_one_row_change_nothing():
    """Where no text repeats, the folds are those of rows alone, to the row."""
    labels_N = np.arange(100) % 3
    alone = assign_folds(labels_N, folds=5, seed=1)
    assert np.array_equal(alone, assign_folds(labels_N, folds=5, seed=1, group_N=np.arange(100) * 7))


def test_pairs_are_spread_evenly():
    """Every row twice: the folds are as even as pairs allow, in each class and in all."""
    labels_N = np.repeat(np.arange(40) % 2, 2)
    fold_N = assign_folds(labels_N, folds=5, seed=0, group_N=np.repeat(np.arange(40), 2))
    assert np.array_equal(fold_N[::2], fold_N[1::2])
    assert np.bincount(fold_N).tolist() == [16] * 5


def test_a_class_of_one_text_is_dealt_out_and_said():
    """Held out at once it could not be learned; its copies part, and a note says what that does to the figures."""
    labels_N = np.array([0] * 10 + [1] * 10)
    group_N = np.array([*range(10), *[10] * 10])
    plan = plan_folds(labels_N, ProbeSettings(folds=5), ("many", "one"), group_N)
    assert set(plan.fold_N[10:]) == set(range(5))
    assert plan.notes == (
        "all rows of one say the same, so that its copies are in several folds: out-of-fold figures flatter it",
    )
