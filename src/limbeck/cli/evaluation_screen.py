"""How an evaluation is shown: its figures, its classes or labels, thresholds, epochs."""

from dataclasses import fields
from typing import TYPE_CHECKING, Any

from limbeck.cli import screen

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from limbeck.display.views import View
    from limbeck.evaluation.abstaining import AnsweredScores
    from limbeck.evaluation.any_evaluation import AnyEvaluation
    from limbeck.evaluation.calibration import Calibration
    from limbeck.evaluation.measured import Measured
    from limbeck.evaluation.multi_evaluation import MultiEvaluation
    from limbeck.evaluation.thresholds import Thresholds

SHOWN_CLASSES = 40
"""In the table of classes: those with the most rows."""


def show_evaluation(found: "AnyEvaluation", *, title: str) -> None:
    """Show the figures with their intervals beside the baseline, each class, the worst confusions."""
    from limbeck.evaluation.multi_evaluation import MultiEvaluation
    from limbeck.evaluation.ordinal_evaluation import OrdinalEvaluation
    from limbeck.evaluation.value_evaluation import ValueEvaluation

    if isinstance(found, MultiEvaluation):
        _show_label_sets(found, title=title)
        return
    if isinstance(found, OrdinalEvaluation | ValueEvaluation):
        _show_tables(found, title=f"{title}: {found.rows:,} rows")
        if isinstance(found, ValueEvaluation) and found.promise:
            screen.show_line(found.promise)
        return
    baseline = found.baseline
    screen.show_table(
        f"{title}: {found.rows:,} rows",
        ["", "value", "95 % interval", f"always “{baseline.label}”"],
        [
            _measured_row("accuracy", found.accuracy, baseline.accuracy),
            _measured_row("F1 weighted", found.f1_weighted, baseline.f1_weighted),
            _measured_row("F1 macro", found.f1_macro, baseline.f1_macro),
            _measured_row("log loss, nats", found.log_loss, baseline.log_loss),
            [*_measured_row("calibration error", found.calibration.ece, 0.0)[:3], ""],
        ],
    )
    screen.show_line(_say_calibration(found.calibration))
    most = {one.name for one in sorted(found.per_class, key=lambda one: -one.support)[:SHOWN_CLASSES]}
    classes = [one for one in found.per_class if one.name in most]
    screen.show_table(
        "By class",
        ["class", "rows", "precision", "recall", "F1", "95 % interval of F1"],
        [
            [
                one.name,
                f"{one.support:,}",
                f"{one.precision.value:.3f}",
                f"{one.recall.value:.3f}",
                f"{one.f1.value:.3f}",
                one.f1.between(3, " – "),
            ]
            for one in classes
        ],
    )
    if rest := len(found.per_class) - len(classes):
        screen.show_line(f"… and {rest:,} classes of fewer rows: they are in metrics.json, and --json shows them")
    confusions = ", ".join(map(str, found.worst_confusions[:5]))
    screen.show_line(f"taken for another, most rows first (share of the class's rows): {confusions or 'none'}")


def _show_tables(found: "View", *, title: str) -> None:
    """Show the tables of a value, the first under a title of its own."""
    for place, table in enumerate(found._tables()):
        screen.show_table(title if place == 0 else table.title, list(table.header), [list(row) for row in table.rows])


def _show_label_sets(found: "MultiEvaluation", *, title: str) -> None:
    """Show the figures over all labels, and those of the labels of the most rows."""
    figures, labels = found.figure_table(), found.label_table()
    screen.show_table(f"{title}: {found.rows:,} rows", list(figures.header), [list(row) for row in figures.rows])
    screen.show_line(
        f"{found.labels_per_row:.2f} labels per row, {found.given_per_row:.2f} given; mean calibration error of the "
        f"labels {found.calibration_error:.4f}, of {found.beyond_chance:,} more than chance"
    )
    screen.show_table(
        "By label, 95 % intervals", list(labels.header), [list(row) for row in labels.rows[:SHOWN_CLASSES]]
    )
    rest = len(labels.rows) - SHOWN_CLASSES
    if rest > 0:
        screen.show_line(f"… and {rest:,} labels of fewer rows: they are in metrics.json, and --json shows them")


def _say_calibration(found: "Calibration") -> str:
    """Say whether the calibration error is more than chance."""
    verdict = (
        "probabilities and shares of correct answers differ by more than chance"
        if found.is_shown
        else "no more than chance"
    )
    return (
        f"calibration error: {verdict} (a perfectly calibrated model stays below {found.chance_high:.4f} on such rows)"
    )


def show_thresholds(found: "Thresholds", *, run: "Path") -> None:
    """Show each threshold with what was seen on the rows that it was chosen on, and what is promised."""
    goal = found.goal
    wanted = f"precision {goal.precision:g}" if goal.precision is not None else f"coverage {goal.coverage:g}"
    screen.show_table(
        f"Thresholds of {run} for {wanted}",
        ["class", "threshold", "answered", "correct of them", f"promised ({goal.confidence:.0%} confidence)"],
        [
            [
                "every class" if one.label is None else one.label,
                f"{one.value:g}" if one.is_reached else "never answers",
                f"{one.answered.value:.3f} of {one.answered.rows:,}" if one.answered else "no row",
                f"{one.right.value:.3f}" if one.right else "",
                f"≥ {one.precision_low:.3f}" if one.is_reached else f"at most {one.most_precision:.3f}",
            ]
            for one in found.chosen
        ],
    )
    screen.show_line(
        "A row whose highest probability is not above its class's threshold is unsure. What is promised holds for rows "
        "like those it was chosen on."
    )


def show_answered(found: "AnsweredScores") -> None:
    """Show how often a model with thresholds answers, and how often it is right then."""
    shares = {
        "answered": found.coverage,
        "correct, of the answered": found.accuracy,
        "correct, had the unsure been answered": found.unsure_accuracy,
    }
    rows = [
        [name, f"{share.value:.4f}", f"{share.low:.4f} – {share.high:.4f}", f"{share.rows:,}"]
        for name, share in shares.items()
        if share is not None
    ]
    screen.show_table("With the model's thresholds", ["", "share", "95 % interval", "of rows"], rows)


def show_epochs(epochs: "Sequence[Mapping[str, Any]]", *, best_epoch: int) -> None:
    """Show the table of epochs; the one that was kept is marked."""
    from limbeck.training.journal import EPOCH_LINES

    kind = next(one for one in EPOCH_LINES.values() if {field.name for field in fields(one)} == set(epochs[0]))
    rows = [kind(**line).cells() for line in epochs]
    for row in rows:
        row[0] += " (kept)" if row[0] == str(best_epoch) else ""
    screen.show_table("Epochs", list(kind.head), rows)


def _measured_row(name: str, found: "Measured", baseline: float) -> list[str]:
    return [name, f"{found.value:.4f}", found.between(4, " – "), f"{baseline:.4f}"]
