"""Thresholds: by hand, their promise over many draws, and what cannot be promised."""

import json

import numpy as np
import pytest

from limbeck.errors import DataError, SettingsError
from limbeck.evaluation.abstaining import NEVER, find_unsure
from limbeck.evaluation.thresholds import Goal, choose_thresholds


def drawn(rows, seed):
    """Answers of two classes that are right as often as they say."""
    generator = np.random.default_rng(seed)
    confidence = 0.5 + generator.beta(2, 1, rows) / 2
    said = generator.integers(0, 2, rows)
    right = generator.random(rows) < confidence
    probabilities = np.where(said[:, None] == np.arange(2), confidence[:, None], 1 - confidence[:, None])
    return probabilities, np.where(right, said, 1 - said)


def chosen(rows=2000, seed=0, **goal):
    probabilities, labels = drawn(rows, seed)
    return choose_thresholds(probabilities, labels, ("no", "yes"), Goal(**goal))


def test_coverage_by_hand():
    """Half of ten rows: the threshold lies between the fifth and the sixth, as the shortest number that does."""
    confidence = np.arange(10) / 20 + 0.51
    probabilities = np.column_stack([confidence, 1 - confidence])
    found = choose_thresholds(probabilities, np.zeros(10, int), ("a", "b"), Goal(coverage=0.5)).chosen[0]
    assert found.value == 0.74
    assert found.answered is not None
    assert found.answered.count == 5
    assert found.right is not None
    assert found.right.value == 1
    assert found.precision_low == pytest.approx(0.05 ** (1 / 5))  # five of five, one-sided


def test_precision_by_hand():
    """80 right rows at 0.9, 20 wrong ones at 0.6: 0.95 is promised of the 80, 0.95 to the 80th being below 0.05 / 2."""
    probabilities = np.column_stack(
        [np.r_[np.full(80, 0.9), np.full(20, 0.6)], np.r_[np.full(80, 0.1), np.full(20, 0.4)]]
    )
    found = choose_thresholds(probabilities, np.repeat([0, 1], [80, 20]), ("a", "b"), Goal(precision=0.95))
    assert found.values == (0.75, 0.75)
    assert found.chosen[0].precision_low == pytest.approx(0.025 ** (1 / 80))
    assert found.chosen[0].answered is not None
    assert found.chosen[0].answered.count == 80


@pytest.mark.slow
def test_the_promise_is_kept_over_many_draws():
    """A promise of 0.85 with 90 % confidence is broken by the true precision in no more than 10 % of 300 draws."""
    probabilities, labels = drawn(400_000, 99)
    highest, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    broken = reached = 0
    for seed in range(300):
        found = chosen(rows=400, seed=seed, precision=0.85, confidence=0.9).chosen[0]
        reached += found.is_reached
        broken += found.is_reached and right[highest > found.value].mean() < 0.85
    assert reached > 200
    assert broken <= 30


def test_more_rows_promise_more():
    """With more rows the same precision is promised of a larger share of them."""
    few, many = (chosen(rows=rows, precision=0.85).chosen[0].answered for rows in (400, 20_000))
    assert few is not None
    assert many is not None
    assert many.value > few.value


def test_by_class_every_class_has_its_own():
    """Each class is promised; the threshold of one is not that of the other, and the rows add up."""
    found = chosen(rows=4000, precision=0.85, per_class=True)
    assert [one.label for one in found.chosen] == ["no", "yes"]
    assert found.values[0] != found.values[1]
    assert sum(one.answered.rows for one in found.chosen if one.answered) == 4000
    assert set(found.to_dict()["values"]) == {"no", "yes"}


def test_what_cannot_be_promised_is_said():
    """Answers right at random reach nothing: never answered, and how much could be promised."""
    generator = np.random.default_rng(0)
    probabilities = generator.dirichlet(np.ones(2), 500)
    found = choose_thresholds(probabilities, generator.integers(0, 2, 500), ("a", "b"), Goal(precision=0.9))
    assert not found.is_reached
    assert found.values == (NEVER, NEVER)
    assert 0 < found.chosen[0].most_precision < 0.9
    assert find_unsure(probabilities, found.values).all()
    assert json.dumps(found.to_dict(), allow_nan=False)


def test_too_few_rows_promise_nothing():
    """58 right rows cannot show 0.95 with 95 % confidence."""
    probabilities = np.tile([[0.9, 0.1]], (58, 1))
    assert not choose_thresholds(probabilities, np.zeros(58, int), ("a", "b"), Goal(precision=0.95)).is_reached


def test_a_class_that_is_never_said_is_never_answered():
    """A class without rows gets the threshold that nothing passes."""
    probabilities = np.tile([[0.9, 0.1]], (100, 1)) - np.arange(100)[:, None] * [[1e-4, -1e-4]]
    found = choose_thresholds(probabilities, np.zeros(100, int), ("a", "b"), Goal(coverage=0.8, per_class=True))
    assert found.values[1] == NEVER
    assert found.chosen[1].answered is None
    assert found.chosen[0].answered is not None
    assert found.chosen[0].answered.count == 80


def test_the_threshold_does_what_was_counted():
    """Applied to the rows that it was chosen on, it answers exactly the rows that were counted; float32 too."""
    probabilities, labels = drawn(700, 5)
    for kind in (np.float32, np.float64):
        found = choose_thresholds(probabilities.astype(kind), labels, ("a", "b"), Goal(coverage=0.37))
        unsure = find_unsure(probabilities.astype(kind), found.values)
        assert found.chosen[0].answered is not None
        assert (~unsure).sum() == found.chosen[0].answered.count


@pytest.mark.parametrize(
    ("goal", "message"),
    [
        ({}, "either a precision or a coverage"),
        ({"precision": 0.9, "coverage": 0.9}, "either a precision or a coverage"),
        ({"precision": 95.0}, "precision = 95.0 is not possible"),
        ({"coverage": 1.0}, "coverage = 1.0 is not possible"),
        ({"coverage": 0.9, "confidence": float("nan")}, "confidence = nan is not possible"),
    ],
)
def test_impossible_goals_are_refused(goal, message):
    """A goal is one share between 0 and 1."""
    with pytest.raises(SettingsError, match=message):
        chosen(**goal)


def test_label_names_must_fit():
    """One name a class."""
    with pytest.raises(DataError, match="2 probabilities a row but 1 label names"):
        choose_thresholds(np.array([[0.9, 0.1]]), np.array([0]), ("a",), Goal(coverage=0.5))
