"""Write the README's tables from benchmarks/results, so that no figure is typed by hand.

A table stands between `<!-- NAME -->` and `<!-- /NAME -->`. With --check nothing is written; a difference is an error.

    python benchmarks/readme.py [--check]
"""

import argparse
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from measure import RESULTS

COLUMNS = {"cls": 384, "mean": 384, "max": 384, "upper means": 4 * 384, "layers": 3 * 7 * 384}
"""Columns of each pooling of the embedded encoder."""

READMES = (Path(__file__).parents[1] / "README.md",)


def result(name: str) -> dict[str, Any]:
    """Read one result file."""
    found: dict[str, Any] = json.loads((RESULTS / f"{name}.json").read_text("utf-8"))
    return found


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
    runs = result("quality_emotion")["runs"]
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
    runs = result("quality_emotion")["runs"]
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
    runs = result("quality_imdb")["runs"]
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
    run = result("quality_sample")["runs"]["mean"]
    scores = [measured(run["test"][score]) for score in ("accuracy", "f1_macro")]
    rows.append(["probe on the mean of the last layer", *scores, f"{run['baseline_accuracy']:.3f}"])
    return rows


def audit_speed() -> list[list[str]]:
    """The whole audit of IMDb by size."""
    rows = [["texts", "tokens", "processor seconds", "wall seconds, lowest", "peak memory, MiB"]]
    for size, run in result("audit")["whole_audit_imdb"].items():
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
    found = result("audit")["near_duplicates"]
    rows = [[f"near-duplicates of {found['rows']:,} reviews", "recall", "precision", "processor seconds, times ours"]]
    for name in ("limbeck", "datasketch MinHashLSH", "cleanlab Datalab near_duplicate"):
        run = found[name]
        rows.append([name, f"{run['recall']:.3f}", f"{run['precision']:.3f}", f"{run['cpu_times_ours']:.1f}"])
    return rows


TABLES: dict[str, Callable[[], list[list[str]]]] = {
    "probe-emotion": probe_emotion,
    "balance-emotion": balance_emotion,
    "probe-imdb": probe_imdb,
    "probe-sample": probe_sample,
    "audit-speed": audit_speed,
    "audit-peers": audit_peers,
}


def filled(text: str) -> str:
    """Put each table between its marks."""
    for name, make in TABLES.items():
        if f"<!-- {name} -->" in text:
            rows = make()
            lines = ["| " + " | ".join(row) + " |" for row in (rows[0], ["---"] * len(rows[0]), *rows[1:])]
            table = f"<!-- {name} -->\n" + "\n".join(lines) + f"\n<!-- /{name} -->"
            text = re.sub(rf"<!-- {name} -->.*?<!-- /{name} -->", lambda _, table=table: table, text, flags=re.DOTALL)
    return text


def main() -> None:
    """Fill every README, or check that it is filled."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; fail when a table is out of date")
    check = parser.parse_args().check
    for path in READMES:
        text = path.read_text("utf-8")
        new = filled(text)
        if check and new != text:
            sys.exit(f"{path.name} is out of date: run python benchmarks/readme.py")
        path.write_text(new, "utf-8")


if __name__ == "__main__":
    main()
