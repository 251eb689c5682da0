"""Does the faster training learn the same? limbeck beside transformers' Trainer, the same settings, the same seeds.

Emotion, the embedded encoder with Hugging Face's head of two layers, one epoch of all 16,000 tweets, 64 an update, 1e-4
falling linearly to 0, no warm-up, weight decay 0, dropout on, gradient clipped at 1; scored on the 2,000 validation
tweets. Ours computes by its kernels where they can be. Writes benchmarks/results/train_accuracy.json.

    python benchmarks/train_accuracy.py [--seeds 0 1 2] [--rows 16000]
"""

import argparse
import json
import statistics
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from measure import SHARED_DATA, write_result
from trainers import scored_trainer
from workloads import model_folder

import limbeck
from limbeck.methods.finetune import finetune
from limbeck.methods.trainings import Finetuning
from limbeck.runtime import has_bf16, set_threads
from limbeck.settings import FeatureSettings, FinetuneSettings

RATE = 1e-4


def ours(data: limbeck.Dataset, folder: Path, scratch: Path, seed: int) -> tuple[float, float]:
    """Train by the public call; return validation accuracy and log loss."""
    settings = Finetuning(
        features=FeatureSettings(encoder=str(folder), pooling="cls", device="cpu"),
        finetune=FinetuneSettings(
            epochs=1,
            learning_rate=RATE,
            warmup_share=0.0,
            weight_decay=0.0,
            seed=seed,
            checkpoint_every_s=1e9,
            calibrate=False,
        ),
    )
    found = finetune(data, scratch / "ours", settings, start="overwrite").validation
    return found.accuracy.value, found.log_loss.value


def main() -> None:
    """Train, compare and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--rows", type=int, default=16_000, help="of the training tweets, drawn")
    given = parser.parse_args()
    set_threads(2)
    whole = limbeck.read(SHARED_DATA / "emotion")
    splits = np.array(whole.table["split"].to_pylist())
    drawn = np.random.default_rng(0).permutation(np.flatnonzero(splits == "train"))[: given.rows]
    data = whole.select(np.sort(np.concatenate([drawn, np.flatnonzero(splits == "validation")])))
    train, validation = data.split("train"), data.split("validation")
    trainer = f"Trainer {'bf16' if has_bf16('cpu') else 'float32'}, grouped by length"
    runs: dict[str, list[dict[str, Any]]] = {"limbeck": [], trainer: []}
    with tempfile.TemporaryDirectory() as parent:
        scratch = Path(parent)
        folder = model_folder("mini", scratch)
        for seed in given.seeds:
            accuracy, loss = ours(data, folder, scratch, seed)
            runs["limbeck"].append({"seed": seed, "accuracy": accuracy, "log_loss": loss})
            theirs = scored_trainer(
                folder, scratch, (train.texts, train.labels), (validation.texts, validation.labels), seed=seed
            )
            runs[trainer].append({"seed": seed, **theirs})
            print(json.dumps({name: found[-1] for name, found in runs.items()}), flush=True)
    result = {
        "rows": len(train),
        "runs": runs,
        "mean_accuracy": {
            name: round(statistics.fmean(run["accuracy"] for run in found), 4) for name, found in runs.items()
        },
    }
    print(f"written to {write_result('train_accuracy', result, packages=('limbeck', 'torch', 'transformers'))}")
    print(json.dumps(result["mean_accuracy"]))


if __name__ == "__main__":
    main()
