"""What does work in units cost beside one process, does it use all cores, and is its memory flat?

    python benchmarks/units_rates.py RUN [--rows 64000 --rounds 5] [--long 1000000] [--place FOLDER]

RUN is any model. Texts are drawn: tweets of 1 to 24 words. Four commands answer the same rows in turn: `predict` in one
process with two threads and without units; units by one worker with two threads, by two with one each, and by one with
one. Start and loading are in the seconds; how long each takes for 64 rows stands beside them, and so does the rate of
the rows after these. Units are small here, 60,000 tokens, so that all workers end together. Then --long rows go through
two workers with units of the usual size, and the memory of all processes is looked at every two seconds: pages that
they share are counted in each (RSS). Writes results/units_rates.json, unless --quick; with --rounds 0 or --long 0 only
the other half, and keeps what is there of this one.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.dataset as ds
import pyarrow.parquet as pq
from measure import RESULTS, alternate, commit, machine, median_ratio, read_result, summary, versions, write_result
from units import children_of, write_texts

FEW_ROWS = 64
UNIT_TOKENS = 60_000
WAYS = {
    "one process": [],  # all cores are its own
    "units, 1 worker of 2 threads": ["--workers", "1", "--threads", "2"],
    "units, 2 workers of 1 thread": ["--workers", "2", "--threads", "1"],
    "units, 1 worker of 1 thread": ["--workers", "1", "--threads", "1"],
}
LOOK_EVERY_S = 2.0
FIRST_S = 60.0
"""Until then memory may grow: models are loaded and the first units are read."""


def texts_of(place: Path, rows: int) -> dict[bool, Path]:
    """Write drawn texts: as a folder of files for units (True), and as one file for one process (False)."""
    folder, file = place / f"texts-{rows}", place / f"whole-{rows}.parquet"
    write_texts(folder, rows)
    pq.write_table(ds.dataset(sorted(map(str, folder.glob("*.parquet")))).to_table(), file)
    return {True: folder, False: file}


def command(run: str, texts: Path, out: Path, flags: list[str]) -> list[str]:
    """Return the command line that answers all rows."""
    words = [sys.executable, "-m", "limbeck", "predict", run, "--input", texts, "--quiet", *flags, "--out", out]
    return [str(word) for word in words]


def contestant(run: str, texts: dict[bool, Path], place: Path, flags: list[str]) -> Callable[[], None]:
    """Return a call that answers all rows once; without flags in one process, without units."""
    units = ["--unit-tokens", str(UNIT_TOKENS)] if flags else []
    out = place / ("PARTS" if flags else "ANSWERS.parquet")
    words = command(run, texts[bool(flags)], out, [*flags, *units])

    def answer() -> None:
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        subprocess.run(words, check=True, stdout=subprocess.DEVNULL, env=environment())  # our own command
        require_all_rows(out, pq.read_metadata(texts[False]).num_rows)

    return answer


def require_all_rows(out: Path, rows: int) -> None:
    """Refuse answers that are not those of each row once, in order."""
    files = sorted(map(str, out.glob("*.parquet"))) if out.is_dir() else [str(out)]
    if ds.dataset(files).to_table(columns=["id"])["id"].to_pylist() != list(range(rows)):
        raise RuntimeError(f"{out} does not hold {rows} rows in order")


def environment() -> dict[str, str]:
    """Return the environment without a number of threads that was meant for others."""
    return {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}


def rates(args: argparse.Namespace, place: Path) -> dict[str, Any]:
    """Let all answer the same rows, round after round, and then a few rows for the start."""
    seconds: dict[int, dict[str, list[float]]] = {}
    for rows in (FEW_ROWS, args.rows):
        texts = texts_of(place, rows)
        calls = {name: contestant(args.run, texts, place / "out", flags) for name, flags in WAYS.items()}
        if rows == FEW_ROWS:
            alternate(calls, rounds=1)  # what is compiled or measured once is there then
        seconds[rows] = alternate(calls, rounds=args.rounds)
    first, *_ = WAYS
    told = summary(seconds[args.rows], ours=first)
    for name, one in told.items():
        start_s = summary(seconds[FEW_ROWS], ours=first)[name]["median_s"]
        one["start_s"] = start_s
        one["rows_per_s"] = round(args.rows / one["median_s"])
        one["rows_per_s_after_start"] = round((args.rows - FEW_ROWS) / (one["median_s"] - start_s))
        one["times_one_process"] = round(median_ratio(seconds[args.rows][name], seconds[args.rows][first]), 3)
    return {"rows": args.rows, "unit_tokens": UNIT_TOKENS, "ways": told}


def held_mib(pid: int) -> float:
    """Return the memory that a process holds; 0 where it is gone."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
    except (OSError, IndexError):
        return 0.0


def long_run(args: argparse.Namespace, place: Path) -> dict[str, Any]:
    """Answer many rows by two workers, and look at the memory of all processes."""
    write_texts(place / "long", args.long)
    words = command(args.run, place / "long", place / "PARTS", WAYS["units, 2 workers of 1 thread"])
    started = time.monotonic()
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, env=environment())  # our own command
    seen: list[tuple[float, float]] = []
    while process.poll() is None:
        held = sum(map(held_mib, (process.pid, *children_of(process.pid))))
        seen.append((time.monotonic() - started, held))
        time.sleep(LOOK_EVERY_S)
    spent_s = time.monotonic() - started
    if process.returncode:
        raise RuntimeError(f"{words} ended with {process.returncode}")
    require_all_rows(place / "PARTS", args.long)
    first = max((held for at, held in seen if at < FIRST_S), default=0.0)
    later = max((held for at, held in seen if at >= FIRST_S), default=first)
    return {
        "rows": args.long,
        "parts": len(list((place / "PARTS").glob("*.parquet"))),
        "seconds": round(spent_s, 1),
        "rows_per_s": round(args.long / spent_s),
        "mib_first_minute": round(first),
        "mib_later": round(later),
        "growth": round(later / first, 3),
        "mib_by_minute": [
            round(max((held for at, held in seen if minute <= at / 60 < minute + 1), default=0.0))
            for minute in range(int(spent_s / 60) + 1)
        ],
    }


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run")
    parser.add_argument("--rows", type=int, default=64_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--long", type=int, default=1_000_000)
    parser.add_argument("--place", type=Path, help="an empty folder for texts and parts; else one that is removed")
    parser.add_argument("--quick", action="store_true", help="write no result")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="units-rates-") as made:
        place = args.place or Path(made)
        place.mkdir(parents=True, exist_ok=True)
        if args.rounds:
            keep("rates", rates(args, place), quick=args.quick)
        if args.long:
            keep("long", long_run(args, place), quick=args.quick)


def keep(name: str, found: dict[str, Any], *, quick: bool) -> None:
    """Print what was found, and write it into results/units_rates.json beside what the other half found."""
    print(json.dumps(found), flush=True)
    if quick:
        return
    known = read_result("units_rates") if (RESULTS / "units_rates.json").is_file() else {}
    others = {key: known[key] for key in ("rates", "long") if key in known}
    about = {"versions": versions(["torch", "pyarrow"]), "commit": commit(), "machine": machine()}
    print(f"written to {write_result('units_rates', {**others, name: {**found, **about}}, packages=['limbeck'])}")


if __name__ == "__main__":
    main()
