"""Canaries: a new model must answer as the record of its training says."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from limbeck.errors import ModelError
from limbeck.evaluation.prediction_files import write_predictions
from limbeck.evaluation.predictions import Predictions
from limbeck.evaluation.value_predictions import ValuePredictions
from limbeck.serving.canaries import MOST_CANARIES, canary_places, recorded_answers, require_recorded


def classes(rows: int) -> Predictions:
    """Answers of two classes."""
    first_N = np.linspace(0.1, 0.9, rows, dtype=np.float32)
    return Predictions(
        row_ids=tuple(map(str, range(rows))),
        label_names=("a", "b"),
        probabilities=np.stack([first_N, 1 - first_N], axis=1),
        true_labels=pa.nulls(rows, pa.int32()),
        tokens=np.full(rows, 5),
        truncated=np.zeros(rows, bool),
        texts=tuple(f"text {row}" for row in range(rows)),
    )


def numbers(rows: int, scale: float) -> ValuePredictions:
    """Numbers from 0 to a scale."""
    return ValuePredictions(
        row_ids=tuple(map(str, range(rows))),
        values=np.linspace(0, scale, rows, dtype=np.float32),
        true_values=pa.nulls(rows, pa.float64()),
        tokens=np.full(rows, 5),
        truncated=np.zeros(rows, bool),
        texts=tuple(f"text {row}" for row in range(rows)),
    )


@pytest.mark.parametrize("rows", [1, 7, MOST_CANARIES, 1000])
def test_some_texts_are_asked_spread_over_all(rows: int) -> None:
    """At most 32 of them, each once, the first and the last among them."""
    places = canary_places(classes(rows))
    assert len(places) == len(set(places)) == min(rows, MOST_CANARIES)
    assert places[0] == 0
    assert places[-1] == rows - 1


def test_the_record_of_a_run_is_found_and_none_is_no_fault(tmp_path: Path) -> None:
    """A bundle alone has no record; a file that is none counts as none."""
    assert recorded_answers(tmp_path) is None
    (tmp_path / "predictions").mkdir()
    place = tmp_path / "predictions" / "validation.parquet"
    place.write_bytes(b"no parquet")
    assert recorded_answers(tmp_path) is None
    place.unlink()
    write_predictions(place, classes(9))
    found = recorded_answers(tmp_path)
    assert found is not None
    assert found.texts == classes(9).texts


def test_answers_of_another_engine_pass_and_those_of_another_model_do_not() -> None:
    """A rounding apart is well; a probability that is 0.08 away is another model."""
    record, places = classes(9), [0, 4, 8]
    for shift, is_well in ((0.0, True), (0.02, True), (0.08, False)):
        first_N = np.asarray(record.probabilities)[places][:, 0] + np.float32(shift)
        found = replace(classes(3), probabilities=np.stack([first_N, 1 - first_N], axis=1))
        if is_well:
            require_recorded(found, record, places)
        else:
            with pytest.raises(ModelError, match="away"):
                require_recorded(found, record, places)


@pytest.mark.parametrize("scale", [1.0, 5_000.0])
def test_numbers_are_compared_in_their_own_spread(scale: float) -> None:
    """What is far for ratings from 0 to 1 is nothing for prices."""
    record, places = numbers(9, scale), [0, 4, 8]
    near = replace(numbers(3, scale), values=np.asarray(record.values)[places] + np.float32(scale * 0.005))
    require_recorded(near, record, places)
    far = replace(numbers(3, scale), values=np.asarray(record.values)[places] + np.float32(scale * 0.1))
    with pytest.raises(ModelError, match="3 texts"):
        require_recorded(far, record, places)
