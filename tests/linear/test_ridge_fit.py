"""The probe of numbers: scikit-learn's ridge regression, honest cross-validation, one layer on raw features."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.preprocessing import StandardScaler

from limbeck.errors import DataError, SettingsError, TrainingError
from limbeck.linear.ridge_fit import NumberRows, fit_numbers
from limbeck.settings import ProbeSettings


def make_numbers(*, rows=200, features=12, seed=0, noise=1.0):
    """Make rows whose columns have means and scales far apart, and numbers far from 0."""
    random = np.random.default_rng(seed)
    rows_NF = random.normal(size=(rows, features))
    numbers_N = 40 + 7 * (rows_NF @ random.normal(size=features) + noise * random.normal(size=rows))
    raw_NF = rows_NF * random.uniform(0.01, 10, size=features) + random.uniform(-20, 20, size=features)
    return raw_NF.astype(np.float32), numbers_N


def numbers(features_NF, numbers_N, *, candidates=None, group_N=None, **settings):
    settings = ProbeSettings(**{"penalties": (0.003, 0.03, 0.3), **settings})
    rows = NumberRows(numbers_N=numbers_N, group_N=group_N)
    return fit_numbers(features_NF, rows, settings=settings, candidates=candidates)


@pytest.mark.parametrize(("rows", "features"), [(200, 12), (60, 150)])
def test_numbers_are_fitted_as_scikit_learns_ridge(rows, features):
    """Layer and out-of-fold answers are StandardScaler's and Ridge's, with fewer columns than rows and with more."""
    features_NF, numbers_N = make_numbers(rows=rows, features=features)
    fitted = numbers(features_NF, numbers_N)
    unit = numbers_N.std()
    whole_NF = features_NF.astype(np.float64)

    def peer(seen):
        scaler = StandardScaler().fit(whole_NF[seen])
        model = Ridge(alpha=1 / fitted.penalty).fit(scaler.transform(whole_NF[seen]), numbers_N[seen])
        return lambda raw_NF: model.predict(scaler.transform(raw_NF))

    own_N = whole_NF @ fitted.weight_F.astype(np.float64) + fitted.bias
    np.testing.assert_allclose(own_N, peer(np.ones(rows, bool))(whole_NF), atol=1e-3 * unit)
    for fold in range(5):
        held_out = fitted.fold_N == fold
        expected = peer(~held_out)(whole_NF[held_out])
        np.testing.assert_allclose(fitted.out_of_fold_N[held_out], expected, atol=1e-3 * unit)
    assert fitted.weight_F.shape == (features,)


def test_beyond_the_strongest_penalty_stronger_ones_are_tried():
    """Many columns of noise want a stronger one than any that is tried at first; the best is scikit-learn's then, too.

    Who names the penalties gets no other.
    """
    features_NF, numbers_N = make_numbers(rows=400, features=600, noise=150.0)
    fitted = numbers(features_NF, numbers_N, penalties=ProbeSettings().penalties)
    assert fitted.penalty < min(ProbeSettings().penalties)
    assert fitted.penalty == min(fitted.scores, key=lambda one: one.squared_error).penalty
    whole_NF = features_NF.astype(np.float64)
    scaler = StandardScaler().fit(whole_NF)
    model = Ridge(alpha=1 / fitted.penalty).fit(scaler.transform(whole_NF), numbers_N)
    own_N = whole_NF @ fitted.weight_F.astype(np.float64) + fitted.bias
    np.testing.assert_allclose(own_N, model.predict(scaler.transform(whole_NF)), atol=1e-3 * numbers_N.std())
    assert numbers(features_NF, numbers_N, penalties=(0.0003, 0.001)).penalty == 0.0003


def test_the_penalty_of_numbers_has_the_lowest_squared_error():
    """Every line of the table is scikit-learn's cross-validated squared error; the lowest is chosen."""
    features_NF, numbers_N = make_numbers(rows=80, features=30, noise=4.0)
    fitted = numbers(features_NF, numbers_N, penalties=(0.001, 0.01, 0.1))
    whole_NF = features_NF.astype(np.float64)
    for line in fitted.scores:
        missed = np.empty(len(numbers_N))
        for fold in range(5):
            held_out = fitted.fold_N == fold
            scaler = StandardScaler().fit(whole_NF[~held_out])
            model = Ridge(alpha=1 / line.penalty).fit(scaler.transform(whole_NF[~held_out]), numbers_N[~held_out])
            missed[held_out] = model.predict(scaler.transform(whole_NF[held_out])) - numbers_N[held_out]
        assert line.squared_error == pytest.approx((missed**2).mean(), rel=1e-2)
    assert fitted.penalty == min(fitted.scores, key=lambda line: line.squared_error).penalty


def test_the_unit_of_numbers_changes_nothing_but_the_answers_unit():
    """Numbers times 1,000 plus 5 give answers times 1,000 plus 5, by the same penalty."""
    features_NF, numbers_N = make_numbers()
    one, other = numbers(features_NF, numbers_N), numbers(features_NF, 1000 * numbers_N + 5)
    assert one.penalty == other.penalty
    np.testing.assert_allclose(1000 * one.out_of_fold_N + 5, other.out_of_fold_N, rtol=1e-4)


def test_the_better_columns_are_chosen():
    """Columns that carry the numbers win against columns of noise."""
    features_NF, numbers_N = make_numbers(noise=0.1)
    noise_NF = np.random.default_rng(5).normal(size=features_NF.shape).astype(np.float32)
    candidates = {"noise": np.arange(12), "signal": np.arange(12, 24)}
    fitted = numbers(np.hstack([noise_NF, features_NF]), numbers_N, candidates=candidates)
    assert fitted.candidate == "signal"
    assert {line.candidate for line in fitted.scores} == {"noise", "signal"}


def test_rows_that_say_the_same_are_held_out_together():
    """Twins are in one fold."""
    features_NF, numbers_N = make_numbers(rows=100)
    group_N = np.tile(np.arange(100), 2)
    fitted = numbers(np.vstack([features_NF, features_NF]), np.tile(numbers_N, 2), group_N=group_N)
    np.testing.assert_array_equal(fitted.fold_N[:100], fitted.fold_N[100:])


def test_constant_columns_get_no_weight_and_are_told():
    """A column that never changes cannot explain anything."""
    features_NF, numbers_N = make_numbers()
    features_NF[:, 3] = 7
    fitted = numbers(features_NF, numbers_N)
    assert fitted.weight_F[3] == 0
    assert any("1 of 12 columns are constant" in note for note in fitted.notes)


def test_what_cannot_be_learned_is_refused():
    """One number for all rows, too few rows, numbers that are none, settings of classes."""
    features_NF, numbers_N = make_numbers(rows=20)
    with pytest.raises(TrainingError, match="every row has the number 3"):
        numbers(features_NF, np.full(20, 3.0))
    with pytest.raises(TrainingError, match="at least 4 are needed"):
        numbers(features_NF[:3], numbers_N[:3])
    with pytest.raises(DataError, match=r"row 2: nan"):
        numbers(features_NF, np.where(np.arange(20) == 2, np.nan, numbers_N))
    with pytest.raises(SettingsError, match="is for classes"):
        numbers(features_NF, numbers_N, balance="weights")
    with pytest.raises(TrainingError, match="every column is constant"):
        numbers(np.ones((20, 2), np.float32), numbers_N)
    features_NF[4, 1] = np.inf
    with pytest.raises(DataError, match="the first is row 4"):
        numbers(features_NF, numbers_N)
