"""What the recipes of classifiers share: their settings, and the labelled rows that they are trained on.

In: settings and rows. Out: what `training.job.train` asks of every recipe. It does not know how anything is trained,
and loads nothing heavy before it is asked: a method's file may hold its settings too, which `--help` reads.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Self, TypeVar

from limbeck.methods.trainings import Training
from limbeck.settings import TaskKind
from limbeck.training.setting_checks import check_training

if TYPE_CHECKING:
    from limbeck.data.dataset import Dataset
    from limbeck.runs.run_folder import RunFolder
    from limbeck.training.outcome import LoopRun

_FIGURES: dict[TaskKind, tuple[str, ...]] = {
    "single": ("accuracy", "f1_weighted", "f1_macro", "log_loss"),
    "multi": ("f1_micro", "f1_macro", "auc_pr", "log_loss"),
    "ordinal": ("quadratic_kappa", "mae", "accuracy", "log_loss"),
    "regression": ("pearson", "spearman", "mae", "rmse"),
}

TrainingT = TypeVar("TrainingT", bound=Training)


@dataclass(frozen=True, kw_only=True)
class ClassifierRecipe(Generic[TrainingT]):
    """A classifier's training on labelled rows.

    Attributes:
        tasks: the shapes of answers that it can be trained for.
        settings: of every stage.
        dataset: the rows.
    """

    tasks: ClassVar[tuple[TaskKind, ...]] = ("single",)

    settings: TrainingT
    dataset: "Dataset"

    @property
    def name(self) -> str:
        """The method's name, which its stage has too."""
        return self.settings.method

    @property
    def figures(self) -> tuple[str, ...]:
        """Of the validation rows, whose mean and spread over several seeds are reported; the last is the loss."""
        return _FIGURES[self.dataset.task.name]

    @property
    def loop(self) -> Any:
        """The settings of the loop."""
        return self.settings.fitting

    def stages(self) -> dict[str, Any]:
        """Return each stage's settings by the name of its table."""
        return self.settings.stages()

    def with_loop(self, loop: Mapping[str, Any]) -> Self:
        """Return the same with other settings of the loop."""
        return replace(self, settings=self.settings.with_fitting(**loop))

    def data(self) -> dict[str, Any]:
        """Say what it is trained on."""
        from limbeck.runs.run_record import data_record

        return data_record(self.dataset)

    def check(self) -> None:
        """Refuse settings and rows that no training can use.

        Raises:
            DataError: fewer than two labels.
            SettingsError: gathers every fault.
        """
        from limbeck.runs.training_rows import require_classes

        require_classes(self.dataset)
        self.dataset.task.require(self.tasks, doing=f"--method {self.name}")
        check_training(self.loop, n_labels=len(self.dataset.label_names), task=self.dataset.task)

    def reopen(self, folder: "RunFolder", metrics: Mapping[str, Any]) -> "LoopRun":
        """Return the run that a folder holds."""
        from limbeck.training.outcome import reopened

        return reopened(folder, metrics, self.dataset, self.settings.split)
