"""Canaries: texts whose answers a new model must give before it serves.

In: a run folder, and a model that answers. Out: nothing, or a `ModelError`. Where the run folder has the answers to its
validation texts, some of these are asked again; else texts of nothing in particular must get numbers. It does not know
engines.
"""

from pathlib import Path

import numpy as np

from limbeck.errors import DataError, ModelError, SettingsError, StorageError
from limbeck.evaluation.prediction_files import read_any_predictions
from limbeck.evaluation.prediction_tables import AnyPredictions
from limbeck.evaluation.value_predictions import ValuePredictions

MOST_CANARIES = 32
FARTHEST = 0.05
"""Of a probability from the record's, or of a number in spreads of the recorded numbers; engines differ far less."""
_PLAIN = ("I feel fine today.", "It is not what I expected, and I want my money back.", "안녕하세요", "🙂", "a")
_PLAIN_PAIR = ("is it open? [SEP] we close at six", "a [SEP] b")


def recorded_answers(folder: Path) -> AnyPredictions | None:
    """Return the answers that a run folder keeps of its validation texts; None where it keeps none."""
    try:
        found = read_any_predictions(folder / "predictions" / "validation.parquet")
    except (StorageError, DataError, SettingsError):
        return None
    return found if found.texts and len(found) else None


def canary_places(found: AnyPredictions) -> list[int]:
    """Return which of the recorded texts are asked again: some, spread over all."""
    return sorted({int(place) for place in np.linspace(0, len(found) - 1, MOST_CANARIES)})


def plain_canaries(*, pairs: bool) -> list[str]:
    """Return texts that any model must be able to read, the shortest last."""
    return list(_PLAIN_PAIR if pairs else _PLAIN)


def require_recorded(found: AnyPredictions, record: AnyPredictions, places: list[int]) -> None:
    """Refuse answers that are not those of the record.

    Args:
        found: the answers to the texts at `places`, in their order.
        record: all recorded answers.
        places: which of them were asked again.

    Raises:
        ModelError: says how far they are.
    """
    ours, theirs = _numbers(found), _numbers(record)[places]
    if ours.shape != theirs.shape:
        raise ModelError(f"it answers with {ours.shape[1]} columns, and its record has {theirs.shape[1]}")
    spread = max(float(_numbers(record).std()), 1e-6) if isinstance(record, ValuePredictions) else 1.0
    farthest = float(np.abs(ours - theirs).max(initial=0.0)) / spread
    if not farthest <= FARTHEST:
        raise ModelError(
            f"it does not answer {len(places)} texts as the record of its training says: the farthest answer is "
            f"{farthest:.3f} away, {FARTHEST} is allowed"
        )


def _numbers(found: AnyPredictions) -> np.ndarray:
    if isinstance(found, ValuePredictions):
        return np.asarray(found.values, dtype=np.float64)[:, None]
    return np.asarray(found.probabilities, dtype=np.float64)
