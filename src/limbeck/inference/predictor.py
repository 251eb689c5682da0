"""Predictor: a saved model that answers texts.

In: a bundle or a run folder, and texts or a `Dataset`. Out: `Predictions`, in the order of the texts.
It does not know how the model was trained, nor how its answers are judged.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from limbeck.catalog.hub_models import fetch_model
from limbeck.data.dataset import CORE_SCHEMA, LABEL_NAME, Dataset
from limbeck.data.learned import NAME as LEARNED_NAME
from limbeck.data.learned import read_learned
from limbeck.data.names import name_key
from limbeck.data.text_pairs import example_text
from limbeck.data.texts import as_texts, pair_names
from limbeck.display.views import View, listed
from limbeck.errors import BundleError, DataError
from limbeck.evaluation.prediction_tables import AnyPredictions
from limbeck.hub.ids import is_hub_id
from limbeck.inference.answers import AnsweredRows, as_model_labels, predictions_of
from limbeck.inference.choice import open_engine
from limbeck.inference.long_texts import answer_texts
from limbeck.inference.usage import Usage, some_of, validation_texts
from limbeck.model.bundle import BUNDLE_NAME, Bundle, load_bundle
from limbeck.model.facts import FACTS_NAME
from limbeck.model.transformers_folder import is_transformers_folder, load_transformers_classifier
from limbeck.progress import SILENT, Progress, ProgressLike, as_progress
from limbeck.setting_tables import said_names
from limbeck.settings import Device, EngineName, Precision
from limbeck.storage import read_json
from limbeck.task import MULTI, ORDINAL
from limbeck.tokens.windows import said_window


class Predictor(View):
    """A model folder, loaded.

    Attributes:
        bundle: the model.
        engine: computes what its head sees.
        learned: digests of the texts that it learned from (see `limbeck.data.learned`), where it is a run folder.

    Of `texts`, the user's own, some are what a fast engine must answer as float32 does.

    Example:
        >>> limbeck.load("RUN").predict(["i feel fine"]).predicted_names
        ['joy']
    """

    def __init__(
        self,
        bundle: Bundle,
        *,
        device: Device = "auto",
        precision: Precision = "auto",
        engine: EngineName | None = None,
        texts: Sequence[str] = (),
        progress: ProgressLike = SILENT,
    ) -> None:
        self.bundle = bundle
        self.learned: np.ndarray | None = None
        self.engine = open_engine(
            bundle.loaded,
            usage=Usage(classifier=bundle, texts=some_of(texts)),
            device=device,
            precision=precision,
            engine=engine,
            progress=as_progress(progress),
        )

    def _lines(self) -> tuple[str, str]:
        facts = self.bundle.facts
        unsure = "" if facts.thresholds is None else ', says "unsure" below its thresholds'
        what = "a text" if facts.pair is None else f"a pair ({' and '.join(facts.pair)})"
        return (
            f"Predictor of {self._answers()}",
            f"reads {self._reads(what)}{unsure}; computed by {self.numerics}",
        )

    def _answers(self) -> str:
        task, names = self.bundle.task, self.label_names
        if not task.has_classes:
            return task.words
        said = f"{len(names):,} {'labels' if task == MULTI else 'classes'}{' in their order' * (task == ORDINAL)}"
        return f"{said}{', any number per row' * (task == MULTI)}: {listed(names)}"

    def _reads(self, what: str) -> str:
        window = self.bundle.window
        if window.name == "all":
            return f"all of {what}, in windows of {window.max_tokens:,} tokens"
        return f"{f'{window.max_tokens:,} tokens' if window.name == 'head' else said_window(window)} of {what}"

    @property
    def label_names(self) -> tuple[str, ...]:
        """The class names, in the order of the probabilities."""
        return self.bundle.facts.label_names

    @property
    def text_column(self) -> str | None:
        """The `text_column` of files that it reads: the names of two columns where it reads pairs, else None."""
        pair = self.bundle.facts.pair
        return None if pair is None else said_names(pair)

    @property
    def numerics(self) -> str:
        """The engine that computes, and its precision."""
        return self.engine.numerics

    @property
    def majority_label(self) -> int:
        """The most frequent label of the training rows: what the baseline always says.

        Raises:
            BundleError: the bundle does not state it.
        """
        return self.bundle.facts.majority_label

    def predict(self, texts: Any, *, progress: ProgressLike = SILENT) -> AnyPredictions:
        """Answer texts; row ids are "1", "2", … in their order, or a dataset's own.

        Args:
            texts: a `Dataset`, a list of strings, or any column of them (NumPy, pandas, polars, Arrow). Of a model that
                reads pairs: a list of tuples (first, second), a table of two columns, or strings "first [SEP] second".
            progress: is told of tokens done.

        Raises:
            SettingsError: one string was given instead of a list, or something that is no column of texts.
            DataError: a row is not a string, or not the pair that the model reads, or a dataset has a label that the
                model does not know.
        """
        progress = as_progress(progress)
        if isinstance(texts, Dataset):
            return self.predict_dataset(texts, progress=progress)
        rows = as_texts(texts, where="predict()")
        if self.bundle.facts.pair is not None:
            _require_order(pair_names(texts), self.bundle.facts.pair, source="the table")
        rows = self.bundle.facts.as_read(rows)
        row_ids = tuple(str(number + 1) for number in range(len(rows)))
        return self._answer(rows, row_ids, None, None, progress)

    def predict_dataset(self, dataset: Dataset, *, progress: ProgressLike = SILENT) -> AnyPredictions:
        """Answer a dataset's rows, whose other columns are kept; labels are matched to the model's by name.

        Raises:
            DataError: the rows have a label that the model does not know, or two texts where it reads one, or the other
                way round, or labels of another shape than its answers.
        """
        progress = as_progress(progress)
        labels = self._known_labels(dataset)
        if dataset.pair is not None and self.bundle.facts.pair is not None:
            _require_order(dataset.pair, self.bundle.facts.pair, source=dataset.source)
        texts = self.bundle.facts.as_read(dataset.texts)
        return self._answer(texts, tuple(dataset.row_ids), labels, others_of(dataset), progress)

    def _known_labels(self, dataset: Dataset) -> pa.ChunkedArray | None:
        """Return the labels as the model counts them; None where there are none at all."""
        if dataset.table["label"].null_count == len(dataset):
            return None
        if dataset.task != self.bundle.task:
            raise DataError(
                f"{dataset.source} has {dataset.task.words}, but the model answers with {self.bundle.task.words}: read "
                f"the rows with --task {self.bundle.task.name}, or without labels"
            )
        known = as_model_labels(self.bundle.facts, dataset) if dataset.label_names else dataset
        return known.table["label"]

    def _answer(
        self,
        texts: Sequence[str],
        row_ids: tuple[str, ...],
        labels: pa.ChunkedArray | None,
        others: pa.Table | None,
        progress: Progress,
    ) -> AnyPredictions:
        facts = self.bundle.facts
        read = self.bundle.loaded.tokenizer.read(texts, self.bundle.window)
        rows = AnsweredRows(
            row_ids=row_ids,
            true_labels=labels,
            tokens=read.lengths + read.cut_tokens,
            truncated=read.truncated,
            texts=tuple(texts),
            unknown=read.count(self.bundle.loaded.tokenizer.special_ids["[UNK]"]),
            others=others,
        )
        return predictions_of(facts, answer_texts(self.bundle, self.engine, read, progress=progress), rows)


def _require_order(given: tuple[str, str], known: tuple[str, str], *, source: str) -> None:
    """Refuse pairs whose texts stand the other way round."""
    first, second = map(name_key, given)
    if first != second and (second, first) == tuple(map(name_key, known)):
        raise DataError(
            f"{source} has pairs of {' and '.join(given)}, and the model reads {' and '.join(known)}, in this order: "
            f"give --text-column {said_names(known)}"
        )


def others_of(dataset: Dataset, *, with_split: bool | None = None) -> pa.Table | None:
    """Return the columns that the rows have beside text, label and row id, by the names that they had.

    Args:
        dataset: the rows.
        with_split: the split is one of them; where it tells rows apart, when not given.
    """
    with_split = len(dataset.split_names) > 1 if with_split is None else with_split
    core = set(CORE_SCHEMA.names) - ({"split"} if with_split else set())
    kept = dataset.table.drop_columns(sorted(core))
    if not kept.num_columns:
        return None
    # Reading sets an underscore behind what would be taken for a column of its own.
    before = {name: name.rstrip("_") for name in kept.column_names}
    own = {name: stem for name, stem in before.items() if stem in (*CORE_SCHEMA.names, LABEL_NAME) and stem != name}
    free = {name: stem for name, stem in own.items() if list(own.values()).count(stem) == 1 and stem not in before}
    return kept.rename_columns([free.get(name, name) for name in kept.column_names])


def load(
    folder: str | Path,
    *,
    device: Device = "auto",
    precision: Precision = "auto",
    engine: EngineName | None = None,
    progress: ProgressLike = SILENT,
) -> Predictor:
    """Load a model: a run folder, a bundle, or a DistilBERT classifier that `transformers` saved.

    The last two may be on the hub: "hub:OWNER/NAME@REVISION".

    Raises:
        BundleError: there is no model, or it was changed since it was written, or it is none that limbeck can compute.
        ModelError: weights or tokenizer are unusable.
        HubError: the hub was asked for, and it or the network said no.

    Example:
        >>> len(load("RUN").predict(["i feel fine", "so sad"]).predicted_names)
        2
    """
    progress = as_progress(progress)
    predictor = Predictor(
        open_bundle(Path(folder), progress),
        device=device,
        precision=precision,
        engine=engine,
        texts=validation_texts(Path(folder)),
        progress=progress,
    )
    predictor.learned = read_learned(Path(folder) / "predictions" / LEARNED_NAME)
    return predictor


def open_bundle(folder: Path, progress: Progress = SILENT) -> Bundle:
    """Read the model of a run folder, a bundle, a folder that `transformers` saved, or a place on the hub.

    Raises:
        BundleError: as `load` says.
        ModelError: as `load` says.
        HubError: as `load` says.
    """
    if is_hub_id(folder):
        folder = fetch_model(str(folder), progress)
    place = find_model(folder)
    return load_bundle(place) if (place / FACTS_NAME).is_file() else load_transformers_classifier(place)


def find_model(folder: Path) -> Path:
    """Return where the model of a run folder, a bundle or a folder that `transformers` saved lies.

    Raises:
        BundleError: it is none of these; says what was found.
    """
    is_ours = any((place / FACTS_NAME).is_file() for place in (folder / BUNDLE_NAME, folder))
    return folder if not is_ours and is_transformers_folder(folder) else find_bundle(folder)


def find_bundle(folder: Path) -> Path:
    """Return the bundle of a run folder, or the folder itself when it is a bundle.

    Raises:
        BundleError: it is neither; says what was found.
    """
    for place in (folder / BUNDLE_NAME, folder):
        if (place / FACTS_NAME).is_file():
            return place
    if not folder.exists():
        raise BundleError(f"{folder} does not exist: give the run folder of `limbeck train --out`, or its bundle")
    if checkpoints := sorted(path.name for path in folder.glob("checkpoint-*") if is_transformers_folder(path)):
        raise BundleError(
            f"{folder} holds checkpoints of transformers.Trainer ({', '.join(checkpoints[:5])}): give one of these "
            "folders, or save the model with trainer.save_model()"
        )
    if (folder / "run.json").is_file() and not (folder / "metrics.json").exists():
        raise BundleError(
            f"{folder} holds an unfinished run: go on with it by the command that began it, with --resume"
        )
    raise BundleError(
        f"{folder} is neither a run folder nor a bundle (no {FACTS_NAME} in it or in {folder / BUNDLE_NAME}), nor a "
        "model that transformers saved: give the folder of a finished `limbeck train --out`"
    )


def example_for(folder: Path) -> str:
    """Return what to type for a text of the model in a run folder or a bundle: one text, or two of a pair."""
    facts = read_json(find_bundle(folder) / FACTS_NAME)
    return example_text(facts.get("pair"))
