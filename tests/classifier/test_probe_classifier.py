"""The probe as a scikit-learn classifier: scikit-learn's own checks, all of them."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import estimator_checks_generator, parametrize_with_checks

from limbeck.classifier.probe_classifier import ProbeClassifier
from limbeck.errors import SettingsError, TrainingError


@parametrize_with_checks([ProbeClassifier()])
def test_scikit_learns_checks(estimator, check):
    """None is expected to fail."""
    check(estimator)


def test_the_checks_are_there():
    """The figure is stated, so that a scikit-learn that runs fewer of them is noticed."""
    assert len(list(estimator_checks_generator(ProbeClassifier()))) >= 50
