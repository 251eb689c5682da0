"""How fast do texts become vectors on this CPU? limbeck beside everything else that encodes with DistilBERT.

End to end from strings to mean-pooled vectors, two threads, rounds alternating over all contestants. Four workloads:
the embedded MiniLM (6 layers of 384) and a DistilBERT-base of drawn weights (6 of 768), on emotion's tweets and on
IMDb's reviews cut to 512 tokens. The arithmetic is counted on real tokens, so padding counts as nothing; the peak is
the fastest bf16 matrix product of torch's in any round of the same run. Drift is against float32 on the same texts:
worst and mean cosine distance (emotion: validation rows), and, with MiniLM, the share of emotion's validation rows
whose label changes under a linear probe fitted on float32 vectors of training rows. One text: p50 and p99 of single
calls. Writes benchmarks/results/encode.json, one line at the end.

    python benchmarks/encode.py [--rounds N] [--seconds S] [--workloads W …] [--contestants C …] [--quick]
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from encoders import Encode, contestants
from measure import SHARED_DATA, write_result
from transformers.utils import logging as transformers_logging

from limbeck.catalog.presets import load_encoder_folder
from limbeck.inference.certificate import cosine_distances
from limbeck.model.config import EncoderConfig
from limbeck.model.encoder import Encoder
from limbeck.model.loaded_encoder import write_encoder
from limbeck.runtime import set_threads

WORKLOADS = ("mini emotion", "mini imdb", "base emotion", "base imdb")
OURS, COURSE = "limbeck", "the course's way"
QUICK = ("limbeck", "OpenVINO bf16, sorted, 2 streams", "OpenVINO bf16, sorted, 2 streams, 2048", "limbeck float32")
PROBE_ROWS = 4000
"""Training rows that the probe sees whose changed answers are counted."""
BASE_SEED = 0
LATENCY_CALLS = 300
WARM_UP_CALLS = 20
LATENCY_MOST_MS = 4_000
ONE_TEXT = "i feel like i have to make the suffering i am seeing mean something to somebody"
PACKAGES = ("limbeck", "torch", "transformers", "tokenizers", "sentence-transformers", "openvino", "onnxruntime",
            "ctranslate2", "datasets")  # fmt: skip
COLD_START = """
import time; started = time.perf_counter()
import limbeck
from limbeck.features.text_encoder import load_encoder
load_encoder({folder!r}).encode(["i feel fine today"])
print(time.perf_counter() - started)
"""


def model_folder(size: str, parent: Path) -> Path:
    """Write the model of a size in DistilBERT's layout."""
    loaded = load_encoder_folder("minilm")
    encoder = loaded.encoder
    if size == "base":
        torch.manual_seed(BASE_SEED)
        encoder = Encoder(EncoderConfig(vocab_size=30_522, dim=768, n_layers=6, n_heads=12, hidden_dim=3072,
                                        max_position_embeddings=512))  # fmt: skip
    folder = parent / size
    folder.mkdir()
    write_encoder(encoder, loaded.tokenizer, folder)
    return folder


def corpus(name: str) -> tuple[list[str], np.ndarray]:
    """Return texts and labels of a set's training rows, in an order whose every beginning has short and long alike."""
    if name == "emotion":
        lines = (SHARED_DATA / "emotion" / "train.txt").read_text("utf-8").splitlines()
        pairs = [line.rpartition(";")[::2] for line in lines]
    else:
        import pyarrow.parquet as pq

        table = pq.read_table(SHARED_DATA / "imdb" / "train.parquet", columns=["text", "label"])
        pairs = list(zip(table["text"].to_pylist(), table["label"].to_pylist(), strict=True))
    pairs.sort(key=lambda pair: len(pair[0]))
    bits = len(pairs).bit_length()
    # Counting with reversed bits visits the sorted texts evenly (van der Corput), so slices of any size compare.
    order = [place for place in (int(f"{n:0{bits}b}"[::-1], 2) for n in range(2**bits)) if place < len(pairs)]
    return [pairs[place][0] for place in order], np.array([pairs[place][1] for place in order])


def validation_texts() -> list[str]:
    """Return emotion's 2,000 validation tweets."""
    lines = (SHARED_DATA / "emotion" / "val.txt").read_text("utf-8").splitlines()
    return [line.rpartition(";")[0] for line in lines]


def fit_reference(encode: Encode, texts: list[str], labels: np.ndarray) -> Any:
    """Fit the linear probe on float32 vectors of training rows whose changed answers are counted."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    probe = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=500))
    return probe.fit(encode(texts[:PROBE_ROWS]), labels[:PROBE_ROWS])


def gemm_peak() -> float:
    """Return GFLOP/s of torch's bf16 matrix product, the best of some sizes, now."""
    best = 0.0
    for n in (1024, 2048):
        a, b = (torch.randn(n, n).to(torch.bfloat16) for _ in range(2))
        for _ in range(4):
            started = time.perf_counter()
            torch.mm(a, b)
            best = max(best, 2 * n**3 / (time.perf_counter() - started) / 1e9)
    return best


def floating_operations(config: EncoderConfig, lengths: np.ndarray) -> float:
    """Return the multiplications and additions of products and attention, on real tokens."""
    linear = 2.0 * lengths.sum() * (4 * config.dim**2 + 2 * config.dim * config.hidden_dim)
    return config.n_layers * (linear + 4.0 * float((lengths.astype(float) ** 2).sum()) * config.dim)


def pick_slice(encode: Encode, texts: list[str], seconds: float) -> list[str]:
    """Return as many texts as this contestant encodes in about so many seconds: 16 at least."""
    count = 16
    while count < len(texts):
        started = time.perf_counter()
        encode(texts[:count])
        spent = time.perf_counter() - started
        if spent > seconds / 4:
            return texts[: max(16, min(len(texts), int(count * seconds / spent)))]
        count *= 2
    return texts


def one_text(encode: Encode, text: str) -> dict[str, float]:
    """Return p50 and p99 of single calls, in milliseconds, and how many there were."""
    spent: list[float] = []
    while len(spent) < LATENCY_CALLS + WARM_UP_CALLS and sum(spent) < LATENCY_MOST_MS:
        started = time.perf_counter()
        encode([text])
        spent.append((time.perf_counter() - started) * 1e3)
    spent = spent[min(WARM_UP_CALLS, len(spent) // 2) :]
    p50, p99 = (round(float(np.percentile(spent, share)), 3) for share in (50, 99))
    return {"calls": len(spent), "p50_ms": p50, "p99_ms": p99}


def drift(exact_ND: np.ndarray, found_ND: np.ndarray, probe: Any) -> dict[str, float]:
    """Return how far vectors are from float32's, and how many labels a probe changes."""
    distances = cosine_distances(exact_ND, found_ND)
    found: dict[str, float] = {
        "texts": len(distances),
        "worst_cosine": float(f"{distances.max():.3g}"),
        "mean_cosine": float(f"{distances.mean():.3g}"),
    }
    if probe is not None:
        found["flips"] = float((probe.predict(exact_ND) != probe.predict(found_ND)).mean())
    return found


def measure(workload: str, folder: Path, names: Sequence[str] | None, rounds: int, seconds: float) -> dict[str, Any]:
    """Measure one workload: every contestant once a round, each on its own slice, in turn."""
    corpus_name = workload.split()[1]
    texts, labels = corpus(corpus_name)
    loaded = load_encoder_folder(folder)
    encoders: dict[str, Encode] = {}
    failed: dict[str, str] = {}
    for name, make in contestants(folder).items():
        if names and name not in names:
            continue
        try:
            encoders[name] = make()
            encoders[name](texts[:4])
        except (ImportError, RuntimeError, ValueError, TypeError, OSError, AttributeError) as error:
            failed[name] = f"{type(error).__name__}: {error}"[:200]
            print(f"  {name} cannot run here: {failed[name]}", flush=True)
    # Who is slow gets fewer texts, the first of the same order; rates compare, and the slices are in the result.
    slices = {name: pick_slice(encode, texts, seconds) for name, encode in encoders.items()}
    lengths = {name: loaded.tokenizer.encode(part).lengths for name, part in slices.items()}
    rates: dict[str, list[float]] = {name: [] for name in encoders}
    peaks: list[float] = []
    for _ in range(rounds):
        peaks.append(gemm_peak())
        for name, encode in encoders.items():
            started = time.perf_counter()
            encode(slices[name])
            rates[name].append(len(slices[name]) / (time.perf_counter() - started))
    print(f"  {workload}: {rounds} rounds done", flush=True)
    checked = validation_texts() if corpus_name == "emotion" else texts[:16]
    checked = checked[:100] if workload == "base emotion" else checked
    exact_ND = encoders["limbeck float32"](checked) if "limbeck float32" in encoders else None
    is_judged = workload == "mini emotion" and exact_ND is not None
    probe = fit_reference(encoders["limbeck float32"], texts, labels) if is_judged else None
    result: dict[str, Any] = {"gemm_peak_gflops": [round(peak) for peak in peaks], "failed": failed, "contestants": {}}
    for name, values in rates.items():
        rate, of = statistics.median(values), lengths[name]
        gflops = rate * floating_operations(loaded.config, of) / len(of) / 1e9
        entry = {
            "texts": len(of),
            "tokens_per_text": round(float(of.mean()), 1),
            "texts_per_s": round(rate, 2),
            "lowest": round(min(values), 2),
            "highest": round(max(values), 2),
            "tokens_per_s": round(rate * float(of.mean())),
            "gflops": round(gflops),
            "share_of_peak": round(gflops / max(peaks), 3),
            "ours_is_times": round(_ratio(rates, name), 2) if OURS in rates else None,
        }
        if exact_ND is not None and name not in ("limbeck float32", COURSE):
            entry["drift"] = drift(exact_ND, encoders[name](checked), probe)
        if corpus_name == "emotion" and name != COURSE:
            entry["one_text"] = one_text(encoders[name], ONE_TEXT)
        result["contestants"][name] = entry
        shown = f"{entry['texts_per_s']:9.1f} texts/s  {entry['gflops']:6} GFLOP/s  ours is ×{entry['ours_is_times']}"
        print(f"    {name:42} {shown}", flush=True)
    return result


def _ratio(rates: dict[str, list[float]], name: str) -> float:
    """Median over rounds of ours / theirs: neighbours in time meet the same noise."""
    return statistics.median(ours / theirs for ours, theirs in zip(rates[OURS], rates[name], strict=True))


def cold_start(folder: Path) -> float:
    """Return seconds from the first import to the first answer in a new process, the median of five."""
    spent = []
    for _ in range(5):
        script = COLD_START.format(folder=str(folder))
        run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
        spent.append(float(run.stdout))
    return round(statistics.median(spent), 3)


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0, help="aim for one contestant's part of a round")
    parser.add_argument("--workloads", nargs="+", default=WORKLOADS, choices=WORKLOADS)
    parser.add_argument("--contestants", nargs="+", default=None, help="names as in the result; all of them otherwise")
    parser.add_argument("--quick", action="store_true", help="ours, OpenVINO's and float32 only; writes nothing")
    arguments = parser.parse_args()
    set_threads(2)
    warnings.simplefilter("ignore")  # peers' own deprecations
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    names = QUICK if arguments.quick else arguments.contestants
    result: dict[str, Any] = {"rounds": arguments.rounds, "threads": 2, "workloads": {}, "cold_start_s": {}}
    with tempfile.TemporaryDirectory() as parent:
        for size in ("mini", "base"):
            mine = [workload for workload in arguments.workloads if workload.startswith(size)]
            if not mine:
                continue
            folder = model_folder(size, Path(parent))
            for workload in mine:
                print(workload, flush=True)
                result["workloads"][workload] = measure(workload, folder, names, arguments.rounds, arguments.seconds)
            result["cold_start_s"][size] = cold_start(folder)
    if not arguments.quick:
        print(f"written to {write_result('encode', result, packages=PACKAGES)}")
    print(json.dumps({name: {peer: entry["texts_per_s"] for peer, entry in one["contestants"].items()}
                      for name, one in result["workloads"].items()}))  # fmt: skip


if __name__ == "__main__":
    main()
