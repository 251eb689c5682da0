"""How does the search for near-duplicates scale: time, memory, recall of planted pairs; does kill -9 leave its bytes?

Texts are drawn: 10 to 30 words of 30,000 made ones, the common ones often. One text in fifty is a copy of another with
one to six words replaced; the similarity of each such pair is computed the slow way, and the recall is told by bands of
similarity from 0.7 on. Every pair found below 0.7 would be told too (`false`: by the slow way, of 10,000 pairs found).
The texts lie in an Arrow file that is mapped to memory, not in memory. Each search is a process of its own, whose
greatest resident memory counts the mapped pages of that file.

`--ways disk memory` searches on disk, as more than a million texts are, and in memory, as fewer are. `--kills 10`
kills a search on disk at ten random moments, one after the other, and compares the bytes of the result. `--peers
PYTHON` runs datasketch and text-dedup, if that Python has them, on the same texts: both take the pairs of their bands
for found and check none; text-dedup compares sets of words, not of runs of characters, and the peaks of its three
processes are added.
Writes benchmarks/results/near.json after each step, one entry for each number of texts; entries of other runs stay.

    python benchmarks/near.py --texts 100000 --ways disk memory --kills 10 --peers VENV/bin/python
"""

import argparse
import hashlib
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from measure import RESULTS, read_result, write_result

PACKAGES = ("limbeck", "numpy", "pyarrow", "scipy")
SEED = 0
VOCABULARY = 30_000
PLANTED_EVERY = 50
BATCH_TEXTS = 65_536
EDGES = (0.7, 0.75, 0.8, 0.85, 0.9, 1.0001)
PEAK = """
from pathlib import Path
def peak_mib():
    lines = Path("/proc/self/status").read_text().splitlines()
    return round(next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024, 1)
"""
"""What each process begins with: its greatest resident memory is asked of the system, as that of resource counts the
process that started it too."""
SEARCH = """
import json, sys, time
from pathlib import Path
import numpy as np
import pyarrow as pa
from limbeck.auditing import near
from limbeck.auditing.distinct_texts import distinct_texts
from limbeck.auditing.near_on_disk import find_on_disk, opened_search
from limbeck.settings import NEAR_THRESHOLD
texts, root, way, pairs = sys.argv[1:]
imports = peak_mib()
wall, cpu = time.perf_counter(), time.process_time()
column = pa.ipc.open_file(pa.memory_map(texts)).read_all()["text"]
if way != "memory":
    different = distinct_texts(column)
    distinct_s = time.perf_counter() - wall
    with opened_search(different, Path(root), threshold=NEAR_THRESHOLD) as work:
        most_bytes = work.most_bytes
        found = find_on_disk(work)
    rows = different.rows_D[found.pairs]
else:
    near.MOST_IN_MEMORY = len(column)
    distinct_s, most_bytes = None, 0
    found = near.find_near_duplicates(column)
    rows = found.pairs
wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
np.save(pairs, rows)
print(json.dumps({
    "wall_s": round(wall, 2), "cpu_s": round(cpu, 2), "distinct_s": distinct_s and round(distinct_s, 2),
    "texts_per_s": round(len(column) / wall),
    "peak_mib": peak_mib(), "imports_mib": imports,
    "disk_mib": round(most_bytes / 2**20, 1),
    "pairs": len(rows), "checked": found.checked, "chained": found.chained,
}))
"""
DATASKETCH = """
import json, sys, time
import numpy as np
import pyarrow as pa
from datasketch import MinHash, MinHashLSH
from importlib.metadata import version
texts, pairs = sys.argv[1:]
wall, cpu = time.perf_counter(), time.process_time()
column = pa.ipc.open_file(pa.memory_map(texts)).read_all()["text"].to_pylist()
index = MinHashLSH(threshold=0.7, num_perm=128)
found, sketches = [], {}
for place, text in enumerate(column):
    runs = {text[start : start + 5].encode() for start in range(max(1, len(text) - 4))}
    sketch = MinHash(num_perm=128)
    sketch.update_batch(runs)
    found += [(other, place) for other in index.query(sketch)]
    index.insert(place, sketch)
wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
np.save(pairs, np.array(found, np.int64).reshape(-1, 2))
print(json.dumps({
    "version": version("datasketch"), "wall_s": round(wall, 2), "cpu_s": round(cpu, 2),
    "texts_per_s": round(len(column) / wall),
    "peak_mib": peak_mib(), "pairs": len(found),
}))
"""

TEXT_DEDUP = """
import json, os, resource, sys, time
from importlib.metadata import version
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
texts, groups, folder = sys.argv[1:]
os.makedirs(folder)
os.chdir(folder)
column = pa.ipc.open_file(pa.memory_map(texts)).read_all()["text"]
pq.write_table(pa.table({"text": column.cast(pa.string())}), "texts.parquet")
from text_dedup import minhash
wall, cpu = time.perf_counter(), sum(os.times()[:4])
minhash.main(
    "--path parquet --data_files texts.parquet --split train --output output --column text --threshold 0.7 --ngram 1"
    " --num_proc 2".split(), standalone_mode=False
)
wall, cpu = time.perf_counter() - wall, sum(os.times()[:4]) - cpu
np.save(groups, np.array([minhash.uf.find(row) for row in range(len(column))]))
of_children = 2 * resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
print(json.dumps({
    "version": version("text-dedup"), "wall_s": round(wall, 2), "cpu_s": round(cpu, 2),
    "texts_per_s": round(len(column) / wall),
    "peak_mib": round(peak_mib() + of_children, 1),
}))
"""


def draw_texts(texts: int, path: Path) -> dict[str, np.ndarray]:
    """Write drawn texts to an Arrow file; return the planted pairs, (P, 2), and their similarity, (P,)."""
    draw = np.random.default_rng(SEED)
    letters = np.array(list("etaoinshrdlucmfwypvbgkjqxz"))
    words = ["".join(draw.choice(letters, size)) for size in draw.integers(2, 10, VOCABULARY)]
    chances = 1 / (np.arange(VOCABULARY) + 20)
    ends = np.cumsum(chances / chances.sum())
    planted = texts // PLANTED_EVERY
    bases = texts - planted
    sources = np.sort(draw.choice(bases, planted, replace=False))
    place_of = draw.permutation(texts)
    kept: list[str] = []
    column: list[str] = [""] * texts
    wanted = iter([*sources.tolist(), -1])
    source = next(wanted)
    for start in range(0, bases, BATCH_TEXTS):
        sizes = draw.integers(10, 31, min(BATCH_TEXTS, bases - start))
        drawn = np.searchsorted(ends, draw.random(int(sizes.sum()))).clip(max=VOCABULARY - 1).tolist()
        at = 0
        for number, size in enumerate(sizes.tolist(), start):
            text = " ".join([words[word] for word in drawn[at : at + size]])
            at += size
            column[place_of[number]] = text
            if number == source:
                kept.append(text)
                source = next(wanted)
    similarity = np.zeros(planted)
    for number, text in enumerate(kept):
        copy = text.split()
        for place in draw.choice(len(copy), int(draw.integers(1, 7)), replace=False):
            copy[place] = words[int(np.searchsorted(ends, draw.random()).clip(max=VOCABULARY - 1))]
        column[place_of[bases + number]] = " ".join(copy)
        # A word may be replaced by itself: an equal text is no near-duplicate.
        similarity[number] = slow_similarity(text, " ".join(copy)) if text.split() != copy else 0.0
    schema = pa.schema([("text", pa.large_string())])
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, schema) as writer:
        for start in range(0, texts, BATCH_TEXTS):
            writer.write_batch(
                pa.record_batch([pa.array(column[start : start + BATCH_TEXTS], pa.large_string())], schema)
            )
    pairs = np.sort(np.stack([place_of[sources], place_of[bases + np.arange(planted)]], axis=1), axis=1)
    return {"pairs": pairs, "similarity": similarity}


def slow_similarity(one: str, other: str) -> float:
    """Return the Jaccard similarity of five-character runs by its definition; these texts need no folding."""
    here, there = ({text[start : start + 5] for start in range(max(1, len(text) - 4))} for text in (one, other))
    return len(here & there) / len(here | there)


def recall_of(found: np.ndarray, truth: dict[str, np.ndarray], texts: int) -> dict[str, Any]:
    """Say which share of the planted pairs was found, by their similarity."""
    keys = np.unique(np.sort(found, axis=1) @ np.array([texts, 1]))
    is_found = np.isin(truth["pairs"] @ np.array([texts, 1]), keys)
    similarity = truth["similarity"]
    reached = similarity >= EDGES[0]
    by_similarity = {}
    for low, high in pairwise(EDGES):
        here = (similarity >= low) & (similarity < high)
        by_similarity[f"{low:g}"] = {"pairs": int(here.sum()), "recall": round(float(is_found[here].mean()), 4)}
    return {
        "planted": int(reached.sum()),
        "recall": round(float(is_found[reached].mean()), 4),
        "by_similarity_from": by_similarity,
    }


def false_pairs(found: np.ndarray, path: Path) -> int:
    """Count the pairs below the threshold among 10,000 of those found."""
    column = pa.ipc.open_file(pa.memory_map(str(path))).read_all()["text"]
    some = found[np.random.default_rng(SEED).permutation(len(found))[:10_000]]
    return sum(slow_similarity(column[one].as_py(), column[other].as_py()) < EDGES[0] for one, other in some.tolist())


def run_child(python: str, script: str, *words: str) -> dict[str, Any]:
    """Run a script in a process of its own; return what it printed."""
    run = subprocess.run([python, "-c", PEAK + script, *words], capture_output=True, text=True, check=True)
    facts: dict[str, Any] = json.loads(run.stdout.splitlines()[-1])
    return facts


def result_digest(root: Path) -> str:
    """Return the SHA-256 of the one result in a folder of searches."""
    (found,) = root.glob("*/found")
    return hashlib.sha256(found.read_bytes()).hexdigest()


def killed(folder: Path, whole_s: float, kills: int) -> dict[str, Any]:
    """Kill a search at random moments of what is left to do, let the last one end, and compare the bytes."""
    drawing = random.Random(SEED)  # noqa: S311
    words = [str(folder / "texts.arrow"), str(folder / "killed"), "disk", str(folder / "pairs.npy")]
    done = 0
    for _ in range(kills):
        child = subprocess.Popen([sys.executable, "-c", PEAK + SEARCH, *words], stdout=subprocess.DEVNULL)
        time.sleep(drawing.uniform(0.2, 1.0) * whole_s / (kills / 2))
        child.send_signal(signal.SIGKILL)
        done += child.wait() == -signal.SIGKILL
    last = run_child(sys.executable, SEARCH, *words)
    return {
        "kills": done,
        "last_wall_s": last["wall_s"],
        "equal_bytes": result_digest(folder / "killed") == result_digest(folder / "disk"),
    }


def measured(
    texts: int, ways: Sequence[str], kills: int, peers: str | None, folder: Path
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Search drawn texts by each way; after each step, yield its name and everything until then."""
    truth = draw_texts(texts, folder / "texts.arrow")
    result: dict[str, Any] = {"arrow_mib": round((folder / "texts.arrow").stat().st_size / 2**20, 1)}
    for way in ways:
        words = [str(folder / "texts.arrow"), str(folder / way), way, str(folder / f"{way}.npy")]
        facts = run_child(sys.executable, SEARCH, *words)
        found = np.load(folder / f"{way}.npy")
        result[way] = {
            **facts,
            "false": false_pairs(found, folder / "texts.arrow"),
            **recall_of(found, truth, texts),
        }
        if {"disk", "memory"} <= result.keys():
            both = (np.load(folder / f"{one}.npy") for one in ("disk", "memory"))
            result["equal_pairs"] = bool(np.array_equal(*both))
        yield way, result
    if kills:
        result["killed"] = killed(folder, result["disk"]["wall_s"], kills)
        yield "killed", result
    if peers:
        arrow = str(folder / "texts.arrow")
        facts = run_child(peers, DATASKETCH, arrow, str(folder / "pairs.npy"))
        result["datasketch"] = {**facts, **recall_of(np.load(folder / "pairs.npy"), truth, texts)}
        yield "datasketch", result
        facts = run_child(peers, TEXT_DEDUP, arrow, str(folder / "groups.npy"), str(folder / "text-dedup"))
        groups = np.load(folder / "groups.npy")
        together = truth["pairs"][groups[truth["pairs"][:, 0]] == groups[truth["pairs"][:, 1]]]
        merged = int(texts - len(np.unique(groups)))
        result["text-dedup"] = {**facts, "texts_removed": merged, **recall_of(together, truth, texts)}
        yield "text-dedup", result


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=int, default=100_000)
    parser.add_argument("--ways", nargs="+", choices=["disk", "memory"], default=["disk"])
    parser.add_argument("--kills", type=int, default=0)
    parser.add_argument("--peers", help="a Python that has datasketch and text-dedup")
    parser.add_argument("--folder", type=Path, help="where to work; some 1 KB per text is needed")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        for step, result in measured(given.texts, given.ways, given.kills, given.peers, Path(folder)):
            print(json.dumps({step: result[step]}), flush=True)
            before = read_result("near")["texts"] if (RESULTS / "near.json").exists() else {}
            write_result("near", {"seed": SEED, "texts": {**before, str(given.texts): result}}, packages=PACKAGES)
    print(f"written to {RESULTS / 'near.json'}")


if __name__ == "__main__":
    main()
