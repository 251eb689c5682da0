"""How fast, and in how much memory, are 1,000,000 short rows of CSV read? limbeck.read beside pandas.read_csv.

Both read the same file, made here with a seed. Each reading is a process of its own; rounds alternate. limbeck checks
every row (cells, bytes, empty texts, labels, row ids, the label map); pandas parses, and checks none of it.
Writes benchmarks/results/read.json: seconds of wall and processor time, rows a second, and peak memory of the process
above what its imports took.

    python benchmarks/read.py [--rows N] [--rounds N]
"""

import argparse
import csv
import json
import random
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from measure import SHARED_DATA, write_result

MEASURED = """
import json, resource, sys, time
{imports}
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
before, wall, cpu = peak(), time.perf_counter(), time.process_time()
data = {call}
facts = {{"wall_s": time.perf_counter() - wall, "cpu_s": time.process_time() - cpu, "peak_bytes": peak() - before}}
print(json.dumps({{**facts, "rows": len(data), "imports_bytes": before}}))
"""
CONTESTANTS = {
    "limbeck.read": MEASURED.format(imports="from limbeck.reading.read import read", call="read(sys.argv[1])"),
    "pandas.read_csv": MEASURED.format(imports="import pandas", call="pandas.read_csv(sys.argv[1])"),
}
WORDS = (  # noqa: SIM905 # a sentence is easier to read than a list
    "i feel so very happy sad angry about this and that because we were there today never minding what others said "
    "who would have thought that it could come to such an end without anybody noticing the smallest thing"
).split()


def make_csv(path: Path, rows: int) -> None:
    """Write short labelled rows, some of them with commas and quotes."""
    draw = random.Random(0)  # noqa: S311 # no secret: the same rows each time
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label"])
        for row in range(rows):
            text = " ".join(draw.choices(WORDS, k=draw.randint(4, 18)))
            writer.writerow([f'{text}, "{row}"' if row % 5 == 0 else text, draw.choice(("joy", "sadness", "anger"))])


def measure(script: str, path: Path) -> dict[str, Any]:
    """Run one reading in a process of its own."""
    run = subprocess.run([sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=True)
    facts: dict[str, Any] = json.loads(run.stdout)
    return facts


def compare(path: Path, rounds: int) -> dict[str, dict[str, Any]]:
    """Return medians of each contestant."""
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in CONTESTANTS}
    for _ in range(rounds):
        for name, script in CONTESTANTS.items():
            found[name].append(measure(script, path))
    return {name: medians(facts) for name, facts in found.items()}


def medians(facts: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the medians of several readings."""
    middle = {key: statistics.median(fact[key] for fact in facts) for key in facts[0]}
    return {
        "rows": int(middle["rows"]),
        "wall_s": round(middle["wall_s"], 3),
        "wall_s_range": [round(extreme(fact["wall_s"] for fact in facts), 3) for extreme in (min, max)],
        "cpu_s": round(middle["cpu_s"], 3),
        "rows_per_s": round(middle["rows"] / middle["wall_s"]),
        "peak_mib_above_imports": round(middle["peak_bytes"] / 2**20, 1),
        "rounds": len(facts),
    }


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.csv"
        make_csv(path, arguments.rows)
        result: dict[str, Any] = {
            "file_mib": round(path.stat().st_size / 2**20, 1),
            "csv": compare(path, arguments.rounds),
        }
    real = {"emotion (text;label)": SHARED_DATA / "emotion", "imdb (Parquet)": SHARED_DATA / "imdb"}
    script = CONTESTANTS["limbeck.read"]
    result["real"] = {
        name: medians([measure(script, source) for _ in range(arguments.rounds)])
        for name, source in real.items()
        if source.is_dir()
    }
    written = write_result("read", result, packages=["pyarrow", "pandas"])
    print(json.dumps(result, indent=2))
    print(f"written to {written}")


if __name__ == "__main__":
    main()
