"""How good is the probe? Emotion, IMDb and the embedded sample, through the command line as a user would run it.

Writes benchmarks/results/quality_*.json: accuracy and F1 with intervals, seconds a stage, peak memory of the process.
IMDb has no validation split: its test split is scored once, and nothing is chosen on it.

    python benchmarks/quality.py [emotion] [imdb] [sample] [--poolings cls mean …]

--poolings measures emotion for these only, and keeps the others' earlier results.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from measure import SHARED_DATA, read_result, write_result

from limbeck import evaluate as evaluate_answers
from limbeck import load_encoder, read
from limbeck.features.extraction import extract_features
from limbeck.linear.fit import ProbeRows, fit_probe
from limbeck.methods.candidates import columns_of
from limbeck.model.blocks import blocks_for
from limbeck.model.heads import LinearHead
from limbeck.progress import Lines
from limbeck.settings import ProbeSettings
from limbeck.tokens import Window

LIMBECK = Path(sys.executable).with_name("limbeck")
BALANCES = ("none", "weights", "oversample", "smote")
POOLINGS = ("cls", "mean", "max", "layers", "auto")
TRIED = {"cls": ("none", "smote"), "mean": BALANCES, "layers": BALANCES}
"""Ways of balancing by pooling; the course has [CLS] with and without SMOTE."""
HEADLINES = ("accuracy", "f1_weighted", "f1_macro", "log_loss")


def train(data: str, out: Path, flags: Sequence[str]) -> dict[str, Any]:
    """Run `limbeck train` and return its figures with the peak memory of its process."""
    command = [LIMBECK, "train", data, "--method", "probe", "--out", str(out), "--json", *flags]
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(command, stdout=output)
        _, status, usage = os.wait4(process.pid, 0)
        if status:
            raise SystemExit(f"{' '.join(map(str, command))} ended with status {status}")
        output.seek(0)
        metrics = json.load(output)
    return {
        "flags": list(flags),
        "validation": headline(metrics["validation"]),
        "baseline_accuracy": metrics["validation"]["baseline"]["accuracy"],
        "penalty": metrics["probe"]["penalty"],
        "chosen": metrics["probe"]["candidate"],
        "texts_cut": metrics["texts_cut"],
        "seconds": metrics["seconds"],
        "peak_memory_gib": round(usage.ru_maxrss / 2**20, 2),
    }


def evaluate(run: Path, data: str, split: str) -> dict[str, Any]:
    """Run `limbeck evaluate` on a split."""
    command = [LIMBECK, "evaluate", str(run), data, "--split", split, "--json"]
    ended = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
    return headline(json.loads(ended.stdout)[split])


def headline(found: dict[str, Any]) -> dict[str, Any]:
    """Keep the figures of the README: value, low and high end of the 95 % interval."""
    kept = {
        name: [found[name], found["intervals"][name]["low"], found["intervals"][name]["high"]] for name in HEADLINES
    }
    return {"rows": found["rows"], **{name: [round(value, 4) for value in kept[name]] for name in HEADLINES}}


def emotion(runs: Path, poolings: Sequence[str] = POOLINGS) -> dict[str, Any]:
    """Every pooling, and ways of balancing for three of them."""
    data = str(SHARED_DATA / "emotion")
    found = {}
    for pooling in poolings:
        for balance in TRIED.get(pooling, ("none",)):
            run = runs / f"emotion-{pooling}-{balance}"
            found[f"{pooling}, {balance}"] = train(data, run, ["--pooling", pooling, "--balance", balance])
            found[f"{pooling}, {balance}"]["test"] = evaluate(run, data, "test")
    return found


def imdb(_: Path) -> dict[str, Any]:
    """25,000 reviews to train, 25,000 to score, cut at 400 tokens; one pass of the encoder serves every pooling."""
    engine = load_encoder("minilm").engine
    blocks = blocks_for("layers", None, engine.layers)
    rows = {name: read(SHARED_DATA / "imdb" / f"{name}.parquet") for name in ("train", "test")}
    started = time.perf_counter()
    features = {
        name: extract_features(part.texts, engine, blocks, window=Window(name="head", max_tokens=400), progress=Lines())
        for name, part in rows.items()
    }
    encode_s = time.perf_counter() - started
    majority = int(np.bincount(rows["train"].labels).argmax())
    found: dict[str, Any] = {"encode_s": round(encode_s, 1), "numerics": engine.numerics, "poolings": {}}
    for pooling in ("cls", "mean", "layers"):
        columns = columns_of(blocks_for(pooling, None, engine.layers), blocks, engine.width)
        started = time.perf_counter()
        fit = fit_probe(
            features["train"].values_NF,
            ProbeRows(labels_N=rows["train"].labels, label_names=rows["train"].label_names),
            settings=ProbeSettings(),
            candidates={pooling: columns},
            progress=Lines(),
        )
        fit_s = time.perf_counter() - started
        head = LinearHead(fit.weight_CF, fit.bias_C)
        scored = evaluate_answers(
            head.probabilities(features["test"].values_NF[:, columns]),
            rows["test"].labels,
            rows["test"].label_names,
            majority_label=majority,
        )
        found["poolings"][pooling] = {
            "test": headline(scored.to_dict()),
            "baseline_accuracy": scored.baseline.accuracy,
            "penalty": fit.penalty,
            "fit_s": round(fit_s, 1),
        }
    found["texts_cut"] = {name: int((part.cut_tokens_N > 0).sum()) for name, part in features.items()}
    found["tokens"] = {name: int(part.lengths_N.sum()) for name, part in features.items()}
    found["peak_memory_gib"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2)
    return found


def sample(runs: Path) -> dict[str, Any]:
    """The embedded tweets as the demo trains on them, against always saying the largest class."""
    run = runs / "sample-mean"
    return {"mean": {**train("sample", run, ["--pooling", "mean"]), "test": evaluate(run, "sample", "test")}}


JOBS = {"emotion": emotion, "imdb": imdb, "sample": sample}


def main() -> None:
    """Run the jobs that were named, or all; keep the results of the others."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("jobs", nargs="*", choices=[*JOBS, []], help="what to measure; everything when not given")
    parser.add_argument("--poolings", nargs="+", choices=POOLINGS, help="emotion again, for these only")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        runs = Path(place)
        if given.poolings:
            earlier = read_result("quality_emotion")["runs"]
            found = {"emotion": {**earlier, **emotion(runs, given.poolings)}}
        else:
            found = {name: JOBS[name](runs) for name in given.jobs or list(JOBS)}
    for name, measured in found.items():
        path = write_result(f"quality_{name}", {"runs": measured}, packages=("torch", "numpy"))
        print(path.read_text("utf-8"))


if __name__ == "__main__":
    main()
