"""What stands between a method and the loop: a recipe, the job that it prepares, and what the loop made of it.

In: what is trained, what it is brought down by and judged by. Out: frozen values. It does not know how the loop runs.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, Literal, Protocol, TypeVar

from torch import nn

from limbeck.runs.run_folder import RunFolder
from limbeck.settings import LoopSettings
from limbeck.training.journal import EpochLine
from limbeck.training.judge import Judge
from limbeck.training.losses import Losses
from limbeck.training.session import Session

RunT_co = TypeVar("RunT_co", covariant=True)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What the loop needs to know beside its settings.

    Attributes:
        settings: of the loop.
        learning_rate: the highest that the schedule reaches; the loop looks for it first when there is none.
        token_budget: tokens per micro-batch.
        layer_decay: factor by which the learning rate falls from layer to layer.
        n_layers: layers that this counts.
        unfreeze: everything at once, or the head first and one more layer after another.
        stretch_rows: rows that an epoch takes of an endless sequence of all rows, for a stream too long to be gone
            through between two evaluations; all rows when not given. Its progress is counted in tokens.
    """

    settings: LoopSettings
    learning_rate: float | None
    token_budget: int
    layer_decay: float = 1.0
    n_layers: int = 0
    unfreeze: Literal["all", "gradual"] = "all"
    stretch_rows: int | None = None


@dataclass(frozen=True, kw_only=True)
class LoopResult:
    """What the loop did.

    Attributes:
        epochs: the table of epochs.
        best_epoch: number, from 1, of the epoch whose weights the module has.
        steps: updates done.
        resumed_at: step at which this process took over; None when it began the run.
        learning_rate: the highest that the schedule reached.
        train_s: seconds of training, evaluation and saving left out, in all processes together.
    """

    epochs: tuple[EpochLine, ...]
    best_epoch: int
    steps: int
    resumed_at: int | None
    learning_rate: float
    train_s: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Job(Generic[RunT_co]):
    """One training, ready for the loop.

    Attributes:
        module: what is trained; frozen weights do not require gradients.
        losses: what its rows cost.
        judge: what each epoch is judged by.
        plan: settings and sizes.
        stages: the settings of each stage by its name, resolved; those of the method itself get the learning rate
            that was trained with, so that they repeat the run without looking for it.
        finish: writes what the run leaves, of the loop's result and the stages; the figures last.
    """

    module: nn.Module
    losses: Losses
    judge: Judge
    plan: Plan
    stages: Mapping[str, Any]
    finish: Callable[[LoopResult, Mapping[str, Any]], RunT_co]


class Recipe(Protocol[RunT_co]):
    """A method with its settings and its data: whatever a training can be begun with."""

    @property
    def name(self) -> str:
        """The method's name, which its stage has too: "head", "finetune", "distil" or "pretrain"."""
        ...

    @property
    def figures(self) -> tuple[str, ...]:
        """Of the validation rows, whose mean and spread over several seeds are reported; the last is the loss."""
        ...

    @property
    def loop(self) -> LoopSettings:
        """The settings of the loop."""
        ...

    def stages(self) -> dict[str, Any]:
        """Return the settings of each stage by the name of its table."""
        ...

    def with_loop(self, loop: Mapping[str, Any]) -> "Recipe[RunT_co]":
        """Return the same with other settings of the loop."""
        ...

    def data(self) -> dict[str, Any]:
        """Say what it is trained on, in plain values: source and fingerprint."""
        ...

    def check(self) -> None:
        """Refuse what can be refused before anything is loaded.

        Raises:
            LimbeckError: see above.
        """
        ...

    def prepare(self, session: Session) -> Job[RunT_co]:
        """Load what is trained, claim the folder, and turn rows into what the loop trains on."""
        ...

    def reopen(self, folder: RunFolder, metrics: Mapping[str, Any]) -> RunT_co:
        """Return the run that a folder holds, of the best of several seeds."""
        ...


def fixed_rate(settings: LoopSettings) -> float | None:
    """Return the learning rate that the settings give; None where it is to be looked for."""
    return None if settings.learning_rate == "auto" else settings.learning_rate
