"""Search: the label issues of a run's training rows, with all the evidence that a run has.

In: a finished run that has out-of-fold predictions. Out: `LabelSearch`. Equal and nearly equal texts are looked for.
The rows of a probe are answered a second time, by fits that learn little from suspect labels.
It does not know what is done about an issue.

The second fit takes up to minutes, and `limbeck labels` and every report ask for the same one. So its answers stay in
the run folder, with a digest of all that they depend on: where that is another, they are computed anew.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from limbeck import storage
from limbeck.display.tables import Table
from limbeck.display.views import View
from limbeck.errors import DataError, SettingsError, StorageError, TrainingError
from limbeck.evaluation.multi_predictions import MultiPredictions
from limbeck.evaluation.prediction_files import read_any_predictions, read_predictions
from limbeck.evaluation.predictions import Predictions
from limbeck.evaluation.same_rows import task_of
from limbeck.experiments.cross_fit import cross_fit
from limbeck.features.cache import FeatureCache
from limbeck.features.extraction import extract_features
from limbeck.inference.choice import open_engine
from limbeck.linear.refit import DEALS, LEAST_TRUSTED, Doubted, refit_out_of_fold
from limbeck.methods.candidates import all_blocks, candidates_for, columns_of
from limbeck.methods.past_run import PastRun
from limbeck.methods.probe_kinds import OUT_OF_FOLD
from limbeck.methods.trainings import ProbeTraining
from limbeck.model.bundle import load_bundle
from limbeck.progress import SILENT, Progress
from limbeck.review.issues import LabelIssues, find_label_issues
from limbeck.review.label_doubts import NUMBERS_TODO
from limbeck.review.noise import trust_rows
from limbeck.review.tag_issues import TagIssues, review_tags
from limbeck.review.votes import LabelVotes, count_votes
from limbeck.runs.past_data import read_data_of
from limbeck.task import ORDINAL

_NAME = "probabilities"


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class LabelSearch(View):
    """What a search found.

    Attributes:
        issues: every training row, worst first.
        second_fit: whether rows were answered a second time.
        note: why they were not, in words; empty where they were.
    """

    issues: LabelIssues
    second_fit: bool
    note: str

    def _lines(self) -> tuple[str, str]:
        return self.issues._lines()

    def _tables(self) -> Iterable[Table]:
        return self.issues._tables()


def search_tags(run: PastRun, *, incomplete: bool = False) -> TagIssues | None:
    """Find labels that are missing and labels that are too many among a run's training rows.

    Args:
        run: a finished run.
        incomplete: people gave the labels they thought of: a missing one says little.

    Returns:
        None of a run whose rows have one label each: see `search_labels`.

    Raises:
        SettingsError: `incomplete` is asked for where each row has one label.
    """
    place = run.folder.predictions(OUT_OF_FOLD)
    answers = read_any_predictions(place) if place.exists() else None
    if isinstance(answers, MultiPredictions):
        return review_tags(answers, incomplete=incomplete)
    if incomplete:
        raise SettingsError(f"--incomplete is for any number of labels per row; the rows of {run.folder.path} have one")
    return None


def search_labels(run: PastRun, *, cache: FeatureCache | None = None, progress: Progress = SILENT) -> LabelSearch:
    """Find the training rows whose label is probably wrong.

    Raises:
        SettingsError: the run has no out-of-fold predictions; says how to get them.
        DataError: they hold no texts.
    """
    place = run.folder.predictions(OUT_OF_FOLD)
    if not place.exists():
        raise SettingsError(
            f"{run.folder.path} has no out-of-fold predictions, and a model's answers to the rows that it learned from "
            "tell nothing about their labels: add --cross-fit 5 (it trains five more models with the run's settings), "
            "or train a probe, which has them at once"
        )
    answers = _classes_in(place)
    if answers.texts is None:
        raise DataError(f"{place} holds no texts: train again")
    texts = pa.array(answers.texts, pa.large_string())
    votes = count_votes(texts, answers.known_labels, len(answers.label_names), progress=progress)
    second_NC, note = None, ""
    if answers.task == ORDINAL:
        note = "a second fit is made for one label per row only, not for ordered classes"
    elif isinstance(run.training, ProbeTraining):
        try:
            second_NC = answer_again(run, run.training, answers, votes, cache or FeatureCache(), progress)
        except TrainingError as error:
            note = str(error)
    else:
        note = f"a second fit is made for probes only, not {run.method}"
    issues = find_label_issues(answers, votes=votes, second_NC=second_NC)
    return LabelSearch(issues=issues, second_fit=second_NC is not None, note=note)


def search_with_cross_fit(
    run: PastRun,
    folds: int,
    data: str | None = None,
    *,
    cache: FeatureCache | None = None,
    progress: Progress = SILENT,
) -> LabelSearch:
    """Answer each training row by a further model that did not see it (`cross_fit`), then search.

    Args:
        run: a finished run of a method that leaves no out-of-fold predictions.
        folds: models to train.
        data: the run's data, where they have moved.
        cache: of features.
        progress: follows both.

    Raises:
        SettingsError: the run is a probe, which has such predictions already; or `folds` is not possible.
        LimbeckError: what reading and training raise.
    """
    if run.method == "probe":
        raise SettingsError(
            f"{run.folder.path} is a probe, which has out-of-fold predictions already: leave --cross-fit out"
        )
    dataset = read_data_of(run.data, data, progress)
    dataset.task.require(
        ("single", "ordinal"), doing="--cross-fit", todo="A probe leaves answers to its training rows without it"
    )
    cross_fit(run, dataset, folds=folds, cache=cache, progress=progress)
    return search_labels(run, cache=cache, progress=progress)


def _classes_in(place: Path) -> Predictions:
    """Return answers out of fold that name one class per row; others are reviewed otherwise."""
    found = read_any_predictions(place)
    task_of(found).require(("single", "ordinal"), doing="limbeck labels", todo=NUMBERS_TODO)
    return read_predictions(place)


def answer_again(
    run: PastRun,
    training: ProbeTraining,
    found: Predictions,
    votes: LabelVotes,
    cache: FeatureCache,
    progress: Progress,
) -> np.ndarray:
    """Return the second answers to the training rows, float32 (N, C): those that are kept, or new ones.

    Raises:
        TrainingError: a class has too few rows that can be learned from.
    """
    digest = _digest(run, training, votes)
    kept = _read(run.folder.second_fit, digest)
    if kept is not None and kept.shape == found.probabilities.shape:
        return kept
    answers_NC = _fit(run, training, found, votes, cache, progress)
    try:
        storage.write_bytes(run.folder.second_fit, save({_NAME: answers_NC}, metadata={"digest": digest}))
    except StorageError as error:
        progress.say(f"the second fit is not kept, and will be made again: {error}")
    return answers_NC


def _digest(run: PastRun, training: ProbeTraining, votes: LabelVotes) -> str:
    """Return what the second answers depend on, in short: rows, features, penalty, settings, equal and near texts."""
    features, probe, chosen = asdict(training.features), asdict(training.probe), run.metrics["probe"]
    facts = {
        "out_of_fold": storage.sha256_of(run.folder.predictions(OUT_OF_FOLD)),
        "bundle": storage.sha256_of(run.folder.bundle / storage.MANIFEST_NAME),
        "groups": hashlib.sha256(np.ascontiguousarray(votes.group_N, dtype=np.int64).tobytes()).hexdigest(),
        "settings": [features, probe, chosen["candidate"], chosen["penalty"]],
        "rule": [DEALS, LEAST_TRUSTED],
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()


def _read(path: Path, digest: str) -> np.ndarray | None:
    """Return the answers that are kept; None where there are none, or they are of something else, or damaged."""
    if not path.is_file():
        return None
    try:
        with safe_open(path, framework="numpy") as file:
            if (file.metadata() or {}).get("digest") != digest or _NAME not in file.keys():  # noqa: SIM118  # no dict
                return None
            answers: np.ndarray = file.get_tensor(_NAME)
            return answers
    except (SafetensorError, OSError):
        return None


def _fit(
    run: PastRun,
    training: ProbeTraining,
    found: Predictions,
    votes: LabelVotes,
    cache: FeatureCache,
    progress: Progress,
) -> np.ndarray:
    bundle = load_bundle(run.folder.bundle)
    engine = open_engine(
        bundle.loaded,
        device=training.features.device,
        precision=training.features.precision,
        engine=training.features.engine,
        progress=progress,
    )
    candidates = candidates_for(training.features, engine.layers)
    features = extract_features(
        bundle.facts.as_read(found.texts or ()),
        engine,
        all_blocks(candidates),
        window=bundle.window,
        cache=cache,
        progress=progress,
    )
    chosen = run.metrics["probe"]
    labels_N = found.known_labels
    doubted = Doubted(
        labels_N=labels_N,
        trust_N=trust_rows(found.probabilities, labels_N),
        group_N=votes.group_N,
        label_names=found.label_names,
    )
    return refit_out_of_fold(
        features.values_NF,
        doubted,
        columns=columns_of(candidates[chosen["candidate"]], features.blocks, engine.width),
        penalty=chosen["penalty"],
        settings=training.probe,
        progress=progress,
    )
