"""What a run writes down about itself, so that it can be understood and made again.

In: the dataset, the settings, the engine, the fit. Out: plain values for JSON.
It does not know files.
"""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from limbeck.data.dataset import Dataset
from limbeck.inference.engine import Engine
from limbeck.runtime import library_versions
from limbeck.training.probe import ProbeFit


def run_record(dataset: Dataset, stages: Mapping[str, Any], engine: Engine) -> dict[str, Any]:
    """Say how a run was made: settings and seeds, data and its fingerprint, encoder, versions."""
    return {
        "settings": {name: asdict(stage) for name, stage in stages.items()},
        "data": {
            "source": dataset.source,
            "fingerprint": dataset.fingerprint(),
            "rows": dataset.split_sizes(),
            "notes": [asdict(note) for note in dataset.notes],
        },
        "encoder": {
            "name": engine.loaded.name,
            "weights": engine.loaded.fingerprint,
            "tokenizer": engine.loaded.tokenizer.fingerprint,
            "numerics": engine.numerics,
        },
        "versions": library_versions(),
    }


def fit_record(fit: ProbeFit) -> dict[str, Any]:
    """Say what cross-validation chose and how well the fit converged."""
    return {
        "candidate": fit.candidate,
        "penalty": fit.penalty,
        "chosen_by": fit.metric,
        "scores": [asdict(score) for score in fit.scores],
        "iterations": fit.iterations,
        "objective": fit.objective,
        "gap": fit.gap,
        "gradient": fit.gradient,
        "notes": list(fit.notes),
    }
