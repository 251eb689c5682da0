"""What is decided after training: how far intervals of numbers reach, and on which rows that may be judged."""

from dataclasses import replace

import numpy as np
import pytest
from tests.evaluation.shaped import shaped

from limbeck.evaluation.value_evaluation import ValueEvaluation
from limbeck.evaluation.value_predictions import ValuePredictions
from limbeck.model.blocks import Block
from limbeck.model.facts import BundleFacts
from limbeck.training.settled import settle_numbers

FACTS = BundleFacts(
    head="linear",
    blocks=(Block(layer=1, pooling="mean"),),
    max_tokens=16,
    label_names=(),
    task="regression",
    provenance={"mean_number": 0.0},
)


def numbers(rows: int, seed: int) -> ValuePredictions:
    """Answers to rows, without an interval."""
    found = shaped("regression", rows, seed=seed, answer_seed=seed)
    assert isinstance(found, ValuePredictions)
    return replace(found, width=None)


def test_intervals_reach_as_far_as_the_errors_out_of_fold_say() -> None:
    """The k-th smallest error, k = 181 · 0.9 rounded up; judged on validation rows, and not on its own."""
    unseen, validation = numbers(180, 0), numbers(90, 1)
    found = settle_numbers(FACTS, {"out_of_fold": unseen, "validation": validation}, found_on="out_of_fold", seed=0)
    width = found.facts.value_width
    assert width is not None
    assert width.half_width == np.sort(np.abs(unseen.known_errors))[163 - 1]
    assert (width.level, width.rows, width.found_on) == (0.9, 180, "out_of_fold")
    own, judged = found.scored["out_of_fold"], found.scored["validation"]
    assert isinstance(own, ValueEvaluation)
    assert isinstance(judged, ValueEvaluation)
    assert own.inside is None
    assert "found on these rows" in own.promise
    assert judged.inside is not None
    assert judged.inside.value == (np.abs(validation.known_errors) <= width.half_width).mean()
    assert found.record["value_width"] == width.to_dict()
    assert ValueEvaluation.from_dict(own.to_dict()).promise == own.promise
    columns = found.answers["validation"].to_arrow().column_names
    assert {"value_low_90", "value_high_90"} <= set(columns)


def test_too_few_rows_promise_nothing() -> None:
    """Of eight rows no interval holds nine of ten: none is written, and the record says why."""
    found = settle_numbers(FACTS, {"validation": numbers(8, 0)}, found_on="validation", seed=0)
    assert found.facts.value_width is None
    assert found.record["value_width"] == {"level": 0.9, "half_width": None, "rows": 8, "found_on": "validation"}
    assert "value_low_90" not in found.answers["validation"].to_arrow().column_names


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (1, 2))])
def test_nine_of_ten_new_rows_lie_inside(seed: int) -> None:
    """Of 4,000 rows that nothing was found on, 90 % give or take what chance does with 2,000 and 4,000 rows."""
    found = settle_numbers(
        FACTS,
        {"out_of_fold": numbers(2000, seed), "validation": numbers(4000, 50 + seed)},
        found_on="out_of_fold",
        seed=0,
    ).scored["validation"]
    assert isinstance(found, ValueEvaluation)
    assert found.inside is not None
    assert 0.87 < found.inside.value < 0.93
