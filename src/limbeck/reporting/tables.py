"""Tables of an evaluation as plain strings, for the terminal, Markdown and pages alike.

In: an `Evaluation`. Out: a `Table`. It does not know where it is shown; escaping for HTML is the page's own work.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from limbeck.evaluation.evaluation import Evaluation
from limbeck.evaluation.measured import Measured
from limbeck.reporting.wrapping import clean, width


@dataclass(frozen=True, kw_only=True)
class Table:
    """Rows of strings under a header; the first column names the row, the others hold values."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def markdown(self) -> str:
        """Return the table in Markdown, values to the right, pipes in names escaped."""
        rule = ["---", *["---:"] * (len(self.header) - 1)]
        lines = [self.header, rule, *self.rows]
        return "".join("| " + " | ".join(cell.replace("|", r"\|") for cell in line) + " |\n" for line in lines)

    def text(self) -> str:
        """Return the table in aligned columns; a Hangul syllable counts as two."""
        lines = [self.header, *self.rows]
        widths = [max(width(line[place]) for line in lines) for place in range(len(self.header))]
        return "".join(
            "  ".join(
                cell + " " * (size - width(cell)) if place == 0 else " " * (size - width(cell)) + cell
                for place, (cell, size) in enumerate(zip(line, widths, strict=True))
            ).rstrip()
            + "\n"
            for line in lines
        )


def summary_table(evaluations: Mapping[str, Evaluation]) -> Table:
    """Return the four scores with their intervals, one line an evaluation, each beside its majority baseline."""
    rows = [
        (
            clean(name),
            f"{one.rows:,}",
            measured(one.accuracy),
            measured(one.f1_weighted),
            measured(one.f1_macro),
            measured(one.log_loss),
            f"{one.baseline.accuracy:.3f}",
            f"{one.baseline.f1_macro:.3f}",
        )
        for name, one in evaluations.items()
    ]
    return Table(
        header=(
            "",
            "rows",
            "accuracy (95 %)",
            "weighted F1 (95 %)",
            "macro F1 (95 %)",
            "log loss (95 %)",
            "majority accuracy",
            "majority macro F1",
        ),
        rows=tuple(rows),
    )


def class_table(evaluation: Evaluation) -> Table:
    """Return precision, recall and F1 of each class with their intervals, in the order of the label names."""
    return Table(
        header=("label", "rows", "predicted", "precision (95 %)", "recall (95 %)", "F1 (95 %)"),
        rows=tuple(
            (
                clean(one.name),
                f"{one.support:,}",
                f"{one.predicted:,}",
                measured(one.precision),
                measured(one.recall),
                measured(one.f1),
            )
            for one in evaluation.per_class
        ),
    )


def confusion_table(evaluation: Evaluation) -> Table:
    """Return the confusion matrix: rows the true label, columns the predicted one, counts with shares of the row."""
    counts, shares = evaluation.confusion_counts, evaluation.confusion_shares
    names = [clean(name) for name in evaluation.label_names]
    return Table(
        header=("true ↓ predicted →", *names),
        rows=tuple(
            (name, *(f"{counts[true, said]:,} ({shares[true, said]:.2f})" for said in range(len(names))))
            for true, name in enumerate(names)
        ),
    )


def worst_confusion_table(evaluation: Evaluation) -> Table:
    """Return the worst confusions in words, the most rows first."""
    return Table(
        header=("confusion", "rows", "share of the true label (95 %)"),
        rows=tuple(
            (f"{clean(one.true_label)} → {clean(one.predicted_label)}", f"{one.count:,}", measured(one.share))
            for one in evaluation.worst_confusions
        ),
    )


def measured(score: Measured) -> str:
    """Return a score with its interval: "0.804 (0.786–0.821)"."""
    return f"{score.value:.3f} ({score.between(3)})"
