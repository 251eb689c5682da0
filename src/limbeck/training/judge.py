"""Judging: how good an epoch's weights are, on rows that are not trained on.

In: validation `Examples`. Out: one line of the table of epochs, and the figure by which the best epoch is chosen.
It does not know updates or optimizers.

What a training is judged by stands here and nowhere in the loop, as what it costs stands in `losses`. `JUDGES` is the
table of what judges each shape of answer.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor, nn

from limbeck.errors import TrainingError
from limbeck.evaluation import label_metrics, metrics
from limbeck.evaluation.label_thresholds import FOLDS, decide_cross_fitted
from limbeck.evaluation.metrics import Scores, scores
from limbeck.evaluation.ordinal_evaluation import median_labels, quadratic_kappa
from limbeck.progress import SILENT, Progress
from limbeck.settings import BestBy, LoopSettings, TaskKind
from limbeck.task import DEFAULT_THRESHOLD, MULTI, ORDINAL, REGRESSION, SINGLE, Task
from limbeck.training import objectives
from limbeck.training.batches import pack_rows
from limbeck.training.examples import Examples, spoken_rows
from limbeck.training.journal import EpochLine, EpochScores, LabelSetScores, NumberScores, OrderedScores
from limbeck.training.team import ALONE, Team

_SAID: dict[BestBy, str] = {"f1_macro": "macro F1", "loss": "the loss"}
EVALUATION_TOKENS = 4096
"""Tokens computed at a time when the validation rows are answered."""


@runtime_checkable
class Judge(Protocol):
    """What the loop asks after each epoch.

    Attributes:
        line_type: of the lines of the table of epochs.
    """

    line_type: type[EpochLine]

    def judge(
        self, epoch: int, train_loss: float, *, check: Callable[[], None], progress: Progress = SILENT
    ) -> EpochLine:
        """Return an epoch's line; its seconds are filled in by the loop.

        Args:
            epoch: its number, from 1.
            train_loss: its mean loss on the training rows.
            check: is called now and then, and raises when the work was asked to end.
            progress: is told how far it is.

        Raises:
            TrainingError: the answers are not finite.
        """
        ...

    def figure(self, line: EpochLine) -> float:
        """Return the figure that decides which epoch is kept: the larger, the better."""
        ...


class AnswerJudge(ABC):
    """Answers the validation rows, whatever is made of the answers.

    Args:
        module: what is trained; set to evaluation meanwhile.
        examples: rows to judge by.
        settings: the loss, and the figure that decides.
        n_labels: number of classes.
        team: the processes that share the rows out.

    Attributes:
        task: the shape of the answers.
    """

    task: ClassVar[Task]

    def __init__(
        self, module: nn.Module, examples: Examples, settings: LoopSettings, n_labels: int, *, team: Team = ALONE
    ) -> None:
        self.examples = examples
        self._module = module
        self._settings = settings
        self._n_labels = n_labels
        self._team = team

    @abstractmethod
    def answers_of(self, logits_BC: Tensor) -> Tensor:
        """Return what logits mean, float64 (B, C)."""

    def figure(self, line: EpochLine) -> float:
        """Return the figure that the settings name, or what stands for it in this task."""
        by = self.task.deciding(self._settings.best_by)
        return -line.validation_loss if by == "loss" else float(getattr(line, by))

    def say_deciding(self, progress: Progress) -> None:
        """Say which figure decides which epoch is kept, where it is not the one that the settings name."""
        asked = self._settings.best_by
        if (deciding := self.task.deciding(asked)) != asked:
            progress.say(
                f"{_SAID[deciding]} decides which epoch is kept: best_by {asked} means that where a row has "
                f"{self.task.words}"
            )

    def answers(self, epoch: int, check: Callable[[], None], progress: Progress) -> np.ndarray:
        """Answer the validation rows; no more is kept of them than that, float64 (N, C)."""
        facts = self.examples.facts
        answers_NC = np.zeros((len(facts), max(1, self._n_labels)), np.float64)
        self._module.eval()
        order = np.argsort(facts.tokens_N, kind="stable")
        turns = self._team.turns(list(pack_rows(order, facts.tokens_N, EVALUATION_TOKENS)))
        own_rows = sum(len(rows) for rows in turns if rows is not None)
        with (
            torch.inference_mode(),
            progress.track(f"evaluating epoch {epoch}", total=own_rows, unit="rows") as advance,
        ):
            for rows in turns:
                check()
                if rows is None:
                    continue
                answers_NC[rows] = self.answers_of(self.examples.logits(rows)).numpy()
                advance(len(rows))
        self._team.sum_array(answers_NC)
        if not np.isfinite(answers_NC).all():
            bad = np.flatnonzero(~np.isfinite(answers_NC).all(axis=1))
            raise TrainingError(
                f"the model's answers after epoch {epoch} are not finite (validation "
                f"{spoken_rows(facts, bad)}): lower the learning rate"
            )
        return answers_NC


class LabelJudge(AnswerJudge):
    """How well labels are met, one a row."""

    task = SINGLE
    line_type: type[EpochLine] = EpochScores

    def judge(
        self, epoch: int, train_loss: float, *, check: Callable[[], None], progress: Progress = SILENT
    ) -> EpochScores:
        """Return an epoch's line."""
        found = self.score(epoch, check, progress)
        return EpochScores(
            epoch=epoch,
            train_loss=train_loss,
            validation_loss=found.log_loss,
            accuracy=found.accuracy,
            f1_weighted=found.f1_weighted,
            f1_macro=found.f1_macro,
            seconds=0.0,
        )

    def score(self, epoch: int, check: Callable[[], None], progress: Progress) -> Scores:
        """Score the validation rows."""
        return scores(self.answers(epoch, check, progress), self.examples.facts.labels_N)

    def answers_of(self, logits_BC: Tensor) -> Tensor:
        """Return the probability of each class."""
        if self._settings.loss == "binary":
            logits_BC = objectives.two_logits(logits_BC)
        return logits_BC.cpu().double().softmax(dim=1)


class LabelSetJudge(AnswerJudge):
    """How well label sets are met, with a threshold for each label that was chosen on other validation rows."""

    task = MULTI
    line_type: type[EpochLine] = LabelSetScores

    def judge(
        self, epoch: int, train_loss: float, *, check: Callable[[], None], progress: Progress = SILENT
    ) -> LabelSetScores:
        """Return an epoch's line."""
        facts = self.examples.facts
        # In the order of their ids: which rows choose for which must not follow from the places they stand at.
        order = np.argsort(np.asarray(facts.row_ids), kind="stable")
        shares_NC, targets_NC = self._raised(self.answers(epoch, check, progress)[order]), facts.labels_N[order]
        if len(order) > 1:
            folds = min(FOLDS, len(order))
            decided_NC = decide_cross_fitted(shares_NC, targets_NC, folds=folds, seed=self._settings.seed)
        else:
            decided_NC = shares_NC >= DEFAULT_THRESHOLD
        tally = label_metrics.tally_of_labels(targets_NC, self._raised(decided_NC))
        return LabelSetScores(
            epoch=epoch,
            train_loss=train_loss,
            validation_loss=float(label_metrics.log_loss_of_labels(shares_NC, targets_NC).mean()),
            f1_micro=float(metrics.f1_micro(tally)),
            f1_weighted=float(metrics.f1_weighted(tally)),
            f1_macro=float(metrics.f1_macro(tally)),
            seconds=0.0,
        )

    def answers_of(self, logits_BC: Tensor) -> Tensor:
        """Return the probability of each label."""
        return logits_BC.cpu().double().sigmoid()

    def _raised(self, values_NC: np.ndarray) -> np.ndarray:
        """Return answers or decisions as the model will give them: no label without its parents."""
        hierarchy = self.examples.facts.hierarchy
        return values_NC if hierarchy is None else hierarchy.raised(values_NC)


class OrderedJudge(AnswerJudge):
    """How well ordered classes are met, each row by its median class."""

    task = ORDINAL
    line_type: type[EpochLine] = OrderedScores

    def judge(
        self, epoch: int, train_loss: float, *, check: Callable[[], None], progress: Progress = SILENT
    ) -> OrderedScores:
        """Return an epoch's line."""
        answers_NC, labels_N = self.answers(epoch, check, progress), self.examples.facts.labels_N
        median_N = median_labels(answers_NC)
        kappa = float(quadratic_kappa(labels_N, median_N, np.ones(len(labels_N))))
        return OrderedScores(
            epoch=epoch,
            train_loss=train_loss,
            validation_loss=float(metrics.row_losses(answers_NC, labels_N).mean()),
            quadratic_kappa=kappa if np.isfinite(kappa) else 0.0,
            mae=float(np.abs(labels_N - median_N).mean()),
            accuracy=float((labels_N == median_N).mean()),
            seconds=0.0,
        )

    def answers_of(self, logits_BC: Tensor) -> Tensor:
        """Return the probability of each class."""
        return torch.from_numpy(ORDINAL.answers(logits_BC.cpu().double().numpy())).double()


class NumberJudge(AnswerJudge):
    """How near the numbers are."""

    task = REGRESSION
    line_type: type[EpochLine] = NumberScores

    def judge(
        self, epoch: int, train_loss: float, *, check: Callable[[], None], progress: Progress = SILENT
    ) -> NumberScores:
        """Return an epoch's line."""
        numbers_N = self.examples.facts.labels_N
        answers_N = self.answers(epoch, check, progress)[:, 0]
        error_N = answers_N - numbers_N
        squared = float(np.square(error_N).mean())
        differ = np.ptp(answers_N) > 0 and np.ptp(numbers_N) > 0
        spread = float(numbers_N.var()) or 1.0
        return NumberScores(
            epoch=epoch,
            train_loss=train_loss,
            validation_loss=squared / spread,
            pearson=float(np.corrcoef(answers_N, numbers_N)[0, 1]) if differ else 0.0,
            mae=float(np.abs(error_N).mean()),
            rmse=squared**0.5,
            seconds=0.0,
        )

    def answers_of(self, logits_BC: Tensor) -> Tensor:
        """Return the numbers."""
        return logits_BC.cpu().double()


JUDGES: dict[TaskKind, Callable[..., AnswerJudge]] = {
    "single": LabelJudge,
    "multi": LabelSetJudge,
    "ordinal": OrderedJudge,
    "regression": NumberJudge,
}
"""What judges each shape of answer."""


def judge_of(task: Task) -> Callable[..., Any]:
    """Return what judges a task.

    Raises:
        SettingsError: no training by gradients serves it.
    """
    task.require(tuple(JUDGES), doing="training by gradients")
    return JUDGES[task.name]
