"""kill -9: a training that was killed goes on to the bits of one that nobody disturbed.

The benchmark does the same at 50 moments and at every call; here a handful stands for them.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from tests.libraries import RUNNABLE

pytestmark = pytest.mark.slow
BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
TRIALS = {
    "moments of a fine-tuning": ("finetune", "moments", 2, False),
    "moments of a fine-tuning by kernels": ("finetune", "moments", 2, True),
    "calls of a fine-tuning": ("finetune", "calls", 2, False),
    "moments of a pretraining": ("pretrain", "moments", 1, False),
    "moments of a distillation": ("distil", "moments", 1, False),
}
SCRIPT = """
import json, sys
from dataclasses import asdict
import kill
trials = json.loads(sys.argv[1])
found = {name: asdict(kill.run_trials(*one, seed=1, native=native)) for name, (*one, native) in trials.items()}
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def found():
    """What the trials came to; one process forks all of them, since loading torch takes longer than they do."""
    command = [sys.executable, "-c", SCRIPT, json.dumps(TRIALS)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, cwd=BENCHMARKS)
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


@pytest.mark.parametrize("name", TRIALS)
def test_a_killed_run_goes_on_to_the_same_bits(found, name):
    """Every trial resumes without hand work, and ends with equal weights."""
    counts = found[name]
    assert counts["trials"] == TRIALS[name][2]
    assert counts["resumed"] == counts["bit_equal"] == counts["trials"]
    if TRIALS[name][3]:
        assert counts["numerics"].startswith("native ") or set(RUNNABLE) == {"portable", "soft"}
    assert counts["killed"] == counts["trials"] or counts["mode"] == "moments"
