"""What should be read of long texts? IMDb by heads, tails, both or all, by the command line, as a user would run it.

All weights of the embedded encoder (6 layers of 384) for one epoch, or with --method probe a probe on every layer;
reviews are read at 256 tokens, every other setting is the default. The same rows and seeds for each window, so that
differences to "head" are paired: an interval is of the rows, which are drawn again 2,000 times, each with its answers
by all seeds. The test split is scored once per run. What is finished in --runs is taken as it is, and with --resume
what was interrupted goes on. Writes benchmarks/results/window.json (window-probe.json with --method probe) after each
run, unless --rows leaves rows out. A run that this file already holds is not repeated, so that nine runs of half an
hour each need not be made in one go, nor on one machine: the file says of each run where it was made, and which rows
it answered rightly. Windows are compared over the seeds that all of them have. Started twice, with OMP_NUM_THREADS=1
each, the two share the runs out among them; on two cores that is a tenth faster than one run after another.

    python benchmarks/window.py [--method finetune] [--rows N] [--seeds 3] [--runs FOLDER] [--resume]
"""

import argparse
import base64
import fcntl
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from measure import RESULTS, SHARED_DATA, commit, machine, read_result, write_result

import limbeck

LIMBECK = str(Path(sys.executable).with_name("limbeck"))
WINDOWS = {"finetune": ("head", "tail", "both"), "probe": ("head", "tail", "both", "all")}
FLAGS = {"finetune": ("--epochs", "1"), "probe": ("--pooling", "layers")}
DRAWS = 2_000
ALL_ROWS = 25_000


def main() -> None:
    """Train, score, compare and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--method", choices=tuple(WINDOWS), default="finetune")
    parser.add_argument("--rows", type=int, default=25_000, help="of train and of test each, drawn")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--max-tokens", type=int, default=256)
    parser.add_argument("--runs", type=Path, default=Path("window-runs"), help="folder of the runs")
    parser.add_argument("--resume", action="store_true", help="go on with runs that were interrupted")
    given = parser.parse_args()
    data = drawn_data(given.rows, given.runs)
    test = limbeck.read(data).split("test")
    name = ("window" if given.method == "finetune" else f"window-{given.method}") if given.rows == ALL_ROWS else None
    runs: dict[str, dict[str, Any]] = {}
    for seed in range(given.seeds):
        for window in WINDOWS[given.method]:
            run = f"{given.method}-{given.rows}-{given.max_tokens}-{window}-{seed}"
            with claimed(given.runs / f"{run}.claim") as mine:
                if not mine or run in (runs := runs | known_runs(name)):
                    continue
                out = given.runs / run
                train(data, out, window, seed, given)
                right_N = right_answers(out, test)
                found = {
                    "window": window,
                    "seed": seed,
                    "accuracy": round(float(right_N.mean()), 4),
                    **facts_of(out),
                    "machine": machine()["processor"],
                    "commit": commit(),
                    "right": base64.b64encode(np.packbits(right_N).tobytes()).decode(),
                }
                print(f"{run}: { {key: value for key, value in found.items() if key != 'right'} }", flush=True)
                runs = runs | known_runs(name) | {run: found}
                write(name, given, runs, len(test))


@contextmanager
def claimed(file: Path) -> Iterator[bool]:
    """Hold a run for this process while it lives; give False where another process holds it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


def known_runs(name: str | None) -> dict[str, dict[str, Any]]:
    """Return the runs that the result holds; none where there is no result."""
    if name is None or not (RESULTS / f"{name}.json").exists():
        return {}
    found: dict[str, dict[str, Any]] = read_result(name)["runs"]
    return found


def write(name: str | None, given: argparse.Namespace, runs: dict[str, dict[str, Any]], rows: int) -> None:
    """Compare the windows over the seeds that all of them have, say so, and write what there is."""
    by_place = {(run["window"], run["seed"]): right_bits(run, rows) for run in runs.values()}
    windows = WINDOWS[given.method]
    seeds = [seed for seed in range(given.seeds) if all((window, seed) in by_place for window in windows)]
    found = (
        compared(windows, np.array([[by_place[window, seed] for seed in seeds] for window in windows], np.float64))
        if seeds
        else {}
    )
    for window, one in found.items():
        print(f"{window}: {json.dumps(one)}", flush=True)
    if name is not None:
        result = {
            "method": given.method,
            "rows": {"train": given.rows, "test": rows},
            "seeds": seeds,
            "max_tokens": given.max_tokens,
            "windows": found,
            "runs": runs,
        }
        print(f"written to {write_result(name, result, packages=('limbeck', 'torch', 'tokenizers'))}", flush=True)


def right_bits(run: dict[str, Any], rows: int) -> np.ndarray:
    """Return which test rows a run answered rightly, (N,) of 0 and 1."""
    return np.unpackbits(np.frombuffer(base64.b64decode(run["right"]), np.uint8), count=rows)


def drawn_data(rows: int, runs: Path) -> Path:
    """Return a folder with so many rows of each split of IMDb, always the same ones; all of them where they are."""
    if rows == ALL_ROWS:
        return SHARED_DATA / "imdb"
    folder = runs / f"data-{rows}"
    folder.mkdir(parents=True, exist_ok=True)
    for split in ("train", "test"):
        table = pq.read_table(SHARED_DATA / "imdb" / f"{split}.parquet", columns=["text", "label"])
        order = np.random.default_rng(0).permutation(len(table))[:rows]
        pq.write_table(table.take(np.sort(order)), folder / f"{split}.parquet")
    return folder


def train(data: Path, out: Path, window: str, seed: int, given: argparse.Namespace) -> None:
    """Train one model, unless it is there."""
    if (out / "metrics.json").exists():
        return
    flags = ["--method", given.method, "--window", window, "--seed", str(seed), "--max-tokens", str(given.max_tokens)]
    flags += [*FLAGS[given.method], *(["--resume"] if given.resume and given.method == "finetune" else [])]
    command = [LIMBECK, "train", str(data), *flags, "--out", str(out)]
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)


def right_answers(out: Path, test: limbeck.Dataset) -> np.ndarray:
    """Return which test rows a model answers rightly, (N,) bool; kept beside the run."""
    kept = out.with_name(f"{out.name}.right.npy")
    if not kept.exists():
        found = limbeck.load(out).predict(test)
        np.save(kept, found.predicted == found.known_labels)
    right: np.ndarray = np.load(kept)
    return right


def facts_of(out: Path) -> dict[str, Any]:
    """Return what a run says of itself."""
    metrics = json.loads((out / "metrics.json").read_text("utf-8"))
    record = json.loads((out / "run.json").read_text("utf-8"))
    return {
        "validation": round(metrics["validation"]["accuracy"], 4),
        "texts_cut": metrics["texts_cut"],
        "seconds": metrics["seconds"],
        "numerics": record["encoder"]["numerics"],
    }


def compared(windows: tuple[str, ...], right_WSN: np.ndarray) -> dict[str, Any]:
    """Return each window's accuracies, and its difference to the first one with an interval, in points."""
    share_WN = right_WSN.mean(axis=1)
    random = np.random.default_rng(0)
    draws = [random.integers(share_WN.shape[1], size=share_WN.shape[1]) for _ in range(DRAWS)]
    drawn_DW = np.array([share_WN[:, draw].mean(axis=1) for draw in draws])
    low_W, high_W = np.quantile(drawn_DW, [0.025, 0.975], axis=0)
    apart_W = np.quantile(drawn_DW - drawn_DW[:, :1], [0.025, 0.975], axis=0)
    return {
        window: {
            "accuracy": round(float(share_WN[place].mean()), 4),
            "interval": [round(float(low_W[place]), 4), round(float(high_W[place]), 4)],
            "by_seed": [round(float(right_N.mean()), 4) for right_N in right_WSN[place]],
            "more_than_head": round(float((share_WN[place] - share_WN[0]).mean()), 4),
            "more_than_head_interval": [round(float(end[place]), 4) for end in apart_W],
        }
        for place, window in enumerate(windows)
    }


if __name__ == "__main__":
    main()
