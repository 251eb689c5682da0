"""Many texts from a file: rows per second and peak memory of `limbeck predict` beside what others use for that.

    python benchmarks/units_peers.py RUN --data ../shared/data/emotion --rows 16000 --rounds 3

RUN is a run folder; its `bundle` is opened by transformers too, so all compute one model. Beside limbeck stand Hugging
Face `datasets.map` in two processes with a `pipeline`, and Ray Data `map_batches` in two actors with the same. All run
as processes of their own, in turn, from a Parquet file to Parquet files, start and loading included. Memory is what the
processes of each hold together, pages that they share counted once (PSS), looked at twice a second. Texts are cut to
the first rows, each once. Peers that are not installed are listed under `failed`. `--quick` writes no result.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
from measure import alternate, median_ratio, summary, write_result

PROCESSES = 2
BATCH = 32
MAP_BATCH = 256
GOAL_TIMES, GOAL_MEMORY = 5.0, 0.5
LOOK_EVERY_S = 0.5


class Labels:
    """A `pipeline` of transformers on one thread: texts in, the most probable label of each out."""

    def __init__(self, model: str) -> None:
        import torch
        from transformers import pipeline

        torch.set_num_threads(1)
        self._classify = pipeline("text-classification", model=model, device="cpu", truncation=True)

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        texts = list(batch["text"])
        answers = self._classify(texts, batch_size=BATCH)
        return {
            "text": texts,
            "prediction": [one["label"] for one in answers],
            "score": [one["score"] for one in answers],
        }


_opened: dict[str, Labels] = {}


def label_batch(batch: dict[str, Any], model: str) -> dict[str, Any]:
    """Label a batch; each process opens the model once."""
    if model not in _opened:
        _opened[model] = Labels(model)
    return _opened[model](batch)


def by_datasets(model: str, source: str, out: str) -> None:
    """`datasets.map` in two processes."""
    from datasets import load_dataset

    rows = load_dataset("parquet", data_files=source, split="train", cache_dir=f"{out}.cache")
    found = rows.map(label_batch, batched=True, batch_size=MAP_BATCH, num_proc=PROCESSES, fn_kwargs={"model": model})
    Path(out).mkdir()
    found.to_parquet(f"{out}/all.parquet")


def by_ray_data(model: str, source: str, out: str) -> None:
    """`map_batches` in two actors of one CPU each."""
    import ray

    # One more than the actors have, or nothing is left for reading and it waits for ever.
    ray.init("local", num_cpus=PROCESSES + 1, include_dashboard=False, log_to_driver=False)
    rows = ray.data.read_parquet(source, override_num_blocks=4 * PROCESSES)
    found = rows.map_batches(
        Labels, fn_constructor_args=[model], batch_size=MAP_BATCH, num_cpus=1, concurrency=PROCESSES
    )
    found.write_parquet(out)


PEERS: dict[str, tuple[str, Callable[[str, str, str], None]]] = {
    "datasets": ("datasets", by_datasets),
    "ray data": ("ray", by_ray_data),
}


def held_mib(pid: int) -> float:
    """Return what a process and all below it hold; what they share is counted once."""
    parents: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(path.read_text().rpartition(")")[2].split()[1])
        except (OSError, ValueError):
            continue
        parents.setdefault(parent, []).append(int(path.parent.name))
    total, waiting = 0.0, [pid]
    while waiting:
        one = waiting.pop()
        waiting += parents.get(one, [])
        try:
            lines = Path(f"/proc/{one}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024
    return total


def run_and_watch(words: list[str], peaks: list[float]) -> None:
    """Run a program to its end; note the most memory that it held."""
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "RAY_USAGE_STATS_ENABLED": "0", "RAY_worker_niceness": "0"}
    environment.pop("OMP_NUM_THREADS", None)
    environment.pop("RAY_ADDRESS", None)
    with tempfile.TemporaryFile() as said:
        started = subprocess.Popen(words, stdout=said, stderr=said, env=environment)
        peak = 0.0
        while started.poll() is None:
            peak = max(peak, held_mib(started.pid))
            time.sleep(LOOK_EVERY_S)
        if started.returncode:
            said.seek(0)
            raise RuntimeError(f"{words[1:4]} ended with {started.returncode}: {said.read()[-2000:].decode()}")
    peaks.append(round(peak))


def write_source(data: Path, rows: int, place: Path) -> int:
    """Write the first different texts of a data set; return how many there are."""
    import limbeck

    texts = list(dict.fromkeys(limbeck.read(data).texts))[:rows]
    pq.write_table(pa.table({"text": texts}), place, row_group_size=2_000)
    return len(texts)


def answers_in(out: Path) -> dict[str, str]:
    """Return the label of each text."""
    files = [str(path) for path in out.glob("*.parquet")]
    table = ds.dataset(files).to_table(columns=["text", "prediction"])
    return dict(zip(table["text"].to_pylist(), table["prediction"].to_pylist(), strict=True))


def measure(args: argparse.Namespace, place: Path) -> dict[str, Any]:
    """Let all answer the same file, round after round."""
    source, model = place / "texts.parquet", Path(args.run).resolve() / "bundle"
    rows = write_source(args.data, args.rows, source)
    peaks: dict[str, list[float]] = {}

    def contestant(name: str, words: list[str]) -> Callable[[], None]:
        peaks[name] = []

        def run() -> None:
            for left in (place / name, place / f"{name}.cache"):
                shutil.rmtree(left, ignore_errors=True)
            run_and_watch([sys.executable, *words, str(place / name)], peaks[name])

        return run

    ours = ["-m", "limbeck", "predict", args.run, "--input", str(source), "--quiet", "--out"]
    contestants, failed = {"limbeck": contestant("limbeck", ours)}, {}
    for name, (package, _) in PEERS.items():
        run = contestant(name, [__file__, "--peer", name, str(model), str(source)])
        try:
            __import__(package)
            run()  # what is compiled or copied once is there then, and it shows whether it runs
        except (ImportError, RuntimeError) as error:
            failed[name] = str(error)
            continue
        peaks[name].clear()
        contestants[name] = run
    contestants["limbeck"]()
    peaks["limbeck"].clear()
    seconds = alternate(contestants, rounds=args.rounds)
    expected = answers_in(place / "limbeck")
    told = summary(seconds, ours="limbeck")
    for name, one in told.items():
        found = answers_in(place / name)
        one["rows_per_s"] = round(rows / one["median_s"], 1)
        one["peak_mib"] = max(peaks[name])
        one["rows"] = len(found)
        one["same_labels"] = round(sum(expected[text] == label for text, label in found.items()) / rows, 5)
        one["times_ours"] = round(median_ratio(seconds[name], seconds["limbeck"]), 2)
        one["memory_of_ours"] = round(max(peaks["limbeck"]) / one["peak_mib"], 2)
        if name != "limbeck":
            one["goal_reached"] = one["times_ours"] >= GOAL_TIMES and one["memory_of_ours"] <= GOAL_MEMORY
    return {"rows": rows, "data": args.data.name, "contestants": told, "failed": failed}


def main() -> None:
    """Measure, or be a peer."""
    if sys.argv[1:2] == ["--peer"]:
        PEERS[sys.argv[2]][1](*sys.argv[3:])
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--rows", type=int, default=16_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="write no result")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="units-peers-") as place:
        result = measure(args, Path(place))
    print(json.dumps(result))
    if not args.quick:
        path = write_result("units_peers", result, packages=["limbeck", "torch", "transformers", "datasets", "ray"])
        print(f"written to {path}")


if __name__ == "__main__":
    main()
