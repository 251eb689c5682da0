"""What does a head on the frozen encoder cost on IMDb, ten epochs, and what does it reach? limbeck beside the course.

The course's settings: a linear layer, Adam at 1e-3, 64 reviews a step, 400 tokens, ten epochs; on [CLS] as there, and
on the mean. Ours is the public call over all 25,000 training reviews, strings in and bundle out, nothing in the cache
at first; a tenth of the rows is held out to choose the epoch by. Test reviews are scored once, at the end.

Two loops run the encoder in every step, as the course's does, each on slices in turn, and are extrapolated to ten
epochs of as many rows as ours learns from (times reviews and epochs, nothing else):

    the course's loop                transformers, float32, padded to 400 tokens
    the same loop over our encoder   limbeck's encode() of each batch: what the cache alone is worth

Writes benchmarks/results/head.json.

    python benchmarks/head.py [--rounds 5] [--poolings cls mean]
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from measure import SHARED_DATA, write_result
from torch import nn
from transformers import AutoTokenizer, DistilBertModel
from workloads import model_folder

import limbeck
from limbeck.features.cache import FeatureCache
from limbeck.runtime import set_threads

MAX_TOKENS = 400
BATCH_ROWS = 64
RATE = 1e-3
EPOCHS = 10
Vectors = Callable[[list[str]], torch.Tensor]


def stepwise(vectors: Vectors) -> Callable[[Sequence[str], np.ndarray], float]:
    """A loop that encodes in every step; returns the seconds of one pass over some reviews."""

    def run(texts: Sequence[str], labels: np.ndarray) -> float:
        started = time.perf_counter()
        head = nn.Linear(384, 2)
        optimizer = torch.optim.Adam(head.parameters(), lr=RATE)
        for first in range(0, len(texts), BATCH_ROWS):
            found = head(vectors(list(texts[first : first + BATCH_ROWS])))
            loss = nn.functional.cross_entropy(found, torch.from_numpy(labels[first : first + BATCH_ROWS]))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        return time.perf_counter() - started

    return run


def course_vectors(folder: Path) -> Vectors:
    """[CLS] of transformers, padded to the limit, as the course's `__getitem__` does."""
    tokenizer, model = AutoTokenizer.from_pretrained(folder), DistilBertModel.from_pretrained(folder).eval()

    def vectors(texts: list[str]) -> torch.Tensor:
        batch = tokenizer(texts, padding="max_length", truncation=True, max_length=MAX_TOKENS, return_tensors="pt")
        with torch.no_grad():
            states = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).last_hidden_state
        return states[:, 0]

    return vectors


def our_vectors() -> Vectors:
    """[CLS] of limbeck's encoder."""
    encoder = limbeck.load_encoder("minilm", device="cpu")
    return lambda texts: torch.from_numpy(encoder.encode(texts, pooling="cls", max_tokens=MAX_TOKENS))


def train(data: limbeck.Dataset, pooling: str, scratch: Path) -> dict[str, Any]:
    """Train our head with a cache of its own; score what it learnt from and the test reviews."""
    cache = FeatureCache(scratch / f"cache-{pooling}")
    features = limbeck.FeatureSettings(encoder="minilm", pooling=pooling, max_tokens=MAX_TOKENS, device="cpu")
    settings = limbeck.HeadTraining(features=features, head=limbeck.HeadSettings(epochs=EPOCHS))
    started = time.perf_counter()
    run = limbeck.train_head(data, scratch / pooling, settings, cache=cache)
    seconds = time.perf_counter() - started
    head = limbeck.load(scratch / pooling).bundle.head
    encoder = limbeck.TextFeatures("minilm", pooling=pooling, max_tokens=MAX_TOKENS, cache_dir=cache.folder)
    scores, rows = {}, {}
    for split in ("train", "validation", "test"):
        part = run.dataset.split(split)
        rows[split] = len(part)
        answers = head.probabilities(encoder.fit(part.texts).transform(part.texts))
        majority = int(np.bincount(part.labels).argmax())
        found = limbeck.evaluate(answers, part.labels, part.label_names, majority_label=majority)
        scores[split] = {"accuracy": asdict(found.accuracy), "log_loss": asdict(found.log_loss)}
    return {
        "seconds": round(seconds, 1),
        "stages_s": run.metrics["seconds"],
        "rows": rows,
        "epochs": run.metrics["epochs"],
        "best_epoch": run.best_epoch,
        "scores": scores,
    }


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--poolings", nargs="+", default=["cls", "mean"], choices=["cls", "mean"])
    parser.add_argument("--texts", type=int, default=25_000, help="of train and of test each")
    given = parser.parse_args()
    set_threads(2)
    data = some_of(limbeck.read(SHARED_DATA / "imdb"), given.texts)
    train_rows = data.split("train")
    texts, labels = train_rows.texts, train_rows.labels.astype(np.int64)
    draw = np.random.default_rng(1)
    with tempfile.TemporaryDirectory() as parent:
        scratch = Path(parent)
        loops = {
            "the course's loop": (stepwise(course_vectors(model_folder("mini", scratch))), 64),
            "the same loop over our encoder": (stepwise(our_vectors()), 512),
        }
        review_s: dict[str, list[float]] = {name: [] for name in loops}
        for turn in range(given.rounds + 1):
            for name, (run, count) in loops.items():
                places = draw.choice(len(texts), min(count, len(texts)), replace=False)
                spent = run([texts[place] for place in places], labels[places]) / len(places)
                if turn:  # the first warms up
                    review_s[name].append(spent)
        ours = {pooling: train(data, pooling, scratch) for pooling in given.poolings}
    learnt = ours[given.poolings[0]]["rows"]["train"]
    peers = {
        name: {
            "reviews_a_slice": loops[name][1],
            "s_per_review": round(statistics.median(spent), 5),
            "lowest": round(min(spent), 5),
            "highest": round(max(spent), 5),
            "extrapolated_s": round(statistics.median(spent) * learnt * EPOCHS, 1),
        }
        for name, spent in review_s.items()
    }
    result = {"rounds": given.rounds, "threads": 2, "epochs": EPOCHS, "limbeck": ours, "peers": peers}
    result["times"] = {
        pooling: {name: round(peer["extrapolated_s"] / one["seconds"], 1) for name, peer in peers.items()}
        for pooling, one in ours.items()
    }
    if given.texts == 25_000:
        print(f"written to {write_result('head', result, packages=('limbeck', 'torch', 'transformers'))}")
    print(json.dumps({"times": result["times"], **{p: one["scores"] for p, one in ours.items()}}))


def some_of(data: limbeck.Dataset, texts: int) -> limbeck.Dataset:
    """Draw as many reviews of each split."""
    draw, splits = np.random.default_rng(0), np.array(data.table["split"].to_pylist())
    places = [draw.permutation(np.flatnonzero(splits == split))[:texts] for split in ("train", "test")]
    return data.select(np.sort(np.concatenate(places)))


if __name__ == "__main__":
    main()
