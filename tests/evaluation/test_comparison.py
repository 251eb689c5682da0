"""Comparison: the test by hand and by published tables, paired intervals, rows that changed."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from limbeck.errors import DataError
from limbeck.evaluation.comparison import accuracy_kept, compare_answers, holm, mcnemar

NAMES = ("a", "b", "c")


def answers(said, confidence=0.8):
    """Probabilities of three classes whose most probable label is what was said."""
    said = np.asarray(said)
    return np.where(said[:, None] == np.arange(3), confidence, (1 - confidence) / 2)


def pair(rows=400, seed=0, better=0.1):
    """Labels, and two classifiers whose errors mostly fall on the same rows."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 3, rows)
    hard = generator.random(rows)
    wrong = (labels + 1) % 3
    return answers(np.where(hard < 0.3, wrong, labels)), answers(np.where(hard < 0.3 - better, wrong, labels)), labels


def test_mcnemar_by_hand():
    """One mended and nine broken: 2 (1 + 10) / 2¹⁰. As many as the other: 1. None changed: 1."""
    assert mcnemar(1, 9).p_value == pytest.approx(22 / 1024)
    assert mcnemar(5, 5).p_value == 1
    assert mcnemar(0, 0).p_value == 1


def test_mcnemar_of_a_published_table():
    """Agresti, Categorical Data Analysis, table 10.1: 86 against 150 who changed their mind; p < 0.0001."""
    found = mcnemar(86, 150)
    assert found.p_value == pytest.approx(binomtest(86, 236).pvalue, rel=1e-9)
    assert found.p_value < 1e-4


@given(mended=st.integers(0, 40), broken=st.integers(0, 40))
def test_mcnemar_is_a_two_sided_binomial_test(mended, broken):
    """Equal to scipy's exact test of a fair coin, and the same whichever run comes first."""
    if mended + broken:
        assert mcnemar(mended, broken).p_value == pytest.approx(binomtest(mended, mended + broken).pvalue, abs=1e-9)
    assert mcnemar(mended, broken).p_value == mcnemar(broken, mended).p_value


def test_holm_by_hand():
    """Smallest times three, the next times two, never falling; never above 1."""
    assert holm([0.01, 0.04, 0.03]) == pytest.approx((0.03, 0.06, 0.06))
    assert holm([0.9, 0.9]) == (1.0, 1.0)
    assert holm([]) == ()


def test_rows_that_changed_by_hand():
    """Row 0 mended, row 1 broken, row 2 moved from one wrong label to another, row 3 as before."""
    found = compare_answers(answers([1, 1, 1, 2]), answers([0, 2, 2, 2]), np.array([0, 1, 0, 2]), NAMES, resamples=20)
    assert found.mended.tolist() == [0]
    assert found.broken.tolist() == [1]
    assert found.moved.tolist() == [2]
    assert found.accuracy.value == 0
    assert [(one.mended, one.broken, one.rows) for one in found.per_class] == [(1, 0, 2), (0, 1, 1), (0, 0, 1)]
    assert [one.recall.value for one in found.per_class] == [0.5, -1, 0]


def test_paired_intervals_are_those_of_the_differences():
    """The interval of the accuracy is the binomial one of mended minus broken, far narrower than unpaired ones."""
    first, second, labels = pair()
    found = compare_answers(first, second, labels, NAMES, resamples=4000)
    changed = (second.argmax(1) == labels).astype(int) - (first.argmax(1) == labels)
    spread = changed.std() / np.sqrt(len(labels))
    assert found.accuracy.value == pytest.approx(changed.mean())
    assert found.accuracy.low == pytest.approx(changed.mean() - 1.96 * spread, abs=0.004)
    assert found.accuracy.high == pytest.approx(changed.mean() + 1.96 * spread, abs=0.004)
    assert found.accuracy.low > 0


def test_log_loss_is_paired_too():
    """The difference of the mean losses, with an interval that holds it."""
    first, second, labels = pair()
    found = compare_answers(first, second, labels, NAMES, resamples=200)
    expected = -np.log(second[np.arange(400), labels]).mean() + np.log(first[np.arange(400), labels]).mean()
    assert found.log_loss.value == pytest.approx(expected)
    assert found.log_loss.low < expected < found.log_loss.high


def test_the_same_answers_differ_in_nothing():
    """A run beside itself: every difference is 0, with no width."""
    first, _, labels = pair()
    found = compare_answers(first, first, labels, NAMES, resamples=50)
    assert (found.accuracy.low, found.accuracy.value, found.accuracy.high) == (0, 0, 0)
    assert found.mcnemar.p_value == 1


def test_the_other_way_round_changes_every_sign():
    """Differences change their sign, mended and broken their places."""
    first, second, labels = pair()
    one, other = compare_answers(first, second, labels, NAMES), compare_answers(second, first, labels, NAMES)
    assert one.accuracy.value == -other.accuracy.value
    assert one.mended.tolist() == other.broken.tolist()


def test_json_has_plain_values():
    """Everything is a plain value."""
    facts = compare_answers(*pair(), NAMES, resamples=20).to_dict()
    assert json.loads(json.dumps(facts, allow_nan=False)) == facts


def test_shapes_must_be_the_same():
    """Answers to other rows or classes are refused."""
    first, second, labels = pair()
    with pytest.raises(DataError, match="give both one row a text"):
        compare_answers(first, second[:-1], labels, NAMES)
    with pytest.raises(DataError, match="2 label names"):
        compare_answers(first, second, labels, NAMES[:2])


@pytest.mark.parametrize("rows", [4, 31, 2000])
def test_equal_answers_keep_all_but_are_no_certainty(rows):
    """The ratio is 1, and its interval has a width that falls with the rows."""
    right = np.ones(rows, bool)
    found = accuracy_kept(right, right)
    assert found.value == 1
    assert found.low < 1 < found.high
    assert 0.5 / rows < found.high - found.low < 10 / rows


def test_the_interval_of_what_is_kept_is_paired():
    """Rows that both got wrong make no difference between the two, however many."""
    small, large = np.array([1, 1, 1, 0] * 250, bool), np.array([1, 1, 0, 1] * 250, bool)
    paired = accuracy_kept(small, large)
    apart = accuracy_kept(small, np.random.default_rng(0).permutation(large))
    assert paired.value == pytest.approx(1)
    assert paired.low < 1 < paired.high
    same = accuracy_kept(small, small)
    assert same.high - same.low < (apart.high - apart.low) / 5


def test_what_is_kept_is_the_ratio_of_the_accuracies():
    """Above 1 where the smaller one is better; the same seed gives the same interval."""
    small, large = np.array([1, 1, 1, 0], bool), np.array([1, 1, 0, 0], bool)
    assert accuracy_kept(small, large).value == pytest.approx(1.5)
    assert accuracy_kept(small, large) == accuracy_kept(small, large)
