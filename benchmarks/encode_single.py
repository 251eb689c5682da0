"""What encoding costs beside its speed in bulk: milliseconds for one text, drift from float32, the start of a process.

In: a size and its contestants. Out: figures by contestant. It does not know batches.
"""

import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from encode_size import EXACT, OURS, PAUSE_S, Plan, Run, Size, in_batches, seconds_of
from workloads import corpus, validation_texts

from limbeck.inference.certificate import cosine_distances

PROBE_ROWS = 2000
"""Training rows that the probe sees whose changed answers are counted."""
ONE_TEXT = "i feel like i have to make the suffering i am seeing mean something to somebody i hardly even know"
WARM_UP_CALLS = 4
CALLS = 20
"""Single calls of one contestant in one round."""
COLD_START = """
import time; started = time.perf_counter()
import limbeck
from limbeck.features.text_encoder import load_encoder
load_encoder({folder!r}).encode(["i feel fine today"])
print(time.perf_counter() - started)
"""


def measure_one_text(size: Size, plan: Plan) -> dict[str, dict[str, float]]:
    """Return p50 and p99 of single calls: two threads for one text, rounds alternating."""
    text = size.rows([ONE_TEXT])
    encoders: dict[str, Run] = dict(size.own)
    for name, peer in size.peers.items():
        if plan.asks_for(name, peer.kind) and (encode := size.opened(name, 1)):
            encoders[name] = in_batches(encode)
    spent: dict[str, list[float]] = {name: [] for name in encoders}
    calls = 3 if plan.is_quick else CALLS
    for _ in range(plan.rounds):
        for name, encode in encoders.items():
            time.sleep(PAUSE_S)
            for _ in range(WARM_UP_CALLS):
                encode(text)
            spent[name] += [seconds_of(encode, text) * 1e3 for _ in range(calls)]
    found = {
        name: {
            "calls": len(values),
            "p50_ms": round(float(np.percentile(values, 50)), 3),
            "p99_ms": round(float(np.percentile(values, 99)), 3),
        }
        for name, values in spent.items()
    }
    for name, one in found.items():
        print(f"    one text of {len(text.tokenized.ids)} tokens: {name:44} {one['p50_ms']:8.2f} ms", flush=True)
    return {"tokens": len(text.tokenized.ids), "contestants": found}


def measure_drift(size: Size, plan: Plan) -> dict[str, dict[str, float]]:
    """Return how far vectors are from float32's, and how many labels a probe changes: ours, bf16 and int8."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    texts, labels = corpus("emotion")
    own = size.own
    probe = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=500))
    probe.fit(own[EXACT](size.rows(texts[:PROBE_ROWS])), labels[:PROBE_ROWS])
    checked = size.rows(validation_texts())
    exact_ND = own[EXACT](checked)
    encoders: dict[str, Run] = {OURS: own[OURS]}
    for name, peer in size.peers.items():
        # A pipeline's mean takes the padding in, so its vectors are others; those of float32 are checked when opened.
        is_near = name.startswith(("pipeline", "the course")) or "float32" in name
        if not is_near and plan.asks_for(name, peer.kind) and (encode := size.opened(name, peer.workers[0])):
            encoders[name] = in_batches(encode)
    found = {}
    for name, encode in encoders.items():
        found_ND = encode(checked)
        distances_N = cosine_distances(exact_ND, found_ND)
        found[name] = {
            "texts": len(distances_N),
            "worst_cosine": float(f"{distances_N.max():.3g}"),
            "mean_cosine": float(f"{distances_N.mean():.3g}"),
            "flips": float((probe.predict(exact_ND) != probe.predict(found_ND)).mean()),
        }
        print(f"    drift: {name:44} {found[name]}", flush=True)
    return found


def cold_start(folder: Path) -> float:
    """Return seconds from the first import to the first answer in a new process, the median of three."""
    spent = []
    for _ in range(3):
        script = COLD_START.format(folder=str(folder))
        run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
        spent.append(float(run.stdout))
    return round(statistics.median(spent), 3)
