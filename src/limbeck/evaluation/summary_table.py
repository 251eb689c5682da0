"""Summary table: several evaluations side by side, as programs that compare models print them.

In: evaluations by name. Out: a table. It does not know how they came about.
"""

from collections.abc import Mapping

from limbeck.display.tables import Table
from limbeck.evaluation.evaluation import Evaluation
from limbeck.evaluation.measured import brief


def summary_table(evaluations: Mapping[str, Evaluation]) -> Table:
    """Return the four scores with their intervals, one line an evaluation, each beside its majority baseline."""
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
        rows=tuple(
            (
                name,
                f"{one.rows:,}",
                *map(brief, (one.accuracy, one.f1_weighted, one.f1_macro, one.log_loss)),
                f"{one.baseline.accuracy:.3f}",
                f"{one.baseline.f1_macro:.3f}",
            )
            for name, one in evaluations.items()
        ),
    )
