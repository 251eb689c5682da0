"""The tables about what training reaches and costs on IMDb: with a frozen encoder, and fine-tuned.

In: benchmarks/results/*.json. Out: rows of cells. It does not know where they stand.
"""

from typing import Any

from measure import read_result

POOLINGS = {"cls": "[CLS] of the last layer", "mean": "mean of the last layer"}


def train_imdb() -> list[list[str]]:
    """IMDb: heads on the frozen encoder, and fine-tuning; what they reach and what they cost."""
    found, tuned, probe = read_result("head"), read_result("imdb_finetune"), read_result("imdb_probe")
    rows = [["embedded encoder, 25,000 reviews to learn from", "train accuracy", "test accuracy", "minutes in all"]]
    for pooling, one in found["limbeck"].items():
        scores = [_measured(one["scores"][split]["accuracy"]) for split in ("train", "test")]
        rows.append([f"head on {POOLINGS[pooling]}, 10 epochs, 400 tokens", *scores, f"{one['seconds'] / 60:.1f}"])
    peer = found["peers"]["the course's loop"]
    rows.append(
        ["the course's loop around the same encoder, extrapolated", "", "", f"{peer['extrapolated_s'] / 60:,.0f}"]
    )
    accuracy = f"{probe['ours']['accuracy']:.3f}"
    rows.append(["probe on mean of the last layer, 512 tokens", "", accuracy, f"{probe['ours_s'] / 60:.1f}"])
    rows.append(["sentence-transformers and scikit-learn, extrapolated", "", "", f"{probe['theirs_s'] / 60:.0f}"])
    ends = tuned["test_accuracy_interval"]
    test = f"{tuned['test']['accuracy']:.3f} ({ends['low']:.3f} – {ends['high']:.3f})"
    epochs = len(tuned["epochs"])
    spent = f"{sum(tuned['seconds'].values()) / 60:.1f}"
    rows.append([f"all weights fine-tuned, {epochs} epoch{'s'[: epochs > 1]}, 256 tokens", "", test, spent])
    return rows


def course_head() -> list[list[str]]:
    """The loss of the heads by epoch."""
    found = read_result("head")["limbeck"]
    epochs = found["cls"]["epochs"]
    rows = [["epoch", *(str(line["epoch"]) for line in epochs)]]
    for pooling, one in found.items():
        for key, name in (("train_loss", "training loss"), ("validation_loss", "validation loss")):
            label = "[CLS]" if pooling == "cls" else pooling
            rows.append([f"{label}, {name}", *(f"{line[key]:.3f}" for line in one["epochs"])])
    return rows


def _measured(found: dict[str, Any]) -> str:
    return f"{found['value']:.3f} ({found['low']:.3f} – {found['high']:.3f})"
