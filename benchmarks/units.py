"""Does work in units survive kills to the same bytes?

    python benchmarks/units.py RUN --kill worker --trials 30     kill -9 of a worker at a random moment
    python benchmarks/units.py RUN --kill driver --trials 30     kill -9 of the command itself, then the same again
    python benchmarks/units.py RUN --kill node --on ray          kill -9 of a machine: a raylet and what it started
    python benchmarks/units.py RUN --kill node --on spark        the same: an executor

RUN is any model. Texts are drawn: tweets of 1 to 24 words. Each trial answers the same files into a folder of its own;
its parts are compared, byte for byte, with those of a run that nobody disturbed. With --kills 5 a trial has so many
kills, one after another. SPARK_MASTER='local-cluster[2,1,1024]' gives Spark two executors on this machine; for Ray a
cluster of three machines is started here. Prints one line of JSON, which trials also write into results/units.json,
beside those of other engines and kinds of kills, and ends with status 1 when a trial failed. A trial that is over early
has fewer kills than it should: --until-killed 30 makes trials, --trials at most, until there were so many. What work in
units costs beside one process is measured by units_rates.py.
"""

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from measure import RESULTS, commit, machine, read_result, versions, write_result
from units_ray import ray_cluster

from limbeck.scale.parts_folder import PartsFolder

WORDS = [
    "i",
    "feel",
    "so",
    "very",
    "fine",
    "sad",
    "happy",
    "angry",
    "today",
    "it",
    "is",
    "the",
    "rain",
    "sun",
    "and",
    "you",
    "are",
    "not",
    "what",
    "we",
    "want",
    "to",
    "be",
]
FILES = 4
PACKAGES = {"processes": ("torch",), "ray": ("torch", "ray"), "spark": ("torch", "pyspark")}
"""Whose versions stand beside the figures of an engine."""


def write_texts(folder: Path, rows: int) -> None:
    """Write drawn texts into a few files, in row groups of 10,000 rows."""
    drawn = random.Random(3)  # noqa: S311  # texts, not secrets
    folder.mkdir(parents=True)
    for file in range(FILES):
        count = rows // FILES
        texts = [" ".join(drawn.choices(WORDS, k=drawn.randint(1, 24))) for _ in range(count)]
        table = pa.table({"id": pa.array(range(file * count, (file + 1) * count)), "text": texts})
        pq.write_table(table, folder / f"texts-{file}.parquet", row_group_size=10_000)


def command(args: argparse.Namespace, texts: Path, out: Path) -> list[str]:
    """Return the command line of one run."""
    words = [sys.executable, "-m", "limbeck", "predict", args.run, "--input", texts, "--out", out, "--quiet", "--json"]
    words += ["--on", args.on]
    if args.on == "processes":
        words += ["--workers", args.workers, "--threads", args.threads]
    words += ["--unit-tokens", args.unit_tokens]
    return [str(word) for word in words]


def children_of(pid: int) -> list[int]:
    """Return the processes that a process started."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
        except (OSError, ValueError):
            continue
        if parent == pid:
            found.append(int(stat.parent.name))
    return found


def bytes_of(out: Path) -> dict[str, bytes]:
    """Return each part, by its name."""
    return {path.name: path.read_bytes() for path in out.glob("part-*")}


def finished_in(out: Path) -> int:
    """Return how many units have a record."""
    return len(list((PartsFolder(out).state / "units").glob("part-*.json")))


def descendants_of(pid: int) -> list[int]:
    """Return the processes that a process started, and those that these started."""
    children = children_of(pid)
    return [*children, *(below for child in children for below in descendants_of(child))]


def words_of(pid: int) -> str:
    """Return the command line of a process; nothing where it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    except OSError:
        return ""


def workers_on_spark(pid: int) -> list[int]:
    """Return the processes of Python in which Spark's tasks compute."""
    daemons = [one for one in descendants_of(pid) if "pyspark.daemon" in words_of(one)]
    return [worker for daemon in daemons for worker in children_of(daemon)]


def executors_of_spark(pid: int) -> list[int]:
    """Return the executors: what is lost with a machine."""
    return [one for one in descendants_of(pid) if "CoarseGrainedExecutorBackend" in words_of(one)]


VICTIMS: dict[tuple[str, str], Callable[[int], list[int]]] = {
    ("processes", "worker"): children_of,
    ("spark", "worker"): workers_on_spark,
    ("spark", "node"): executors_of_spark,
}
"""Whom a kill can meet, by engine and kind; of the process that is the command. Those of Ray are its cluster's."""
KINDS = {*VICTIMS, ("ray", "worker"), ("ray", "node"), *((on, "driver") for on in ("processes", "ray", "spark"))}


def victims(args: argparse.Namespace, pid: int) -> list[tuple[int, ...]]:
    """Return whom a kill can meet now, those together that die together."""
    if args.kill == "driver":
        return [(pid,)]
    if args.on == "ray":
        return list(args.cluster.workers() if args.kill == "worker" else args.cluster.machines())
    return [(one,) for one in VICTIMS[args.on, args.kill](pid)]


def kill_in(started: "subprocess.Popen[bytes]", args: argparse.Namespace, after_s: float) -> bool:
    """Kill after some time, or as soon as there is somebody to kill; tell whether somebody was."""
    time.sleep(after_s)
    while started.poll() is None:
        if found := victims(args, started.pid):
            met = False
            for one in random.choice(found):  # noqa: S311  # a worker, not a secret
                with suppress(ProcessLookupError):
                    os.kill(one, signal.SIGKILL)
                    met = True
            if met:
                return True
        time.sleep(0.05)
    return False


def run_trial(args: argparse.Namespace, texts: Path, out: Path, pauses_s: list[float]) -> dict[str, Any]:
    """Kill after each pause, go on to the end, and say what came of it."""
    shutil.rmtree(out, ignore_errors=True)
    if args.on == "ray":
        args.cluster.repair()
    killed, starts, before, said, code = 0, 0, 0, b"", 1
    pauses = iter(pauses_s)
    while code and starts <= len(pauses_s) + 1:
        starts += 1
        before = finished_in(out)
        started = subprocess.Popen(command(args, texts, out), stdout=subprocess.PIPE)  # our own command
        for pause_s in pauses:
            killed += kill_in(started, args, pause_s)
            if args.kill == "driver":
                break
        said, _ = started.communicate()
        code = started.returncode
    told = json.loads(said) if said and not code else {}
    return {"killed": killed, "starts": starts, "status": code, "before": before, "computed": told.get("computed")}


def kill_trials(args: argparse.Namespace, place: Path) -> dict[str, Any]:
    """Run the trials; what came of those until now is written after each."""
    texts = place / "texts"
    write_texts(texts, args.rows)
    started = time.monotonic()
    subprocess.run(command(args, texts, place / "WHOLE"), check=True, stdout=subprocess.DEVNULL)  # as above
    whole_s = time.monotonic() - started
    whole, drawn = bytes_of(place / "WHOLE"), random.Random(args.seed)  # noqa: S311  # moments, not secrets
    equal = killed = starts = redone_most = 0
    found: dict[str, Any] = {}
    for trial in range(1, args.trials + 1):
        # Where the plan is new its units are measured anew, so every trial has the size of the first one's units.
        pauses = [drawn.uniform(0.5, whole_s) for _ in range(args.kills)]
        if args.kill != "driver":
            pauses[1:] = [pause / args.kills for pause in pauses[1:]]
        told = run_trial(args, texts, place / "PARTS", pauses)
        killed, starts = killed + told["killed"], starts + told["starts"]
        is_equal = told["status"] == 0 and bytes_of(place / "PARTS") == whole
        equal += is_equal
        if told["starts"] > 1 and told["computed"] is not None:
            redone_most = max(redone_most, told["computed"] - (len(whole) - told["before"]))
        print(json.dumps({**told, "byte_equal": is_equal}), file=sys.stderr)
        found = {
            "on": args.on,
            "kill": args.kill,
            "trials": trial,
            "killed": killed,
            "starts": starts,
            "byte_equal": equal,
            "units": len(whole),
            "finished_units_redone": redone_most,
        }
        keep(found)
        if args.until_killed and killed >= args.until_killed:
            break
    return found


def keep(found: dict[str, Any]) -> None:
    """Write trials into results/units.json, beside those of other engines and kinds of kills."""
    known = read_result("units")["trials"] if (RESULTS / "units.json").is_file() else {}
    about = {"versions": versions(PACKAGES[found["on"]]), "commit": commit(), "machine": machine()}
    trials = {**known, f"{found['on']}, {found['kill']}": {**found, **about}}
    write_result("units", {"trials": dict(sorted(trials.items()))}, packages=["limbeck"])


def main() -> None:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run")
    parser.add_argument("--on", choices=sorted({on for on, _ in KINDS}), default="processes")
    parser.add_argument("--kill", choices=sorted({kill for _, kill in KINDS}), required=True)
    parser.add_argument("--trials", type=int, default=30)
    parser.add_argument("--kills", type=int, default=1, help="in each trial")
    parser.add_argument("--until-killed", type=int, help="in all")
    parser.add_argument("--rows", type=int, default=4_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument(
        "--unit-tokens", type=int, required=True, help="parts are compared, so every trial must have the same units"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--place", type=Path, required=True, help="a folder for texts and parts; must not exist")
    args = parser.parse_args()
    if (args.on, args.kill) not in KINDS:
        parser.error(f"--on {args.on} has no {args.kill}")
    with ExitStack() as held:
        args.cluster = held.enter_context(ray_cluster()) if args.on == "ray" else None
        found = kill_trials(args, args.place)
    print(json.dumps(found))
    if found["byte_equal"] < found["trials"]:
        sys.exit(1)


if __name__ == "__main__":
    main()
