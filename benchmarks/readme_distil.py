"""The tables of docs/distillation.md: what students keep, whether the teacher helped, the arms of the paper's Table 4.

In: benchmarks/results/distil*.json. Out: rows of cells. It does not know where they stand.
"""

from typing import Any

from measure import read_result

JOBS = {"emotion": "emotion", "imdb": "IMDb, 256 tokens"}
TASKS = {"emotion": "emotion", "imdb": "IMDb"}
PLAIN, WHOLE = "not distilled", "triple"


def students() -> list[list[str]]:
    """Teacher and students on every job: accuracy, what is kept of it, size and speed."""
    rows = [
        [
            "",
            "parameters",
            "validation accuracy",
            "kept, mean (lowest)",
            "test accuracy",
            "kept, test",
            "texts/s, from text to probabilities",
            "times as fast (single rounds)",
        ]
    ]
    for job, name in JOBS.items():
        found = read_result(f"distil_{job}")
        teacher, first = found["teacher"], found["students"][0]
        accuracies = [f"{teacher[f'{split}_accuracy']:.4f}" for split in ("validation", "test")]
        rows.append(
            [
                f"{name}: the teacher, 6 layers",
                _millions(first["seeds"][0]["teacher_parameters"]),
                accuracies[0],
                "",
                accuracies[1],
                "",
                f"{first['speed']['slow_texts_per_s']:,.0f}",
                "",
            ]
        )
        rows += [[f"{name}: {_shape(one)}", *_student(one)] for one in found["students"]]
    return rows


def _shape(student: dict[str, Any]) -> str:
    layers, seeds, uses = student["layers"], len(student["seeds"]), student["min_uses"]
    kept = "its texts' words" if uses == 1 else f"words used {uses} times or more"
    return f"{layers} layer{'s'[: layers > 1]}, {kept}, {seeds} seed{'s'[: seeds > 1]}"


def _student(student: dict[str, Any]) -> list[str]:
    seeds = student["seeds"]
    mean = sum(one["accuracy"] for one in seeds) / len(seeds)
    return [
        f"{_millions(seeds[0]['parameters'])} ({student['fewer_parameters']:.0%} fewer)",
        f"{mean:.4f}",
        f"{student['accuracy_kept']:.1%} ({student['accuracy_kept_lowest']:.1%})",
        f"{student['test_accuracy']:.4f}",
        f"{student['test_accuracy_kept']:.1%}",
        f"{student['speed']['fast_texts_per_s']:,.0f}",
        f"{student['speed']['speedup']:.2f} ({student['speed']['lowest']:.2f} – {student['speed']['highest']:.2f})",
    ]


def ablation() -> list[list[str]]:
    """The student of emotion without each part of what it learns from."""
    found = read_result("distil_ablation")
    rows = [["emotion, validation accuracy, three seeds", "mean", "kept of the teacher's", "change, points", "p", ""]]
    for arm in found["arms"]:
        seeds = ", ".join(f"{accuracy:.4f}" for accuracy in arm["accuracies"])
        # An arm's gain is what the part that it lacks gives to the whole.
        change = "" if arm["gain"] is None else f"{-100 * arm['gain']:+.2f}"
        p = "" if arm["p"] is None else f"{arm['p']:.3f}"
        rows.append([f"{arm['name']}: {seeds}", f"{arm['mean']:.4f}", f"{arm['kept']:.1%}", change, p, arm["verdict"]])
    return rows


def general() -> list[list[str]]:
    """The students that learnt from raw text first, fine-tuned on each task."""
    found = read_result("distil_general")
    head = ["fine-tuned, test accuracy, three seeds", "perplexity of masked words"]
    rows = [[*head, *TASKS.values(), f"against {PLAIN}"]]
    for name in (PLAIN, *found["pretraining"]):
        before = found["pretraining"].get(name)
        perplexity = f"{before['validation']['perplexity']:,.0f}" if before else ""
        cells = [_mean(found["tasks"][task].get(name)) for task in TASKS]
        rows.append([_random(name), perplexity, *cells, _against(found["tasks"], name, PLAIN)])
    return rows


def table_4() -> list[list[str]]:
    """The paper's Table 4 beside ours: what leaving each part out changes."""
    found = read_result("distil_general")
    rows = [["left out of the triple loss", "the paper, GLUE, points", "emotion, points", ""]]
    for name, points in found["paper_glue_points"].items():
        against = found["tasks"]["emotion"][name][f"against {WHOLE}"]
        verdict = f"{against['verdict']}, p = {against['p']:.2f}"
        rows.append([_random(name), f"{points:+.2f}", f"{100 * against['gain']:+.2f}", verdict])
    return rows


def _random(name: str) -> str:
    """Arms are named by their results' keys; "drawn weights" is no English for random ones."""
    return name.replace("drawn weights", "random weights")


def _mean(arm: dict[str, Any] | None) -> str:
    if arm is None:
        return ""
    lowest, highest = min(arm["test_accuracy"]), max(arm["test_accuracy"])
    return f"{arm['mean']:.4f} ({lowest:.4f} – {highest:.4f})"


def _against(tasks: dict[str, Any], name: str, other: str) -> str:
    said = []
    for task, words in TASKS.items():
        against = tasks[task].get(name, {}).get(f"against {other}", {})
        if "verdict" in against:
            said.append(f"{words} {100 * against['gain']:+.2f} points, p = {against['p']:.3f}, {against['verdict']}")
    return "; ".join(said)


def _millions(parameters: int) -> str:
    return f"{parameters / 1e6:.1f} M"
