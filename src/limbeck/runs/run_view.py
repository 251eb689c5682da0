"""How a finished run shows itself. In: its folder, figures and metrics. Out: two lines and tables.

It does not know how the run was trained.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from limbeck.display.tables import Table
from limbeck.display.views import View, listed
from limbeck.evaluation.evaluation import Evaluation
from limbeck.evaluation.measured import brief
from limbeck.runs.run_folder import RunFolder


class RunView(View):
    """What a training made, shown: whoever inherits has these three.

    Attributes:
        folder: where everything is.
        validation: figures on the rows that judge it.
        metrics: what `metrics.json` holds.
    """

    folder: RunFolder
    validation: Evaluation
    metrics: Mapping[str, Any]

    def _lines(self) -> tuple[str, str]:
        found, by_folds = self.validation, self.metrics.get("judged_by") == "out_of_fold"
        where = "out of fold" if by_folds else "on validation"
        warnings = len(self.metrics.get("warnings", ()))
        told = f"; {warnings} {'warning' if warnings == 1 else 'warnings'}" if warnings else ""
        return (
            f"Run {self.folder.path} ({self.metrics['method']}): accuracy {brief(found.accuracy)}, "
            f"macro F1 {brief(found.f1_macro)}, {found.rows:,} rows {where}",
            f"always {listed([found.baseline.label])}: accuracy {found.baseline.accuracy:.3f}; "
            f"calibration error {found.calibration.ece.value:.3f}{told}",
        )

    def _tables(self) -> Iterator[Table]:
        epochs = self.metrics.get("epochs", ())
        if epochs:
            best = self.metrics["best_epoch"]
            figures = ("train_loss", "validation_loss", "accuracy", "f1_macro")
            yield Table(
                title="Epochs; losses in nats",
                header=("epoch", "training loss", "validation loss", "accuracy", "macro F1"),
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
