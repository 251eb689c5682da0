"""How fast do texts become vectors on this CPU? limbeck beside everything else that encodes with DistilBERT.

From token ids to mean-pooled vectors, two threads, five rounds that alternate over all contestants, medians. Four
workloads: the embedded MiniLM (6 layers of 384) and a DistilBERT-base of drawn weights (6 of 768), on emotion's tweets
and on IMDb's reviews cut to 512 tokens; all contestants of a workload compute the same texts. A peer is tried
with some batch sizes, with one batch at a time on two threads and with two batches on one each, and then keeps what
served it best. Nobody is timed whose vectors are not those of float32: cosine distances up to 1e-3. Peers in bf16
take part where the CPU has units for it. int8 is there for what a single text costs, and for how far it drifts.

The arithmetic is counted on real tokens, so padding counts as nothing; the peak is measured in the same run, in the
arithmetic of our engine, before and after it computes. One text (22 tokens): rounds of single calls, p50 and p99.
Drift, on MiniLM: worst and mean cosine distance from float32 on emotion's validation rows, and the share of them whose
label changes under a linear probe fitted on float32 vectors of training rows.
Writes benchmarks/results/encode-NAME.json, NAME the instruction set of our library unless told otherwise.

    python benchmarks/encode.py [--engine native-avx2] [--name NAME] [--rounds N] [--seconds S] [--workloads W …]
                                [--contestants C …] [--everyone] [--quick]
"""

import argparse
import json
import statistics
import tempfile
import time
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from encode_single import cold_start, measure_drift, measure_one_text
from encode_size import EXACT, OURS, PAUSE_S, Plan, Run, Size, seconds_of, tuned
from engines import ENGINES
from measure import median_ratio, write_result
from transformers.utils import logging as transformers_logging
from workloads import THREADS, Rows, corpus, floating_operations, keep_to_two_cores, model_folder

from limbeck.settings import EngineName

WORKLOADS = ("mini emotion", "mini imdb", "base emotion", "base imdb")
FEWEST_TEXTS = 16
PACKAGES = ("limbeck", "torch", "transformers", "tokenizers", "sentence-transformers", "openvino", "nncf",
            "onnxruntime", "ctranslate2", "datasets")  # fmt: skip


def measure(size: Size, corpus_name: str, plan: Plan) -> dict[str, Any]:
    """Measure one workload: every contestant once a round, in turn, all on the same texts."""
    texts, _ = corpus(corpus_name)
    peak = size.arithmetic.peak
    rows = size.rows(texts[: count_texts(size.own[OURS], size.rows(texts[:FEWEST_TEXTS]), plan)])
    # Half of the reviews have batches enough.
    some = rows if corpus_name == "emotion" else size.rows(texts[: len(rows.texts) // 2])
    encoders: dict[str, Run] = dict(size.own)
    ways: dict[str, str] = {}
    for name, peer in size.peers.items():
        if peer.kind != "int8" and plan.asks_for(name, peer.kind) and (found := tuned(size, name, some, plan)):
            ways[name], encoders[name] = found
    seconds: dict[str, list[float]] = {name: [] for name in encoders}
    peaks: list[float] = []
    for _ in range(plan.rounds):
        for name, encode in encoders.items():
            time.sleep(PAUSE_S)
            before = peak() if name == OURS else 0.0
            seconds[name].append(seconds_of(encode, rows))
            if name == OURS:
                peaks.append(max(before, peak()))
    operations = floating_operations(size.loaded.config, rows.lengths)
    result: dict[str, Any] = {
        "texts": len(rows.texts),
        "tokens_per_text": round(float(rows.lengths.mean()), 1),
        "peak_gflops": [round(peak, 1) for peak in peaks],
        "contestants": {},
    }
    for name, spent in seconds.items():
        rates = [operations / one / 1e9 for one in spent]
        entry = {
            "kind": "ours" if name in (OURS, EXACT) else size.peers[name].kind,
            "texts_per_s": round(len(rows.texts) / statistics.median(spent), 2),
            "lowest": round(len(rows.texts) / max(spent), 2),
            "highest": round(len(rows.texts) / min(spent), 2),
            "tokens_per_s": round(len(rows.tokenized.ids) / statistics.median(spent)),
            "gflops": round(statistics.median(rates), 1),
            "share_of_peak": round(median_ratio(rates, peaks), 3),
            "ours_is_times": round(median_ratio(spent, seconds[OURS]), 2),
        }
        if name in ways:
            entry["way"] = ways[name]
        result["contestants"][name] = entry
        shown = f"{entry['texts_per_s']:9.1f} texts/s  {entry['gflops']:7} GFLOP/s  ours is ×{entry['ours_is_times']}"
        print(f"    {name:44} {shown}  {entry.get('way', '')}", flush=True)
    return result


def count_texts(ours: Run, rows: Rows, plan: Plan) -> int:
    """Return how many texts ours encodes in about so many seconds, in sixteens."""
    if plan.is_quick:
        return FEWEST_TEXTS // 2
    ours(rows)
    rate = len(rows.texts) / seconds_of(ours, rows)
    return max(FEWEST_TEXTS, int(rate * plan.seconds) // FEWEST_TEXTS * FEWEST_TEXTS)


def measure_all(engine: EngineName | None, workloads: list[str], plan: Plan) -> dict[str, Any]:
    """Measure every workload, and on the tweets of a size single texts, drift and the start of a process."""
    result: dict[str, Any] = {"rounds": plan.rounds, "threads": THREADS, "from": "token ids"}
    found: dict[str, Any] = {
        name: {} for name in ("workloads", "one_text", "drift", "checked", "cold_start_s", "failed")
    }
    with tempfile.TemporaryDirectory() as parent:
        for name in ("mini", "base"):
            mine = [workload for workload in workloads if workload.startswith(name)]
            if not mine:
                continue
            size = Size(model_folder(name, Path(parent)), engine)
            result |= size.arithmetic.facts()
            for workload in mine:
                print(f"{workload}: {size.arithmetic.facts()}", flush=True)
                found["workloads"][workload] = measure(size, workload.split()[1], plan)
            if f"{name} emotion" in mine:
                found["one_text"][name] = measure_one_text(size, plan)
                if not plan.is_quick:
                    found["cold_start_s"][name] = cold_start(size.folder)
                    if name == "mini":
                        found["drift"]["mini emotion"] = measure_drift(size, plan)
            found["checked"][name] = size.checked
            found["failed"] |= size.failed
    return result | found


def leads(result: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a workload says in one line: ours against the nearest exact peer, and its share of the peak."""
    said = {}
    for workload, one in result["workloads"].items():
        entries = one["contestants"]
        others = [name for name, entry in entries.items() if entry["kind"] == "exact"]
        # By the rounds' ratios: where the clock varies, medians name another.
        best = min(others, key=lambda name: entries[name]["ours_is_times"], default=EXACT)
        shown = {"limbeck": entries[OURS]["texts_per_s"], best: entries[best]["texts_per_s"]}
        said[workload] = shown | {"times": entries[best]["ours_is_times"], "share": entries[OURS]["share_of_peak"]}
    return said


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", default=None, choices=ENGINES, help="ours; what a user gets when not given")
    parser.add_argument("--name", default=None, help="of the result; the instruction set when not given")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.8, help="aim for our part of a round")
    parser.add_argument("--workloads", nargs="+", default=WORKLOADS, choices=WORKLOADS)
    parser.add_argument("--contestants", nargs="+", default=None, help="peers by name; see benchmarks/encoders.py")
    parser.add_argument("--everyone", action="store_true", help="also pipelines, sentence-transformers and the course")
    parser.add_argument("--quick", action="store_true", help="one round of eight texts; writes nothing")
    given = parser.parse_args()
    keep_to_two_cores()
    warnings.simplefilter("ignore")  # peers' own deprecations
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    plan = Plan(
        rounds=1 if given.quick else given.rounds,
        seconds=given.seconds,
        names=None if given.contestants is None else frozenset(given.contestants),
        everyone=given.everyone,
        is_quick=given.quick,
    )
    started = time.perf_counter()
    result = measure_all(given.engine, given.workloads, plan)
    result["minutes"] = round((time.perf_counter() - started) / 60, 1)
    if not given.quick:
        name = f"encode-{given.name or result['isa']}"
        print(f"written to {write_result(name, result, packages=PACKAGES)}")
    print(json.dumps(leads(result)))


if __name__ == "__main__":
    main()
