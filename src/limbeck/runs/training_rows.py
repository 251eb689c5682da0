"""The rows that a training learns from and is judged by, and what must be said of them before it begins.

In: a `Dataset`. Out: its training and validation rows, and which of them say the same, so that they are held out
together. It does not know encoders, and never looks at the test split.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from limbeck.auditing.near import find_near_duplicates
from limbeck.data.dataset import Dataset
from limbeck.data.hierarchy import Hierarchy, hierarchy_among, implies_parents
from limbeck.data.names import shown
from limbeck.data.normal_form import group_equal_texts
from limbeck.data.pair_halves import halves_of, strictest_first
from limbeck.data.split import ensure_validation, link_groups
from limbeck.data.text_pairs import without_marks
from limbeck.errors import DataError
from limbeck.model.facts import FEWEST_LABELS
from limbeck.progress import SILENT, Progress
from limbeck.settings import SplitSettings
from limbeck.task import MULTI, ORDINAL, REGRESSION


@dataclass(frozen=True, kw_only=True, eq=False)
class TrainingRows:
    """The rows of a training.

    Attributes:
        dataset: all rows, with the splits that are used.
        train: rows to learn from.
        validation: rows to judge by; those of `train` where cross-validation judges.
    """

    dataset: Dataset
    train: Dataset
    validation: Dataset

    @property
    def label_names(self) -> tuple[str, ...]:
        """The C classes."""
        return self.dataset.label_names

    @property
    def label_parents(self) -> bool:
        """Whether the names of labels state parents that every training row has: answers then keep to it."""
        return implies_parents(self.train)

    @property
    def hierarchy(self) -> Hierarchy | None:
        """Labels and their parents, where answers keep to these; else None."""
        return hierarchy_among(self.label_names) if self.label_parents else None

    @property
    def baseline(self) -> dict[str, Any]:
        """What the labels of the training rows alone would answer, for the provenance of a bundle."""
        if self.dataset.task == MULTI:
            return {"label_shares": self.train.targets.mean(axis=0).tolist()}
        if self.dataset.task == REGRESSION:
            return {"mean_number": float(self.train.targets.mean())}
        if self.dataset.task == ORDINAL:
            middle = np.sort(self.train.labels)[(len(self.train) - 1) // 2]
            return {"median_label": self.label_names[int(middle)]}
        return {"majority_label": self.label_names[self.majority_label]}

    @property
    def majority_label(self) -> int:
        """The most frequent label of the training rows."""
        return int(np.bincount(self.train.labels).argmax())


def require_classes(dataset: Dataset) -> None:
    """Refuse rows that have nothing to tell apart, before anything is loaded or computed.

    Raises:
        DataError: there are fewer than two labels.
        SettingsError: the rows are of a task that no training serves yet.
    """
    if not dataset.task.has_classes:
        return
    names, fewest = dataset.label_names, 1 if dataset.task == MULTI else FEWEST_LABELS
    if len(names) < fewest:
        said = f"one label only, {shown(names[0])}" if names else "no label"
        raise DataError(
            f"{dataset.source} has {said}: a classifier learns to tell {fewest} or more apart; add rows of "
            "another label, or check which column the labels are in"
        )


def is_judged_by_folds(dataset: Dataset, settings: SplitSettings) -> bool:
    """Tell whether no validation rows are there and none are to be taken: cross-validation answers every row then."""
    return settings.validation_share == 0 and "validation" not in dataset.split_names


def with_validation(dataset: Dataset, settings: SplitSettings, progress: Progress = SILENT) -> Dataset:
    """Carve a validation split from train where there is none, with equal and nearly equal texts on one side.

    Pairs that share one of their texts are on one side too, as far as that leaves a side to judge by. Where nearly
    equal texts cannot be kept together (too many rows to look at, or so many of one template that one side would have
    next to none), equal ones are. The notes say whether the figures flatter the model.

    Raises:
        DataError: a class has too few different texts to stand in both splits.
    """
    if "train" not in dataset.split_names or "validation" in dataset.split_names:
        return dataset
    train = dataset.split("train")
    near_N = nearly_alike(train.texts, progress)
    for group_N in [] if near_N is None else strictest_first(train.texts, near_N):
        # A class may have too few different texts, if nearly equal ones are one.
        with suppress(DataError):
            made = ensure_validation(dataset, settings, group_N)
            if made.split_sizes().get("validation", 0) >= settings.validation_share * len(train) / 2:
                return made
    made = ensure_validation(dataset, settings)
    *others, note = made.notes
    flattery = "; nearly equal texts may stand on both sides, which flatters the figures: limbeck split makes splits"
    return replace(made, notes=(*others, replace(note, example=note.example + flattery)))


def training_rows(
    dataset: Dataset, settings: SplitSettings, progress: Progress = SILENT, *, folds_may_judge: bool = False
) -> TrainingRows:
    """Take the training rows, and validation rows from among them where there is no such split.

    Says what reading changed, which texts stand in both splits, and which class cannot be judged.

    Args:
        dataset: rows.
        settings: how validation rows are taken.
        progress: is told.
        folds_may_judge: the training answers its own rows by cross-validation, and may do without validation rows.

    Raises:
        DataError: no train split, fewer than two labels, a row without a label, a class without training rows.
    """
    if "train" not in dataset.split_names:
        raise DataError(
            f"{dataset.source} has no train split (it has {', '.join(dataset.split_names)}; words such as test and dev "
            "in the name of a file or folder tell its split): give the training rows such a name with train in it, or "
            "one without such a word"
        )
    require_classes(dataset)
    by_folds = folds_may_judge and is_judged_by_folds(dataset, settings)
    dataset = dataset if by_folds else with_validation(dataset, settings, progress)
    for note in dataset.notes:
        progress.say(str(note))
    judged = dataset.split("train" if by_folds else "validation")
    rows = TrainingRows(dataset=dataset, train=dataset.split("train"), validation=judged)
    if rows.label_parents:
        progress.say(
            "names of labels state their parents, and every training row has them: answers will have them, too"
        )
    train_C, validation_C = (_rows_of_each(part) for part in (rows.train, rows.validation))
    if unseen := [name for name, count in zip(rows.label_names, train_C, strict=True) if not count]:
        raise DataError(
            f"{dataset.source} has no training row of {', '.join(unseen)}: no model can learn a class from nothing; "
            "add rows of it, or take it out of the other splits"
        )
    if unjudged := [name for name, count in zip(rows.label_names, validation_C, strict=True) if not count]:
        progress.say(f"no validation row of {', '.join(unjudged)}: the figures say nothing about it")
    if by_folds:
        return rows
    known = set(rows.train.texts)
    if leaked := sum(text in known for text in rows.validation.texts):
        progress.say(
            f"{leaked:,} of {len(rows.validation):,} validation texts are training texts too, letter by letter: the "
            "figures flatter the model; limbeck clean removes them"
        )
    if shared := _count_shared_halves(rows):
        progress.say(
            f"{shared:,} of {len(rows.validation):,} validation pairs share one of their two texts with a training "
            "pair: the figures may flatter the model; limbeck split keeps such pairs together where it can"
        )
    return rows


def _count_shared_halves(rows: TrainingRows) -> int:
    """Count validation pairs of which one text is in the training rows, and the other beside another text."""
    halves = halves_of([*rows.train.texts, *rows.validation.texts])
    if halves is None:
        return 0
    is_judged_N = np.arange(len(halves.first)) >= len(rows.train)
    learned = set(rows.train.texts)
    crossing_N = halves.crossing(is_judged_N.astype(np.int64)) & is_judged_N
    texts = rows.validation.texts
    return sum(texts[row - len(rows.train)] not in learned for row in np.flatnonzero(crossing_N).tolist())


def _rows_of_each(dataset: Dataset) -> NDArray[np.int64]:
    """Return how many rows have each label, int64 (C,)."""
    if dataset.task == MULTI:
        counts_C: NDArray[np.int64] = np.count_nonzero(dataset.targets, axis=0)
        return counts_C
    if dataset.task == REGRESSION:
        # Refuses rows without a number, as the others refuse rows without a label.
        return np.zeros(len(dataset.targets), dtype=np.int64)[:0]
    return np.bincount(dataset.labels, minlength=len(dataset.label_names))


MOST_TEXTS = 200_000
"""Of more texts only equal ones are looked for: near-duplicates would take minutes."""
LARGEST_SHARE = 0.1
"""Of folds: texts that chain together to more than this share of all share a template, and are not held out at once."""


def alike_texts(texts: Sequence[str], progress: Progress = SILENT) -> NDArray[np.int64]:
    """Return a group for each text, int64 (N,), for folds: equal texts share one, and nearly equal ones if need be.

    Nearly equal texts do not where there are too many to look at, or where so many are chained together that holding
    them out at once would leave little to learn from; nor do pairs that share one of their texts, where that is so.
    """
    equal_N = group_equal_texts(texts)
    near_N = nearly_alike(texts, progress)
    groups = [] if near_N is None else strictest_first(texts, near_N)
    return next((group_N for group_N in groups if _leaves_enough(group_N, equal_N)), equal_N)


def _leaves_enough(group_N: NDArray[np.int64], equal_N: NDArray[np.int64]) -> bool:
    """Tell whether no group has so many different texts that little would be left to learn from."""
    different_G = np.bincount(group_N[np.unique(equal_N, return_index=True)[1]], minlength=1)
    return bool(different_G.max() <= max(2, LARGEST_SHARE * different_G.sum()))


def nearly_alike(texts: Sequence[str], progress: Progress = SILENT) -> NDArray[np.int64] | None:
    """Return a group for each text, int64 (N,), that equal and nearly equal ones share; None of too many texts."""
    if len(texts) > MOST_TEXTS:
        return None
    near_N = find_near_duplicates(pa.array(without_marks(texts), pa.large_string()), progress=progress).group
    return link_groups(group_equal_texts(texts), near_N)
