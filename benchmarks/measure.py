"""What every benchmark shares: alternating rounds, the machine, the versions, the commit, one JSON file.

In: contestants, each a call that does the whole job once. Out: seconds a round and contestant, medians and ratios.
It does not know what is measured. Rounds alternate, so that a noisy neighbour hits every contestant alike.
"""

import json
import os
import platform
import statistics
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
ISAS = ("amx", "avx512bf16", "avx512", "avx2", "neonbf16", "neon", "portable", "soft", "default")
"""Instruction sets by our libraries' names, the best first; the last is torch's word for none of them."""
SHARED_DATA = Path(__file__).parents[2] / "shared" / "data"
"""Emotion and IMDb, read in place."""


def alternate(contestants: Mapping[str, Callable[[], object]], *, rounds: int) -> dict[str, list[float]]:
    """Return the seconds of each contestant in each round; every round runs each of them once, in order."""
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, run in contestants.items():
            started = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - started)
    return seconds


def summary(seconds: Mapping[str, list[float]], *, ours: str) -> dict[str, dict[str, Any]]:
    """Return median, spread and the ratio to ours (above 1: ours is faster) of each contestant."""
    base = statistics.median(seconds[ours])
    return {
        name: {
            "median_s": round(statistics.median(values), 4),
            "lowest_s": round(min(values), 4),
            "highest_s": round(max(values), 4),
            "rounds": len(values),
            "times_ours": round(statistics.median(values) / base, 2),
        }
        for name, values in seconds.items()
    }


def median_ratio(ones: Iterable[float], others: Iterable[float]) -> float:
    """Return the median of one / other over the rounds: neighbours in time meet the same noise."""
    return statistics.median(one / other for one, other in zip(ones, others, strict=True))


def write_result(name: str, result: Mapping[str, Any], *, packages: Iterable[str]) -> Path:
    """Write benchmarks/results/NAME.json with machine, versions and commit."""
    record = {**result, "machine": machine(), "versions": versions(packages), "commit": commit()}
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps(record, indent=2, ensure_ascii=False) + "\n", "utf-8")
    return path


def read_result(name: str) -> dict[str, Any]:
    """Read benchmarks/results/NAME.json."""
    found: dict[str, Any] = json.loads((RESULTS / f"{name}.json").read_text("utf-8"))
    return found


def read_results(kind: str) -> dict[str, dict[str, Any]]:
    """Read benchmarks/results/KIND-NAME.json of every machine and instruction set, by NAME, the best first."""
    found = {path.stem.removeprefix(f"{kind}-"): read_result(path.stem) for path in RESULTS.glob(f"{kind}-*.json")}
    return dict(sorted(found.items(), key=lambda one: (ISAS.index(one[1]["isa"]), one[0])))


def versions(packages: Iterable[str]) -> dict[str, str]:
    """Return the version of each package, or that it is not there."""
    found = {}
    for name in packages:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def machine() -> dict[str, Any]:
    """Describe this machine: processor, cores, memory, system, Python."""
    facts = Path("/proc/cpuinfo")
    lines = facts.read_text().splitlines() if facts.exists() else []
    flags = next((line.split(":")[1].split() for line in lines if line.startswith(("flags", "Features"))), [])
    return {
        "processor": next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), ""),
        "bf16_units": sorted(set(flags) & {"amx_bf16", "amx_int8", "avx512_bf16", "avx512_fp16", "bf16"}),
        "vector_units": sorted(set(flags) & {"avx2", "fma", "avx512f", "avx_vnni", "avx512_vnni", "asimd", "i8mm"}),
        "cores": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": platform.platform(),
        "python": platform.python_version(),
    }


def commit() -> str:
    """Return the commit that is measured; "+" when the tree differs from it, "" where git does not know."""
    here = Path(__file__).parent
    run = ["git", "-C", str(here)]
    try:
        head = subprocess.run([*run, "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return ""  # a copy of the files alone
    dirty = subprocess.run([*run, "status", "--porcelain", "--", "../src"], capture_output=True, text=True, check=True)
    return head.stdout.strip() + ("+" if dirty.stdout.strip() else "")
