"""What does fine-tuning reach on IMDb, and how long does it take? By the command line, as a user would run it.

All weights of the embedded encoder (6 layers of 384), 25,000 reviews cut at 256 tokens, defaults but for the epochs; a
tenth of the rows is held out to judge the epochs by. The test split is scored once, at the end. DistilBERT, three times
as large, reaches 0.928 at 512 tokens (Sanh et al., 2019). What is finished in --runs is taken as it is, and what was
interrupted goes on. Writes benchmarks/results/imdb_finetune.json.

    python benchmarks/imdb_finetune.py [--runs FOLDER] [--epochs 1]
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

from measure import SHARED_DATA, write_result

LIMBECK = str(Path(sys.executable).with_name("limbeck"))
MAX_TOKENS = 256


def main() -> None:
    """Train, score and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=Path, default=Path("imdb-finetune"), help="folder of the run")
    parser.add_argument("--epochs", type=int, default=1)
    given = parser.parse_args()
    data, out = str(SHARED_DATA / "imdb"), given.runs / f"imdb-epochs-{given.epochs}"
    if not (out / "metrics.json").exists():
        flags = ["--method", "finetune", "--epochs", str(given.epochs), "--max-tokens", str(MAX_TOKENS)]
        subprocess.run(
            [LIMBECK, "train", data, *flags, "--out", str(out), "--resume"], stdout=subprocess.DEVNULL, check=True
        )
    metrics = json.loads((out / "metrics.json").read_text("utf-8"))
    record = json.loads((out / "run.json").read_text("utf-8"))
    command = [LIMBECK, "evaluate", str(out), data, "--split", "test", "--json"]
    ended = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
    test = json.loads(ended.stdout)["test"]
    result = {
        "max_tokens": MAX_TOKENS,
        "numerics": record["encoder"]["numerics"],
        "epochs": metrics["epochs"],
        "train_minutes": round(metrics["train_seconds"] / 60, 1),
        "seconds": metrics["seconds"],
        "resumed_at_step": metrics.get("resumed_at_step"),
        "test": {name: test[name] for name in ("rows", "accuracy", "f1_macro", "log_loss")},
        "test_accuracy_interval": test["intervals"]["accuracy"],
    }
    print(f"written to {write_result('imdb_finetune', result, packages=('limbeck', 'torch', 'tokenizers'))}")
    print(json.dumps({name: result[name] for name in ("train_minutes", "test", "test_accuracy_interval")}))


if __name__ == "__main__":
    main()
