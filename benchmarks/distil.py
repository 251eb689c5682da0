"""How much of a teacher does a student keep, and how much faster is it? By the command line, as a user would find out.

    python benchmarks/distil.py --runs FOLDER               emotion: 3, 2, 1 layers, 3 seeds; ablation
    python benchmarks/distil.py --runs FOLDER --job imdb    IMDb, cut at 256 tokens
    python benchmarks/distil.py --runs FOLDER --quick       a few rows and one seed: does it run

General distillation, before any task, is in distil_general.py.

Every training is a run folder under FOLDER; what is finished there is not done again, what was interrupted goes on. The
teacher is the embedded encoder, fine-tuned. Nothing is chosen on the test split: it is scored once a model, at the end.
Writes benchmarks/results/distil_JOB.json.
"""

import argparse
import json
import statistics
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from measure import SHARED_DATA, write_result

LIMBECK = Path(sys.executable).with_name("limbeck")
STUDENTS = ((3, True), (3, False), (2, True), (1, True))
"""Of emotion: layers, and whether the vocabulary is pruned."""
QUICK_ROWS = {"train": 600, "val": 200, "test": 200}


@dataclass(frozen=True, kw_only=True)
class Job:
    """What is measured.

    Attributes:
        name: of the result.
        data: labelled rows.
        train: flags of the teacher's training.
        distil: flags of every student.
        students: their layers, and whether their vocabulary is pruned.
        seeds: of each.
    """

    name: str
    data: Path
    train: tuple[str, ...]
    distil: tuple[str, ...]
    students: tuple[tuple[int, bool], ...]
    seeds: tuple[int, ...]


def run(words: Sequence[object], out: Path, *, done: Path | None = None) -> dict[str, Any]:
    """Run a command that leaves a run folder, unless it is finished; return its figures."""
    if not (done or out / "metrics.json").exists():
        command = [str(LIMBECK), *map(str, words), "--out", str(out), "--resume"]
        print("$", " ".join(command), file=sys.stderr, flush=True)
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    return json.loads((out / "metrics.json").read_text("utf-8"))


def score_test(folder: Path, data: Path) -> float:
    """Return the accuracy on the test split; asked once and kept beside the run."""
    kept = folder.parent / f"{folder.name}.test.json"
    if not kept.exists():
        command = [str(LIMBECK), "evaluate", str(folder), str(data), "--split", "test", "--json"]
        ended = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
        kept.write_text(ended.stdout, "utf-8")
    return float(json.loads(kept.read_text("utf-8"))["test"]["accuracy"])


def measure(job: Job, runs: Path) -> dict[str, Any]:
    """Train the teacher, every student and the ablation, and sum them up."""
    teacher = runs / "teacher"
    taught = run(["train", job.data, "--method", "finetune", *job.train], teacher)
    teacher_test = score_test(teacher, job.data)
    students = []
    for layers, pruned in job.students:
        found = []
        for seed in job.seeds:
            out = runs / f"layers-{layers}{'-pruned' if pruned else ''}-seed-{seed}"
            flags = ["--layers", layers, "--seed", seed, *(["--prune-vocabulary"] if pruned else []), *job.distil]
            metrics = run(["distil", teacher, job.data, *flags], out)
            found.append({**summary(metrics), "test_accuracy": score_test(out, job.data)})
        students.append({"layers": layers, "pruned": pruned, "seeds": found, **means(found, teacher_test)})
    out = runs / "ablation"
    flags = ["--layers", job.students[0][0], *job.distil, "--ablation"]
    run(["distil", teacher, job.data, *flags], out, done=out / "ablation.json")
    return {
        "data": job.name,
        "teacher": {
            "validation_accuracy": taught["validation"]["accuracy"],
            "test_accuracy": teacher_test,
            "train_seconds": taught["train_seconds"],
        },
        "students": students,
        "ablation": json.loads((out / "ablation.json").read_text("utf-8")),
    }


def summary(metrics: dict[str, Any]) -> dict[str, Any]:
    """Keep the figures that are compared."""
    return {
        "teacher_accuracy": metrics["teacher"]["validation"]["accuracy"],
        "accuracy": metrics["student"]["validation"]["accuracy"],
        "accuracy_kept": round(metrics["accuracy_kept"], 4),
        "teacher_parameters": metrics["teacher"]["parameters"],
        "parameters": metrics["student"]["parameters"],
        "vocabulary": metrics["student"]["vocabulary"],
        "speedup": round(metrics["speedup"], 3),
        "engine": metrics["speed"]["engine"],
        "train_seconds": metrics["train_seconds"],
    }


def means(found: list[dict[str, Any]], teacher_test: float) -> dict[str, Any]:
    """Return means over the seeds; of speeds the median, and the lowest beside."""
    kept = [one["accuracy_kept"] for one in found]
    speeds = [one["speedup"] for one in found]
    test = statistics.fmean(one["test_accuracy"] for one in found)
    return {
        "accuracy_kept": round(statistics.fmean(kept), 4),
        "accuracy_kept_lowest": min(kept),
        "test_accuracy": round(test, 4),
        "test_accuracy_kept": round(test / teacher_test, 4),
        "speedup": statistics.median(speeds),
        "speedup_lowest": min(speeds),
        "fewer_parameters": round(1 - found[0]["parameters"] / found[0]["teacher_parameters"], 4),
    }


def quick_data(folder: Path) -> Path:
    """Write the first rows of emotion."""
    for split, rows in QUICK_ROWS.items():
        lines = (SHARED_DATA / "emotion" / f"{split}.txt").read_text("utf-8").splitlines(keepends=True)[:rows]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{split}.txt").write_text("".join(lines), "utf-8")
    return folder


def job_of(name: str, runs: Path, *, quick: bool) -> Job:
    """Say what a job is made of."""
    if quick:
        data = quick_data(runs / "data")
        return Job(
            name="quick",
            data=data,
            train=("--epochs", "1"),
            distil=("--epochs", "1"),
            students=((3, True),),
            seeds=(0,),
        )
    if name == "imdb":
        cut = ("--max-tokens", "256")
        train = ("--epochs", "2", *cut)
        data = SHARED_DATA / "imdb"
        return Job(
            name=name, data=data, train=train, distil=("--epochs", "2", *cut), students=((3, True),), seeds=(0, 1, 2)
        )
    data = SHARED_DATA / "emotion"
    return Job(name=name, data=data, train=("--epochs", "3"), distil=(), students=STUDENTS, seeds=(0, 1, 2))


def main() -> None:
    """Run a job."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=Path, required=True, help="folder of the run folders")
    parser.add_argument("--job", choices=("emotion", "imdb"), default="emotion")
    parser.add_argument("--quick", action="store_true", help="a few rows and one seed")
    given = parser.parse_args()
    runs = given.runs / ("quick" if given.quick else given.job)
    runs.mkdir(parents=True, exist_ok=True)
    job = job_of(given.job, runs, quick=given.quick)
    found = measure(job, runs)
    if given.quick:
        print(json.dumps(found, indent=2))
        return
    print(write_result(f"distil_{job.name}", found, packages=("torch", "numpy")).read_text("utf-8"))


if __name__ == "__main__":
    main()
