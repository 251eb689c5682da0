"""Counts of ordered classes, numbers and several labels: the evaluation of all rows, from sums of some at a time."""

import math
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest

from limbeck.errors import DataError
from limbeck.evaluation.any_counts import CountedBy, count_any, counted_by, evaluation_of_any_counts
from limbeck.evaluation.conformal import ConformalWidth
from limbeck.evaluation.multi_evaluation import evaluate_multi
from limbeck.evaluation.multi_predictions import MultiPredictions
from limbeck.evaluation.ordinal_evaluation import ORDINAL_FIGURES, evaluate_ordinal
from limbeck.evaluation.predictions import Predictions
from limbeck.evaluation.score_counts import COUNTERS, add_counts
from limbeck.evaluation.value_evaluation import evaluate_values
from limbeck.evaluation.value_predictions import ValuePredictions
from limbeck.task import ORDINAL

ROWS = 700
CUTS = (0, 1, 250, 251, ROWS)
WIDTH = ConformalWidth(level=0.9, half_width=1.1, rows=100, found_on="validation")
DRAWING = np.random.default_rng(5)


def counted(found, by):
    """Count predictions, which `found` makes of a slice of rows, in four pieces."""
    pieces = [count_any(found(slice(*cut)), by) for cut in pairwise(CUTS)]
    return evaluation_of_any_counts(add_counts(pieces), counted_by(by.to_json()), seed=3)


def rows_of(place):
    """Return what all predictions have."""
    numbers = range(ROWS)[place]
    count = len(numbers)
    return {"row_ids": [f"{n}" for n in numbers], "tokens": np.ones(count, int), "truncated": np.zeros(count, bool)}


def close(ours, theirs, names, *, share):
    """Tell that figures are equal but for rounding, and their intervals but for what drawing does."""
    for name in names:
        one, other = getattr(ours, name), getattr(theirs, name)
        assert one.value == pytest.approx(other.value, rel=1e-9), name
        wide = other.high - other.low
        assert (one.low, one.high) == pytest.approx((other.low, other.high), abs=share * wide), name


def test_ordered_classes_are_evaluated_as_all_rows_are():
    """Every figure; the intervals of counts are the same, that of log loss but for how losses are drawn."""
    shares_NC = DRAWING.dirichlet(np.full(4, 0.7), size=ROWS).astype(np.float32)
    labels_N = np.clip(shares_NC.argmax(1) + DRAWING.integers(-1, 2, size=ROWS), 0, 3)
    names = ("1", "2", "3", "4")

    def found(place):
        labels = pa.array(labels_N[place], pa.int32())
        return Predictions(
            **rows_of(place), label_names=names, probabilities=shares_NC[place], true_labels=labels, task=ORDINAL
        )

    for median in (None, "2"):
        ours = counted(found, CountedBy(task="ordinal", labels=names, median_label=median))
        place = None if median is None else names.index(median)
        theirs = evaluate_ordinal(shares_NC, labels_N, names, median_label=place, seed=3)
        assert ours.confusion_counts.tolist() == theirs.confusion_counts.tolist()
        for name in ("quadratic_kappa", "mae", "within_one", "accuracy", "per_class"):
            assert getattr(ours, name) == getattr(theirs, name), name
        assert vars(ours.baseline) == pytest.approx(vars(theirs.baseline))
        assert ours.calibration_error == pytest.approx(theirs.calibration_error)
        close(ours, theirs, ORDINAL_FIGURES, share=0.1)


@pytest.mark.parametrize("width", [None, WIDTH])
def test_numbers_are_evaluated_as_all_rows_are(width):
    """All figures but Spearman's correlation, which is left out; numbers far from 0 lose no digits."""
    true_N = DRAWING.normal(1_000, 2, size=ROWS)
    said_N = (true_N + DRAWING.normal(0.1, 0.7, size=ROWS)).astype(np.float32)

    def found(place):
        return ValuePredictions(
            **rows_of(place), values=said_N[place], true_values=pa.array(true_N[place]), width=width
        )

    ours = counted(found, CountedBy(task="regression", labels=(), mean_number=999.0, value_width=width))
    theirs = evaluate_values(found(slice(None)), training_mean=999.0, seed=3)
    close(ours, theirs, ("pearson", "r2", "mae", "rmse", "bias"), share=0.15)
    assert math.isnan(ours.spearman.value)
    assert (ours.rows, ours.inside, ours.baseline_value) == (theirs.rows, theirs.inside, theirs.baseline_value)
    assert ours.baseline_mae == pytest.approx(theirs.baseline_mae)
    assert ours.baseline_rmse == pytest.approx(theirs.baseline_rmse)


@pytest.mark.parametrize("thresholds", [None, (0.4, 0.6, 0.5)])
def test_label_sets_are_evaluated_as_all_rows_are(thresholds):
    """All figures but AUC-PR and the interval of macro F1, which are left out."""
    shares_NC = DRAWING.random((ROWS, 3)).astype(np.float32)
    targets_NC = DRAWING.random((ROWS, 3)) < shares_NC * (0.9, 0.5, 0.2)
    names, label_shares = ("a", "b", "c"), (0.5, 0.3, 0.1)
    sets = [np.flatnonzero(row).tolist() for row in targets_NC]

    def found(place):
        return MultiPredictions(
            **rows_of(place),
            label_names=names,
            probabilities=shares_NC[place],
            true_labels=pa.array(sets[place], pa.large_list(pa.int32())),
            thresholds=None if thresholds is None else np.array(thresholds),
        )

    by = CountedBy(task="multi", labels=names, label_shares=label_shares, label_thresholds=thresholds)
    ours, theirs = counted(found, by), evaluate_multi(found(slice(None)), label_shares=np.array(label_shares), seed=3)
    close(ours, theirs, ("f1_micro", "f1_samples", "subset_accuracy", "hamming_loss", "lrap", "log_loss"), share=0.15)
    assert ours.f1_macro.value == theirs.f1_macro.value
    assert not ours.f1_macro.is_known
    assert math.isnan(ours.auc_pr.value)
    for name in ("rows", "labels_per_row", "given_per_row", "beyond_chance"):
        assert getattr(ours, name) == pytest.approx(getattr(theirs, name)), name
    assert ours.calibration_error == pytest.approx(theirs.calibration_error)
    assert ours.baseline.labels == theirs.baseline.labels
    assert ours.baseline.figures == pytest.approx(theirs.baseline.figures)
    for one, other in zip(ours.per_label, theirs.per_label, strict=True):
        assert (one.counted, one.threshold) == (other.counted, other.threshold)
        assert (one.ece, one.chance_high) == pytest.approx((other.ece, other.chance_high))
        assert not one.auc_pr.is_known
    assert str(ours.figure_table().rows).count("'–'") == 1


def test_figures_that_do_not_differ_have_no_interval():
    """Where no row is given a label, and all errors are equal, resamples know nothing, as of all rows at once."""
    labels = pa.array([[0], [1], []], pa.large_list(pa.int32()))
    three = {name: value[:3] for name, value in rows_of(slice(ROWS)).items()}
    shares_NC = np.array([[0.1, 0.2], [0.2, 0.3], [0.3, 0.1]], np.float32)
    found = MultiPredictions(**three, label_names=("a", "b"), probabilities=shares_NC, true_labels=labels)
    by = CountedBy(task="multi", labels=("a", "b"), label_shares=(0.3, 0.3))
    ours = evaluation_of_any_counts(add_counts([count_any(found, by)]), by)
    assert (ours.f1_micro.value, ours.f1_micro.is_known) == (0.0, False)
    assert ours.log_loss.is_known
    truths = pa.array([1.0, 2.0, 4.0])
    numbers = ValuePredictions(**three, values=np.array([2.0, 3.0, 5.0], np.float32), true_values=truths)
    by = CountedBy(task="regression", labels=(), mean_number=0.0)
    ours = evaluation_of_any_counts(add_counts([count_any(numbers, by)]), by)
    assert (ours.mae.value, ours.bias.value, ours.mae.is_known, ours.pearson.value) == (1.0, 1.0, False, 1.0)


def test_no_rows_and_rows_of_unknown_truth_are_refused():
    """Before anything is counted or drawn."""
    by = CountedBy(task="regression", labels=(), mean_number=0.0)
    with pytest.raises(DataError, match="no row was counted"):
        evaluation_of_any_counts(COUNTERS.empty_table(), by)
    truths = pa.array([1.0, None], pa.float64())
    found = ValuePredictions(**rows_of(slice(2)), values=np.ones(2, np.float32), true_values=truths)
    with pytest.raises(DataError, match="truth of a row is not known"):
        count_any(found, by)
