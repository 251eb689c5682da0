"""Counts that are added up: the evaluation of all rows, though they were never in one place."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest

from limbeck.errors import DataError
from limbeck.evaluation.abstaining import find_unsure, score_answered
from limbeck.evaluation.evaluation import evaluate
from limbeck.evaluation.predictions import Predictions
from limbeck.evaluation.score_counts import (
    COUNTERS,
    add_counts,
    answered_of,
    count_scores,
    evaluation_of_counts,
    learned_rows_of,
)

NAMES = ("joy", "sadness", "anger", "never")


def drawn(rows: int, seed: int = 0, sharpness: float = 2.0) -> Predictions:
    """Draw rows that are answered as well as their probabilities say, about."""
    generator = np.random.default_rng(seed)
    labels_N = generator.choice(3, size=rows, p=[0.6, 0.3, 0.1])
    logits_NC = generator.normal(size=(rows, 4)) - np.array([0, 0, 0, 3.0])
    logits_NC[np.arange(rows), labels_N] += sharpness
    shares_NC = np.exp(logits_NC)
    shares_NC = (shares_NC / shares_NC.sum(axis=1, keepdims=True)).astype(np.float32)
    return Predictions(
        row_ids=tuple(map(str, range(rows))),
        true_labels=pa.array(labels_N, pa.int32()),
        tokens=np.full(rows, 5),
        truncated=np.zeros(rows, bool),
        label_names=NAMES,
        probabilities=shares_NC,
    )


def some_rows(found: Predictions, start: int, stop: int) -> Predictions:
    """Return some of the rows."""
    names = ("row_ids", "true_labels", "tokens", "truncated", "probabilities")
    unsure = None if found.unsure is None else found.unsure[start:stop]
    return replace(found, **{name: getattr(found, name)[start:stop] for name in names}, unsure=unsure)


def counts_in_pieces(found: Predictions, cuts: list[int]) -> pa.Table:
    """Count the rows piece by piece, and add up."""
    bounds = [0, *cuts, len(found)]
    return add_counts(count_scores(some_rows(found, start, stop)) for start, stop in pairwise(bounds))


@pytest.mark.parametrize("cuts", [[], [1], [500, 500, 2_999], list(range(7, 3_000, 41))])
def test_figures_are_those_of_all_rows_together(cuts: list[int]) -> None:
    """Every count exactly, every sum to rounding, F1 intervals and all of the classes' own to the bit."""
    found = drawn(3_000)
    majority = int(np.bincount(found.known_labels).argmax())
    whole = evaluate(found.probabilities, found.known_labels, NAMES, majority_label=majority)
    added = evaluation_of_counts(counts_in_pieces(found, cuts), NAMES, majority_label=majority)
    assert (added.confusion_counts == whole.confusion_counts).all()
    assert (added.accuracy, added.f1_macro, added.f1_weighted) == (whole.accuracy, whole.f1_macro, whole.f1_weighted)
    assert str((added.per_class, added.baseline)) == str((whole.per_class, whole.baseline))  # NaN is never equal
    assert added.log_loss.value == pytest.approx(whole.log_loss.value, rel=1e-12)
    ours, theirs = added.calibration, whole.calibration
    assert (ours.bins.counts == theirs.bins.counts).all()
    np.testing.assert_allclose(ours.bins.accuracy, theirs.bins.accuracy)
    np.testing.assert_allclose(ours.bins.confidence, theirs.bins.confidence)
    np.testing.assert_allclose(ours.ece_by_class, theirs.ece_by_class)
    for name in ("mce", "brier", "classwise_ece"):
        assert getattr(ours, name) == pytest.approx(getattr(theirs, name), rel=1e-9), name
    assert ours.ece.value == pytest.approx(theirs.ece.value, rel=1e-9)


@pytest.mark.parametrize(("seed", "sharpness"), [(0, 2.0), (1, 0.5), (2, 4.0)])
def test_drawn_intervals_agree_with_those_of_rows(seed: int, sharpness: float) -> None:
    """Of log loss and the calibration error, within a tenth of their width: the sums in cells are drawn otherwise."""
    found = drawn(4_000, seed, sharpness)
    whole = evaluate(found.probabilities, found.known_labels, NAMES)
    added = evaluation_of_counts(counts_in_pieces(found, [1_000]), NAMES)
    for ours, theirs in ((added.log_loss, whole.log_loss), (added.calibration.ece, whole.calibration.ece)):
        room = 0.1 * (theirs.high - theirs.low)
        assert (ours.low, ours.high) == (pytest.approx(theirs.low, abs=room), pytest.approx(theirs.high, abs=room))
    assert added.calibration.chance_high == pytest.approx(whole.calibration.chance_high, rel=0.1)


def test_bins_of_equal_mass_have_edges_on_a_fine_grid() -> None:
    """All rows are in them, about equally many in each, and the error is that of exact edges within 0.001."""
    found = drawn(3_000)
    whole = evaluate(found.probabilities, found.known_labels, NAMES).calibration
    added = evaluation_of_counts(counts_in_pieces(found, [700]), NAMES).calibration
    assert (added.bins_mass.counts.sum(), len(added.bins_mass.counts)) == (3_000, len(whole.bins_mass.counts))
    assert added.bins_mass.counts.min() > 0.9 * whole.bins_mass.counts.min()
    assert added.ece_mass == pytest.approx(whole.ece_mass, abs=1e-3)


def test_thresholds_are_counted() -> None:
    """As `score_answered` counts rows; without thresholds there is nothing."""
    found = drawn(500)
    unsure = find_unsure(found.probabilities, (0.7, 0.9, 1.0, 0.0))
    counts = counts_in_pieces(replace(found, unsure=unsure), [100, 321])
    assert answered_of(counts, NAMES) == score_answered(unsure, found.predicted, found.known_labels, NAMES)
    assert answered_of(counts_in_pieces(found, []), NAMES) is None


def test_learned_rows_are_added_up() -> None:
    """Where they are known; of a bundle without its run folder nothing is said."""
    pieces = [some_rows(drawn(20), 0, 10), some_rows(drawn(20), 10, 20)]
    assert learned_rows_of(add_counts(count_scores(one, learned_rows=3) for one in pieces)) == 6
    assert learned_rows_of(add_counts(map(count_scores, pieces))) is None


def test_order_and_grouping_of_parts_change_no_count() -> None:
    """Sums of sums are sums."""
    found = drawn(300)
    pieces = [count_scores(some_rows(found, start, start + 50)) for start in range(0, 300, 50)]
    one = add_counts(pieces)
    other = add_counts([add_counts(pieces[3:]), add_counts(pieces[:3][::-1])])
    assert one.drop_columns(["sum", "squares"]) == other.drop_columns(["sum", "squares"])
    np.testing.assert_allclose(one["sum"], other["sum"])


def test_rows_without_labels_and_no_rows_are_refused() -> None:
    """A score of nothing is none."""
    found = drawn(3)
    with pytest.raises(DataError, match="has no label"):
        count_scores(replace(found, true_labels=pa.array([0, None, 1], pa.int32())))
    with pytest.raises(DataError, match="no row was counted"):
        evaluation_of_counts(COUNTERS.empty_table(), NAMES)
