"""How fast are encoding and fine-tuning on a GPU? limbeck beside transformers, sentence-transformers and Trainer.

Correctness first: vectors of packed texts in the GPU's precision against float32, whether a text has the same bits
alone and in a batch, what the calibration chose. Then encoding, from token ids and from texts, of two sizes (MiniLM,
and a DistilBERT-base of drawn weights) on tweets and reviews; one text; and some updates of fine-tuning, of 64 tweets.
Contestants run in turn, and rates are medians over the rounds. Nobody is timed whose vectors are not those of float32
(cosine distances up to 1e-3). The arithmetic is counted on real tokens, and the peak is that of a product of two
matrices in the same precision and run.

It needs torch, transformers and, to be compared with them, sentence-transformers and accelerate; no network, no data.
When its minutes are over it leaves out what is left, and says so. Writes benchmarks/results/gpu.json.

    python benchmarks/gpu.py [--minutes 6] [--rounds 3] [--sizes mini base] [--tiny]

--tiny tries everything on the CPU with a tiny model, the packed way by a mask in float32, and writes nothing.
"""

import argparse
import json
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gpu_peers import Encode, SortedTransformers, sentence_transformers_on
from gpu_workloads import gpu_model_folder, texts_of
from measure import alternate, write_result
from train import Ours, parts_of_epoch
from trainers import Train, padded_trainer
from transformers.utils import logging as transformers_logging
from workloads import Rows, floating_operations

from limbeck.catalog.presets import load_encoder_folder
from limbeck.features.text_encoder import TextEncoder
from limbeck.inference.certificate import cosine_distances
from limbeck.inference.choice import open_engine
from limbeck.inference.engine_calibration import find_calibration
from limbeck.inference.torch_engine import DTYPES, TorchEngine
from limbeck.model.blocks import blocks_for
from limbeck.model.loaded_encoder import LoadedEncoder
from limbeck.model.packed_attention import attend_by_mask
from limbeck.runtime import gpu_features

PACKAGES = ("limbeck", "torch", "transformers", "tokenizers", "sentence-transformers", "accelerate")
COUNTS = {"tweets": 16_000, "reviews": 5_000}
TINY_COUNTS = {"tweets": 48, "reviews": 6}
FURTHEST = 1e-3
ALONE = 32
"""Texts that are encoded alone as well."""
CALLS = 50
TRAIN_UPDATES, EPOCH_UPDATES = 20, 250


class Clock:
    """The minutes that there are."""

    def __init__(self, minutes: float) -> None:
        self.began_s, self.limit_s = time.perf_counter(), minutes * 60
        self.left_out: list[str] = []

    @property
    def spent_s(self) -> float:
        """Seconds since it began."""
        return time.perf_counter() - self.began_s

    def allows(self, what: str, about_s: float) -> bool:
        """Tell whether there is time for something; what there is no time for is remembered."""
        is_time = self.spent_s + about_s <= self.limit_s
        if not is_time:
            self.left_out.append(what)
        print(f"[{self.spent_s:5.0f} s] {what}{'' if is_time else ': no time left'}", flush=True)
        return is_time


class Size:
    """One size of model, opened by us and by the peers.

    Args:
        folder: of the model.
        device: where to compute.
    """

    def __init__(self, folder: Path, device: str) -> None:
        self.folder, self.device = folder, device
        self.loaded: LoadedEncoder = load_encoder_folder(folder)
        self.exact = TorchEngine(self.loaded, device=device)  # type: ignore[arg-type]  # cpu or cuda
        engine = (
            open_engine(self.loaded, device="cuda")
            if device == "cuda"
            else TorchEngine(self.loaded, device="cpu", attention=attend_by_mask)
        )
        assert isinstance(engine, TorchEngine)
        self.engine = engine
        self.dtype = DTYPES[engine.precision]
        self.blocks = blocks_for("mean", None, engine.layers)
        self.transformers = SortedTransformers(folder, device, self.dtype)

    def contestants(self) -> dict[str, Encode]:
        """Return every way from rows to vectors, by name."""
        texts = TextEncoder(self.engine)
        found: dict[str, Encode] = {
            "limbeck, ids": lambda rows: self.engine.features(rows.tokenized, self.blocks),
            "transformers sorted, ids": self.transformers.from_ids,
            "limbeck, text": lambda rows: texts.encode(rows.texts),
            "transformers sorted, text": self.transformers.from_texts,
        }
        if (sentences := sentence_transformers_on(self.folder, self.device, self.dtype)) is not None:
            found["sentence-transformers, text"] = sentences
        return found


def check(size: Size, kinds: Mapping[str, Rows]) -> dict[str, Any]:
    """Return how near the packed way is to float32, and whether a text's bits depend on its company."""
    blocks = blocks_for("layers", None, size.engine.layers)
    found: dict[str, Any] = {"engine": size.engine.numerics, "build": size.engine.build}
    for kind, rows in kinds.items():
        exact_NF, ours_NF = (one.features(rows.tokenized, blocks) for one in (size.exact, size.engine))
        width = size.engine.width
        distances = [
            cosine_distances(exact_NF[:, start : start + width], ours_NF[:, start : start + width]).max()
            for start in range(0, exact_NF.shape[1], width)
        ]
        alone = [size.engine.features(size.loaded.tokenizer.encode([text]), blocks)[0] for text in rows.texts[:ALONE]]
        same = [bool((one == together).all()) for one, together in zip(alone, ours_NF, strict=False)]
        found[kind] = {
            "texts": len(rows.texts),
            "worst_cosine_distance": float(max(distances)),
            "same_bits_alone": f"{sum(same)} of {len(same)}",
        }
    if size.device == "cuda":
        gpu = gpu_features(torch.device("cuda"))
        calibration = find_calibration(size.loaded, gpu=gpu)
        found["calibration"] = {
            "chosen": calibration.chosen,
            "engines": [asdict(one) for one in calibration.candidates],
        }
    return found


def encode(size: Size, rows: Rows, peak_flops: float, rounds: int) -> dict[str, Any]:
    """Measure one size on one kind of texts."""
    contestants, some = size.contestants(), Rows.of(rows.texts[:200], size.loaded.tokenizer)
    expected = size.exact.features(some.tokenized, size.blocks)
    far = {}
    for name, run in list(contestants.items()):
        distance = float(cosine_distances(expected, run(some)).max())
        run(rows)  # warms up
        if not distance <= FURTHEST:
            far[name] = distance
            del contestants[name]
    seconds = alternate({name: (lambda run=run: run(rows)) for name, run in contestants.items()}, rounds=rounds)
    seconds |= alternate({"tokenising alone": lambda: size.loaded.tokenizer.encode(rows.texts)}, rounds=rounds)
    median_s = {name: statistics.median(values) for name, values in seconds.items()}
    tokens, operations = len(rows.tokenized.ids), floating_operations(size.loaded.config, rows.lengths)
    peers_s = [spent for name, spent in median_s.items() if "text" in name and name.startswith(("trans", "sent"))]
    return {
        "texts": len(rows.texts),
        "tokens": tokens,
        "texts_per_s": {name: round(len(rows.texts) / spent, 1) for name, spent in median_s.items()},
        "spread": {name: round(max(values) / min(values), 2) for name, values in seconds.items()},
        "tokens_per_s_from_ids": round(tokens / median_s["limbeck, ids"]),
        "share_of_peak_from_ids": round(operations / median_s["limbeck, ids"] / peak_flops, 3),
        "text_in_times_best_peer": round(min(peers_s) / median_s["limbeck, text"], 2) if peers_s else None,
        "of_tokenising_alone": round(median_s["tokenising alone"] / median_s["limbeck, text"], 3),
        "too_far_from_float32": far,
    }


def one_text(size: Size, text: str, calls: int) -> dict[str, float]:
    """Return the median milliseconds of single calls."""
    rows, found = Rows.of([text], size.loaded.tokenizer), {}
    for name, run in size.contestants().items():
        run(rows)
        spent = alternate({name: lambda run=run: run(rows)}, rounds=calls)[name]
        found[name] = round(statistics.median(spent) * 1e3, 3)
    return found


def train(size: Size, texts: list[str], parent: Path, *, updates: int, rounds: int) -> dict[str, Any]:
    """Measure some updates of fine-tuning, 64 tweets of similar lengths each; an epoch has 250."""
    lengths_N = size.loaded.tokenizer.encode(texts).lengths
    labels_N = np.arange(len(texts)) % 6
    is_half = size.device == "cuda"
    contestants: dict[str, Train] = {"limbeck": Ours(size.folder, parent, device=size.device)}
    if find_spec("accelerate") is not None:
        name = f"Trainer {'bf16' if is_half else 'float32'}, grouped"
        contestants[name] = padded_trainer(size.folder, parent, bf16=is_half, grouped=True, device=size.device)
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for batches in [next(parts_of_epoch(lengths_N, 2, 1)), *parts_of_epoch(lengths_N, updates, rounds)]:
        rows_N = np.concatenate(batches)
        for name, run in contestants.items():
            seconds[name].append(run([texts[row] for row in rows_N], labels_N[rows_N]) / len(batches))
    update_s = {name: statistics.median(values[1:]) for name, values in seconds.items()}  # the first warms up
    return {
        "updates": updates,
        "rounds": rounds,
        "update_ms": {name: round(spent * 1e3, 2) for name, spent in update_s.items()},
        "epoch_s": {name: round(spent * EPOCH_UPDATES, 2) for name, spent in update_s.items()},
    }


def measure_peak_of(device: str, dtype: torch.dtype) -> float:
    """Return the operations per second of a product of two large matrices."""
    side = 8_192 if device == "cuda" else 256
    left, right = (torch.randn(side, side, device=device, dtype=dtype) for _ in range(2))
    wait: Callable[[], object] = torch.cuda.synchronize if device == "cuda" else (lambda: None)
    best_s = float("inf")
    for _ in range(5):
        wait()
        began_s = time.perf_counter()
        for _ in range(4):
            left @ right
        wait()
        best_s = min(best_s, (time.perf_counter() - began_s) / 4)
    return 2 * side**3 / best_s


def measure_all(sizes: list[str], rounds: int, clock: Clock, *, is_tiny: bool) -> dict[str, Any]:
    """Measure everything for which there is time."""
    device, counts = ("cpu", TINY_COUNTS) if is_tiny else ("cuda", COUNTS)
    texts = {kind: texts_of(kind, count) for kind, count in counts.items()}
    # A bucket of an epoch is 3,200 tweets.
    tweets = texts_of("tweets", COUNTS["tweets"])
    result: dict[str, Any] = {name: {} for name in ("correct", "peak_tflops", "encoding", "one_text_ms", "training")}
    with tempfile.TemporaryDirectory() as name:
        parent = Path(name)
        opened = {}
        for size in sizes:
            print(f"opening {size}", flush=True)
            opened[size] = Size(gpu_model_folder(size, parent), device)
            some = {kind: Rows.of(all_of[:1000], opened[size].loaded.tokenizer) for kind, all_of in texts.items()}
            result["correct"][size] = check(opened[size], some)
            print(json.dumps(result["correct"][size], default=str), flush=True)
        for size, one in opened.items():
            peak = measure_peak_of(device, one.dtype)
            result["peak_tflops"][size] = round(peak / 1e12, 2)
            for kind, all_of in texts.items():
                if clock.allows(f"encoding {kind}, {size}", 5 if is_tiny else 40):
                    rows = Rows.of(all_of, one.loaded.tokenizer)
                    result["encoding"][f"{size} {kind}"] = found = encode(one, rows, peak, rounds)
                    print(json.dumps(found), flush=True)
            if clock.allows(f"one text, {size}", 5):
                result["one_text_ms"][size] = found = one_text(one, texts["tweets"][0], 3 if is_tiny else CALLS)
                print(json.dumps(found), flush=True)
        for size, one in opened.items():
            if clock.allows(f"fine-tuning {size}", 5 if is_tiny else 50):
                updates = 2 if is_tiny else TRAIN_UPDATES
                found = train(one, tweets, parent, updates=updates, rounds=1 if is_tiny else 2)
                result["training"][size] = found
                print(json.dumps(found), flush=True)
    return result


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=6.0, help="after which nothing new is begun")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--sizes", nargs="+", default=["mini", "base"], choices=["mini", "base"])
    parser.add_argument("--tiny", action="store_true", help="on the CPU, with a tiny model; writes nothing")
    given = parser.parse_args()
    if not given.tiny and not torch.cuda.is_available():
        parser.error("there is no GPU here that torch can use: --tiny tries everything on the CPU")
    warnings.simplefilter("ignore")  # peers' own deprecations
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    clock = Clock(given.minutes)
    sizes, rounds = (["tiny"], 1) if given.tiny else (given.sizes, given.rounds)
    result = measure_all(sizes, rounds, clock, is_tiny=given.tiny)
    result |= {"rounds": rounds, "left_out": clock.left_out, "minutes": round(clock.spent_s / 60, 1)}
    if not given.tiny:
        gpu = gpu_features(torch.device("cuda"))
        result |= {"gpu": None if gpu is None else asdict(gpu), "cuda": torch.version.cuda}
        print(f"written to {write_result('gpu', result, packages=PACKAGES)}")


if __name__ == "__main__":
    main()
