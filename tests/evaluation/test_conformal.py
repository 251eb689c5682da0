"""Conformal intervals: by hand, and their promise over many draws of errors of any kind."""

import json
import math

import numpy as np
import pytest

from limbeck.errors import DataError, SettingsError
from limbeck.evaluation.conformal import ConformalWidth, find_conformal_width


@pytest.mark.parametrize("spread", ["normal", "standard_cauchy", "exponential"])
@pytest.mark.parametrize(("level", "rows"), [(0.9, 19), (0.9, 200), (0.5, 7)])
def test_new_rows_lie_inside_as_often_as_promised(spread, level, rows):
    """Over 4,000 draws the share of new errors inside is the level, or above it by at most 1 / (n + 1)."""
    generator = np.random.default_rng(rows)
    errors = getattr(generator, spread)(size=(4000, rows + 1))
    inside = np.mean([abs(line[-1]) <= find_conformal_width(line[:-1], level=level).half_width for line in errors])
    noise = 3 * math.sqrt(level * (1 - level) / 4000)
    assert level - noise <= inside <= level + 1 / (rows + 1) + noise


def test_width_by_hand():
    """Of nine errors the ninth smallest promises 0.9 (⌈10 · 0.9⌉ = 9); of eight nothing can be promised."""
    errors = np.arange(1.0, 10.0) * np.where(np.arange(9) % 2, -1, 1)
    assert find_conformal_width(errors, level=0.9).half_width == 9
    assert find_conformal_width(errors, level=0.8).half_width == 8
    endless = find_conformal_width(errors[:8], level=0.9)
    assert endless.half_width == math.inf
    facts = json.loads(json.dumps(endless.to_dict(), allow_nan=False))
    assert ConformalWidth.from_dict(facts) == endless


def test_impossible_levels_and_errors_are_refused():
    """A level of 1 promises everything; an error that is no number is none."""
    with pytest.raises(SettingsError, match="level = 1"):
        find_conformal_width(np.zeros(3), level=1)
    with pytest.raises(DataError, match="no finite number"):
        find_conformal_width(np.array([1.0, np.nan]))
