"""Task: the shape of an answer. It alone knows how logits become answers, and answers a decision.

In: arrays of logits or answers, float (N, …). Out: answers as float32, decisions as bool. A `Dataset` and a bundle have
one; whatever serves some shapes only asks `require`, so that nothing computes a number that means nothing.
It does not know losses (`training`), features, texts or files.

Shapes: N rows, C labels.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, get_args

import numpy as np

from limbeck.errors import SettingsError
from limbeck.settings import BestBy, TaskKind

DEFAULT_THRESHOLD = 0.5
"""A label of several is given from this probability on, where no threshold of its own was chosen."""


class Task(ABC):
    """A shape of answers; `SINGLE`, `MULTI`, `ORDINAL` and `REGRESSION` are all there are.

    Attributes:
        name: how it is written in files and on the command line.
        words: what a row has, for screens and messages.
        has_classes: whether its answers are about named labels.
    """

    name: ClassVar[TaskKind]
    words: ClassVar[str]
    has_classes: ClassVar[bool] = True

    def __str__(self) -> str:
        """Return the name."""
        return self.name

    @abstractmethod
    def n_logits(self, labels: int) -> int:
        """Return how many logits a head gives for C labels."""

    @abstractmethod
    def answers(self, logits: np.ndarray) -> np.ndarray:
        """Return what the logits of N rows mean, float32: probabilities (N, C), or numbers (N, 1)."""

    @abstractmethod
    def decided(self, answers: np.ndarray, thresholds: np.ndarray | None = None) -> np.ndarray:
        """Return which labels each row is given, bool (N, C).

        Args:
            answers: as `answers` returns them.
            thresholds: (C,), the probability from which on each label is given; for several labels per row only.

        Raises:
            SettingsError: there is nothing to decide, or thresholds mean nothing here.
        """

    def deciding(self, by: BestBy) -> BestBy:
        """Return the figure that decides which epoch is the best where `by` is asked for, which this task may lack."""
        return by

    def require(self, kinds: tuple[TaskKind, ...], *, doing: str, todo: str = "") -> None:
        """Refuse this task where only others are served.

        Args:
            kinds: those that are served.
            doing: what is asked for, as the user called it ("limbeck threshold").
            todo: what serves this task, as a sentence.

        Raises:
            SettingsError: this is none of them.
        """
        if self.name not in kinds:
            served = " or ".join(TASKS[kind].words for kind in kinds)
            raise SettingsError(
                f"{doing} is for {served}; here it is {self.words} ({self.name}){f'. {todo}' if todo else ''}"
            )


def _refuse_thresholds(task: Task, thresholds: np.ndarray | None) -> None:
    if thresholds is not None:
        raise SettingsError(f"a threshold per label is for {MULTI.words}; here it is {task.words} ({task.name})")


def _one_of(places: np.ndarray, labels: int) -> np.ndarray:
    """Return bool (N, C) with one true value per row."""
    decided: np.ndarray = np.arange(labels) == places[:, None]
    return decided


def _sigmoid(logits: np.ndarray) -> np.ndarray:
    """Return the logistic function in float64, without overflow."""
    exact = np.asarray(logits, np.float64)
    small = np.exp(-np.abs(exact))
    return np.where(exact >= 0, 1 / (1 + small), small / (1 + small))


@dataclass(frozen=True)
class Single(Task):
    """One of C classes: softmax, and the most probable class."""

    name = "single"
    words = "one label per row"

    def n_logits(self, labels: int) -> int:
        """Return C."""
        return labels

    def answers(self, logits: np.ndarray) -> np.ndarray:
        """Return the softmax of the logits (N, C): probabilities that add to 1."""
        exact = np.asarray(logits, np.float64)
        raised = np.exp(exact - exact.max(axis=1, keepdims=True))
        answers: np.ndarray = (raised / raised.sum(axis=1, keepdims=True)).astype(np.float32)
        return answers

    def decided(self, answers: np.ndarray, thresholds: np.ndarray | None = None) -> np.ndarray:
        """Return the most probable class of each row; of equal ones the first."""
        _refuse_thresholds(self, thresholds)
        return _one_of(answers.argmax(axis=1), answers.shape[1])


@dataclass(frozen=True)
class Multi(Task):
    """Any number of C labels, also none: a probability for each by itself, and a threshold for each."""

    name = "multi"
    words = "any number of labels per row"

    def n_logits(self, labels: int) -> int:
        """Return C."""
        return labels

    def answers(self, logits: np.ndarray) -> np.ndarray:
        """Return the logistic function of each logit (N, C): independent probabilities."""
        return _sigmoid(logits).astype(np.float32)

    def decided(self, answers: np.ndarray, thresholds: np.ndarray | None = None) -> np.ndarray:
        """Return the labels whose probability is at least their threshold, 0.5 when none are given."""
        least = DEFAULT_THRESHOLD if thresholds is None else np.asarray(thresholds)
        decided: np.ndarray = answers >= least
        return decided

    def deciding(self, by: BestBy) -> BestBy:
        """Return macro F1 for the accuracy, which label sets do not have."""
        return "f1_macro" if by == "accuracy" else by


@dataclass(frozen=True)
class Ordinal(Task):
    """One of C classes in an order: C-1 logits, logit k of "above class k" where it is not below it.

    Going up the classes, each logit decides whether to stop. (The continuation-ratio model; "CORN" where a network
    gives the logits.) So any logits give probabilities that are consistent, and a head needs no constraint.

    Source: Fienberg, "The Analysis of Cross-Classified Categorical Data" (1980), section 6.6; Shi, Cao, Raschka, "Deep
    Neural Networks for Rank-Consistent Ordinal Regression Based on Conditional Probabilities" (2021), section 3.
    """

    name = "ordinal"
    words = "one of ordered classes per row"

    def n_logits(self, labels: int) -> int:
        """Return C-1."""
        return labels - 1

    def answers(self, logits: np.ndarray) -> np.ndarray:
        """Return the differences of the cumulative probabilities of C-1 logits: (N, C), which add to 1.

        Above class k with the product of the first k + 1 logistic functions, which can only fall.
        """
        above = np.cumprod(_sigmoid(logits), axis=1)
        ends = np.ones((len(above), 1)), np.zeros((len(above), 1))
        answers: np.ndarray = -np.diff(np.hstack([ends[0], above, ends[1]]), axis=1)
        return answers.astype(np.float32)

    def decided(self, answers: np.ndarray, thresholds: np.ndarray | None = None) -> np.ndarray:
        """Return the median class of each row: no other class has a smaller expected distance in steps."""
        _refuse_thresholds(self, thresholds)
        reached = np.cumsum(answers, axis=1, dtype=np.float64)
        return _one_of((reached >= reached[:, -1:] / 2).argmax(axis=1), answers.shape[1])


@dataclass(frozen=True)
class Regression(Task):
    """A number: the one logit itself."""

    name = "regression"
    words = "a number per row"
    has_classes = False

    def n_logits(self, labels: int) -> int:
        """Return 1."""
        return 1

    def answers(self, logits: np.ndarray) -> np.ndarray:
        """Return the numbers (N, 1)."""
        return np.asarray(logits, np.float32).reshape(len(logits), 1)

    def decided(self, answers: np.ndarray, thresholds: np.ndarray | None = None) -> np.ndarray:
        """Refuse: a number is an answer by itself.

        Raises:
            SettingsError: always.
        """
        raise SettingsError("a number per row (regression) has no labels to decide on: take the answers as they are")

    def deciding(self, by: BestBy) -> BestBy:
        """Return the loss: numbers have no other figure that settings can name."""
        return "loss"


SINGLE = Single()
MULTI = Multi()
ORDINAL = Ordinal()
REGRESSION = Regression()
TASKS: dict[TaskKind, Task] = {one.name: one for one in (SINGLE, MULTI, ORDINAL, REGRESSION)}
"""Every task by its name."""


def task_named(name: str) -> Task:
    """Return the task of a name, as settings, bundles and files write it.

    Raises:
        SettingsError: there is no such task; names those there are.

    Example:
        >>> task_named("multi").words
        'any number of labels per row'
    """
    for kind in get_args(TaskKind):
        if name == kind:
            return TASKS[kind]
    known = ", ".join(f"{one.name} ({one.words})" for one in TASKS.values())
    raise SettingsError(f"task {name!r} is not known: there are {known}")
