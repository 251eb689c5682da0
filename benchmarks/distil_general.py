"""Does distilling on raw text, before any task, help the student afterwards? And which of the three losses does it?

    python benchmarks/distil_general.py [--runs FOLDER] [--budget-minutes 60] [--quick]

The student of three layers is distilled on IMDb's unsupervised reviews for as long as the budget says, in five arms:
the triple loss, without each of its terms, and from drawn weights (the rows of Table 4 of the DistilBERT paper). Each
is then fine-tuned on emotion with three seeds, as is the same student that was not distilled at all; on 5,000 reviews
of IMDb, with 10,000 to test, the first arm and that student. All arms take as many steps as the first one did in its
budget, with the language head that was trained for its teacher; a last one takes four times as many. Every training is
a run folder under FOLDER; what is finished there is not done again. Writes benchmarks/results/distil_general.json.
"""

import argparse
import json
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from distil import QUICK_ROWS, RUNS, SEEDS, quick_data, run, score_test
from measure import SHARED_DATA, write_result
from safetensors.torch import load_file

import limbeck
from limbeck.catalog.presets import load_encoder_folder
from limbeck.data.write import write
from limbeck.experiments.ablation import SIGNIFICANCE, paired_p
from limbeck.methods.teacher_head import HEAD_NAME
from limbeck.model.language_head import LanguageHead, write_language_model
from limbeck.model.loaded_encoder import write_encoder
from limbeck.model.student import StudentShape, make_student
from limbeck.storage import staged_folder

LAYERS = 3
SHORT = ("--max-tokens", "128", "--head-steps", "600")
PLAIN = "not distilled"
LONGER, TIMES = "four times as long", 4
"""The triple loss once more, with more steps."""
TASKS: dict[str, tuple[tuple[str, ...], tuple[str, ...] | None]] = {
    "emotion": (("--epochs", "1"), None),
    "imdb": (("--epochs", "1", "--max-tokens", "128"), (PLAIN, "triple", LONGER)),
}
"""Flags of the fine-tuning, and the arms; all of them where none are named."""
REVIEWS = {"train": 5_000, "test": 10_000}
ARMS: dict[str, tuple[str, ...]] = {
    "triple": (),
    "without the masked tokens": ("--masked-weight", "0"),
    "without the cosine": ("--cosine-weight", "0"),
    "without the soft loss": ("--soft-weight", "0"),
    "from drawn weights": ("--start", "nothing"),
}
PAPER = {
    "without the soft loss": -2.96,
    "without the cosine": -1.46,
    "without the masked tokens": -0.31,
    "from drawn weights": -3.69,
}
"""Change of the mean GLUE score, in points: Table 4 of Sanh et al. (2019)."""


def plain_student(folder: Path) -> Path:
    """Write the student as it is before any training."""
    if not folder.exists():
        student = make_student(load_encoder_folder("minilm"), StudentShape(layers=LAYERS))
        with staged_folder(folder) as staged:
            write_encoder(student.encoder, student.tokenizer, staged)
    return folder


def pretrained(runs: Path, texts: Path, budget: Sequence[str]) -> dict[str, Path]:
    """Distil every arm; return the folders of their encoders."""
    encoders = {PLAIN: plain_student(runs / "plain")}
    steps: Sequence[str] = budget
    teacher: str | Path = "minilm"
    for name, flags in ARMS.items():
        out = folder_of(runs, name)
        metrics = run(["pretrain", texts, "--teacher", teacher, "--layers", LAYERS, *steps, *SHORT, *flags], out)
        # The first arm decides; the others take as many steps, however busy the machine is meanwhile.
        steps = ("--steps", str(metrics["steps"]))
        teacher = with_head(out, runs / "teacher") if name == "triple" else teacher
        encoders[name] = out / "encoder"
    out = folder_of(runs, LONGER)
    more = ("--steps", TIMES * int(steps[1]))
    run(["pretrain", texts, "--teacher", teacher, "--layers", LAYERS, *more, *SHORT], out)
    return encoders | {LONGER: out / "encoder"}


def folder_of(runs: Path, arm: str) -> Path:
    """Name the run folder of an arm."""
    return runs / f"pretrain-{arm.replace(' ', '-')}"


def with_head(first: Path, folder: Path) -> Path:
    """Write the teacher with the language head that the first arm trained for it; another arm's would be the same."""
    if not folder.exists():
        teacher = load_encoder_folder("minilm")
        head = LanguageHead(teacher.config)
        head.load_state_dict(load_file(first / "teacher_head" / HEAD_NAME))
        with staged_folder(folder) as staged:
            write_language_model(teacher.encoder, head, teacher.tokenizer, staged)
    return folder


def some_reviews(folder: Path) -> Path:
    """Write a part of IMDb: what a student brings along shows most where there is little to learn from."""
    if not folder.exists():
        rows = limbeck.read(SHARED_DATA / "imdb")
        splits_N = np.array(rows.table["split"].cast(pa.string()).to_pylist())
        random = np.random.default_rng(0)
        parts = [
            random.choice(np.flatnonzero(splits_N == name), count, replace=False) for name, count in REVIEWS.items()
        ]
        with staged_folder(folder) as staged:
            write(rows.select(np.sort(np.concatenate(parts))), staged)
    return folder


def finetuned(encoders: dict[str, Path], runs: Path, task: Path, seeds: Sequence[int]) -> dict[str, Any]:
    """Fine-tune every encoder with every seed; compare each with the one that was not distilled."""
    flags, arms = TASKS[task.name]
    accuracies: dict[str, list[float]] = {}
    for name in arms or encoders:
        encoder = encoders[name]
        for seed in seeds:
            out = runs / f"{task.name}-{name.replace(' ', '-')}-seed-{seed}"
            run(["train", task, "--method", "finetune", "--encoder", encoder, "--seed", seed, *flags], out)
            accuracies.setdefault(name, []).append(score_test(out, task))
    return {name: compared(values, accuracies) for name, values in accuracies.items()}


def compared(values: list[float], accuracies: dict[str, list[float]]) -> dict[str, Any]:
    """Return one arm's figures beside those of two others."""
    found: dict[str, Any] = {"test_accuracy": values, "mean": round(statistics.fmean(values), 4)}
    for other in (PLAIN, "triple"):
        gain = statistics.fmean(values) - statistics.fmean(accuracies[other])
        found[f"against {other}"] = {"gain": round(gain, 4)}
        if len(values) > 1 and values is not accuracies[other]:
            p = paired_p(values, accuracies[other])
            verdict = "within noise" if p >= SIGNIFICANCE else "better" if gain > 0 else "worse"
            found[f"against {other}"] |= {"p": round(p, 4), "verdict": verdict}
    return found


def main() -> None:
    """Run everything that is not there yet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=Path, default=RUNS, help="folder of the run folders")
    parser.add_argument("--budget-minutes", type=float, default=60.0, help="of the first arm's pretraining")
    parser.add_argument("--quick", action="store_true", help="a few steps, a few rows, one seed: does it run")
    given = parser.parse_args()
    runs = given.runs / ("quick-general" if given.quick else "general")
    runs.mkdir(parents=True, exist_ok=True)
    texts = SHARED_DATA / "imdb" / "unsupervised.parquet"
    tasks, seeds = [SHARED_DATA / "emotion", some_reviews(runs / "imdb")], SEEDS
    budget: tuple[str, ...] = ("--budget-minutes", str(given.budget_minutes))
    if given.quick:
        tasks, seeds = [quick_data(runs / "emotion")], (0,)
        texts = runs / "texts.txt"
        lines = (SHARED_DATA / "emotion" / "train.txt").read_text("utf-8").splitlines()[: QUICK_ROWS["train"]]
        texts.write_text("\n".join(line.rpartition(";")[0] for line in lines), "utf-8")
        budget = ("--steps", "6", "--stretches", "2")
    encoders = pretrained(runs, texts, budget)
    found = {
        "paper_glue_points": PAPER,
        "pretraining": {
            name: json.loads((encoder.parent / "metrics.json").read_text("utf-8"))
            for name, encoder in encoders.items()
            if name != PLAIN
        },
        "tasks": {task.name: finetuned(encoders, runs, task, seeds) for task in tasks},
        "test": f"paired t-test over {len(seeds)} seeds, two-sided; more than noise where p < {SIGNIFICANCE}",
    }
    if given.quick:
        json.dump(found["tasks"], sys.stdout, indent=2)
        return
    print(write_result("distil_general", found, packages=("torch", "numpy")).read_text("utf-8"))


if __name__ == "__main__":
    main()
