"""How fast is full fine-tuning on this CPU? limbeck beside transformers' Trainer and a plain torch loop.

Emotion's tweets, 64 an update, AdamW, linear schedule, gradient clipped at 1, dropout on; two sizes: the embedded
MiniLM (6 layers of 384) and a DistilBERT-base of drawn weights (6 of 768). Each contestant trains on rows drawn from
the whole set, alternating, its own clock around its own training call (loading, tokenising and evaluation left out),
fewer rows for who is slow; what compares is real tokens a second, and from it the seconds of an epoch of 16,000 tweets.
The arithmetic is counted on real tokens, forward and twice that backward. Writes benchmarks/results/train.json.

sentence-transformers' CrossEncoder trains by the same Trainer; SetFit trains pairs of texts and a separate head, which
is another job: neither is a contestant.

    python benchmarks/train.py [--rounds N] [--sizes mini base] [--contestants C …] [--scale S]
"""

import argparse
import json
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from encode import floating_operations, gemm_peak, model_folder
from measure import SHARED_DATA, write_result
from trainers import padded_trainer, plain_loop
from transformers.utils import logging as transformers_logging

import limbeck
from limbeck.catalog.presets import load_encoder_folder
from limbeck.methods.finetune import finetune
from limbeck.methods.trainings import Finetuning
from limbeck.runtime import set_threads
from limbeck.settings import FeatureSettings, FinetuneSettings

EPOCH_ROWS = 16_000
OURS = "limbeck"
Train = Callable[[Sequence[str], np.ndarray], float]
ROWS = {
    "limbeck": 1024,
    "plain loop, bf16 autocast, bucketed": 512,
    "plain loop, bf16 autocast, unsorted": 256,
    "Trainer bf16, grouped by length": 512,
    "Trainer bf16, dynamic padding": 256,
    "Trainer float32, dynamic padding (its defaults)": 192,
    "Trainer float32, padded a thousand rows at a time (the course)": 128,
}
"""Rows that each contestant trains on in a round."""
PACKAGES = ("limbeck", "torch", "transformers", "accelerate", "tokenizers")


def ours(folder: Path, scratch: Path) -> Train:
    """Train by the public call; its own count of the seconds of training."""

    def train(texts: Sequence[str], labels: np.ndarray) -> float:
        names = [str(label) for label in range(6)]
        split = ["train"] * len(texts) + ["validation"] * 6
        few = [int(np.flatnonzero(labels == label)[0]) for label in range(6)]
        table = pa.table(
            {
                "text": [*texts, *(texts[row] for row in few)],
                "label": [names[label] for label in [*labels.tolist(), *range(6)]],
                "split": split,
            }
        )
        data = limbeck.from_arrow(table)
        settings = Finetuning(
            features=FeatureSettings(encoder=str(folder), pooling="cls", device="cpu"),
            finetune=FinetuneSettings(epochs=1, learning_rate=1e-4, checkpoint_every_s=1e9),
        )
        run = finetune(data, scratch / "ours", settings, start="overwrite")
        return float(run.metrics["train_seconds"])

    return train


def contestants(folder: Path, scratch: Path) -> dict[str, Train]:
    """Return every contestant by name."""
    return {
        "limbeck": ours(folder, scratch),
        "plain loop, bf16 autocast, bucketed": plain_loop(folder, bucketed=True),
        "plain loop, bf16 autocast, unsorted": plain_loop(folder, bucketed=False),
        "Trainer bf16, grouped by length": padded_trainer(folder, scratch, bf16=True, grouped=True),
        "Trainer bf16, dynamic padding": padded_trainer(folder, scratch, bf16=True),
        "Trainer float32, dynamic padding (its defaults)": padded_trainer(folder, scratch),
        "Trainer float32, padded a thousand rows at a time (the course)": padded_trainer(folder, scratch, padded=True),
    }


def emotion() -> tuple[list[str], np.ndarray]:
    """Return the training tweets and their labels."""
    lines = (SHARED_DATA / "emotion" / "train.txt").read_text("utf-8").splitlines()
    texts, names = zip(*(line.rpartition(";")[::2] for line in lines), strict=True)
    return list(texts), np.unique(names, return_inverse=True)[1]


def measure(size: str, arguments: argparse.Namespace, parent: Path) -> dict[str, Any]:
    """Measure one size: every contestant once a round, on rows drawn anew."""
    folder = model_folder(size, parent)
    texts, labels = emotion()
    loaded = load_encoder_folder(folder)
    lengths_N = loaded.tokenizer.encode(texts).lengths
    epoch_tokens = int(lengths_N.sum())
    entrants = {
        name: train
        for name, train in contestants(folder, parent).items()
        if not arguments.contestants or name in arguments.contestants
    }
    draw = np.random.default_rng(0)
    for name, train in entrants.items():
        started = time.perf_counter()
        train(texts[:128], labels[:128])
        print(f"  {size}, warm-up of {name}: {time.perf_counter() - started:.1f} s", flush=True)
    tokens_per_s: dict[str, list[float]] = {name: [] for name in entrants}
    gflops: dict[str, list[float]] = {name: [] for name in entrants}
    peaks = []
    for turn in range(arguments.rounds):
        peaks.append(gemm_peak())
        for name, train in entrants.items():
            rows = draw.choice(len(texts), int(ROWS[name] * arguments.scale) // 64 * 64 or 64, replace=False)
            seconds = train([texts[row] for row in rows], labels[rows])
            tokens_per_s[name].append(float(lengths_N[rows].sum()) / seconds)
            gflops[name].append(3 * floating_operations(loaded.config, lengths_N[rows]) / seconds / 1e9)
        print(f"  {size}: round {turn + 1} done", flush=True)
    found: dict[str, Any] = {"gemm_peak_gflops": [round(peak) for peak in peaks], "contestants": {}}
    for name, rates in tokens_per_s.items():
        ratio = statistics.median(mine / theirs for mine, theirs in zip(tokens_per_s[OURS], rates, strict=True))
        entry = {
            "rows_a_round": int(ROWS[name] * arguments.scale) // 64 * 64 or 64,
            "tokens_per_s": round(statistics.median(rates)),
            "lowest": round(min(rates)),
            "highest": round(max(rates)),
            "epoch_s": round(epoch_tokens / statistics.median(rates), 1),
            "gflops": round(statistics.median(gflops[name])),
            "share_of_peak": round(statistics.median(gflops[name]) / max(peaks), 3),
            "ours_is_times": round(ratio, 2),
        }
        found["contestants"][name] = entry
        print(f"    {name:64} {entry['epoch_s']:8} s an epoch  ours is ×{entry['ours_is_times']}", flush=True)
    return found


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--sizes", nargs="+", default=["mini", "base"], choices=["mini", "base"])
    parser.add_argument("--contestants", nargs="+", default=None, help="names as in the result; limbeck among them")
    parser.add_argument("--scale", type=float, default=1.0, help="times the rows of each contestant")
    arguments = parser.parse_args()
    set_threads(2)
    warnings.simplefilter("ignore")  # peers' own deprecations
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    result: dict[str, Any] = {"rounds": arguments.rounds, "threads": 2, "batch_rows": 64, "sizes": {}}
    for size in arguments.sizes:
        with tempfile.TemporaryDirectory() as parent:
            result["sizes"][size] = measure(size, arguments, Path(parent))
    print(f"written to {write_result('train', result, packages=PACKAGES)}")
    print(json.dumps({size: {name: entry["epoch_s"] for name, entry in found["contestants"].items()}
                      for size, found in result["sizes"].items()}))  # fmt: skip


if __name__ == "__main__":
    main()
