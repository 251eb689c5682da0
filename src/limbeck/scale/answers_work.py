"""Answers, opened: a model answers rows as `limbeck predict` does.

In: a dataset, some rows at a time. Out: their table of predictions. It does not know units or files.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from limbeck.data.dataset import Dataset
from limbeck.evaluation.prediction_files import table_of
from limbeck.inference.long_answers import without_labels
from limbeck.inference.predictor import Predictor, load
from limbeck.progress import Progress
from limbeck.scale.opened_work import MadeWith, PieceAnswers, made_with
from limbeck.scale.work import Answers
from limbeck.setting_tables import build
from limbeck.settings import Device, EngineName, ReadSettings


@dataclass(frozen=True, kw_only=True, eq=False)
class AnswersWork:
    """A model that answers rows.

    Attributes:
        work: which columns are wanted.
        predictor: the model.
    """

    work: Answers
    predictor: Predictor

    @property
    def made_with(self) -> MadeWith:
        """The model and its engine."""
        bundle = self.predictor.bundle
        return made_with(self.predictor.engine, model=str(Path(bundle.loaded.name).resolve()), bundle=bundle.digest())

    def reading(self, given: Mapping[str, Any]) -> ReadSettings:
        """Return how texts are read; by the model's names a text;label file is told from a file of plain texts."""
        predictor = self.predictor
        own = ReadSettings(text_column=predictor.text_column, label_names=predictor.label_names, labels="ignored")
        return build(ReadSettings, asdict(own), given, where="flags")

    def reading_labelled(self, given: Mapping[str, Any]) -> ReadSettings:
        """Return how labelled rows are read; the task is said, since some rows alone do not tell it."""
        facts = self.predictor.bundle.facts
        own = ReadSettings(
            text_column=self.predictor.text_column,
            task=facts.task,
            label_order=facts.label_names if facts.task == "ordinal" else None,
            label_parents=facts.label_parents,
        )
        return build(ReadSettings, asdict(own), given, where="flags")

    def count_tokens(self, texts: Sequence[str]) -> int:
        """Return how many tokens the model reads of texts."""
        bundle = self.predictor.bundle
        return len(bundle.loaded.tokenizer.read(bundle.facts.as_read(texts), bundle.window).rows.ids)

    def compute(self, texts: Sequence[str]) -> object:
        """Answer texts."""
        return self.predictor.predict(texts)

    def answer(self, dataset: Dataset, others: pa.Table | None) -> PieceAnswers:
        """Answer some rows.

        Raises:
            DataError: the model does not answer such rows.
            SettingsError: `top_k` is out of range.
        """
        found = replace(self.predictor.predict_dataset(without_labels(dataset)), others=others)
        table = table_of(found, top_k=self.work.top_k)
        return PieceAnswers(table=table, count_cut=found.count_cut, count_unread=found.count_unread)

    def joined(self, tables: Iterator[pa.Table]) -> Iterator[pa.Table]:
        """Return the rows of all of them."""
        return tables


def open_answers(
    work: Answers, model: str, *, device: Device, engine: EngineName | None, progress: Progress
) -> AnswersWork:
    """Open a model: a run folder, a bundle, or one of the hub.

    Raises:
        LimbeckError: as `load` says.
    """
    return AnswersWork(work=work, predictor=load(model, device=device, engine=engine, progress=progress))
