"""The probe of ordered classes: scikit-learn's logistic regression at each step, and answers that are consistent."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from limbeck.errors import SettingsError, TrainingError
from limbeck.linear.fit import ProbeRows, fit_probe
from limbeck.linear.step_fit import class_probabilities, fit_steps
from limbeck.settings import ProbeSettings
from limbeck.task import ORDINAL

NAMES = ("awful", "bad", "fair", "good", "great")


def make_classes(classes, *, rows=240, features=6, seed=0):
    """Make ordered classes of unequal sizes, and columns whose means and scales are far apart."""
    random = np.random.default_rng(seed)
    rows_NF = random.normal(size=(rows, features))
    value_N = rows_NF @ random.normal(size=features) + random.normal(size=rows)
    place_N = np.argsort(np.argsort(value_N)) / rows
    labels_N = np.searchsorted(np.linspace(0, 1, classes + 1)[1:-1] ** 1.5, place_N, side="right")
    raw_NF = rows_NF * random.uniform(0.01, 10, size=features) + random.uniform(-20, 20, size=features)
    return raw_NF.astype(np.float32), labels_N


def steps(features_NF, labels_N, *, group_N=None, **settings):
    rows = ProbeRows(labels_N=labels_N, label_names=NAMES[: int(labels_N.max()) + 1], group_N=group_N)
    return fit_steps(features_NF, rows, settings=ProbeSettings(**{"penalties": (0.05,), **settings}))


@pytest.mark.parametrize("classes", [2, 3, 5])
@pytest.mark.parametrize("balance", ["none", "weights"])
def test_each_step_is_scikit_learns_logistic_regression(classes, balance):
    """Over the rows that reached it, on columns standardised by all rows."""
    features_NF, labels_N = make_classes(classes)
    fitted = steps(features_NF, labels_N, balance=balance)
    standard_NF = StandardScaler().fit_transform(features_NF.astype(np.float64))
    logits_NK = features_NF.astype(np.float64) @ fitted.weight_LF.T.astype(np.float64) + fitted.bias_L
    for k in range(classes - 1):
        reached_N = labels_N >= k
        weight = None if balance == "none" else "balanced"
        model = LogisticRegression(C=0.05, tol=1e-10, max_iter=10_000, class_weight=weight)
        model.fit(standard_NF[reached_N], labels_N[reached_N] > k)
        np.testing.assert_allclose(logits_NK[:, k], model.decision_function(standard_NF), atol=2e-3)


def test_out_of_fold_answers_never_saw_the_row():
    """Each fold's are the fits on the other rows alone, their own standardisation included; every row has all steps."""
    features_NF, labels_N = make_classes(3)
    fitted = steps(features_NF, labels_N)
    for fold in range(5):
        seen = fitted.fold_N != fold
        scaler = StandardScaler().fit(features_NF[seen].astype(np.float64))
        for k in range(2):
            some = seen & (labels_N >= k)
            model = LogisticRegression(C=0.05, tol=1e-10, max_iter=10_000)
            model.fit(scaler.transform(features_NF[some].astype(np.float64)), labels_N[some] > k)
            expected = model.predict_proba(scaler.transform(features_NF[~seen].astype(np.float64)))[:, 1]
            np.testing.assert_allclose(fitted.out_of_fold_NL[~seen, k], expected, atol=1e-3)


def test_two_ordered_classes_are_the_probe_of_two_classes():
    """There is one step, and nothing to order."""
    features_NF, labels_N = make_classes(2)
    fitted = steps(features_NF, labels_N)
    rows = ProbeRows(labels_N=labels_N, label_names=NAMES[:2])
    plain = fit_probe(features_NF, rows, settings=ProbeSettings(penalties=(0.05,)))
    np.testing.assert_array_equal(fitted.fold_N, plain.fold_N)
    np.testing.assert_allclose(fitted.out_of_fold_NL[:, 0], plain.out_of_fold_NC[:, 1], atol=1e-3)


def test_ordered_classes_are_found_again():
    """Classes along a line: the median class of the out-of-fold answers is nearly always right."""
    value_N = np.repeat(np.arange(4), 30)
    noise_N = np.random.default_rng(0).normal(size=120) / 10
    fitted = steps((value_N + noise_N)[:, None].astype(np.float32), value_N, penalties=(10.0,))
    unseen_NC = class_probabilities(fitted.out_of_fold_NL)
    assert (ORDINAL.decided(unseen_NC).argmax(1) == value_N).mean() > 0.95
    np.testing.assert_allclose(unseen_NC.sum(axis=1), 1, atol=1e-6)


def test_rows_that_say_the_same_are_held_out_together():
    """Twins are in one fold."""
    features_NF, labels_N = make_classes(3, rows=100)
    group_N = np.tile(np.arange(100), 2)
    fitted = steps(np.vstack([features_NF, features_NF]), np.tile(labels_N, 2), group_N=group_N)
    np.testing.assert_array_equal(fitted.fold_N[:100], fitted.fold_N[100:])


def test_what_cannot_be_learned_is_refused():
    """Copies and mixtures of rows, classes of one row."""
    features_NF, labels_N = make_classes(3)
    for balance in ("smote", "oversample"):
        with pytest.raises(SettingsError, match="classes without an order"):
            steps(features_NF, labels_N, balance=balance)
    labels_N[labels_N == 1] = 0
    labels_N[0] = 1
    with pytest.raises(TrainingError, match="bad: one training row"):
        steps(features_NF, labels_N)
