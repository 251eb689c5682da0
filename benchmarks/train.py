"""How fast is full fine-tuning on this CPU? limbeck beside transformers' Trainer and a plain torch loop.

Emotion's tweets, 64 an update, AdamW, linear schedule, gradient clipped at 1, dropout on; the embedded MiniLM (6 layers
of 384), and where the CPU has units for bf16, or when asked, a DistilBERT-base of drawn weights (6 of 768).

A round is a part of an epoch: 3,200 tweets of the 16,000 are drawn and sorted by length into 50 batches, as a careful
loop and `group_by_length` do it, and 16 of these, spread over all lengths, are trained on in a drawn order; five rounds
take 80 of an epoch's 250 steps. All contestants train on the same tweets, in turn, and those that group by length in
the same batches. Each contestant's own clock runs around its own training (loading, tokenizing and evaluation left
out). What compares is real tokens a second, and from it the seconds of an epoch of 16,000 tweets; ratios are taken
round by round. Peers compute in bf16 where the CPU has units for it, and in float32. The arithmetic is counted on real
tokens, forward and twice that backward; the peak is measured in the same run, in our arithmetic.
Writes benchmarks/results/train-NAME.json, NAME the instruction set of our library unless told otherwise.

sentence-transformers' CrossEncoder trains by the same Trainer; SetFit trains pairs of texts and a separate head, which
is another job: neither is a contestant.

    python benchmarks/train.py [--engine native-avx2] [--name NAME] [--rounds N] [--batches N] [--sizes mini base]
                               [--contestants C …] [--everyone] [--quick]
"""

import argparse
import json
import statistics
import tempfile
import time
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from engines import ENGINES, Arithmetic, arithmetic_of_training, force
from measure import SHARED_DATA, median_ratio, write_result
from trainers import BATCH_ROWS, Train, padded_trainer, plain_loop
from transformers.utils import logging as transformers_logging
from workloads import THREADS, floating_operations, keep_to_two_cores, model_folder

import limbeck
from limbeck.catalog.presets import load_encoder_folder
from limbeck.methods.finetune import finetune
from limbeck.methods.trainings import Finetuning
from limbeck.runtime import cpu_features
from limbeck.settings import Device, FeatureSettings, FinetuneSettings

OURS = "limbeck"
BUCKET_BATCHES = 50
SLOW_SHARE = 4
"""Whoever is not among the best trains on one batch of so many: rates compare."""
PACKAGES = ("limbeck", "torch", "transformers", "accelerate", "tokenizers")


class Ours:
    """Our training, by the public call; it tells what computed."""

    def __init__(self, folder: Path, scratch: Path, *, device: Device = "cpu") -> None:
        self.folder, self.device = folder, device
        self.out = scratch / "ours"

    def __call__(self, texts: Sequence[str], labels: np.ndarray) -> float:
        """Train one epoch; return our own count of the seconds of training."""
        names = [str(label) for label in range(6)]
        table = pa.table(
            {
                "text": [*texts, *names],
                "label": [names[label] for label in [*labels.tolist(), *range(6)]],
                "split": ["train"] * len(texts) + ["validation"] * 6,
            }
        )
        settings = Finetuning(
            features=FeatureSettings(encoder=str(self.folder), pooling="cls", device=self.device),
            finetune=FinetuneSettings(epochs=1, learning_rate=1e-4, checkpoint_every_s=1e9),
        )
        run = finetune(limbeck.from_arrow(table), self.out, settings, start="overwrite")
        return float(run.metrics["train_seconds"])

    def arithmetic(self) -> Arithmetic:
        """Return what computed the last training."""
        record = json.loads((self.out / "run.json").read_text("utf-8"))
        return arithmetic_of_training(record["encoder"]["numerics"])


def contestants(folder: Path, scratch: Path, *, everyone: bool) -> dict[str, Train]:
    """Return the peers by name: the best of each kind, or all of them."""
    best: dict[str, Train] = {}
    rest: dict[str, Train] = {}
    for name, is_half in (("bf16", True), ("float32", False)) if cpu_features().bf16 else (("float32", False),):
        autocast = " autocast" if is_half else ""
        best |= {
            f"plain loop, {name}{autocast}, bucketed": plain_loop(folder, bf16=is_half, bucketed=True),
            f"Trainer {name}, grouped by length": padded_trainer(folder, scratch, bf16=is_half, grouped=True),
        }
        rest |= {
            f"plain loop, {name}{autocast}, unsorted": plain_loop(folder, bf16=is_half, bucketed=False),
            f"Trainer {name}, dynamic padding": padded_trainer(folder, scratch, bf16=is_half),
        }
    rest["Trainer float32, padded a thousand rows at a time (the course)"] = padded_trainer(
        folder, scratch, padded=True
    )
    return best | (rest if everyone else {})


def emotion() -> tuple[list[str], np.ndarray]:
    """Return the training tweets and their labels."""
    lines = (SHARED_DATA / "emotion" / "train.txt").read_text("utf-8").splitlines()
    texts, names = zip(*(line.rpartition(";")[::2] for line in lines), strict=True)
    return list(texts), np.unique(names, return_inverse=True)[1]


def parts_of_epoch(lengths_N: np.ndarray, batches: int, rounds: int) -> Iterator[list[np.ndarray]]:
    """Yield the batches of each round, in the order of training: of a bucket's 50 as many as asked, of all lengths."""
    draw = np.random.default_rng(0)
    while rounds > 0:
        order = draw.permutation(len(lengths_N))
        span = BATCH_ROWS * BUCKET_BATCHES
        for start in range(0, len(order) - span + 1, span):
            bucket = order[start : start + span]
            bucket = bucket[np.argsort(lengths_N[bucket], kind="stable")].reshape(BUCKET_BATCHES, BATCH_ROWS)
            # From a drawn start at equal steps, so that the longest batch comes no more often than in an epoch.
            some = bucket[((np.arange(batches) + draw.random()) * BUCKET_BATCHES / batches).astype(int)]
            yield list(some[draw.permutation(batches)])
            rounds -= 1
            if not rounds:
                return


def measure(size: str, given: argparse.Namespace, parent: Path) -> tuple[Arithmetic, dict[str, Any]]:
    """Measure one size: every contestant once a round, all on the same batches."""
    folder = model_folder(size, parent)
    texts, labels_N = emotion()
    loaded = load_encoder_folder(folder)
    lengths_N = loaded.tokenizer.encode(texts).lengths
    ours = Ours(folder, parent)
    peers = contestants(folder, parent, everyone=given.everyone or given.contestants is not None)
    trains: dict[str, Train] = {OURS: ours} | {
        name: train for name, train in peers.items() if not given.contestants or name in given.contestants
    }
    slow = set(peers) - set(contestants(folder, parent, everyone=False))
    for name, train in trains.items():
        started = time.perf_counter()
        train(texts[: 2 * BATCH_ROWS], labels_N[: 2 * BATCH_ROWS])
        print(f"  {size}, warm-up of {name}: {time.perf_counter() - started:.1f} s", flush=True)
    arithmetic = ours.arithmetic()
    print(f"  {size}: {arithmetic.facts()}", flush=True)
    tokens_per_s: dict[str, list[float]] = {name: [] for name in trains}
    gflops: dict[str, list[float]] = {name: [] for name in trains}
    peaks = []
    for batches in parts_of_epoch(lengths_N, given.batches, given.rounds):
        before = arithmetic.peak()
        for name, train in trains.items():
            rows_N = np.concatenate(batches[:: SLOW_SHARE if name in slow else 1])
            seconds = train([texts[row] for row in rows_N], labels_N[rows_N])
            if name == OURS:
                peaks.append(max(before, arithmetic.peak()))
            tokens_per_s[name].append(float(lengths_N[rows_N].sum()) / seconds)
            gflops[name].append(3 * floating_operations(loaded.config, lengths_N[rows_N]) / seconds / 1e9)
        said = ", ".join(f"{name} {rates[-1]:.0f}" for name, rates in tokens_per_s.items())
        print(f"  {size}: round {len(peaks)} done, tokens/s: {said}", flush=True)
    found: dict[str, Any] = {
        "batches_a_round": given.batches,
        "peak_gflops": [round(peak, 1) for peak in peaks],
        "contestants": {},
    }
    for name, rates in tokens_per_s.items():
        epoch_s = int(lengths_N.sum()) / statistics.median(rates)
        entry = {
            "rows_a_round": BATCH_ROWS * len(range(0, given.batches, SLOW_SHARE if name in slow else 1)),
            "tokens_per_s": round(statistics.median(rates)),
            "lowest": round(min(rates)),
            "highest": round(max(rates)),
            "texts_per_s": round(len(lengths_N) / epoch_s, 1),
            "epoch_s": round(epoch_s, 1),
            "gflops": round(statistics.median(gflops[name]), 1),
            "share_of_peak": round(median_ratio(gflops[name], peaks), 3),
            "ours_is_times": round(median_ratio(tokens_per_s[OURS], rates), 2),
        }
        found["contestants"][name] = entry
        print(f"    {name:64} {entry['epoch_s']:8} s an epoch  ours is ×{entry['ours_is_times']}", flush=True)
    return arithmetic, found


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--engine", default=None, choices=ENGINES, help="ours: a native one; what a user gets when not given"
    )
    parser.add_argument("--name", default=None, help="of the result; the instruction set when not given")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batches", type=int, default=16, help="of 64 tweets, in a round: 50 at most")
    parser.add_argument("--sizes", nargs="+", default=None, choices=["mini", "base"])
    parser.add_argument("--contestants", nargs="+", default=None, help="peers by name, as in the result")
    parser.add_argument("--everyone", action="store_true", help="also unsorted, dynamically padded, and the course")
    parser.add_argument("--quick", action="store_true", help="one round of two batches; writes nothing")
    given = parser.parse_args()
    force(given.engine)
    keep_to_two_cores()
    warnings.simplefilter("ignore")  # peers' own deprecations
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    if given.quick:
        given.rounds, given.batches = 1, 2
    started = time.perf_counter()
    result: dict[str, Any] = {"rounds": given.rounds, "threads": THREADS, "batch_rows": BATCH_ROWS, "sizes": {}}
    for size in given.sizes or (["mini", "base"] if cpu_features().bf16 else ["mini"]):
        with tempfile.TemporaryDirectory() as parent:
            arithmetic, result["sizes"][size] = measure(size, given, Path(parent))
            result |= arithmetic.facts()
    result["minutes"] = round((time.perf_counter() - started) / 60, 1)
    if not given.quick:
        name = f"train-{given.name or result['isa']}"
        print(f"written to {write_result(name, result, packages=PACKAGES)}")
    print(json.dumps({size: {name: entry["epoch_s"] for name, entry in found["contestants"].items()}
                      for size, found in result["sizes"].items()}))  # fmt: skip


if __name__ == "__main__":
    main()
