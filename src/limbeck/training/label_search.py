"""Label search: the label issues of a run's training rows, with all the evidence that a run has.

In: a finished run that has out-of-fold predictions. Out: `LabelIssues`. Of a probe the rows are answered a second time,
by fits that learn little from suspect labels: its features are cached, so that takes seconds. Equal and nearly equal
texts are looked for. It does not know what is done about an issue.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from limbeck.audit.label_votes import count_votes
from limbeck.errors import DataError, SettingsError, TrainingError
from limbeck.evaluation.label_issues import LabelIssues, find_label_issues
from limbeck.evaluation.label_noise import trust_rows
from limbeck.evaluation.label_votes import LabelVotes
from limbeck.evaluation.prediction_files import read_predictions
from limbeck.evaluation.predictions import Predictions
from limbeck.features.cache import FeatureCache
from limbeck.features.extraction import extract_features
from limbeck.inference.choice import open_engine
from limbeck.model.bundle import load_bundle
from limbeck.progress import SILENT, Progress
from limbeck.training.candidates import all_blocks, candidates_for, columns_of
from limbeck.training.past_run import PastRun
from limbeck.training.probe_training import OUT_OF_FOLD, ProbeTraining
from limbeck.training.refit import Doubted, refit_out_of_fold


@dataclass(frozen=True, kw_only=True, eq=False)
class LabelSearch:
    """What a search found.

    Attributes:
        issues: every training row, worst first.
        second_fit: whether rows were answered a second time.
        note: why they were not, in words; empty where they were.
    """

    issues: LabelIssues
    second_fit: bool
    note: str


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
    found = read_predictions(place)
    if found.texts is None:
        raise DataError(f"{place} holds no texts: train again")
    labels_N = found.known_labels
    votes = count_votes(pa.array(found.texts, pa.large_string()), labels_N, len(found.label_names), progress=progress)
    if not isinstance(run.training, ProbeTraining):
        issues = find_label_issues(found, votes=votes)
        return LabelSearch(
            issues=issues, second_fit=False, note=f"a second fit is made for probes only, not {run.method}"
        )
    try:
        second_NC = _second_answers(run, run.training, found, votes, cache or FeatureCache(), progress)
    except TrainingError as error:
        return LabelSearch(issues=find_label_issues(found, votes=votes), second_fit=False, note=str(error))
    return LabelSearch(issues=find_label_issues(found, votes=votes, second_NC=second_NC), second_fit=True, note="")


def _second_answers(
    run: PastRun,
    training: ProbeTraining,
    found: Predictions,
    votes: LabelVotes,
    cache: FeatureCache,
    progress: Progress,
) -> np.ndarray:
    bundle = load_bundle(run.folder.bundle)
    engine = open_engine(
        bundle.loaded, device=training.features.device, precision=training.features.precision, progress=progress
    )
    candidates = candidates_for(training.features, engine.layers)
    features = extract_features(
        found.texts or (),
        engine,
        all_blocks(candidates),
        max_tokens=training.features.max_tokens,
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
