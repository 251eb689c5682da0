"""Scaling measures every fold's standardisation."""

import numpy as np
import torch
from sklearn.preprocessing import StandardScaler

from limbeck.linear.scaling import measure_scaling, standardise


def test_each_folds_scale_is_that_of_the_other_rows():
    """Means and scales are StandardScaler's, in all and outside each fold, though means are large and blocks many."""
    random = np.random.default_rng(0)
    features_NF = (random.normal(size=(3000, 4)) * [1, 0.01, 50, 1] + [0, 300, -5, 1e4]).astype(np.float32)
    fold_N = random.integers(0, 3, size=3000)
    scaling = measure_scaling(features_NF, columns=None, fold_N=fold_N)
    whole = StandardScaler().fit(features_NF.astype(np.float64))
    np.testing.assert_allclose(scaling.mean_F, whole.mean_, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(scaling.scale_F, whole.scale_, rtol=1e-6)
    for fold in range(3):
        part = StandardScaler().fit(features_NF[fold_N != fold].astype(np.float64))
        np.testing.assert_allclose(scaling.fold_scale_KF[fold] * scaling.scale_F, part.scale_, rtol=1e-6)


def test_columns_are_taken_in_their_order():
    """A set of columns is standardised as if it were the whole array; a constant one becomes exact zeros."""
    random = np.random.default_rng(0)
    features_NF = random.normal(size=(50, 6)).astype(np.float32)
    features_NF[:, 4] = 0.1
    columns = np.array([4, 0, 2])
    fold_N = np.arange(50) % 2
    scaling = measure_scaling(features_NF, columns=columns, fold_N=fold_N)
    standard_NF = standardise(features_NF, scaling, columns=columns, dtype=torch.float32).numpy()
    assert scaling.constant_F.tolist() == [True, False, False]
    assert np.isinf(scaling.fold_scale_KF[:, 0]).all()
    assert not standard_NF[:, 0].any()
    expected = StandardScaler().fit_transform(features_NF[:, [0, 2]])
    np.testing.assert_allclose(standard_NF[:, 1:], expected, atol=1e-5)


def test_a_column_that_hardly_varies_counts_as_constant():
    """A deviation of 1e-33 beside ones of 1 is not scaled up: no head should hang on what rounding made."""
    features_NF = np.random.default_rng(0).normal(size=(60, 3)).astype(np.float32)
    features_NF[:, 1] *= 1e-33
    scaling = measure_scaling(features_NF, columns=None, fold_N=np.arange(60) % 3)
    assert scaling.constant_F.tolist() == [False, True, False]
    assert np.isinf(scaling.fold_scale_KF[:, 1]).all()
    assert scaling.scale_F[1] == 1


def test_columns_that_are_all_constant_are_all_zero():
    """Nothing to learn from is not an error here: every standardised value is 0."""
    features_NF = np.full((10, 2), 3.0, dtype=np.float32)
    scaling = measure_scaling(features_NF, columns=None, fold_N=np.arange(10) % 2)
    assert scaling.constant_F.all()
    assert not standardise(features_NF, scaling, columns=None, dtype=torch.float32).any()
