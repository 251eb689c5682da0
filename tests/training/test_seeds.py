"""The spread of several seeds."""

import numpy as np
import pytest

from limbeck.training.seeds import spread


def test_spread_is_that_of_a_sample():
    """Mean, standard deviation with N - 1, lowest and highest, by hand."""
    scored = [{"accuracy": a, "f1_weighted": a, "f1_macro": a, "log_loss": 1 - a} for a in (0.9, 0.92, 0.94)]
    found = spread(scored)
    assert found["accuracy"]["mean"] == pytest.approx(0.92)
    assert found["accuracy"]["std"] == pytest.approx(0.02)
    assert (found["accuracy"]["min"], found["accuracy"]["max"]) == (0.9, 0.94)
    assert found["log_loss"]["std"] == pytest.approx(np.std([0.1, 0.08, 0.06], ddof=1))
