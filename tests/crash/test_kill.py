"""kill -9: a training that was killed goes on to the bits of one that nobody disturbed.

The benchmark does the same at 50 moments and at every call; here a handful stands for them.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "kill.py"


@pytest.mark.parametrize(
    "flags",
    [
        ("--kills", "3", "--seed", "1"),
        ("--calls", "--first", "3"),
        ("--kills", "2", "--what", "pretrain"),
        ("--kills", "2", "--what", "distil"),
    ],
)
def test_a_killed_run_goes_on_to_the_same_bits(flags):
    """Every trial resumes without hand work, and ends with equal weights."""
    ended = subprocess.run([sys.executable, str(SCRIPT), *flags], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    counts = json.loads(ended.stdout)
    assert counts["resumed"] == counts["bit_equal"] == counts["trials"] > 0
