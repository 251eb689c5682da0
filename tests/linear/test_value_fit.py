"""Probes of ordered classes and of numbers: the peers' optima, honest cross-validation, one layer on raw features."""

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from scipy.special import expit
from sklearn.linear_model import Ridge
from sklearn.preprocessing import StandardScaler

from limbeck.errors import DataError, SettingsError, TrainingError
from limbeck.linear.fit import ProbeRows
from limbeck.linear.value_fit import NumberRows, fit_numbers, fit_ordered
from limbeck.linear.value_losses import class_probabilities
from limbeck.settings import ProbeSettings

NAMES = ("awful", "bad", "fair", "good", "great")


def make_numbers(*, rows=200, features=12, seed=0, noise=1.0):
    """Make rows whose columns have means and scales far apart, and numbers far from 0."""
    random = np.random.default_rng(seed)
    rows_NF = random.normal(size=(rows, features))
    numbers_N = 40 + 7 * (rows_NF @ random.normal(size=features) + noise * random.normal(size=rows))
    raw_NF = rows_NF * random.uniform(0.01, 10, size=features) + random.uniform(-20, 20, size=features)
    return raw_NF.astype(np.float32), numbers_N


def make_classes(classes, **kinds):
    """Make ordered classes of unequal sizes."""
    raw_NF, numbers_N = make_numbers(**kinds)
    place_N = np.argsort(np.argsort(numbers_N)) / len(numbers_N)
    return raw_NF, np.searchsorted(np.linspace(0, 1, classes + 1)[1:-1] ** 1.5, place_N, side="right")


def ordered(features_NF, labels_N, *, candidates=None, group_N=None, **settings):
    rows = ProbeRows(labels_N=labels_N, label_names=NAMES[: int(labels_N.max()) + 1], group_N=group_N)
    settings = ProbeSettings(**{"penalties": (0.003, 0.03, 0.3), **settings})
    return fit_ordered(features_NF, rows, settings=settings, candidates=candidates)


def numbers(features_NF, numbers_N, *, candidates=None, group_N=None, **settings):
    settings = ProbeSettings(**{"penalties": (0.003, 0.03, 0.3), **settings})
    rows = NumberRows(numbers_N=numbers_N, group_N=group_N)
    return fit_numbers(features_NF, rows, settings=settings, candidates=candidates)


def proportional_odds(features_NF, labels_N, penalty, weight_N):
    """Minimise C Σ weight · -log p + ½ ‖w‖² with SciPy, written down from the definition; return w and the cuts."""
    classes = int(labels_N.max()) + 1
    features = features_NF.shape[1]

    def objective(flat):
        above_NK = expit(features_NF @ flat[:features, None] - np.sort(flat[features:]))
        edge_N = np.ones((len(labels_N), 1))
        above_NX = np.hstack([edge_N, above_NK, 0 * edge_N])
        own_N = (above_NX[:, :-1] - above_NX[:, 1:])[np.arange(len(labels_N)), labels_N]
        return (weight_N * -np.log(np.maximum(own_N, 1e-300))).sum() + 0.5 * (flat[:features] ** 2).sum() / penalty

    start = np.concatenate([np.zeros(features), np.linspace(-1, 1, classes - 1)])
    found = minimize(objective, start, method="L-BFGS-B", options={"maxiter": 5000, "maxfun": 10**6, "ftol": 1e-15})
    return found.x[:features], np.sort(found.x[features:])


@pytest.mark.parametrize("classes", [2, 3, 5])
@pytest.mark.parametrize("balance", ["none", "weights"])
def test_ordered_classes_are_fitted_as_proportional_odds(classes, balance):
    """The layer on raw features gives the probabilities of the likelihood's own minimum, found by SciPy."""
    features_NF, labels_N = make_classes(classes, features=5)
    fitted = ordered(features_NF, labels_N, penalties=(0.05,), balance=balance)
    standard_NF = StandardScaler().fit_transform(features_NF.astype(np.float64))
    counts_C = np.bincount(labels_N)
    weight_N = np.ones(len(labels_N)) if balance == "none" else (len(labels_N) / (classes * counts_C))[labels_N]
    weight_F, cut_K = proportional_odds(standard_NF, labels_N, 0.05, weight_N)
    logits_NK = features_NF.astype(np.float64) @ fitted.weight_CF.T.astype(np.float64) + fitted.bias_C
    np.testing.assert_allclose(logits_NK, (standard_NF @ weight_F)[:, None] - cut_K, atol=3e-3)
    assert fitted.gap <= 1e-6


def test_class_probabilities_are_differences_that_add_up_to_one():
    """By hand: σ(2) and σ(-1) above two cuts."""
    found = class_probabilities(torch.tensor([1.0]), torch.tensor([-1.0, 2.0])).numpy()
    np.testing.assert_allclose(found, [[1 - expit(2), expit(2) - expit(-1), expit(-1)]], rtol=1e-12)


def test_out_of_fold_answers_of_ordered_classes_never_saw_the_row():
    """Each fold's are the fit on the other rows alone, their own standardisation included."""
    features_NF, labels_N = make_classes(3, features=4)
    fitted = ordered(features_NF, labels_N, penalties=(0.1,))
    for fold in range(5):
        seen = fitted.fold_N != fold
        scaler = StandardScaler().fit(features_NF[seen].astype(np.float64))
        weight_F, cut_K = proportional_odds(
            scaler.transform(features_NF[seen].astype(np.float64)), labels_N[seen], 0.1, np.ones(seen.sum())
        )
        value_M = scaler.transform(features_NF[~seen].astype(np.float64)) @ weight_F
        expected = class_probabilities(torch.from_numpy(value_M), torch.from_numpy(cut_K)).numpy()
        np.testing.assert_allclose(fitted.out_of_fold_NC[~seen], expected, atol=1e-3)
    np.testing.assert_allclose(fitted.out_of_fold_NC.sum(1), 1, atol=1e-6)
    assert (fitted.out_of_fold_NC >= 0).all()


def test_two_ordered_classes_are_logistic_regression():
    """With two classes there is one cut, and nothing to order: scikit-learn's coefficients."""
    from sklearn.linear_model import LogisticRegression

    features_NF, labels_N = make_classes(2)
    fitted = ordered(features_NF, labels_N, penalties=(0.1,))
    standard_NF = StandardScaler().fit_transform(features_NF.astype(np.float64))
    model = LogisticRegression(C=0.1, tol=1e-10, max_iter=10_000).fit(standard_NF, labels_N)
    logits_N = features_NF.astype(np.float64) @ fitted.weight_CF[0].astype(np.float64) + fitted.bias_C[0]
    np.testing.assert_allclose(logits_N, model.decision_function(standard_NF), atol=1e-3)


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

    own_N = whole_NF @ fitted.weight_CF[0].astype(np.float64) + fitted.bias_C[0]
    np.testing.assert_allclose(own_N, peer(np.ones(rows, bool))(whole_NF), atol=1e-3 * unit)
    for fold in range(5):
        held_out = fitted.fold_N == fold
        expected = peer(~held_out)(whole_NF[held_out])
        np.testing.assert_allclose(fitted.out_of_fold_NC[held_out, 0], expected, atol=1e-3 * unit)
    assert fitted.weight_CF.shape == (1, features)


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
    np.testing.assert_allclose(1000 * one.out_of_fold_NC + 5, other.out_of_fold_NC, rtol=1e-4)


@pytest.mark.parametrize("kind", ["ordered", "numbers"])
def test_the_better_columns_are_chosen(kind):
    """Columns that carry the answer win against columns of noise."""
    features_NF, numbers_N = make_numbers(noise=0.1)
    noise_NF = np.random.default_rng(5).normal(size=features_NF.shape).astype(np.float32)
    both_NF = np.hstack([noise_NF, features_NF])
    candidates = {"noise": np.arange(12), "signal": np.arange(12, 24)}
    if kind == "ordered":
        fitted = ordered(both_NF, make_classes(3, noise=0.1)[1], candidates=candidates)
    else:
        fitted = numbers(both_NF, numbers_N, candidates=candidates)
    assert fitted.candidate == "signal"
    assert {line.candidate for line in fitted.scores} == {"noise", "signal"}


@pytest.mark.parametrize("kind", ["ordered", "numbers"])
def test_rows_that_say_the_same_are_held_out_together(kind):
    """Twins are in one fold."""
    features_NF, numbers_N = make_numbers(rows=100)
    twice_NF, group_N = np.vstack([features_NF, features_NF]), np.tile(np.arange(100), 2)
    if kind == "ordered":
        fitted = ordered(twice_NF, np.tile(make_classes(3, rows=100)[1], 2), group_N=group_N)
    else:
        fitted = numbers(twice_NF, np.tile(numbers_N, 2), group_N=group_N)
    np.testing.assert_array_equal(fitted.fold_N[:100], fitted.fold_N[100:])


@pytest.mark.parametrize("kind", ["ordered", "numbers"])
def test_constant_columns_get_no_weight_and_are_told(kind):
    """A column that never changes cannot explain anything."""
    features_NF, numbers_N = make_numbers()
    features_NF[:, 3] = 7
    fitted = ordered(features_NF, make_classes(3)[1]) if kind == "ordered" else numbers(features_NF, numbers_N)
    assert (fitted.weight_CF[:, 3] == 0).all()
    assert any("1 of 12 columns are constant" in note for note in fitted.notes)


def test_rows_that_can_be_told_apart_without_error_still_have_an_answer():
    """Separable classes: the penalty keeps the minimum finite, and the cuts in their order."""
    value_N = np.repeat(np.arange(4), 10)
    fitted = ordered(value_N[:, None].astype(np.float32), value_N, penalties=(100.0,))
    assert (np.diff(fitted.bias_C) < 0).all()
    assert ((fitted.out_of_fold_NC.cumsum(1)[:, :-1] < 0.5).sum(1) == value_N).all()


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
    with pytest.raises(SettingsError, match="smote"):
        ordered(features_NF, np.arange(20) % 3, balance="smote")
    with pytest.raises(TrainingError, match="every column is constant"):
        numbers(np.ones((20, 2), np.float32), numbers_N)
    features_NF[4, 1] = np.inf
    with pytest.raises(DataError, match="the first is row 4"):
        numbers(features_NF, numbers_N)
