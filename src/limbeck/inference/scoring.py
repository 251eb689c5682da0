"""Scoring: a saved model against rows whose labels are known.

In: a `Predictor` and a labelled `Dataset`. Out: its predictions and their evaluation.
It does not know files nor how the result is shown.
"""

from dataclasses import dataclass

from limbeck.data.dataset import Dataset
from limbeck.evaluation.evaluation import Evaluation, evaluate
from limbeck.evaluation.predictions import Predictions
from limbeck.inference.predictor import Predictor
from limbeck.progress import SILENT, Progress


@dataclass(frozen=True, kw_only=True, eq=False)
class Scored:
    """What a model said of labelled rows, and how right it was."""

    predictions: Predictions
    evaluation: Evaluation


def score(predictor: Predictor, dataset: Dataset, *, seed: int = 0, progress: Progress = SILENT) -> Scored:
    """Answer every row and compare with its label; the baseline is the majority class of the model's training rows.

    Raises:
        DataError: a row has no label, or one that the model does not know.
    """
    labels = dataset.with_label_names(predictor.label_names).labels
    predictions = predictor.predict_dataset(dataset, progress=progress)
    evaluation = evaluate(
        predictions.probabilities,
        labels,
        predictor.label_names,
        majority_label=predictor.majority_label,
        seed=seed,
    )
    return Scored(predictions=predictions, evaluation=evaluation)
