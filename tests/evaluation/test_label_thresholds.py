"""Thresholds of labels: by hand, against every cut, their promise over many draws, honest by cross-fitting."""

import json

import numpy as np
import pytest
from sklearn import metrics as oracle

from limbeck.errors import DataError, SettingsError
from limbeck.evaluation import label_metrics, label_thresholds, metrics
from limbeck.evaluation.label_thresholds import (
    NEVER_GIVEN,
    LabelGoal,
    choose_label_thresholds,
    decide_cross_fitted,
    decide_labels,
)

PLAIN = LabelGoal(prior_rows=0)


def drawn(rows, seed, shares=(0.3, 0.1, 0.03)):
    """Calibrated probabilities of labels of some shares, and targets that come true as often as they say."""
    generator = np.random.default_rng(seed)
    logits = np.log(np.array(shares) / (1 - np.array(shares))) + 1.5 * generator.normal(size=(rows, len(shares)))
    probabilities = (1 / (1 + np.exp(-logits))).astype(np.float32)
    return probabilities, generator.random(probabilities.shape) < probabilities


def chosen(probabilities, targets, goal=PLAIN):
    return choose_label_thresholds(probabilities, targets, tuple(map(str, range(targets.shape[1]))), goal)


@pytest.mark.parametrize("seed", range(20))
def test_no_cut_has_a_larger_f1(seed):
    """The F1 of each label is the largest of all cuts that scikit-learn's precision-recall curve has; ties included."""
    probabilities, targets = drawn(200, seed)
    if seed % 2:
        probabilities = np.round(probabilities, 1)
    found = chosen(probabilities, targets)
    f1 = metrics.f1_by_class(found.tally)
    for label in np.flatnonzero(targets.any(axis=0)):
        precision, recall, _ = oracle.precision_recall_curve(targets[:, label], probabilities[:, label])
        best = np.max(2 * precision * recall / np.maximum(precision + recall, 1e-300))
        assert f1[label] == pytest.approx(best, abs=1e-12)


def test_f1_by_hand():
    """Of four rows the two most probable have the label: the cut is the shortest number between them and the rest."""
    probabilities = np.array([[0.91], [0.34], [0.31], [0.1]])
    found = chosen(probabilities, np.array([[1], [1], [0], [0]], bool))
    assert found.values.tolist() == [0.33]  # halfway is 0.325
    assert found.tally.hits.tolist() == [2]


def test_decision_is_at_or_above():
    """A probability that equals its threshold is given the label; NEVER_GIVEN is reached by none."""
    found = decide_labels(np.array([[0.5, 1.0], [0.49, 0.0]]), np.array([0.5, NEVER_GIVEN]))
    assert found.tolist() == [[True, False], [False, False]]
    with pytest.raises(DataError, match="1 thresholds for 2 labels"):
        decide_labels(np.zeros((1, 2)), np.zeros(1))


def test_label_that_no_row_has_gets_the_shared_cut_and_it_is_said():
    """Nothing is learned of it, so what serves all labels serves it; and its name is told."""
    probabilities, targets = drawn(300, 3)
    targets[:, 2] = False
    found = chosen(probabilities, targets)
    assert found.values[2] == found.shared
    assert found.unseen == ("2",)
    assert "no row has: 2" in repr(found)


def test_more_prior_rows_draw_thresholds_towards_the_shared_cut():
    """With 0 the label decides alone, with very many the shared cut does, in between the threshold lies between."""
    probabilities, targets = drawn(300, 4)
    own, between, shared = (chosen(probabilities, targets, LabelGoal(prior_rows=rows)) for rows in (0, 5, 1e9))
    assert shared.shared is not None
    np.testing.assert_allclose(shared.values, shared.shared, atol=1e-6)
    low, high = np.minimum(own.values, shared.values), np.maximum(own.values, shared.values)
    assert ((between.values > low - 1e-9) & (between.values < high + 1e-9)).all()


def test_thresholds_beat_a_half_on_new_rows_where_labels_are_rare():
    """Labels of 2 %: on rows that were not used macro F1 is at least 1.5 times that of 0.5."""
    shares = (0.02,) * 8
    probabilities, targets = drawn(3000, 1, shares)
    new_probabilities, new_targets = drawn(3000, 2, shares)
    found = chosen(probabilities, targets, LabelGoal())
    better, half = (
        metrics.f1_macro(label_metrics.tally_of_labels(new_targets, decide_labels(new_probabilities, thresholds)))
        for thresholds in (found.values, np.full(8, 0.5))
    )
    assert better > 1.5 * half


@pytest.mark.slow
def test_cross_fitted_f1_is_what_new_rows_get():
    """Over 12 draws of few rows: F1 on the rows chosen on is too good, cross-fitted F1 is within 0.04 of new rows'."""
    own, honest, new = [], [], []
    for seed in range(12):
        probabilities, targets = drawn(150, seed)
        found = chosen(probabilities, targets)
        own.append(found.f1_macro)
        honest.append(
            metrics.f1_macro(label_metrics.tally_of_labels(targets, decide_cross_fitted(probabilities, targets, PLAIN)))
        )
        many_probabilities, many_targets = drawn(2000, 1000 + seed)
        decided = decide_labels(many_probabilities, found.values)
        new.append(metrics.f1_macro(label_metrics.tally_of_labels(many_targets, decided)))
    assert np.mean(own) > np.mean(new) + 0.05
    assert np.mean(honest) == pytest.approx(np.mean(new), abs=0.04)


def test_cross_fitting_uses_no_row_for_its_own_threshold():
    """Turning a row's own target over changes nothing that is decided about it; the same seed decides the same."""
    probabilities, targets = drawn(60, 7)
    before = decide_cross_fitted(probabilities, targets, seed=3)
    np.testing.assert_array_equal(before, decide_cross_fitted(probabilities, targets, seed=3))
    for row in range(0, 60, 20):
        turned = targets.copy()
        turned[row] = ~turned[row]
        np.testing.assert_array_equal(decide_cross_fitted(probabilities, turned, seed=3)[row], before[row])


def test_promised_precision_is_kept_as_often_as_it_is_promised():
    """Over 30 draws: the true precision of some label is below the goal in at most 5 % (and chance's 5 more)."""
    broken = 0
    for seed in range(30):
        probabilities, targets = drawn(1000, seed)
        found = chosen(probabilities, targets, LabelGoal(precision=0.6))
        many, _ = drawn(5000, 5000 + seed)
        given = decide_labels(many, found.values)
        # Probabilities are true here, so the true precision is their mean over the rows that are given the label.
        true = [many[given[:, label], label].mean() for label in range(3) if given[:, label].any()]
        broken += min(true, default=1.0) < 0.6
    assert broken <= 4


def test_promise_is_for_all_labels_together():
    """80 rows at 0.9 all right promise 0.95 to one label, but not to each of three."""
    column = np.r_[np.full(80, 0.9), np.full(20, 0.6)][:, None]
    right = np.repeat([True, False], [80, 20])[:, None]
    goal = LabelGoal(precision=0.95)
    one, three = chosen(column, right, goal), chosen(np.tile(column, 3), np.tile(right, 3), goal)
    assert one.values.tolist() == [0.75]
    assert one.promised is not None
    assert one.promised[0] >= 0.95
    assert three.values.tolist() == [NEVER_GIVEN] * 3
    assert three.never_given == ("0", "1", "2")
    assert json.loads(json.dumps(three.to_dict(), allow_nan=False))["per_label"]["0"]["value"] is None


def test_blocks_change_nothing(monkeypatch):
    """Choosing for a few labels at a time gives the same thresholds."""
    probabilities, targets = drawn(100, 9)
    before = chosen(probabilities, targets).values
    monkeypatch.setattr(label_thresholds, "_BLOCK_CELLS", 1)
    np.testing.assert_array_equal(chosen(probabilities, targets).values, before)


@pytest.mark.parametrize(
    ("goal", "message"),
    [
        (LabelGoal(precision=1.0), "precision = 1.0 is not possible"),
        (LabelGoal(precision=0.9, confidence=0), "confidence = 0 is not possible"),
        (LabelGoal(prior_rows=-1), "prior_rows = -1 is not possible"),
    ],
)
def test_impossible_goals_are_refused(goal, message):
    """What is no share, or a negative number of rows, is an error that says what to give."""
    with pytest.raises(SettingsError, match=message):
        chosen(*drawn(10, 0), goal)


def test_too_few_folds_or_rows_are_refused():
    """One fold judges a threshold on its own rows; two rows cannot be dealt to five folds."""
    with pytest.raises(SettingsError, match="folds is 1"):
        decide_cross_fitted(*drawn(10, 0), folds=1)
    with pytest.raises(DataError, match="2 rows cannot be dealt to 5 folds"):
        decide_cross_fitted(*drawn(2, 0))
