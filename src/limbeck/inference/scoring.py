"""Scoring: a saved model against rows whose labels are known.

In: a `Predictor` and a labelled `Dataset`. Out: its predictions and their evaluation.
It does not know files nor how the result is shown.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from limbeck.data.dataset import Dataset
from limbeck.data.learned import count_learned
from limbeck.data.rater_lists import ratings_in
from limbeck.display.tables import Table
from limbeck.display.views import View
from limbeck.errors import DataError
from limbeck.evaluation.abstaining import AnsweredScores, RiskCoverage, score_answered, trace_risk
from limbeck.evaluation.any_evaluation import AnyEvaluation
from limbeck.evaluation.prediction_tables import AnyPredictions
from limbeck.evaluation.predictions import Predictions
from limbeck.evaluation.rater_agreement import RaterAgreement, measure_agreement
from limbeck.inference.answers import as_model_labels, evaluation_of
from limbeck.inference.predictor import Predictor
from limbeck.model.facts import BundleFacts
from limbeck.progress import SILENT, Progress, ProgressLike, as_progress
from limbeck.task import REGRESSION


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Scored(View):
    """What a model said of labelled rows, and how right it was.

    Attributes:
        predictions: of every row.
        evaluation: of every row's most probable label, or of the labels that it is given.
        raters: how well people agree about these rows; None where that was not asked for.
        risk_coverage: what abstaining from the least sure rows would gain; of one label per row only.
        answered: what its thresholds do; None when it has none.
        learned_rows: rows whose text the model learned from, on which it looks better than it is; None where that is
            not known (of a bundle without its run folder).
    """

    predictions: AnyPredictions
    evaluation: AnyEvaluation
    risk_coverage: RiskCoverage | None
    answered: AnsweredScores | None
    learned_rows: int | None = None
    raters: RaterAgreement | None = None

    def _lines(self) -> tuple[str, str]:
        return self.evaluation._lines()

    def _tables(self) -> Iterable[Table]:
        return self.evaluation._tables()


def score(
    predictor: Predictor,
    dataset: Dataset,
    *,
    raters_column: str | None = None,
    seed: int = 0,
    progress: ProgressLike = SILENT,
) -> Scored:
    """Answer every row and compare with its label; the baseline is the majority class of the model's training rows.

    A model that does not state that class, as `transformers` saves none, is held against the largest class of the
    rows that are scored, and `progress` is told.

    Args:
        predictor: the model.
        dataset: labelled rows.
        raters_column: of a model of numbers: the column with each row's ratings by several people (a list of numbers),
            whose agreement is the ceiling of any model.
        seed: of the bootstrap.
        progress: is told of tokens done.

    Raises:
        DataError: a row has no label, or one that the model does not know.

    Example:
        >>> score(load("RUN"), data).evaluation.rows == len(data)
        True
    """
    progress = as_progress(progress)
    raters = None
    if raters_column is not None:
        predictor.bundle.task.require((REGRESSION.name,), doing="comparing with raters")
        raters = measure_agreement(ratings_in(dataset, raters_column), seed=seed)
    targets = known_targets(predictor, dataset)
    predictions = predictor.predict_dataset(dataset, progress=progress)
    facts = predictor.bundle.facts
    if isinstance(predictions, Predictions) and "majority_label" not in facts.provenance:
        facts = _with_majority_label(facts, targets, progress)
    evaluation = evaluation_of(predictions, facts, seed=seed, raters=raters)
    learned_rows = None if predictor.learned is None else count_learned(predictor.learned, dataset.texts)
    if learned_rows:
        progress.say(
            f"{learned_rows:,} of {len(dataset):,} rows were learned from: the model looks better on them than it is"
        )
    risk = answered = None
    if isinstance(predictions, Predictions):
        risk = trace_risk(predictions.probabilities, targets)
        answered = _answered(predictions, targets)
    return Scored(
        predictions=predictions,
        evaluation=evaluation,
        learned_rows=learned_rows,
        raters=raters,
        risk_coverage=risk,
        answered=answered,
    )


def _answered(predictions: Predictions, labels_N: np.ndarray) -> AnsweredScores | None:
    if predictions.unsure is None:
        return None
    return score_answered(predictions.unsure, predictions.predicted, labels_N, predictions.label_names)


def known_targets(predictor: Predictor, dataset: Dataset) -> np.ndarray:
    """Return what each row should be answered, in the model's order of the labels, before anything is computed.

    Raises:
        DataError: a row has no label, or one that the model does not know, or labels of another shape than its answers.
    """
    task = predictor.bundle.task
    if dataset.task != task and dataset.table["label"].null_count < len(dataset):
        raise DataError(
            f"{dataset.source} has {dataset.task.words}, but the model answers with {task.words}: read the rows with "
            f"--task {task.name}"
        )
    return (as_model_labels(predictor.bundle.facts, dataset) if task.has_classes else dataset).targets


def rows_to_score(dataset: Dataset, split: str | None, progress: Progress = SILENT) -> tuple[Dataset, str]:
    """Return the rows of a split, and its name: the one that was asked for, else test, else the only one there is.

    Raises:
        DataError: there is no such split; or none was asked for, and there are several, but no test split.
    """
    names = dataset.split_names
    if split is None and len(names) == 1 and names != ("test",):
        progress.say(f"{dataset.source} has one split, {names[0]}: all of its {len(dataset):,} rows are scored")
        return dataset, names[0]
    if split is None and "test" not in names and names:
        raise DataError(
            f"{dataset.source} has no split 'test', but {', '.join(names)}: name the one to score by --split"
        )
    return dataset.split(split or "test"), split or "test"


def _with_majority_label(facts: BundleFacts, labels_N: np.ndarray, progress: Progress) -> BundleFacts:
    progress.say(
        "the model does not state the largest class of its training rows: the baseline is the largest class of the "
        "rows that are scored, the hardest single answer to beat"
    )
    largest = facts.label_names[int(np.bincount(labels_N).argmax())]
    return replace(facts, provenance={**facts.provenance, "majority_label": largest})
