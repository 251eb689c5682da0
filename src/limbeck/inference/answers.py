"""Answers: what a model's output is as predictions, and how these are scored, for each shape of answer.

In: a bundle's facts, what its head said of rows, and the rows' own columns. Out: `Predictions`, `MultiPredictions` or
`ValuePredictions`, and their evaluation. This is the one place that asks which of them a task has. It does not know
engines or training.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import pyarrow as pa

from limbeck.data.dataset import Dataset
from limbeck.data.hierarchy import hierarchy_among, with_parents
from limbeck.errors import SettingsError
from limbeck.evaluation.abstaining import find_unsure
from limbeck.evaluation.any_evaluation import AnyEvaluation
from limbeck.evaluation.evaluation import evaluate
from limbeck.evaluation.multi_evaluation import evaluate_multi
from limbeck.evaluation.multi_predictions import MultiPredictions
from limbeck.evaluation.ordinal_evaluation import evaluate_ordinal
from limbeck.evaluation.prediction_tables import AnyPredictions
from limbeck.evaluation.predictions import Predictions
from limbeck.evaluation.rater_agreement import RaterAgreement
from limbeck.evaluation.row_answers import RowAnswers
from limbeck.evaluation.value_evaluation import evaluate_values
from limbeck.evaluation.value_predictions import ValuePredictions
from limbeck.model.facts import BundleFacts
from limbeck.settings import TaskKind
from limbeck.task import ORDINAL


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class AnsweredRows(RowAnswers):
    """Rows that a model read, and their truth where it is known: all that predictions have beside the answers.

    Attributes:
        true_labels: as `Dataset.table["label"]` has them, null where they are not known; None where none are.
    """

    true_labels: pa.Array | pa.ChunkedArray | None = None

    def _lines(self) -> tuple[str, str]:
        return f"{len(self):,} rows that a model read", f"{self.count_cut:,} texts cut"

    def shared(self, truth: str, kind: pa.DataType) -> dict[str, Any]:
        """Return the fields that predictions of every shape have, their truth by its name, null where not known."""
        known = pa.nulls(len(self), kind) if self.true_labels is None else self.true_labels
        return {**{field.name: getattr(self, field.name) for field in fields(RowAnswers)}, truth: known}


def predictions_of(facts: BundleFacts, answers: np.ndarray, rows: AnsweredRows) -> AnyPredictions:
    """Return what a model answers, as its task has it.

    Args:
        facts: of the model.
        answers: as `Bundle.answers` returns them.
        rows: that were answered.

    Raises:
        SettingsError: nothing shows the answers of this task yet.
    """
    facts.shape.require(tuple(_PREDICTIONS), doing="answering texts")
    return _PREDICTIONS[facts.task](facts, answers, rows)


def _of_classes(facts: BundleFacts, answers: np.ndarray, rows: AnsweredRows) -> Predictions:
    return Predictions(
        **rows.shared("true_labels", pa.int32()),
        label_names=facts.label_names,
        probabilities=answers,
        unsure=None if facts.thresholds is None else find_unsure(answers, facts.thresholds),
        task=facts.shape,
    )


def label_sets_of(facts: BundleFacts, answers: np.ndarray, rows: AnsweredRows) -> MultiPredictions:
    """Return what a model of any number of labels answers; no label is likelier than its parent, where it has one."""
    hierarchy = hierarchy_among(facts.label_names) if facts.label_parents else None
    return MultiPredictions(
        **rows.shared("true_labels", pa.large_list(pa.int32())),
        label_names=facts.label_names,
        probabilities=answers if hierarchy is None else hierarchy.raised(answers),
        thresholds=None if facts.label_thresholds is None else np.array(facts.label_thresholds),
        label_parents=hierarchy is not None,
    )


def as_model_labels(facts: BundleFacts, dataset: Dataset) -> Dataset:
    """Return labelled rows with the labels of a model, matched by name; with parents, where the model gives them.

    Raises:
        DataError: a label that occurs in the rows is none of the model's.
    """
    if facts.label_parents:
        dataset = with_parents(dataset, known=facts.label_names)
    return dataset.with_label_names(facts.label_names)


def numbers_of(facts: BundleFacts, answers: np.ndarray, rows: AnsweredRows) -> ValuePredictions:
    """Return what a model of numbers answers."""
    return ValuePredictions(**rows.shared("true_values", pa.float64()), values=answers[:, 0], width=facts.value_width)


_PREDICTIONS: dict[TaskKind, Callable[[BundleFacts, np.ndarray, AnsweredRows], AnyPredictions]] = {
    "single": _of_classes,
    "multi": label_sets_of,
    "ordinal": _of_classes,
    "regression": numbers_of,
}


def evaluation_of(
    found: AnyPredictions, facts: BundleFacts, *, seed: int, raters: RaterAgreement | None = None
) -> AnyEvaluation:
    """Score answers whose truth is known, beside what the training rows' labels alone would have answered.

    Args:
        found: the answers.
        facts: of the model, whose provenance has `majority_label`, `label_shares`, `median_label` or `mean_number`.
        seed: of the bootstrap.
        raters: of numbers, how well people agree about these rows.

    Raises:
        DataError: no row has a known label.
    """
    if isinstance(found, MultiPredictions):
        shares = facts.provenance.get("label_shares")
        return evaluate_multi(found, label_shares=None if shares is None else np.array(shares), seed=seed)
    if isinstance(found, ValuePredictions):
        return evaluate_values(found, training_mean=facts.provenance.get("mean_number"), raters=raters, seed=seed)
    if found.task == ORDINAL:
        median = facts.provenance.get("median_label")
        return evaluate_ordinal(
            found.probabilities[found.labelled_rows],
            found.known_labels,
            found.label_names,
            median_label=None if median is None else facts.label_names.index(median),
            seed=seed,
        )
    single = classes_of(found)
    return evaluate(
        single.probabilities,
        single.known_labels,
        single.label_names,
        majority_label=facts.majority_label,
        seed=seed,
    )


def classes_of(found: AnyPredictions) -> Predictions:
    """Return answers of one label per row as such.

    Raises:
        SettingsError: they are of another shape.
    """
    if not isinstance(found, Predictions):
        raise SettingsError("this is for one label per row; the model answers otherwise: limbeck evaluate scores it")
    return found
