"""How long does a probe on all 50,000 IMDb reviews take? limbeck beside sentence-transformers with scikit-learn.

Ours: strings to vectors, penalty by cross-validation, fit, score of the 25,000 test reviews; all of it. Theirs: vectors
of a slice of the reviews, drawn over all lengths and extrapolated to 50,000; the fit is scikit-learn's
LogisticRegression on standardised features of the full size, once, with no choice of the penalty. Both cut at 512
tokens. Writes benchmarks/results/imdb_probe.json.

    python benchmarks/imdb_probe.py [--texts N] [--slice N]
"""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import torch
from measure import SHARED_DATA, write_result
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from text_encoders import sentence_transformers

from limbeck.features.text_encoder import load_encoder
from limbeck.linear.fit import ProbeRows, fit_probe
from limbeck.model.loaded_encoder import write_encoder
from limbeck.runtime import set_threads
from limbeck.settings import ProbeSettings


def timed(seconds: dict[str, float], name: str, call: Callable[[], Any]) -> Any:
    """Note how long a call takes."""
    started = time.perf_counter()
    found = call()
    seconds[name] = round(time.perf_counter() - started, 2)
    return found


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=int, default=25_000, help="of train and of test each, shuffled")
    parser.add_argument("--slice", type=int, default=200, help="reviews that the peer encodes")
    arguments = parser.parse_args()
    set_threads(2)
    order = np.random.default_rng(0).permutation(25_000)[: arguments.texts]
    rows = {
        split: pq.read_table(SHARED_DATA / "imdb" / f"{split}.parquet", columns=["text", "label"]).take(order)
        for split in ("train", "test")
    }
    texts = {split: table["text"].to_pylist() for split, table in rows.items()}
    labels = {split: (np.array(table["label"].to_pylist()) == "pos").astype(np.int64) for split, table in rows.items()}
    encoder = load_encoder("minilm", device="cpu")
    ours: dict[str, float] = {}
    train = timed(ours, "features_train_s", lambda: encoder.encode(texts["train"]))
    test = timed(ours, "features_test_s", lambda: encoder.encode(texts["test"]))
    fit = timed(
        ours,
        "fit_s",
        lambda: fit_probe(
            train, ProbeRows(labels_N=labels["train"], label_names=("negative", "positive")), settings=ProbeSettings()
        ),
    )
    scores = timed(ours, "score_s", lambda: test @ fit.weight_CF.T + fit.bias_C)
    theirs: dict[str, float] = {}
    with TemporaryDirectory() as folder:
        write_encoder(encoder.engine.loaded.encoder, encoder.engine.loaded.tokenizer, Path(folder))
        encode = sentence_transformers(Path(folder), torch.float32)
        encode(texts["train"][:8])
        part = timed(theirs, "slice_s", lambda: encode(texts["train"][: arguments.slice]))
    theirs["features_extrapolated_s"] = round(theirs["slice_s"] * 2 * arguments.texts / len(part), 1)
    model = make_pipeline(StandardScaler(), LogisticRegression(C=fit.penalty, max_iter=1000))
    timed(theirs, "fit_s", lambda: model.fit(train, labels["train"]))
    timed(theirs, "score_s", lambda: model.predict(test))
    totals = {
        "ours_s": round(sum(ours.values()), 1),
        "theirs_s": round(sum(value for name, value in theirs.items() if name != "slice_s"), 1),
    }
    result = {
        "texts": {"train": arguments.texts, "test": arguments.texts, "peer_slice": len(part)},
        "ours": {**ours, "accuracy": round(float((scores.argmax(1) == labels["test"]).mean()), 4)},
        "sentence-transformers float32 + scikit-learn": theirs,
        **totals,
        "times": round(totals["theirs_s"] / totals["ours_s"], 1),
    }
    print(json.dumps(result))
    print(f"written to {write_result('imdb_probe', result, packages=['limbeck', 'torch', 'sentence-transformers'])}")


if __name__ == "__main__":
    main()
