"""How a finished run shows itself. In: its folder, figures and metrics. Out: two lines and tables.

It does not know how the run was trained.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from limbeck.display.tables import Table
from limbeck.display.views import View, listed
from limbeck.evaluation.any_evaluation import AnyEvaluation
from limbeck.evaluation.measured import brief
from limbeck.evaluation.multi_evaluation import MultiEvaluation
from limbeck.evaluation.ordinal_evaluation import OrdinalEvaluation
from limbeck.evaluation.value_evaluation import ValueEvaluation
from limbeck.runs.run_folder import RunFolder

_COLUMN = {"accuracy": "accuracy", "f1_micro": "micro F1"}


class RunView(View):
    """What a training made, shown: whoever inherits has these three.

    Attributes:
        folder: where everything is.
        validation: figures on the rows that judge it.
        metrics: what `metrics.json` holds.
    """

    folder: RunFolder
    validation: AnyEvaluation
    metrics: Mapping[str, Any]

    def _lines(self) -> tuple[str, str]:
        found = self.validation
        where = "out of fold" if self.metrics.get("judged_by") == "out_of_fold" else "on validation"
        warnings = len(self.metrics.get("warnings", ()))
        told = f"; {warnings} {'warning' if warnings == 1 else 'warnings'}" if warnings else ""
        name = f"Run {self.folder.path} ({self.metrics['method']})"
        if isinstance(found, MultiEvaluation):
            base = found.baseline
            return (
                f"{name}: micro F1 {brief(found.f1_micro)}, macro F1 {brief(found.f1_macro)}, {found.rows:,} rows "
                f"{where}",
                f"always {base}: micro F1 {base.figures['f1_micro']:.3f}, macro F1 {base.figures['f1_macro']:.3f}"
                f"{told}",
            )
        if isinstance(found, OrdinalEvaluation):
            base_line = found.baseline
            return (
                f"{name}: quadratic kappa {brief(found.quadratic_kappa)}, {brief(found.mae)} steps off, "
                f"{found.rows:,} rows {where}",
                f"always {listed([base_line.label])}: {base_line.mae:.3f} steps off{told}",
            )
        if isinstance(found, ValueEvaluation):
            return (
                f"{name}: Pearson's correlation {brief(found.pearson)}, mean absolute error {brief(found.mae)}, "
                f"{found.rows:,} rows {where}",
                f"always {found.baseline_value:.4g}: mean absolute error {found.baseline_mae:.4g}{told}",
            )
        return (
            f"{name}: accuracy {brief(found.accuracy)}, macro F1 {brief(found.f1_macro)}, {found.rows:,} rows {where}",
            f"always {listed([found.baseline.label])}: accuracy {found.baseline.accuracy:.3f}; "
            f"calibration error {found.calibration.ece.value:.3f}{told}",
        )

    def _tables(self) -> Iterator[Table]:
        epochs = self.metrics.get("epochs", ())
        if epochs:
            best = self.metrics["best_epoch"]
            first = "f1_micro" if isinstance(self.validation, MultiEvaluation) else "accuracy"
            figures = ("train_loss", "validation_loss", first, "f1_macro")
            yield Table(
                title="Epochs; losses in nats",
                header=("epoch", "training loss", "validation loss", _COLUMN[first], "macro F1"),
                rows=tuple(
                    (
                        f"{line['epoch']}{' (kept)' if line['epoch'] == best else ''}",
                        *(f"{line[name]:.3f}" if name in line else "–" for name in figures),
                    )
                    for line in epochs
                ),
            )
        yield from self.validation._tables()
        if self.metrics.get("warnings"):
            yield Table(
                title="Warnings", header=("warning",), rows=tuple((one["text"],) for one in self.metrics["warnings"])
            )
