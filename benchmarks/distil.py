"""How much of a teacher does a student keep, and how much faster is it? By the command line, as a user would find out.

    python benchmarks/distil.py [--runs FOLDER]
    python benchmarks/distil.py --jobs emotion     3, 2 and 1 layers, three seeds each
    python benchmarks/distil.py --jobs imdb        3 layers, cut at 256 tokens; with and without rare words
    python benchmarks/distil.py --jobs ablation    emotion once more, without each part of what is learnt from
    python benchmarks/distil.py --quick            a few rows and one seed: does it run

General distillation, before any task, is in distil_general.py.

Every training is a run folder under FOLDER; what is finished there is not done again, what was interrupted goes on. The
teacher is the embedded encoder, fine-tuned. Nothing is chosen on the test split: it is scored once a model, at the end.
When all of them are there, teacher and students answer the test texts in turn, text in and probabilities out, for the
speeds: keep the machine idle for that last minute. Writes benchmarks/results/distil_JOB.json.
"""

import argparse
import json
import statistics
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from measure import SHARED_DATA, write_result

import limbeck
from limbeck.inference.timing import measure_speedup

LIMBECK = Path(sys.executable).with_name("limbeck")
RUNS = Path(__file__).parent / "runs"
JOBS = ("emotion", "imdb", "ablation")
SEEDS = (0, 1, 2)
QUICK_ROWS = {"train": 600, "val": 200, "test": 200}


@dataclass(frozen=True, kw_only=True)
class Student:
    """A student with a pruned vocabulary.

    Attributes:
        layers: it has.
        seeds: it is trained with.
        min_uses: how often the training texts use each of its tokens.
    """

    layers: int
    seeds: tuple[int, ...] = SEEDS
    min_uses: int = 1

    @property
    def flags(self) -> list[str]:
        """Of `limbeck distil`."""
        rare = [] if self.min_uses == 1 else ["--min-token-uses", str(self.min_uses)]
        return ["--layers", str(self.layers), "--prune-vocabulary", *rare]

    def folder(self, seed: int) -> str:
        """Name its run folder."""
        return f"layers-{self.layers}-pruned{'' if self.min_uses == 1 else f'-{self.min_uses}'}-seed-{seed}"


@dataclass(frozen=True, kw_only=True)
class Job:
    """What is measured.

    Attributes:
        name: of the result.
        data: labelled rows.
        train: flags of the teacher's training.
        distil: flags of every student.
        students: who learns.
    """

    name: str
    data: Path
    train: tuple[str, ...]
    distil: tuple[str, ...]
    students: tuple[Student, ...]


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


def teach(job: Job, runs: Path) -> dict[str, Any]:
    """Train the teacher; return its figures."""
    return run(["train", job.data, "--method", "finetune", *job.train], runs / "teacher")


def measure(job: Job, runs: Path) -> dict[str, Any]:
    """Train the teacher and every student, time them, and sum them up."""
    teacher, taught = runs / "teacher", teach(job, runs)
    teacher_test = score_test(teacher, job.data)
    students = []
    for student in job.students:
        found = []
        for seed in student.seeds:
            out = runs / student.folder(seed)
            metrics = run(["distil", teacher, job.data, *student.flags, "--seed", seed, *job.distil], out)
            found.append({**summary(metrics), "test_accuracy": score_test(out, job.data)})
        students.append(
            {
                "layers": student.layers,
                "min_uses": student.min_uses,
                "seeds": found,
                **means(found, teacher_test),
                "run": out,
            }
        )
    texts = limbeck.read(job.data).split("test").texts
    for one in students:
        slow, fast = limbeck.load(teacher), limbeck.load(one.pop("run"))
        one["speed"] = asdict(measure_speedup([slow], fast, texts))
    return {
        "data": job.name,
        "teacher": {
            "validation_accuracy": taught["validation"]["accuracy"],
            "test_accuracy": teacher_test,
            "train_seconds": taught["train_seconds"],
        },
        "students": students,
        "flags": job.distil,
    }


def ablate(data: Path, teacher: Path, out: Path) -> dict[str, Any]:
    """Train a student of three layers without each part of what it learns from, and compare."""
    flags = ["--layers", 3, "--prune-vocabulary", "--epochs", "1", "--ablation"]
    run(["distil", teacher, data, *flags], out, done=out / "ablation.json")
    return {"flags": flags, **json.loads((out / "ablation.json").read_text("utf-8"))}


def summary(metrics: dict[str, Any]) -> dict[str, Any]:
    """Keep the figures that are compared."""
    return {
        "teacher_accuracy": metrics["teacher"]["validation"]["accuracy"],
        "accuracy": metrics["student"]["validation"]["accuracy"],
        "accuracy_kept": round(metrics["accuracy_kept"], 4),
        "teacher_parameters": metrics["teacher"]["parameters"],
        "parameters": metrics["student"]["parameters"],
        "vocabulary": metrics["student"]["vocabulary"],
        "train_seconds": metrics["train_seconds"],
    }


def means(found: list[dict[str, Any]], teacher_test: float) -> dict[str, Any]:
    """Return means over the seeds, and the lowest beside."""
    kept = [one["accuracy_kept"] for one in found]
    test = statistics.fmean(one["test_accuracy"] for one in found)
    return {
        "accuracy_kept": round(statistics.fmean(kept), 4),
        "accuracy_kept_lowest": min(kept),
        "fewer_parameters": round(1 - found[0]["parameters"] / found[0]["teacher_parameters"], 4),
        "test_accuracy": round(test, 4),
        "test_accuracy_kept": round(test / teacher_test, 4),
    }


def quick_data(folder: Path) -> Path:
    """Write the first rows of emotion."""
    for split, rows in QUICK_ROWS.items():
        lines = (SHARED_DATA / "emotion" / f"{split}.txt").read_text("utf-8").splitlines(keepends=True)[:rows]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{split}.txt").write_text("".join(lines), "utf-8")
    return folder


def job_of(name: str, runs: Path) -> Job:
    """Say what a job is made of."""
    if name == "quick":
        data = quick_data(runs / "data")
        return Job(
            name=name,
            data=data,
            train=("--epochs", "1"),
            distil=("--epochs", "1"),
            students=(Student(layers=3, seeds=SEEDS[:1]),),
        )
    if name == "imdb":
        cut = ("--max-tokens", "256")
        once = ("--epochs", "1", *cut)
        data = SHARED_DATA / "imdb"
        students = (Student(layers=3), Student(layers=3, min_uses=10))
        return Job(name=name, data=data, train=once, distil=once, students=students)
    return Job(
        name=name,
        data=SHARED_DATA / "emotion",
        train=("--epochs", "3"),
        distil=(),
        students=tuple(Student(layers=layers) for layers in (3, 2, 1)),
    )


def main() -> None:
    """Run jobs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=Path, default=RUNS, help="folder of the run folders")
    parser.add_argument("--jobs", nargs="+", choices=JOBS, default=JOBS)
    parser.add_argument("--quick", action="store_true", help="a few rows and one seed")
    given = parser.parse_args()
    for name in ["quick"] if given.quick else given.jobs:
        runs = given.runs / ("emotion" if name == "ablation" else name)
        runs.mkdir(parents=True, exist_ok=True)
        job = job_of(runs.name, runs)
        if name == "ablation":
            teach(job, runs)
            found = ablate(job.data, runs / "teacher", runs / "ablation")
        else:
            found = measure(job, runs)
        if given.quick:
            found["ablation"] = ablate(job.data, runs / "teacher", runs / "ablation")
            print(json.dumps(found, indent=2))
            return
        print(write_result(f"distil_{name}", found, packages=("torch", "numpy")).read_text("utf-8"))


if __name__ == "__main__":
    main()
