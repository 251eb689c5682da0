"""Does fine-tuning leak? IMDb at 512 tokens through the command line, resident memory beside the steps it has taken.

Reviews of very different lengths, drawn over the whole set, 8 a step, one epoch, evaluation included: varied shapes
are what makes allocators keep what they never use again. Memory is read from outside, four times a second. Asked: from
the 200th step to the last within 5 %. Writes benchmarks/results/train_memory.json.

    python benchmarks/train_memory.py [--reviews N]
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from measure import SHARED_DATA, write_result

LIMBECK = Path(sys.executable).with_name("limbeck")
FROM_STEP = 200
VALIDATION_SHARE = 0.1
BATCH_ROWS = 8


def some_reviews(folder: Path, count: int) -> Path:
    """Write some reviews, with a validation split."""
    table = pq.read_table(SHARED_DATA / "imdb" / "train.parquet", columns=["text", "label"])
    table = table.take(np.random.default_rng(0).permutation(len(table))[:count])
    splits = np.where(np.arange(count) < count * VALIDATION_SHARE, "validation", "train")
    path = folder / "reviews.parquet"
    pq.write_table(table.append_column("split", pa.array(splits)), path)
    return path


def resident_mib(process_id: int) -> tuple[float, float]:
    """Return the memory that a process holds, and the most that it ever held."""
    lines = Path(f"/proc/{process_id}/status").read_text().splitlines()
    found = {name: int(value.split()[0]) / 1024 for name, _, value in (line.partition(":") for line in lines)
             if name in ("VmRSS", "VmHWM")}  # fmt: skip
    return found["VmRSS"], found["VmHWM"]


def steps_taken(journal: Path) -> int:
    """Count the steps that are written down."""
    return journal.read_text("utf-8").count('"what": "step"') if journal.exists() else 0


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reviews", type=int, default=4400, help="a tenth of them to evaluate")
    given = parser.parse_args()
    readings: list[tuple[int, float]] = []
    peak = 0.0
    with tempfile.TemporaryDirectory() as parent:
        data, out = some_reviews(Path(parent), given.reviews), Path(parent) / "RUN"
        command = [str(LIMBECK), "train", str(data), "--method", "finetune", "--epochs", "1", "--max-tokens", "512"]
        command += ["--batch-size", str(BATCH_ROWS), "--out", str(out)]
        started = time.perf_counter()
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as training:
            while training.poll() is None:
                try:
                    now, peak = resident_mib(training.pid)
                except (OSError, KeyError):
                    break  # it has just ended
                readings.append((steps_taken(out / "metrics.jsonl"), now))
                time.sleep(0.25)
        seconds = time.perf_counter() - started
        if training.returncode:
            raise SystemExit(f"the training ended with status {training.returncode}")
        metrics = json.loads((out / "metrics.json").read_text("utf-8"))
        numerics = json.loads((out / "run.json").read_text("utf-8"))["encoder"]["numerics"]
    last = max(step for step, _ in readings)
    at_step = dict(readings)
    first = min(step for step in at_step if step >= min(FROM_STEP, last))
    during = [mib for step, mib in readings if first <= step < last]
    after = [mib for step, mib in readings if step == last]
    result: dict[str, Any] = {
        "reviews": given.reviews,
        "numerics": numerics,
        "steps": last,
        "seconds": round(seconds, 1),
        "validation_accuracy": metrics["validation"]["accuracy"],
        "from_step": first,
        "mib_at_that_step": round(at_step[first], 1),
        "mib_at_the_last_step": round(during[-1] if during else after[0], 1),
        "highest_mib_between": round(max(during or after), 1),
        "lowest_mib_between": round(min(during or after), 1),
        "highest_mib_in_evaluation_and_saving": round(max(after), 1),
        "peak_mib": round(peak, 1),
    }
    result["growth"] = round(result["mib_at_the_last_step"] / result["mib_at_that_step"] - 1, 4)
    print(f"written to {write_result('train_memory', result, packages=('limbeck', 'torch'))}")
    print(json.dumps(result))


if __name__ == "__main__":
    main()
