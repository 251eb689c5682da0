"""The probe as a scikit-learn classifier: scikit-learn's own checks, all of them."""

from sklearn.utils.estimator_checks import estimator_checks_generator, parametrize_with_checks

from limbeck.classifier.probe_classifier import ProbeClassifier


@parametrize_with_checks([ProbeClassifier()])
def test_scikit_learns_checks(estimator, check):
    """None is expected to fail."""
    check(estimator)


def test_the_checks_are_there():
    """The figure is stated, so that a scikit-learn that runs fewer of them is noticed."""
    assert len(list(estimator_checks_generator(ProbeClassifier()))) >= 50
