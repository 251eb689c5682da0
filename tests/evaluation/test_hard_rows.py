"""Hard rows: the worst of each shape first, with what is wrong about them."""

from dataclasses import replace

import numpy as np
import pytest
from tests.evaluation.shaped import LABELS, SHAPES, shaped

from limbeck.evaluation.hard_rows import HardLabelRow, HardStepRow, HardValueRow, find_hard_rows, hard_row_table


@pytest.mark.parametrize("kind", SHAPES)
def test_the_worst_row_is_the_first(kind):
    """Rows fall by what they are ranked by, and there are as many as were asked for."""
    found = find_hard_rows(shaped(kind), 20)
    assert len(found) == 20
    if kind == "multi":
        ranks = [one.loss for one in found]
    else:
        ranks = [abs(one.steps) if kind == "ordinal" else abs(one.error) for one in found]
    assert ranks == sorted(ranks, reverse=True)
    assert ranks[0] > ranks[-1]


def test_labels_are_right_missing_or_too_many():
    """Every true and every given label stands in one of the three, and the loss is that of the truth."""
    answers = shaped("multi")
    for one in find_hard_rows(answers, 200):
        assert isinstance(one, HardLabelRow)
        row = answers.row_ids.index(one.row_id)
        assert set(one.right) | set(one.missing) == set(answers.true_names[row])
        assert set(one.right) | set(one.superfluous) == set(answers.answers[row])
        true_C = np.isin(LABELS, answers.true_names[row])
        shares_C = answers.probabilities[row].astype(np.float64)
        assert one.loss == pytest.approx(-np.log(np.where(true_C, shares_C, 1 - shares_C)).mean(), rel=1e-5)


def test_steps_have_a_side():
    """An answer above the truth counts up, one below it down."""
    for one in find_hard_rows(shaped("ordinal"), 200):
        assert isinstance(one, HardStepRow)
        names = shaped("ordinal").label_names
        assert one.steps == names.index(one.predicted) - names.index(one.label)


def test_numbers_know_whether_the_truth_is_inside():
    """Where an interval is promised it is said; where none is, nothing is."""
    answers = shaped("regression")
    for one in find_hard_rows(answers, 200):
        assert isinstance(one, HardValueRow)
        assert one.inside == (abs(one.error) <= 1.5)
        assert one.error == pytest.approx(one.predicted - one.value, abs=1e-6)
    assert {one.inside for one in find_hard_rows(replace(answers, width=None), 5)} == {None}


@pytest.mark.parametrize(
    ("kind", "header"),
    [
        ("multi", ("text", "right", "missing", "too many", "loss, nats")),
        ("ordinal", ("text", "label", "predicted", "steps off", "loss, nats")),
        ("regression", ("text", "true", "predicted", "error")),
    ],
)
def test_rows_are_a_table(kind, header):
    """A line per row, the text first, and as many cells as there are headings."""
    found = find_hard_rows(shaped(kind), 4)
    table = hard_row_table(found)
    assert table.header == header
    assert [row[0] for row in table.rows] == [one.text for one in found]
    assert {len(row) for row in table.rows} == {len(header)}
