"""Calibration of labels: as of a yes-or-no answer each, and chance is told from error."""

import numpy as np
import pytest

from limbeck.evaluation import label_calibration
from limbeck.evaluation.calibration import expected_calibration_error, reliability
from limbeck.evaluation.label_calibration import measure_label_calibration


def drawn(rows, labels, seed):
    """Probabilities of which most are small, and targets that come true as often as they say."""
    generator = np.random.default_rng(seed)
    probabilities = generator.beta(0.3, 2, (rows, labels)).astype(np.float32)
    return probabilities, generator.random((rows, labels)) < probabilities


@pytest.mark.parametrize("seed", range(20))
def test_each_label_is_the_reliability_diagram_of_its_own_column(seed, monkeypatch):
    """The error of each label is that of `calibration.reliability` on its column, whatever the blocks."""
    probabilities, targets = drawn(70, 5, seed)
    if seed % 2:
        monkeypatch.setattr(label_calibration, "_BLOCK_CELLS", 70 * 2)
    if seed % 3 == 0:
        probabilities = np.round(probabilities * 15) / 15  # on the edges of bins
    found = measure_label_calibration(probabilities, targets)
    for label in range(5):
        column = probabilities[:, label].astype(np.float64)
        expected = expected_calibration_error(reliability(column, targets[:, label]))
        assert found.ece_C[label] == pytest.approx(expected, abs=1e-12)


def test_calibrated_labels_are_beyond_chance_one_time_in_twenty():
    """Of 120 calibrated labels, rare ones among them, at most 8 % are beyond chance; of halved ones nearly all."""
    probabilities, targets = drawn(500, 120, 1)
    assert measure_label_calibration(probabilities, targets).beyond_chance <= 9
    assert measure_label_calibration(probabilities / 2, targets).beyond_chance > 115
