"""Write the tables of both READMEs and of docs from benchmarks/results, so that no figure is typed by hand.

A table stands between `<!-- NAME -->` and `<!-- /NAME -->`; of what was measured on several machines, one table each.
With --check nothing is written; a difference is an error.

    python benchmarks/readme.py [--check]
"""

import argparse
import re
import sys
from collections.abc import Callable
from pathlib import Path

import readme_distil
import readme_labels
import readme_scale
import readme_serving
import readme_speed
import readme_summary
import readme_windows
from measure import RESULTS, read_result
from readme_korean import in_korean
from readme_training import course_head, train_imdb

COLUMNS = {"cls": 384, "mean": 384, "max": 384, "upper means": 4 * 384, "layers": 3 * 7 * 384}
"""Columns of each pooling of the embedded encoder."""

PAGES = (
    "README.md",
    "README.ko.md",
    "docs/measured.md",
    "docs/course.md",
    "docs/distillation.md",
    "docs/labels.md",
    "docs/long_texts.md",
    "docs/long_texts.ko.md",
    "docs/scale.md",
    "docs/scale.ko.md",
    "docs/serving.md",
    "docs/serving.ko.md",
)


def measured(values: list[float]) -> str:
    """Say a figure with its 95 % interval."""
    value, low, high = values
    return f"{value:.3f} ({low:.3f} – {high:.3f})"


def probe_emotion() -> list[list[str]]:
    """Each pooling on emotion."""
    rows = [["features (embedded encoder)", "columns", "validation accuracy", "test accuracy", "fit, s"]]
    names = {
        "cls": "[CLS] of the last layer",
        "mean": "mean of the last layer",
        "max": "max of the last layer",
        "layers": "mean, max and [CLS] of every layer",
        "auto": "chosen by cross-validation (`auto`)",
    }
    runs = read_result("quality_emotion")["runs"]
    for pooling, name in names.items():
        run = runs[f"{pooling}, none"]
        seconds = f"{run['seconds']['fit']:.0f}"
        columns = f"{COLUMNS[run['chosen']]:,}"
        validation, test = measured(run["validation"]["accuracy"]), measured(run["test"]["accuracy"])
        rows.append([name, columns, validation, test, seconds])
    return rows


def balance_emotion() -> list[list[str]]:
    """Each way of balancing on emotion."""
    rows = [["`--balance`", "accuracy, mean", "macro F1, mean", "accuracy, layers", "macro F1, layers"]]
    runs = read_result("quality_emotion")["runs"]
    for balance in ("none", "weights", "oversample", "smote"):
        cells = [
            f"{runs[f'{pooling}, {balance}']['validation'][score][0]:.3f}"
            for pooling in ("mean", "layers")
            for score in ("accuracy", "f1_macro")
        ]
        rows.append([balance, *cells])
    return rows


def probe_imdb() -> list[list[str]]:
    """Each pooling on IMDb."""
    runs = read_result("quality_imdb")["runs"]
    shared = f"encode all 50,000 once, s: {runs['encode_s']:,.0f}; peak memory, GiB: {runs['peak_memory_gib']:.1f}"
    rows = [[f"embedded encoder, 400 tokens ({shared})", "columns", "test accuracy", "fit, s"]]
    names = {"cls": "[CLS] of the last layer", "mean": "mean of the last layer", "layers": "every layer"}
    for pooling, name in names.items():
        run = runs["poolings"][pooling]
        columns = f"{COLUMNS[pooling]:,}"
        rows.append([name, columns, measured(run["test"]["accuracy"]), f"{run['fit_s']:.0f}"])
    return rows


def probe_sample() -> list[list[str]]:
    """The embedded tweets."""
    rows = [["embedded tweets", "test accuracy", "test macro F1", "always the largest class"]]
    run = read_result("quality_sample")["runs"]["mean"]
    scores = [measured(run["test"][score]) for score in ("accuracy", "f1_macro")]
    rows.append(["probe on the mean of the last layer", *scores, f"{run['baseline_accuracy']:.3f}"])
    return rows


def audit_speed() -> list[list[str]]:
    """The whole audit of IMDb by size."""
    rows = [["texts", "tokens", "processor seconds", "wall seconds, lowest", "peak memory, MiB"]]
    for size, run in read_result("audit")["whole_audit_imdb"].items():
        figures = [
            f"{run['tokens']:,.0f}",
            f"{run['cpu_s']:.0f}",
            f"{run['lowest_wall_s']:.0f}",
            f"{run['peak_mib']:,.0f}",
        ]
        rows.append([f"{int(size):,}", *figures])
    return rows


def audit_peers() -> list[list[str]]:
    """Near-duplicates beside the peers."""
    found = read_result("audit")["near_duplicates"]
    rows = [[f"near-duplicates of {found['rows']:,} reviews", "recall", "precision", "processor seconds, times ours"]]
    for name in ("limbeck", "datasketch MinHashLSH", "cleanlab Datalab near_duplicate"):
        run = found[name]
        rows.append([name, f"{run['recall']:.3f}", f"{run['precision']:.3f}", f"{run['cpu_times_ours']:.1f}"])
    return rows


def audit_near() -> list[list[str]]:
    """The search for near-duplicates by number of texts, beside the peers."""
    rows = [["drawn texts", "search", "recall", "recall of 0.70 to 0.75", "processor seconds", "peak MiB"]]
    names = {"memory": "limbeck in memory", "disk": "limbeck on disk"}
    for texts, found in sorted(read_result("near")["texts"].items(), key=lambda item: int(item[0])):
        for way in ("memory", "disk", "datasketch", "text-dedup"):
            if run := found.get(way):
                lowest = run["by_similarity_from"]["0.7"]["recall"]
                rows.append(
                    [
                        f"{int(texts):,}",
                        names.get(way, way),
                        f"{run['recall']:.4f}",
                        f"{lowest:.4f}",
                        f"{run['cpu_s']:,.1f}",
                        f"{run['peak_mib']:,.0f}",
                    ]
                )
    return rows


NOT_RUN = "not run yet"


def course_emotion() -> list[list[str]]:
    """The course's figures on emotion beside ours; fine-tuning stands in the epoch tables of docs/course.md."""
    runs = read_result("quality_emotion")["runs"]
    baseline = f"{runs['cls, none']['baseline_accuracy']:.3f}"
    rows = [["emotion, validation accuracy", "the course", "limbeck, validation", "limbeck, test"]]
    rows.append(["always the largest class", baseline, baseline, ""])
    steps = {
        "[CLS] of the last layer, logistic regression": ("0.633", "cls, none"),
        "the same with SMOTE": ("0.621", "cls, smote"),
        "mean of the last layer": ("", "mean, none"),
        "mean of the last layer, SMOTE": ("", "mean, smote"),
        "every layer": ("", "layers, none"),
        "every layer, SMOTE": ("", "layers, smote"),
    }
    for name, (theirs, key) in steps.items():
        run = runs.get(key)
        ours = [
            measured(run[split]["accuracy"]) if run and split in run else NOT_RUN for split in ("validation", "test")
        ]
        rows.append([name, theirs, *ours])
    return rows


def course_finetune() -> list[list[str]]:
    """Fine-tuning on emotion, epoch by epoch, on the validation split."""
    rows = [["fine-tuned", "epoch", "training loss", "validation loss", "accuracy", "weighted F1", "macro F1"]]
    rows.append(["the course: distilbert-base, 2 epochs, 2e-5", "2", "", "", "0.926", "0.9259", ""])
    if not (RESULTS / "quality_finetune.json").exists():
        return [*rows, ["embedded encoder", NOT_RUN, "", "", "", "", ""]]
    found = read_result("quality_finetune")
    runs = {
        "embedded encoder, the same settings": found["textbook"],
        "embedded encoder, defaults, the first seed": found["defaults"]["seeds"][0],
    }
    scores = ("train_loss", "validation_loss", "accuracy", "f1_weighted", "f1_macro")
    for name, run in runs.items():
        rows += [[name, str(line["epoch"]), *(f"{line[score]:.4f}" for score in scores)] for line in run["epochs"]]
    for split in ("validation", "test"):
        spread = [found["defaults"][split][score] for score in scores[2:]]
        cells = [f"{mean:.4f} ± {deviation:.4f}" for mean, deviation in spread]
        rows.append([f"defaults, {len(found['defaults']['seeds'])} seeds, {split}", "best", "", "", *cells])
    return rows


Rows = list[list[str]]
TABLES: dict[str, Callable[[], Rows | dict[str, Rows]]] = {
    "speed": readme_summary.speed,
    "quality": readme_summary.quality,
    "probe-emotion": probe_emotion,
    "balance-emotion": balance_emotion,
    "course-emotion": course_emotion,
    "course-finetune": course_finetune,
    "probe-imdb": probe_imdb,
    "probe-sample": probe_sample,
    "encode-speed": readme_speed.encoding,
    "encode-drift": readme_speed.drift,
    "audit-speed": audit_speed,
    "audit-peers": audit_peers,
    "audit-near": audit_near,
    "train-speed": readme_speed.training,
    "train-imdb": train_imdb,
    "windows": readme_windows.windows,
    "serving": readme_serving.serving,
    "scale-hours": readme_scale.hours,
    "scale-rates": readme_scale.rates,
    "course-head": course_head,
    "labels-emotion": readme_labels.emotion,
    "labels-imdb": readme_labels.imdb,
    "labels-cross-fit": readme_labels.cross_fitted,
    "distil-students": readme_distil.students,
    "distil-ablation": readme_distil.ablation,
    "distil-general": readme_distil.general,
    "distil-table-4": readme_distil.table_4,
}


def filled(text: str, *, is_korean: bool = False) -> str:
    """Put each table between its marks."""
    for name, make in TABLES.items():
        if f"<!-- {name} -->" in text:
            made = make()
            tables = "\n\n".join(
                f"{in_korean(title) if is_korean else title}\n\n{_lines(rows, is_korean)}"
                if title
                else _lines(rows, is_korean)
                for title, rows in (made if isinstance(made, dict) else {"": made}).items()
            )
            table = f"<!-- {name} -->\n{tables}\n<!-- /{name} -->"
            text = re.sub(rf"<!-- {name} -->.*?<!-- /{name} -->", lambda _, table=table: table, text, flags=re.DOTALL)
    return text


def _lines(rows: Rows, is_korean: bool) -> str:
    rows = [[in_korean(cell) if is_korean else cell for cell in row] for row in rows]
    return "\n".join("| " + " | ".join(row) + " |" for row in (rows[0], ["---"] * len(rows[0]), *rows[1:]))


def main() -> None:
    """Fill every page, or check that it is filled."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; fail when a table is out of date")
    check = parser.parse_args().check
    for name in PAGES:
        path = Path(__file__).parents[1] / name
        text = path.read_text("utf-8")
        new = filled(text, is_korean=".ko" in path.suffixes)
        if check and new != text:
            sys.exit(f"{path.name} is out of date: run python benchmarks/readme.py")
        path.write_text(new, "utf-8")


if __name__ == "__main__":
    main()
