"""What every training by gradients shares: how its run is opened, and what a finished one leaves behind.

In: a trained model and its answers to the validation rows. Out: a `LoopRun`, and the files of the run folder.
It does not know how the model was trained.
"""

import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from limbeck import storage
from limbeck.data.dataset import Dataset
from limbeck.data.learned import write_learned
from limbeck.evaluation.evaluation import Evaluation, evaluate
from limbeck.evaluation.limits import Circumstances, find_limits, told_of
from limbeck.evaluation.prediction_files import write_predictions
from limbeck.evaluation.predictions import Predictions
from limbeck.model.bundle import Bundle, save_bundle
from limbeck.model.facts import BundleFacts
from limbeck.model.heads import Head
from limbeck.model.pooling import Block
from limbeck.runs.calibrated import calibrate_on, left_alone
from limbeck.runs.model_card import card_text
from limbeck.runs.run_folder import RunFolder, opened_run
from limbeck.runs.run_view import RunView
from limbeck.runs.stopwatch import Stopwatch
from limbeck.runs.training_rows import TrainingRows
from limbeck.settings import to_toml
from limbeck.training.doubts import doubts_of, doubts_of_epochs, doubts_of_texts
from limbeck.training.examples import Labelled
from limbeck.training.journal import EpochLine
from limbeck.training.loop import LoopResult
from limbeck.training.team import Team

Start = Literal["new", "overwrite", "resume", "resume-with-any-engine"]
"""What to do with a run that is in the folder already: refuse it, replace it, or go on with it; by the last also where
this machine computes in another arithmetic than the one that the run was begun in."""

ACCEPTING: Start = "resume-with-any-engine"


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
    validation: Evaluation
    epochs: tuple[EpochLine, ...]
    best_epoch: int
    metrics: Mapping[str, Any]


def no_more(_: Evaluation) -> Mapping[str, Any]:
    """Say nothing beside what every training says."""
    return {}


@dataclass(frozen=True, kw_only=True, eq=False)
class Trained:
    """A model that was trained, and what it says of the validation rows.

    Attributes:
        method: "head", "finetune" or "distil"; the name of its stage.
        stages: the settings of each stage by its name.
        rows: what it was trained on and is judged by.
        bundle: the model.
        answers: to the validation rows.
        texts_cut: texts that were longer than the limit, by split.
        result: of the loop.
        more: figures that only this method has, for `metrics.json`, made of those on the validation rows.
    """

    method: str
    stages: Mapping[str, Any]
    rows: TrainingRows
    bundle: Bundle
    answers: Predictions
    texts_cut: Mapping[str, int]
    result: LoopResult
    more: Callable[[Evaluation], Mapping[str, Any]] = no_more


def open_start(out: str | Path, start: Start) -> AbstractContextManager[RunFolder]:
    """Hold the run folder in the way that `start` says."""
    return opened_run(Path(out), overwrite=start == "overwrite", resume=start in ("resume", ACCEPTING))


@contextmanager
def opened(out: Path, start: Start, team: Team) -> Iterator[RunFolder]:
    """Hold the run folder in the first process of a team, and only then let the others go on."""
    if not team.is_first:
        team.wait()
        yield RunFolder(out)
        return
    with open_start(out, start) as folder:
        team.wait()
        yield folder


def labelled(rows: Dataset, tokens_N: np.ndarray) -> Labelled:
    """Return what the loop knows about the rows of a split."""
    return Labelled(labels_N=rows.labels, tokens_N=tokens_N, row_ids=rows.row_ids)


def make_facts(
    head: Head, blocks: tuple[Block, ...], rows: TrainingRows, record: dict[str, Any], max_tokens: int
) -> BundleFacts:
    """Return what the bundle says beside its weights."""
    return BundleFacts(
        head=head.kind,
        blocks=blocks,
        max_tokens=max_tokens,
        label_names=rows.label_names,
        provenance={**record, "majority_label": rows.label_names[rows.majority_label]},
    )


def finish_run(trained: Trained, folder: RunFolder, watch: Stopwatch, *, writes: bool = True) -> LoopRun:
    """Score the answers and write everything that a finished run leaves; the figures last.

    Args:
        trained: the model and what it says.
        folder: of the run.
        watch: of the seconds.
        writes: false in the processes that leave writing to another.
    """
    rows, result, settings = trained.rows, trained.result, trained.stages[trained.method]
    answers = trained.answers
    calibrate = calibrate_on if settings.calibrate else left_alone
    calibrated = calibrate(trained.bundle.head, answers.probabilities, answers.known_labels)
    answers = replace(answers, probabilities=calibrated.probabilities)
    facts = replace(trained.bundle.facts, folded_temperature=calibrated.temperature)
    scored = evaluate(
        answers.probabilities,
        answers.known_labels,
        facts.label_names,
        majority_label=rows.majority_label,
        seed=settings.seed,
    )
    watch.lap("evaluate")
    warnings = [
        *doubts_of_texts(trained.bundle.loaded, rows.validation.texts),
        *doubts_of(scored, method=trained.method),
        *doubts_of_epochs(result.epochs, method=trained.method, steps=result.steps, planned_epochs=settings.epochs),
    ]
    if writes:
        known = Circumstances(
            method=trained.method,
            max_tokens=facts.max_tokens,
            texts_cut=int(answers.truncated.sum()),
            told=told_of(warnings),
        )
        card = card_text(facts, scored, find_limits(scored, known))
        save_bundle(replace(trained.bundle, facts=facts), folder.bundle, card=card)
        write_predictions(folder.predictions("validation"), answers)
        write_learned(folder.learned, rows.dataset.split("train").texts)
        storage.write_text(folder.settings, to_toml(trained.stages))
    watch.lap("save")
    metrics = {
        "method": trained.method,
        "validation": scored.to_dict(),
        "temperature": calibrated.record,
        "epochs": [asdict(line) for line in result.epochs],
        "best_epoch": result.best_epoch,
        "steps": result.steps,
        "resumed_at_step": result.resumed_at,
        "learning_rate": result.learning_rate,
        "train_seconds": result.train_s,
        "texts_cut": {"max_tokens": facts.max_tokens, **trained.texts_cut},
        "seconds": watch.seconds,
        "warnings": warnings,
        **trained.more(scored),
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
