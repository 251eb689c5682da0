"""Balancing weighs, repeats or mixes the rows it was given, and no others."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from imblearn.over_sampling import SMOTE
from sklearn.utils.class_weight import compute_sample_weight

from limbeck.errors import TrainingError
from limbeck.linear.balance import balance_rows, nearest_rows

LABELS = st.lists(st.integers(0, 3), min_size=1, max_size=60).map(np.array)


@given(labels_N=LABELS)
def test_weights_are_those_of_scikit_learn(labels_N):
    """Balance "weights" is scikit-learn's class_weight="balanced"."""
    balanced = balance_rows(labels_N, balance="weights", seed=0)
    assert np.allclose(balanced.weight_M, compute_sample_weight("balanced", labels_N))


@given(labels_N=LABELS, seed=st.integers(0, 9))
def test_oversampling_repeats_rows_evenly(labels_N, seed):
    """Each class comes to the size of the largest, and its rows are repeated equally often, give or take one."""
    repeat_N = balance_rows(labels_N, balance="oversample", seed=seed).weight_M
    for label in set(labels_N):
        repeats = repeat_N[labels_N == label]
        assert repeats.sum() == np.bincount(labels_N).max()
        assert repeats.max() - repeats.min() <= 1
        assert repeats.min() >= 1


def test_none_leaves_rows_alone():
    """Without balancing every row has weight 1."""
    assert balance_rows(np.array([0, 0, 1]), balance="none", seed=0).weight_M.tolist() == [1, 1, 1]


@pytest.mark.parametrize("seed", range(3))
def test_smote_makes_the_rows_of_imbalanced_learn(seed):
    """The mixtures, written out, are what imbalanced-learn's SMOTE makes with the same seed, row by row."""
    random = np.random.default_rng(seed)
    labels_N = np.repeat([0, 1, 2, 3], [40, 25, 9, 40])[random.permutation(114)]
    rows_NF = random.normal(size=(114, 7)).astype(np.float32)

    def find(members, number):
        return nearest_rows(torch.from_numpy(rows_NF[members]), number=number)

    mixtures = balance_rows(labels_N, balance="smote", seed=seed, find_neighbours=find).mixtures
    expected_NF, expected_N = SMOTE(random_state=seed).fit_resample(rows_NF, labels_N)
    step_S1 = mixtures.step_S[:, None]
    mixed_SF = (1 - step_S1) * rows_NF[mixtures.base_S] + step_S1 * rows_NF[mixtures.neighbour_S]
    assert np.array_equal(mixtures.labels_S, expected_N[114:])
    np.testing.assert_allclose(mixed_SF, expected_NF[114:], atol=1e-5)


def test_smote_mixes_within_a_class():
    """Both parents of a new row have its label, and are two different rows."""
    labels_N = np.repeat([0, 1], [20, 3])
    rows_NF = torch.randn(23, 2, generator=torch.Generator().manual_seed(0))
    balanced = balance_rows(
        labels_N,
        balance="smote",
        seed=0,
        find_neighbours=lambda members, number: nearest_rows(rows_NF[members], number=number),
    )
    mixtures = balanced.mixtures
    assert len(mixtures.base_S) == 17
    assert set(labels_N[mixtures.base_S]) == set(labels_N[mixtures.neighbour_S]) == {1}
    assert (mixtures.base_S != mixtures.neighbour_S).all()
    assert balanced.notes == ("SMOTE mixed class 1 with 2 instead of 5 neighbours: it has 3 rows to train on",)


def test_smote_refuses_a_class_of_one_row():
    """A single row has no neighbour: the error names the class and the other ways."""
    with pytest.raises(TrainingError, match=r"class 1 has one row.*--balance weights"):
        balance_rows(np.array([0, 0, 1]), balance="smote", seed=0, find_neighbours=lambda members, number: members)


def test_smote_of_equal_classes_adds_nothing():
    """Classes that are equal already stay as they are."""
    balanced = balance_rows(
        np.array([0, 0, 1, 1]), balance="smote", seed=0, find_neighbours=lambda members, number: members
    )
    assert balanced.mixtures is None
