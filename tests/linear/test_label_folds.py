"""Folds of rows with any number of labels are stratified by every label, and every row is held out once."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from limbeck.errors import TrainingError
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
    dealt = assign_label_folds(targets_NL, folds=folds, seed=seed)
    fold_N = dealt.fold_N
    assert dealt.parted == dealt.held_at_once == ()
    assert set(fold_N.tolist()) == set(range(folds))
    for rows_K, share in [
        (np.bincount(fold_N, minlength=folds), len(fold_N) / folds),
        *((np.bincount(fold_N[has], minlength=folds), has.sum() / folds) for has in targets_NL.T),
    ]:
        assert np.abs(rows_K - share).max() <= 2 + 0.03 * len(fold_N) / folds


def test_the_seed_decides():
    """The same seed deals the same folds, another seed others."""
    targets_NL = draw()
    first = assign_label_folds(targets_NL, folds=5, seed=1).fold_N
    assert np.array_equal(first, assign_label_folds(targets_NL, folds=5, seed=1).fold_N)
    assert not np.array_equal(first, assign_label_folds(targets_NL, folds=5, seed=2).fold_N)


ROWS = st.lists(st.tuples(st.lists(st.booleans(), min_size=3, max_size=3), st.integers(0, 20)), min_size=4, max_size=80)


@given(rows=ROWS, folds=st.integers(2, 5), seed=st.integers(0, 9))
@example(
    rows=[([False] * 3, 0), ([True, False, False], 0), ([True, True, False], 0), ([False, True, False], 0)],
    folds=2,
    seed=0,
)
@example(
    rows=[([False, False, True], 0), ([False, True, False], 1), ([True, False, False], 2), ([True] * 3, 3)],
    folds=2,
    seed=0,
)
def test_something_of_each_label_can_be_learned_from(rows, folds, seed):
    """No fold holds out every row with a label, nor every one without it, unless it is named so.

    Then no row can move to another fold without doing that to another label. Groups stay whole but where they are
    parted, which is named, too.
    """
    targets_NL = np.array([has for has, _ in rows])
    group_N = np.array([group for _, group in rows])
    dealt = assign_label_folds(targets_NL, folds=folds, seed=seed, group_N=group_N)
    assert at_once(targets_NL, dealt.fold_N) == set(dealt.held_at_once)
    if not dealt.parted:
        assert all(len(set(dealt.fold_N[group_N == group])) == 1 for group in group_N)
    for label in dealt.held_at_once:
        for row in range(len(rows)) if len(set(group_N)) == len(rows) else ():
            for fold in range(folds):
                moved_N = np.where(np.arange(len(rows)) == row, fold, dealt.fold_N)
                assert at_once(targets_NL, moved_N) - set(dealt.held_at_once) or label in at_once(targets_NL, moved_N)


def at_once(targets_NL, fold_N):
    """Return the labels with which, or without which, all rows (two at least) are in one fold."""
    return {
        label
        for label, has_N in enumerate(targets_NL.T)
        for side_N in (has_N, ~has_N)
        if side_N.sum() > 1 and len(set(fold_N[side_N])) == 1
    }


def test_rows_without_a_label_that_are_copies_are_parted():
    """A label that only copies of one text lack can be learned: the copies are in several folds, and that is said."""
    targets_NL = np.array([[True]] * 9 + [[False]] * 4)
    group_N = np.array([*range(9), 20, 20, 20, 20])
    dealt = assign_label_folds(targets_NL, folds=2, seed=0, group_N=group_N)
    assert dealt.parted == (0,)
    assert not dealt.held_at_once
    assert np.bincount(dealt.fold_N[9:]).tolist() == [2, 2]


def test_labels_that_no_two_folds_can_spread_are_an_error():
    """Of three rows with two of three labels each, two folds hold out one label whole: it is named, with what to do."""
    targets_NL = np.zeros((9, 3), bool)
    targets_NL[[0, 1, 1, 2, 2, 0], [0, 0, 1, 1, 2, 2]] = True
    with pytest.raises(TrainingError, match=r"with 2 folds, .* held out at once; ask for more folds"):
        plan_label_folds(targets_NL, ProbeSettings(folds=2), ("first", "second", "third"))
    assert not plan_label_folds(targets_NL, ProbeSettings(folds=3), ("first", "second", "third")).notes


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
