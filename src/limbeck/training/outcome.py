"""The outcome of a classifier's training by gradients, and what a finished one leaves behind.

In: a trained model and its answers to the validation rows. Out: a `LoopRun`, and the files of the run folder.
It does not know how the model was trained.
"""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from limbeck import storage
from limbeck.data.dataset import Dataset
from limbeck.data.hierarchy import Hierarchy
from limbeck.data.learned import write_learned
from limbeck.errors import DataError
from limbeck.evaluation.any_evaluation import AnyEvaluation, read_evaluation
from limbeck.evaluation.limits import Circumstances, told_of
from limbeck.evaluation.multi_predictions import MultiPredictions
from limbeck.evaluation.prediction_files import write_predictions
from limbeck.evaluation.prediction_tables import AnyPredictions
from limbeck.evaluation.value_predictions import ValuePredictions
from limbeck.features.extraction import Features
from limbeck.inference.answers import AnsweredRows, classes_of, evaluation_of
from limbeck.model.blocks import Block
from limbeck.model.bundle import Bundle, save_bundle
from limbeck.model.facts import BundleFacts
from limbeck.model.heads import Head
from limbeck.model.loaded_encoder import LoadedEncoder
from limbeck.progress import SILENT, Progress
from limbeck.runs.calibrated import calibrate_labels_on, calibrate_on, left_alone
from limbeck.runs.model_card import card_of
from limbeck.runs.run_folder import RunFolder
from limbeck.runs.run_record import make_record
from limbeck.runs.run_view import RunView
from limbeck.runs.training_rows import TrainingRows, training_rows, with_validation
from limbeck.setting_tables import to_toml
from limbeck.settings import LoopSettings, SplitSettings
from limbeck.task import ORDINAL
from limbeck.tokens import Window
from limbeck.training.doubts import doubts_of, doubts_of_epochs, doubts_of_texts, say_doubts_of_texts
from limbeck.training.examples import Labelled
from limbeck.training.journal import EPOCH_LINES, EpochLine
from limbeck.training.plan import LoopResult
from limbeck.training.session import Session
from limbeck.training.settled import Settled, settle_label_sets, settle_numbers
from limbeck.training.team import Team


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class LoopRun(RunView):
    """What a training made.

    Attributes:
        folder: where everything is.
        dataset: the rows, with the splits that were used.
        validation: figures on the validation split.
        epochs: the table of epochs.
        best_epoch: number, from 1, of the epoch that the model is of.
        metrics: what `metrics.json` holds.
    """

    folder: RunFolder
    dataset: Dataset
    validation: AnyEvaluation
    epochs: tuple[EpochLine, ...]
    best_epoch: int
    metrics: Mapping[str, Any]


def no_more(_: AnyEvaluation) -> Mapping[str, Any]:
    """Say nothing beside what every training says."""
    return {}


@dataclass(frozen=True, kw_only=True, eq=False)
class Outcome:
    """A classifier that was trained, and what it answers to the validation rows.

    Attributes:
        method: "head", "finetune" or "distil"; the name of its stage.
        rows: what it was trained on and is judged by.
        bundle: the model.
        answers: to the validation rows.
        texts_cut: texts that were longer than the limit, by split.
        window: how the window was chosen, for `metrics.json`; None where it was given.
        more: figures that only this method has, for `metrics.json`, made of those on the validation rows.
    """

    method: str
    rows: TrainingRows
    bundle: Bundle
    answers: AnyPredictions
    texts_cut: Mapping[str, int]
    window: Mapping[str, Any] | None = None
    more: Callable[[AnyEvaluation], Mapping[str, Any]] = no_more


def claimed_rows(
    dataset: Dataset, stages: Mapping[str, Any], loaded: LoadedEncoder, numerics: str, session: Session
) -> tuple[TrainingRows, dict[str, Any]]:
    """Take the rows of a classifier's training, and claim the run folder for it; return the rows and the record."""
    rows = training_rows(dataset, stages["split"], session.progress)
    say_doubts_of_texts(loaded, rows.train.texts, session.progress)
    record = session.claim(make_record(rows.dataset, stages, loaded, numerics))
    require_same_rows(rows, session.team)
    session.watch.lap("load")
    return rows, record


def require_same_rows(rows: TrainingRows, team: Team) -> None:
    """Refuse to train on other rows than the first process has."""
    if team.tell(own := rows.dataset.fingerprint()) != own:
        raise DataError(
            "this process read other rows than the first one: give every process the same files, by the same settings"
        )


def reopened(
    folder: RunFolder, metrics: Mapping[str, Any], dataset: Dataset, split: SplitSettings, progress: Progress = SILENT
) -> LoopRun:
    """Return the run that a folder holds, whose figures are given."""
    return LoopRun(
        folder=folder,
        dataset=with_validation(dataset, split, progress),
        validation=read_evaluation(metrics["validation"]),
        epochs=tuple(EPOCH_LINES[dataset.task.name](**line) for line in metrics["epochs"]),
        best_epoch=metrics["best_epoch"],
        metrics=metrics,
    )


def labelled(rows: Dataset, tokens_N: np.ndarray, hierarchy: Hierarchy | None = None) -> Labelled:
    """Return what the loop knows about the rows of a split."""
    return Labelled(labels_N=rows.targets, tokens_N=tokens_N, row_ids=rows.row_ids, hierarchy=hierarchy)


def answered_rows(rows: Dataset, features: Features) -> AnsweredRows:
    """Return rows whose features were computed, as predictions have them."""
    return AnsweredRows(
        row_ids=tuple(rows.row_ids),
        true_labels=rows.table["label"],
        tokens=features.lengths_N + features.cut_tokens_N,
        truncated=features.cut_tokens_N > 0,
        texts=tuple(rows.texts),
    )


def make_facts(
    head: Head, blocks: tuple[Block, ...], rows: TrainingRows, record: dict[str, Any], window: Window
) -> BundleFacts:
    """Return what the bundle says beside its weights.

    Args:
        head: makes the logits.
        blocks: what it sees.
        rows: that it learned from.
        record: of the run.
        window: what is read of a text, as `Tokenizer.window` makes it.
    """
    return BundleFacts(
        head=head.kind,
        blocks=blocks,
        max_tokens=window.max_tokens,
        label_names=rows.label_names,
        pair=rows.dataset.pair,
        provenance={**record, **rows.baseline},
        window=window.name,
        task=rows.dataset.task.name,
        label_parents=rows.label_parents,
    )


def finish_run(outcome: Outcome, result: LoopResult, stages: Mapping[str, Any], session: Session) -> LoopRun:
    """Score the answers and write everything that a finished run leaves; the figures last.

    Args:
        outcome: the model and what it answers.
        result: of the loop.
        stages: the settings of each stage by its name.
        session: the folder, and whether this process is the one that writes.
    """
    folder, watch, writes = session.folder, session.watch, session.team.is_first
    rows, settings = outcome.rows, stages[outcome.method]
    settled = _settle(outcome, settings)
    answers, scored = settled.answers["validation"], settled.scored["validation"]
    deciding = rows.dataset.task.deciding(settings.best_by)
    # Said where it is not what the settings say.
    best_by = {} if deciding == settings.best_by else {"best_epoch_by": deciding}
    facts = replace(settled.facts, provenance={**settled.facts.provenance, **best_by})
    watch.lap("evaluate")
    warnings = [
        *doubts_of_texts(outcome.bundle.loaded, rows.validation.texts),
        *doubts_of(scored, method=outcome.method),
        *doubts_of_epochs(result.epochs, method=outcome.method, steps=result.steps, planned_epochs=settings.epochs),
    ]
    if writes:
        known = Circumstances(
            method=outcome.method,
            max_tokens=facts.max_tokens,
            window=facts.window or "head",
            texts_cut=int(answers.truncated.sum()),
            told=told_of(warnings),
        )
        card = card_of(facts, scored, known)
        save_bundle(replace(outcome.bundle, facts=facts), folder.bundle, card=card)
        write_predictions(folder.predictions("validation"), answers)
        write_learned(folder.learned, rows.dataset.split("train").texts)
        storage.write_text(folder.settings, to_toml(stages))
    watch.lap("save")
    metrics = {
        "method": outcome.method,
        "validation": scored.to_dict(),
        **settled.record,
        "epochs": [asdict(line) for line in result.epochs],
        "best_epoch": result.best_epoch,
        **best_by,
        "steps": result.steps,
        "resumed_at_step": result.resumed_at,
        "learning_rate": result.learning_rate,
        "train_seconds": result.train_s,
        "texts_cut": {"max_tokens": facts.max_tokens, "window": facts.window, **outcome.texts_cut},
        **({} if outcome.window is None else {"window": outcome.window}),
        "seconds": watch.seconds,
        "warnings": warnings,
        **outcome.more(scored),
    }
    if writes:
        storage.write_json(folder.metrics, metrics)
        # They are several times as large as the model, and a finished run has nothing to go on with.
        with storage.explained(folder.checkpoints, doing="remove"):
            shutil.rmtree(folder.checkpoints)
    return LoopRun(
        folder=folder,
        dataset=rows.dataset,
        validation=scored,
        epochs=result.epochs,
        best_epoch=result.best_epoch,
        metrics=metrics,
    )


def _settle_labels(outcome: Outcome, answers: MultiPredictions, settings: LoopSettings) -> Settled:
    """Decide one temperature for all labels, and then thresholds, of probabilities as the model now gives them."""
    calibrate = calibrate_labels_on if settings.calibrate else left_alone
    calibrated = calibrate(outcome.bundle.head, answers.probabilities, answers.known_targets)
    facts = replace(outcome.bundle.facts, folded_temperature=calibrated.temperature)
    answers = replace(answers, probabilities=calibrated.probabilities)
    settled = settle_label_sets(facts, {"validation": answers}, chosen_on="validation", seed=settings.seed)
    return replace(settled, record={"temperature": calibrated.record, **settled.record})


def _settle(outcome: Outcome, settings: LoopSettings) -> Settled:
    """Decide what is decided on the validation rows: a temperature, thresholds of labels, how far intervals reach."""
    facts, answers = outcome.bundle.facts, outcome.answers
    if isinstance(answers, MultiPredictions):
        return _settle_labels(outcome, answers, settings)
    if isinstance(answers, ValuePredictions):
        return settle_numbers(facts, {"validation": answers}, found_on="validation", seed=settings.seed)
    if answers.task == ORDINAL:
        scored = evaluation_of(answers, facts, seed=settings.seed)
        return Settled(facts=facts, answers={"validation": answers}, scored={"validation": scored}, record={})
    answers = classes_of(answers)
    calibrate = calibrate_on if settings.calibrate else left_alone
    calibrated = calibrate(outcome.bundle.head, answers.probabilities, answers.known_labels)
    settled = replace(answers, probabilities=calibrated.probabilities)
    facts = replace(facts, folded_temperature=calibrated.temperature)
    return Settled(
        facts=facts,
        answers={"validation": settled},
        scored={"validation": evaluation_of(settled, facts, seed=settings.seed)},
        record={"temperature": calibrated.record},
    )
