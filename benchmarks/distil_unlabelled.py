"""Is a teacher worth having where labels are few and texts are many?

    python benchmarks/distil_unlabelled.py [--runs FOLDER]

A teacher learns from the first 1,000 labels of emotion. Its student of three layers sees these rows alone, again and
again, or these and the other 15,000 training texts without their labels, about which the teacher says what it thinks.
Both students see 48,000 rows in all; three seeds each, scored on the test split once, at the end. Every training is a
run folder under FOLDER; what is finished there is not done again. Writes benchmarks/results/distil_unlabelled.json.
"""

import argparse
import statistics
from pathlib import Path
from typing import Any

from distil import RUNS, SEEDS, run, score_test
from measure import SHARED_DATA, write_result

from limbeck.experiments.ablation import paired_p

LABELS = 1_000
TEACHER = ("--epochs", "10")
ARMS = {"labelled": ("--epochs", "48"), "unlabelled": ("--epochs", "3")}


def few_labels(folder: Path) -> tuple[Path, Path]:
    """Write emotion with its first labels, and a file of the other training texts without theirs."""
    data, rest = folder / "data", folder / "unlabelled.csv"
    if not rest.exists():
        data.mkdir(parents=True, exist_ok=True)
        splits = {
            split: (SHARED_DATA / "emotion" / f"{split}.txt").read_text("utf-8").splitlines(keepends=True)
            for split in ("train", "val", "test")
        }
        others = splits["train"][LABELS:]
        for split, lines in splits.items():
            kept = lines[:LABELS] if split == "train" else lines
            (data / f"{split}.txt").write_text("".join(kept), "utf-8")
        rest.write_text("text\n" + "".join(line.rpartition(";")[0] + "\n" for line in others), "utf-8")
    return data, rest


def compare(runs: Path) -> dict[str, Any]:
    """Train the teacher and both students, with every seed."""
    data, rest = few_labels(runs)
    teacher = runs / "teacher"
    taught = run(["train", data, "--method", "finetune", *TEACHER], teacher)
    accuracies: dict[str, list[float]] = {name: [] for name in ARMS}
    for name, flags in ARMS.items():
        more = ("--unlabelled", rest) if name == "unlabelled" else ()
        for seed in SEEDS:
            out = runs / f"{name}-seed-{seed}"
            run(["distil", teacher, data, "--layers", 3, "--seed", seed, *flags, *more], out)
            accuracies[name].append(score_test(out, data))
    gain = statistics.fmean(accuracies["unlabelled"]) - statistics.fmean(accuracies["labelled"])
    return {
        "labels": LABELS,
        "teacher": {
            "validation_accuracy": taught["validation"]["accuracy"],
            "test_accuracy": score_test(teacher, data),
        },
        "test_accuracy": accuracies,
        "gain": round(gain, 4),
        "p": round(paired_p(accuracies["unlabelled"], accuracies["labelled"]), 4),
        "test": f"paired t-test over {len(SEEDS)} seeds, two-sided",
    }


def main() -> None:
    """Run what is not there yet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=Path, default=RUNS, help="folder of the run folders")
    runs = parser.parse_args().runs / "unlabelled"
    runs.mkdir(parents=True, exist_ok=True)
    print(write_result("distil_unlabelled", compare(runs), packages=("torch", "numpy")).read_text("utf-8"))


if __name__ == "__main__":
    main()
