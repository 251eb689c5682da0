"""Calibration: values worked out by hand, what chance does, and the way to JSON and back."""

import json

import numpy as np
import pytest
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss

from limbeck.errors import DataError
from limbeck.evaluation.calibration import (
    Calibration,
    brier_score,
    expected_calibration_error,
    measure_calibration,
    reliability,
)


def binary(confidence, right):
    """Probabilities of two classes whose answer has this confidence and is right where said."""
    confidence = np.asarray(confidence)
    return np.column_stack([confidence, 1 - confidence]), np.where(right, 0, 1)


def drawn(rows, sharpness=1.0, seed=0):
    """Answers that are right as often as they say when `sharpness` is 1, and less often when it is smaller."""
    generator = np.random.default_rng(seed)
    logit = np.abs(generator.normal(1.2, 1.5, rows))
    right = generator.random(rows) < 1 / (1 + np.exp(-sharpness * logit))
    return binary(1 / (1 + np.exp(-logit)), right)


def test_ece_by_hand():
    """Two bins: (0.95, 0.95: one of two right, gap 0.45) and (0.55, 0.65: both right, gap 0.4): ECE 0.425, MCE 0.45."""
    bins = reliability(np.array([0.95, 0.95, 0.55, 0.65]), np.array([True, False, True, True]), bins=5)
    assert bins.counts.tolist() == [0, 0, 1, 1, 2]
    assert bins.gaps.tolist() == pytest.approx([0, 0, 0.45, 0.35, 0.45])
    assert expected_calibration_error(bins) == pytest.approx((0.45 + 0.35 + 2 * 0.45) / 4)
    assert bins.accuracy_low[4] == pytest.approx(0.0945, abs=1e-4)  # Wilson of 1 of 2


def test_ends_of_bins_belong_below():
    """A bin holds its high end and not its low one, as in Guo et al.; 1.0 lies in the last, 0 in the first."""
    assert reliability(np.array([0.0, 0.5, 0.5000001, 1.0]), np.ones(4, bool), bins=2).counts.tolist() == [2, 2]


def test_equal_mass_bins_have_equally_many_rows():
    """Bins of equal mass hold a share of the rows each; equal confidences are never torn apart."""
    confidence = np.random.default_rng(0).uniform(0.5, 1, 1500)
    assert set(reliability(confidence, confidence > 0.6, binning="mass").counts.tolist()) == {100}
    same = reliability(np.full(30, 0.7), np.ones(30, bool), binning="mass")
    assert same.counts.tolist() == [30]
    assert expected_calibration_error(same) == pytest.approx(0.3)


def test_bins_are_scikit_learns():
    """Mean confidence and share of right answers of each bin equal sklearn.calibration.calibration_curve's."""
    generator = np.random.default_rng(3)
    confidence = generator.random(500)
    right = generator.random(500) < confidence
    bins = reliability(confidence, right, bins=10)
    true, said = calibration_curve(right, confidence, n_bins=10)
    filled = bins.counts > 0
    np.testing.assert_allclose(bins.accuracy[filled], true)
    np.testing.assert_allclose(bins.confidence[filled], said)


def test_brier_score_by_hand_and_by_scikit_learn():
    """(0.8-1)² + 0.2² + … by hand; for two classes twice scikit-learn's."""
    assert brier_score(np.array([[0.8, 0.2], [0.4, 0.6]]), np.array([0, 0])) == pytest.approx((0.08 + 0.72) / 2)
    probabilities, labels = drawn(200)
    assert brier_score(probabilities, labels) == pytest.approx(2 * brier_score_loss(labels, probabilities[:, 1]))


def test_classwise_ece_by_hand():
    """Each class is a yes-or-no question of its own: 0.9 where it is true half of the time is 0.4 beside the truth."""
    found = measure_calibration(np.array([[0.9, 0.1], [0.9, 0.1]]), np.array([0, 1]), resamples=20)
    assert found.ece_by_class == pytest.approx((0.4, 0.4))
    assert found.classwise_ece == pytest.approx(0.4)
    assert found.ece.value == pytest.approx(0.4)
    assert found.mce == pytest.approx(0.4)


def test_chance_is_not_called_miscalibration():
    """Answers that are right as often as they say have an ECE, but none that is called shown; the low end is 0."""
    found = measure_calibration(*drawn(400), resamples=200)
    assert found.ece.value > 0
    assert not found.is_shown
    assert found.ece.low == 0
    assert found.ece.high >= found.ece.value


def test_overconfidence_is_shown():
    """Answers much less often right than they say are beyond chance, and the interval holds the true error."""
    found = measure_calibration(*drawn(2000, 0.4), resamples=200)
    assert found.is_shown
    assert found.ece.low < 0.1347 < found.ece.high  # measured on 2,000,000 such rows


def test_the_error_of_the_answers_stays_whatever_the_order_of_rows():
    """Figures do not depend on the order of the rows; intervals depend on the seed alone."""
    probabilities, labels = drawn(300, 0.7)
    order = np.random.default_rng(1).permutation(300)
    one = measure_calibration(probabilities, labels, resamples=50)
    other = measure_calibration(probabilities[order], labels[order], resamples=50)
    assert one.ece.value == pytest.approx(other.ece.value)
    assert one.to_dict() == measure_calibration(probabilities, labels, resamples=50).to_dict()


def test_json_and_back_is_the_same():
    """Bins without rows are null in JSON and NaN again afterwards; probabilities may be float32."""
    probabilities, labels = drawn(50)
    facts = measure_calibration(probabilities.astype(np.float32), labels, resamples=20).to_dict()
    again = Calibration.from_dict(json.loads(json.dumps(facts, allow_nan=False)))
    assert again.to_dict() == facts
    assert again.bins.counts.dtype == np.int64
    assert np.isnan(again.bins.accuracy[0])


def test_arrays_that_do_not_fit_are_refused():
    """No rows, and arrays of different lengths, are data errors."""
    with pytest.raises(DataError, match="give one of each a row"):
        reliability(np.array([0.5]), np.array([True, False]))
    with pytest.raises(DataError, match="give one of each a row"):
        reliability(np.array([]), np.array([]))
    with pytest.raises(DataError, match="no probability distribution"):
        measure_calibration(np.array([[2.0, 1.0]]), np.array([0]))


@pytest.mark.parametrize("seed", range(5))
def test_a_model_that_is_sure_and_right_has_no_error(seed):
    """Nineteen right answers at 0.99999 are no error beyond chance, though they are not quite 1."""
    rest = np.random.default_rng(seed).uniform(1e-7, 1e-5, 19)
    probabilities, labels = binary(1 - rest, np.ones(19, bool))
    found = measure_calibration(probabilities.astype(np.float32), labels)
    assert not found.is_shown
    assert found.ece.low == 0
