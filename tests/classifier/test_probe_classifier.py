"""The probe as a scikit-learn classifier: scikit-learn's own checks, all of them."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import estimator_checks_generator, parametrize_with_checks

from limbeck.classifier.probe_classifier import ProbeClassifier
from limbeck.errors import SettingsError, TrainingError


@pytest.mark.slow
@parametrize_with_checks([ProbeClassifier()])
def test_scikit_learns_checks(estimator, check):
    """None is expected to fail."""
    check(estimator)


def test_how_many_checks_ran():
    """The figure is stated, so that a scikit-learn that runs fewer of them is noticed."""
    assert len(list(estimator_checks_generator(ProbeClassifier()))) >= CHECKS


CHECKS = 55
"""Of scikit-learn 1.9; one of them skips itself where the array API is not switched on."""


def test_it_is_scikit_learns_logistic_regression():
    """Probabilities are those of StandardScaler and LogisticRegression at the penalty that was chosen."""
    columns, labels = load_iris(return_X_y=True, as_frame=True)
    ours = ProbeClassifier(penalties=(0.1, 1.0)).fit(columns, labels)
    theirs = make_pipeline(StandardScaler(), LogisticRegression(C=ours.penalty_, tol=1e-10, max_iter=10_000))
    expected = theirs.fit(columns.to_numpy(), labels).predict_proba(columns.to_numpy())
    np.testing.assert_allclose(ours.predict_proba(columns), expected, atol=1e-4)
    assert ours.feature_names_in_.tolist() == columns.columns.tolist()
    assert ours.n_features_in_ == 4
    assert ours.coef_.shape == (3, 4)
    honest = (ours.classes_[ours.out_of_fold_.argmax(axis=1)] == labels).mean()
    assert 0.9 < honest <= ours.score(columns, labels)


@pytest.mark.slow
def test_text_labels_and_a_grid():
    """Classes may be text; parameters can be searched and cross-validated."""
    columns, labels = load_iris(return_X_y=True)
    names = np.array(["setosa", "versicolor", "virginica"])[labels]
    grid = GridSearchCV(ProbeClassifier(folds=3), {"balance": ["none", "smote"]}, cv=3).fit(columns, names)
    assert set(grid.predict(columns)) == set(names)
    assert cross_val_score(clone(grid.best_estimator_), columns, names, cv=3).mean() > 0.9


@pytest.mark.parametrize(
    ("parameters", "kind", "message"),
    [
        ({"penalties": (0.0,)}, SettingsError, "above 0"),
        ({"folds": 1}, SettingsError, "at least 2"),
        ({"random_state": -1}, SettingsError, "seed = -1"),
        ({}, TrainingError, "one training row"),
    ],
)
def test_faults_are_of_both_trees(parameters, kind, message):
    """A ValueError for scikit-learn, limbeck's own kind for everybody else."""
    labels = ["a", "a", "b", "b", "c" if not parameters else "b"]
    with pytest.raises(ValueError, match=message) as told:
        ProbeClassifier(**parameters).fit(np.arange(10.0).reshape(5, 2), labels)
    assert isinstance(told.value, kind)
