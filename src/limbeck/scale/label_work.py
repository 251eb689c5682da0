"""Labels answered, opened: a model answers labelled rows, and a part holds what their labels are judged by.

In: a dataset with labels, some rows at a time. Out: a table of text, label or labels, probabilities, and whether the
model learned from the text: its answer to such a row tells nothing about the label. It does not know units or files,
nor how labels are judged (see `reviewed_parts`).
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from limbeck.data.dataset import Dataset
from limbeck.data.learned import digests_of
from limbeck.errors import SettingsError
from limbeck.evaluation.multi_predictions import MultiPredictions
from limbeck.inference.answers import classes_of
from limbeck.inference.scoring import known_targets
from limbeck.progress import Progress
from limbeck.review.label_doubts import NUMBERS_TODO
from limbeck.scale.answers_work import AnswersWork, open_answers
from limbeck.scale.judged_parts import JUDGED_LABELS
from limbeck.scale.opened_work import MadeWith, PieceAnswers
from limbeck.scale.score_work import made_with_place
from limbeck.scale.work import Answers, LabelAnswers
from limbeck.settings import Device, EngineName, ReadSettings


@dataclass(frozen=True, kw_only=True, eq=False)
class LabelWork:
    """A model that answers rows whose labels are to be judged.

    Attributes:
        answers: the model.
        learned: digests of the texts that it learned from.
        made_with: the model and its engine.
    """

    answers: AnswersWork
    learned: np.ndarray
    made_with: MadeWith

    def reading(self, given: Mapping[str, Any]) -> ReadSettings:
        """Return how labelled rows are read."""
        return self.answers.reading_labelled(given)

    def count_tokens(self, texts: Sequence[str]) -> int:
        """Return how many tokens the model reads of texts."""
        return self.answers.count_tokens(texts)

    def compute(self, texts: Sequence[str]) -> object:
        """Answer texts."""
        return self.answers.compute(texts)

    def answer(self, dataset: Dataset, others: pa.Table | None) -> PieceAnswers:
        """Answer some rows; their own columns are left out.

        Raises:
            DataError: a row is not labelled, or has a label that the model does not know.
        """
        predictor = self.answers.predictor
        known_targets(predictor, dataset)
        answered = predictor.predict_dataset(dataset)
        found = answered if isinstance(answered, MultiPredictions) else classes_of(answered)
        shares_NC = found.probabilities
        columns = {
            "row_id": dataset.table["row_id"].cast(pa.string()),
            "text": dataset.table["text"],
            "label": found.true_labels,
            "learned": pa.array(np.isin(digests_of(dataset.texts), self.learned)),
            "probabilities": pa.FixedSizeListArray.from_arrays(pa.array(shares_NC.ravel()), shares_NC.shape[1]),
        }
        said = json.dumps({"task": predictor.bundle.task.name, "labels": list(predictor.label_names)})
        table = pa.table(columns).replace_schema_metadata({JUDGED_LABELS: said})
        return PieceAnswers(table=table, count_cut=found.count_cut, count_unread=found.count_unread)

    def joined(self, tables: Iterator[pa.Table]) -> Iterator[pa.Table]:
        """Return the rows of all of them."""
        return tables


def open_label_answers(
    work: LabelAnswers, model: str, *, device: Device, engine: EngineName | None, progress: Progress
) -> LabelWork:
    """Open a model of labels that knows which texts it learned from.

    Raises:
        LimbeckError: as `load` says.
        SettingsError: the model answers with numbers, or does not know what it learned from.
    """
    del work
    answers = open_answers(Answers(), model, device=device, engine=engine, progress=progress)
    task = answers.predictor.bundle.task
    task.require(("single", "multi", "ordinal"), doing="limbeck labels", todo=NUMBERS_TODO)
    if answers.predictor.learned is None:
        raise SettingsError(
            f"{model} does not say which texts it learned from, and its answers to those tell nothing about their "
            "labels: give the run folder that limbeck train made"
        )
    made_with = made_with_place(answers.made_with, model)
    return LabelWork(answers=answers, learned=answers.predictor.learned, made_with=made_with)
