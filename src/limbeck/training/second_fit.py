"""Second fit: what a probe says of its own training rows once it learns little from suspect labels; kept in the run.

In: a finished run of a probe, its out-of-fold answers, which rows say the same. Out: probabilities (N, C).
It does not know which labels are wrong, nor who asks.

The fit takes up to minutes, and `limbeck labels` and every report ask for the same one. So its answers stay in the run
folder, with a digest of all that they depend on: where that is another, they are computed anew.
"""

import hashlib
import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from limbeck import storage
from limbeck.errors import StorageError
from limbeck.evaluation.label_noise import trust_rows
from limbeck.evaluation.label_votes import LabelVotes
from limbeck.evaluation.predictions import Predictions
from limbeck.features.cache import FeatureCache
from limbeck.features.extraction import extract_features
from limbeck.inference.choice import open_engine
from limbeck.model.bundle import load_bundle
from limbeck.progress import Progress
from limbeck.training.candidates import all_blocks, candidates_for, columns_of
from limbeck.training.past_run import PastRun
from limbeck.training.probe_training import OUT_OF_FOLD, ProbeTraining
from limbeck.training.refit import DEALS, LEAST_TRUSTED, Doubted, refit_out_of_fold

_NAME = "probabilities"


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
