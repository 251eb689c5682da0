"""Judging: how good an epoch's weights are, on rows that are not trained on.

In: validation `Examples`. Out: one line of the table of epochs, and the figure by which the best epoch is chosen.
It does not know updates or optimizers.

What a training is judged by stands here and nowhere in the loop, as what it costs stands in `losses`.
"""

from collections.abc import Callable
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from torch import nn

from limbeck.errors import TrainingError
from limbeck.evaluation.metrics import Scores, scores
from limbeck.progress import SILENT, Progress
from limbeck.settings import LoopSettings
from limbeck.training import objectives
from limbeck.training.batches import pack_rows
from limbeck.training.examples import Examples, spoken_rows
from limbeck.training.journal import EpochLine, EpochScores
from limbeck.training.team import ALONE, Team

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


class LabelJudge:
    """How well labels are met.

    Args:
        module: what is trained; set to evaluation meanwhile.
        examples: rows to judge by.
        settings: the loss, and the figure that decides.
        n_labels: number of classes.
        team: the processes that share the rows out.
    """

    line_type: type[EpochLine] = EpochScores

    def __init__(
        self, module: nn.Module, examples: Examples, settings: LoopSettings, n_labels: int, *, team: Team = ALONE
    ) -> None:
        self.examples = examples
        self._module = module
        self._settings = settings
        self._n_labels = n_labels
        self._team = team

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

    def figure(self, line: EpochLine) -> float:
        """Return the figure that the settings name."""
        by = self._settings.best_by
        return -line.validation_loss if by == "loss" else float(getattr(line, by))

    def score(self, epoch: int, check: Callable[[], None], progress: Progress) -> Scores:
        """Score the validation rows; no more is kept of them than their probabilities."""
        facts = self.examples.facts
        probabilities_NC = np.zeros((len(facts), self._n_labels), np.float64)
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
                logits_BC = self.examples.logits(rows)
                if self._settings.loss == "binary":
                    logits_BC = objectives.two_logits(logits_BC)
                probabilities_NC[rows] = logits_BC.cpu().double().softmax(dim=1).numpy()
                advance(len(rows))
        self._team.sum_array(probabilities_NC)
        if not np.isfinite(probabilities_NC).all():
            bad = np.flatnonzero(~np.isfinite(probabilities_NC).all(axis=1))
            raise TrainingError(
                f"the model's answers after epoch {epoch} are not finite (validation "
                f"{spoken_rows(facts, bad)}): lower the learning rate"
            )
        return scores(probabilities_NC, facts.labels_N)
