"""Hard cases: the right rows in the right order, with the figures that a person reads."""

import json
import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from limbeck.errors import DataError, SettingsError
from limbeck.evaluation.evaluation import evaluate
from limbeck.evaluation.hard_cases import find_hard_cases, name_confusions
from limbeck.evaluation.predictions import Predictions

NAMES = ("sadness", "joy", "love")


def made(probabilities, labels, **changes):
    rows = len(labels)
    facts = {
        "row_ids": tuple(f"test:{row}" for row in range(rows)),
        "label_names": NAMES,
        "probabilities": np.array(probabilities),
        "true_labels": pa.array(labels, pa.int32()),
        "tokens": np.arange(rows) + 3,
        "truncated": np.arange(rows) == 1,
        "texts": tuple(f"text {row}" for row in range(rows)),
    }
    return Predictions(**(facts | changes))


FIVE = made(
    [[0.7, 0.2, 0.1], [0.1, 0.1, 0.8], [0.3, 0.3, 0.4], [0.05, 0.9, 0.05], [0.25, 0.5, 0.25]],
    [0, 0, None, 1, 2],
)


def test_highest_and_lowest_loss_are_the_two_tables_of_the_course():
    """Losses 0.357, 2.303, 0.105, 1.386 by hand; the row without a label is in neither table."""
    cases = find_hard_cases(FIVE)
    assert [case.row_id for case in cases.highest(10)] == ["test:1", "test:4", "test:0", "test:3"]
    assert [case.row_id for case in cases.lowest(2)] == ["test:3", "test:0"]
    worst = cases.highest(1)[0]
    assert (worst.label, worst.predicted, worst.text) == ("sadness", "love", "text 1")
    assert worst.loss == pytest.approx(-math.log(0.1), rel=1e-6)
    assert worst.probability == pytest.approx(0.1)
    assert worst.margin == pytest.approx(0.1 - 0.8, abs=1e-6)
    assert (worst.tokens, worst.truncated) == (4, True)


def test_each_class_and_each_confusion_has_its_own_tables():
    """Classes in the order of their names; cells off the diagonal only, the largest first."""
    cases = find_hard_cases(made([[0.2, 0.7, 0.1]] * 2 + [[0.1, 0.2, 0.7], [0.1, 0.8, 0.1]], [0, 0, 0, 1]))
    by_class = cases.by_class(1)
    assert [(part.name, part.rows) for part in by_class] == [("sadness", 3), ("joy", 1)]
    assert by_class[0].highest[0].row_id == "test:2"
    assert by_class[0].mean_loss == pytest.approx(-(2 * math.log(0.2) + math.log(0.1)) / 3, rel=1e-6)
    cells = cases.by_confusion(5)
    assert [(part.name, part.rows) for part in cells] == [("sadness → joy", 2), ("sadness → love", 1)]
    assert [case.row_id for case in cells[0].highest] == ["test:0", "test:1"]


def test_confusions_are_said_in_words_with_rows_to_read():
    """Two of three sad rows were taken for joy: 0.67, with its interval and the rows themselves."""
    found = made([[0.2, 0.7, 0.1]] * 2 + [[0.1, 0.2, 0.7], [0.1, 0.8, 0.1]], [0, 0, 0, 1])
    scored = evaluate(found.probabilities, found.known_labels, NAMES, majority_label=0)
    named = name_confusions(scored, find_hard_cases(found), examples=1)
    assert str(named[0]).startswith("sadness → joy 0.67 (2 of 3; 95 % ")
    assert named[0].examples[0].row_id == "test:0"
    assert named[0].to_dict()["count"] == 2
    assert len(named) == 2


def test_confusions_of_other_rows_are_refused():
    """An evaluation of other rows would give words that fit no row."""
    scored = evaluate(FIVE.probabilities[:2], np.array([0, 0]), NAMES, majority_label=0)
    with pytest.raises(DataError, match="the same"):
        name_confusions(scored, find_hard_cases(FIVE))


def test_values_fit_json():
    """`to_dict` holds plain values, none of them NaN; texts may be absent."""
    found = find_hard_cases(made([[0.0, 0.5, 0.5]], [0], texts=None)).to_dict(3)
    assert json.loads(json.dumps(found, allow_nan=False))["highest"][0]["text"] is None


def test_nothing_to_show_is_said():
    """No label, or no row asked for."""
    with pytest.raises(DataError, match="no row has a known label"):
        find_hard_cases(made([[1.0, 0.0, 0.0]], [None]))
    with pytest.raises(SettingsError, match="1 or more"):
        find_hard_cases(FIVE).highest(0)


@pytest.mark.slow
@given(st.lists(st.tuples(st.integers(0, 2), st.floats(0.01, 1), st.floats(0.01, 1), st.floats(0.01, 1)), min_size=1))
def test_the_order_is_that_of_the_losses(rows):
    """Whatever the rows: losses fall, every row stands once, a wrong answer has a margin of at most 0."""
    probabilities = np.array([row[1:] for row in rows])
    probabilities /= probabilities.sum(1, keepdims=True)
    cases = find_hard_cases(made(probabilities, [row[0] for row in rows]))
    shown = cases.highest(len(rows))
    losses = [case.loss for case in shown]
    assert losses == sorted(losses, reverse=True)
    assert len({case.row_id for case in shown}) == len(rows)
    assert all((case.margin <= 0) or (case.label == case.predicted) for case in shown)
    assert sum(part.rows for part in cases.by_class(1)) == len(rows)
