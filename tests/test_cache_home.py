"""The tests keep what they make to themselves."""

import subprocess
import sys
from pathlib import Path

import platformdirs
import pytest

from limbeck.features.cache import FeatureCache

ROOT = Path(__file__).parents[1]


@pytest.mark.slow
def test_the_users_cache_is_left_alone():
    """Features, kernels, calibrations and encoders of a test lie in the checkout, also those of processes it starts."""
    asked = "from limbeck.catalog.presets import default_cache_dir; print(default_cache_dir())"
    told = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True).stdout.strip()
    assert Path(told) == platformdirs.user_cache_path("limbeck")
    assert Path(told).is_relative_to(ROOT)
    assert FeatureCache().folder.is_relative_to(ROOT)
