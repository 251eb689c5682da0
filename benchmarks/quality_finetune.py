"""What does fine-tuning reach on emotion? Our defaults over three seeds, and the textbook's settings beside them.

The embedded encoder (6 layers of 384), all weights, 16,000 tweets. Defaults: `limbeck train DATA --method finetune
--seeds 3`. The textbook: 2 epochs, learning rate 2e-5, 64 rows an update, no warm-up, one seed. Chosen by validation
accuracy; the test split is scored once, at the end. Finished runs in --runs are taken as they are, so that a broken
measurement goes on. Writes benchmarks/results/quality_finetune.json.

    python benchmarks/quality_finetune.py [--runs FOLDER]
"""

import argparse
import json
import statistics
from pathlib import Path
from typing import Any

from measure import SHARED_DATA, write_result

import limbeck
from limbeck.inference.scoring import score
from limbeck.methods.finetune import finetune
from limbeck.methods.trainings import Finetuning
from limbeck.progress import for_stream
from limbeck.settings import FinetuneSettings

SEEDS = (0, 1, 2)
SCORES = ("accuracy", "f1_weighted", "f1_macro", "log_loss")
TEXTBOOK = {"epochs": 2, "learning_rate": 2e-5, "warmup_share": 0.0}


def trained(data: limbeck.Dataset, folder: Path, settings: FinetuneSettings) -> dict[str, Any]:
    """Train where it is not done yet, and return the table of epochs, the seconds and the figures of both splits."""
    if not (folder / "metrics.json").exists():
        finetune(data, folder, Finetuning(finetune=settings), start="resume", progress=for_stream())
    metrics = json.loads((folder / "metrics.json").read_text("utf-8"))
    test = score(limbeck.load(folder), data.split("test")).evaluation
    record = json.loads((folder / "run.json").read_text("utf-8"))
    return {
        "numerics": record["encoder"]["numerics"],
        "epochs": metrics["epochs"],
        "train_seconds": metrics["train_seconds"],
        "validation": {name: metrics["validation"][name] for name in SCORES},
        "test": {name: getattr(test, name).value for name in SCORES},
    }


def spread(runs: list[dict[str, Any]], split: str) -> dict[str, Any]:
    """Return mean and standard deviation over seeds of each score."""
    values = {name: [run[split][name] for run in runs] for name in SCORES}
    return {name: [statistics.mean(found), statistics.stdev(found)] for name, found in values.items()}


def main() -> None:
    """Train, score and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=Path, default=Path("quality-finetune"), help="where runs are kept")
    folder = parser.parse_args().runs
    data = limbeck.read(SHARED_DATA / "emotion")
    ours = [trained(data, folder / f"seed-{seed}", FinetuneSettings(seed=seed)) for seed in SEEDS]
    textbook = trained(data, folder / "textbook", FinetuneSettings(**TEXTBOOK))
    result = {
        "defaults": {"seeds": ours, **{split: spread(ours, split) for split in ("validation", "test")}},
        "textbook": textbook,
        "the course (distilbert-base)": {"accuracy": 0.926, "f1_weighted": 0.9259},
    }
    print(f"written to {write_result('quality_finetune', result, packages=('limbeck', 'torch', 'tokenizers'))}")
    shown = {split: result["defaults"][split]["accuracy"] for split in ("validation", "test")}
    print(json.dumps({**shown, "textbook": textbook["validation"]["accuracy"]}))


if __name__ == "__main__":
    main()
