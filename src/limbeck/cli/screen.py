"""How commands write to the screen: results on standard output, everything said meanwhile on standard error."""

import json
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from limbeck.evaluation.evaluation import Evaluation, Measured
    from limbeck.evaluation.predictions import Predictions
    from limbeck.training.run_folder import RunFolder


def show_json(value: Any) -> None:
    """Print one JSON object, Hangul as Hangul."""
    print(json.dumps(value, ensure_ascii=False, indent=2, allow_nan=False))


def show_line(line: str = "") -> None:
    """Print one line of a result."""
    Console(highlight=False, soft_wrap=True).print(line, markup=False)


def show_table(title: str, columns: list[str], rows: list[list[str]]) -> None:
    """Print a table; every column but the first is aligned right."""
    table = Table(title=title, title_justify="left", title_style="bold")
    for place, column in enumerate(columns):
        table.add_column(column, justify="left" if place == 0 else "right", overflow="fold")
    for row in rows:
        table.add_row(*(cell.replace("[", "\\[") for cell in row))
    Console(highlight=False).print(table)


def show_evaluation(found: "Evaluation", *, title: str) -> None:
    """Show the figures with their intervals beside the majority-class baseline, each class, the worst confusions."""
    baseline = found.baseline
    show_table(
        f"{title}: {found.rows:,} rows",
        ["", "value", "95 % interval", f"always “{baseline.label}”"],
        [
            _measured_row("accuracy", found.accuracy, baseline.accuracy),
            _measured_row("F1 weighted", found.f1_weighted, baseline.f1_weighted),
            _measured_row("F1 macro", found.f1_macro, baseline.f1_macro),
            _measured_row("log loss, nats", found.log_loss, baseline.log_loss),
        ],
    )
    show_table(
        "By class",
        ["class", "rows", "precision", "recall", "F1", "95 % interval of F1"],
        [
            [
                one.name,
                f"{one.support:,}",
                f"{one.precision.value:.3f}",
                f"{one.recall.value:.3f}",
                f"{one.f1.value:.3f}",
                f"{one.f1.low:.3f} – {one.f1.high:.3f}",
            ]
            for one in found.per_class
        ],
    )
    confusions = ", ".join(map(str, found.worst_confusions[:5]))
    show_line(f"taken for another (share of the class's rows): {confusions or 'none'}")


def show_epochs(epochs: "Sequence[Mapping[str, Any]]", *, best_epoch: int) -> None:
    """Show the table of epochs; the one that was kept is marked."""
    from limbeck.training.journal import TABLE_HEAD, EpochScores

    rows = [EpochScores(**line).cells() for line in epochs]
    for row in rows:
        row[0] += " (kept)" if row[0] == str(best_epoch) else ""
    show_table("Epochs", list(TABLE_HEAD), rows)


def show_predictions(found: "Predictions", *, top_k: int) -> None:
    """Show each text with its most probable labels."""
    top = found.top_k(top_k)
    rows = [
        [
            text,
            ", ".join(f"{found.label_names[label]} {share:.3f}" for label, share in zip(labels, shares, strict=True)),
        ]
        for text, labels, shares in zip(found.texts or (), top.labels, top.probabilities, strict=True)
    ]
    show_table("Predictions (label and probability)", ["text", "label"], rows)
    if cut := int(found.truncated.sum()):
        show_line(f"{cut:,} texts were longer than the model's limit and were cut")


def _measured_row(name: str, found: "Measured", baseline: float) -> list[str]:
    return [name, f"{found.value:.4f}", f"{found.low:.4f} – {found.high:.4f}", f"{baseline:.4f}"]


def show_run_places(folder: "RunFolder", pictures: "list[Path]") -> None:
    """Say where a run left what it made."""
    show_line(f"Results are in {folder.path}")
    show_line(f"  figures      {folder.metrics}")
    show_line(f"  model        {folder.bundle}")
    written = (folder.predictions(name) for name in ("validation", "out_of_fold"))
    show_line(f"  predictions  {', '.join(str(path) for path in written if path.exists())}")
    for picture in pictures:
        show_line(f"  picture      {picture}")
