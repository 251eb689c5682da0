"""Score counts, opened: a model answers labelled rows, and a part holds counts and sums of all of its rows.

In: a dataset with labels, some rows at a time. Out: counters, which say in their metadata whose labels they count. It
does not know units or files, nor what is made of the counters (see `scored_parts`).
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from limbeck.data.dataset import Dataset
from limbeck.data.learned import count_learned
from limbeck.errors import SettingsError
from limbeck.evaluation.any_counts import CountedBy, count_any
from limbeck.evaluation.score_counts import COUNTERS, add_counts
from limbeck.inference.scoring import known_targets
from limbeck.progress import Progress
from limbeck.scale.answers_work import AnswersWork, open_answers
from limbeck.scale.opened_work import MadeWith, PieceAnswers
from limbeck.scale.scored_parts import COUNTED_BY
from limbeck.scale.work import Answers, ScoreCounts
from limbeck.settings import Device, EngineName, ReadSettings

_SPLIT = "split"


@dataclass(frozen=True, kw_only=True, eq=False)
class ScoreWork:
    """A model whose answers to labelled rows are counted.

    Attributes:
        work: which rows are scored.
        answers: the model.
        by: what figures need of the model beside the counts.
        made_with: the model and its engine.
    """

    work: ScoreCounts
    answers: AnswersWork
    by: CountedBy
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
        """Count some rows.

        Raises:
            DataError: a row has a label that the model does not know.
            SettingsError: rows have splits, and none was named.
        """
        dataset = self._scored(dataset, has_splits=others is not None and _SPLIT in others.column_names)
        predictor = self.answers.predictor
        table, cut, unread = COUNTERS.empty_table(), 0, 0
        if len(dataset):
            known_targets(predictor, dataset)
            found = predictor.predict_dataset(dataset)
            learned = None if predictor.learned is None else count_learned(predictor.learned, dataset.texts)
            table, cut, unread = count_any(found, self.by, learned_rows=learned), found.count_cut, found.count_unread
        table = table.replace_schema_metadata({COUNTED_BY: json.dumps(self.by.to_json())})
        return PieceAnswers(table=table, count_cut=cut, count_unread=unread)

    def joined(self, tables: Iterator[pa.Table]) -> Iterator[pa.Table]:
        """Return the sum of them."""
        read = list(tables)
        yield add_counts(read).replace_schema_metadata(read[0].schema.metadata)

    def _scored(self, dataset: Dataset, *, has_splits: bool) -> Dataset:
        """Return the rows of the split that is scored."""
        if self.work.split is None:
            if has_splits:
                raise SettingsError(f"{dataset.source} has a column of splits: name the one to score by --split")
            return dataset
        is_of_split = [name == self.work.split for name in dataset.table[_SPLIT].to_pylist()]
        return dataset.select(np.flatnonzero(is_of_split))


def open_score_counts(
    work: ScoreCounts, model: str, *, device: Device, engine: EngineName | None, progress: Progress
) -> ScoreWork:
    """Open a model.

    Raises:
        LimbeckError: as `load` says.
        SettingsError: the model does not say what the baseline of its figures needs.
    """
    answers = open_answers(Answers(), model, device=device, engine=engine, progress=progress)
    facts = answers.predictor.bundle.facts
    known = {name: facts.provenance.get(name) for name in ("majority_label", "median_label", "mean_number")}
    shares = facts.provenance.get("label_shares")
    by = CountedBy(
        task=facts.task,
        labels=facts.label_names,
        **known,
        label_shares=None if shares is None else tuple(map(float, shares)),
        label_thresholds=facts.label_thresholds,
        value_width=facts.value_width,
    )
    for task, name in (("regression", "mean_number"), ("multi", "label_shares")):
        if by.task == task and getattr(by, name) is None:
            raise SettingsError(
                f"{model} does not state the {name} of its training rows, which the baseline of its figures needs: "
                "score as many rows as memory holds, without --out"
            )
    return ScoreWork(work=work, answers=answers, by=by, made_with=made_with_place(answers.made_with, model))


def made_with_place(found: MadeWith, model: str) -> MadeWith:
    """Name a model by where it was opened: a run folder knows its training texts, the bundle in it does not."""
    return replace(found, model=str(Path(model).resolve())) if Path(model).is_dir() else found
