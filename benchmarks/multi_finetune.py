"""What does fine-tuning reach on Debian's tags, beside a probe of the same encoder? By the command line.

Package descriptions with tags of 100 rows or more, cut at 128 tokens. All weights of the embedded encoder are
fine-tuned for --epochs epochs, with the defaults otherwise; the probe sees every layer of the same encoder, frozen. The
splits are those of the file: validation rows choose the fine-tuned model's epoch, temperature and thresholds, and the
probe's thresholds are chosen out of fold. Each is scored on the test rows, with its threshold per label and with 0.5.
A run that is finished in --runs is taken as it is, and one that was interrupted goes on.

    python benchmarks/multi_finetune.py [--rows 4000] [--epochs 3] [--runs FOLDER]

Writes benchmarks/results/multi_finetune.json; multi_finetune-ROWS.json of fewer rows.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from measure import write_result
from multi import judge, read_rows

import limbeck

LIMBECK = str(Path(sys.executable).with_name("limbeck"))
MAX_TOKENS = 128
FEWEST_TRAINED = 10
"""Training rows of a label at least; of fewer rows nothing is learned."""
COLUMNS = ("--text-column", "text", "--label-column", "tags")


def write_data(folder: Path, limit: int | None) -> dict[str, int]:
    """Write the rows as a user would have them, a file per split; return how many labels and rows there are."""
    texts, splits, targets_NL, names = read_rows(limit)
    learned = (targets_NL[splits == "train"].sum(axis=0) >= FEWEST_TRAINED) & targets_NL[splits == "test"].any(axis=0)
    kept = np.array(names)[learned]
    sets = [kept[row].tolist() for row in targets_NL[:, learned]]
    folder.mkdir(parents=True, exist_ok=True)
    for split in np.unique(splits):
        rows = np.flatnonzero(splits == split)
        columns = {"text": [texts[row] for row in rows], "tags": pa.array([sets[row] for row in rows])}
        pq.write_table(pa.table(columns), folder / f"{split}.parquet")
    return {"labels": len(kept), **{str(split): int((splits == split).sum()) for split in np.unique(splits)}}


def train(data: Path, out: Path, *words: str) -> dict[str, Any]:
    """Train, or take what is there; return what the run says of itself."""
    if not (out / "metrics.json").exists():
        shared = (str(data), *COLUMNS, "--max-tokens", str(MAX_TOKENS), "--out", str(out))
        again = ("--resume",) if out.exists() else ()
        subprocess.run([LIMBECK, "train", *shared, *words, *again], check=True)
    return dict(json.loads((out / "metrics.json").read_text("utf-8")))


def score(data: Path, run: Path) -> dict[str, Any]:
    """Score a run on the test rows, with its thresholds and with 0.5."""
    rows = limbeck.read(data, text_column="text", label_column="tags").split("test")
    model = limbeck.load(run)
    found = model.predict_dataset(rows)
    cuts_L = np.asarray(found.thresholds)
    return {
        "threshold per label": judge(found.probabilities, found.known_targets, cuts_L),
        "0.5": judge(found.probabilities, found.known_targets, np.full(len(cuts_L), 0.5)),
    }


def main() -> None:
    """Train, score and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, help="rows with tags, drawn; all when not given")
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--runs", type=Path, default=Path("multi-finetune"), help="folder of the data and the runs")
    arguments = parser.parse_args()
    place = arguments.runs / ("all" if arguments.rows is None else str(arguments.rows))
    counts = write_data(place / "data", arguments.rows)
    methods = {
        "fine-tuned": (f"finetune-{arguments.epochs}", ("--method", "finetune", "--epochs", str(arguments.epochs))),
        "probe, every layer": ("probe", ("--pooling", "layers")),
    }
    result: dict[str, Any] = {
        "question": __doc__.splitlines()[0],
        "rows": counts,
        "max_tokens": MAX_TOKENS,
        "epochs": arguments.epochs,
        "test": {},
        "seconds": {},
    }
    for name, (folder, words) in methods.items():
        metrics = train(place / "data", place / folder, *words)
        result["test"][name] = score(place / "data", place / folder)
        result["seconds"][name] = metrics["seconds"]
        if "temperature" in metrics:
            result["temperature"] = metrics["temperature"]
    for name, found in result["test"].items():
        for cut, figures in found.items():
            print(f"{name}, {cut}: {', '.join(f'{figure} {value:.4f}' for figure, value in figures.items())}")
    stem = "multi_finetune" if arguments.rows is None else f"multi_finetune-{arguments.rows}"
    print(write_result(stem, result, packages=["limbeck", "torch", "scikit-learn", "numpy"]))


if __name__ == "__main__":
    main()
