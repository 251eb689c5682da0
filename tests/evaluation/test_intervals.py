"""Intervals: they cover, they repeat, and the multinomial is the row bootstrap."""

import numpy as np
import pytest

from limbeck.errors import SettingsError
from limbeck.evaluation import intervals, metrics


@pytest.fixture
def rows():
    """Two hundred rows of four classes, one of them rare, whose loss depends on the cell."""
    generator = np.random.default_rng(3)
    labels = generator.choice(4, 200, p=[0.5, 0.3, 0.17, 0.03])
    predicted = np.where(generator.random(200) < 0.7, labels, generator.integers(0, 4, 200))
    losses = generator.exponential(1 + 2 * (labels != predicted))
    return labels, predicted, losses


def row_bootstrap(labels, predicted, losses, resamples):
    """The textbook bootstrap, row by row: the reference."""
    generator = np.random.default_rng(11)
    found = {"f1_weighted": [], "f1_macro": [], "log_loss": []}
    for _ in range(resamples):
        drawn = generator.integers(0, len(labels), len(labels))
        tally = metrics.tally_of(metrics.confusion_counts(labels[drawn], predicted[drawn], 4))
        found["f1_weighted"].append(metrics.f1_weighted(tally))
        found["f1_macro"].append(metrics.f1_macro(tally))
        found["log_loss"].append(losses[drawn].mean())
    return {name: np.array(values) for name, values in found.items()}


@pytest.mark.slow
def test_multinomial_cells_give_the_intervals_of_a_plain_row_bootstrap(rows):
    """Both ends of every interval agree with the row bootstrap to within what 4,000 resamples can tell."""
    expected = row_bootstrap(*rows, resamples=4000)
    found = intervals.bootstrap(intervals.cells_of(*rows, 4), seed=5, resamples=4000)
    for name, replicates in expected.items():
        interval = getattr(found, name)
        low, high = np.percentile(replicates, [2.5, 97.5])
        noise = replicates.std() * 0.15  # three standard errors of a 2.5 % quantile of 4,000 normal draws, roughly
        assert interval.low == pytest.approx(low, abs=noise), name
        assert interval.high == pytest.approx(high, abs=noise), name


def test_losses_and_cells_come_from_the_same_resamples(rows):
    """With a loss that is 1 for wrong rows, each resample's mean loss is exactly 1 minus its accuracy."""
    labels, predicted, _ = rows
    cells = intervals.cells_of(labels, predicted, (labels != predicted).astype(float), 4)
    generator = np.random.default_rng(0)
    counts = intervals.draw_counts(cells.counts_K, 50, generator)
    losses = intervals.draw_mean_losses(cells, counts, generator)
    right = counts[:, cells.labels_K == cells.predicted_K].sum(axis=1) / len(labels)
    np.testing.assert_allclose(losses, 1 - right, atol=1e-12)


def test_losses_drawn_inside_a_cell_are_uniform_over_its_rows():
    """Every row of every cell is drawn, none more often than chance allows, and the mean is unbiased."""
    labels = np.repeat([0, 1], [30, 70])
    losses = np.arange(100.0)
    cells = intervals.cells_of(labels, labels, losses, 2)
    generator = np.random.default_rng(1)
    means = intervals.draw_mean_losses(cells, intervals.draw_counts(cells.counts_K, 3000, generator), generator)
    assert means.mean() == pytest.approx(49.5, abs=3 * 28.9 / np.sqrt(100 * 3000))
    assert means.std() == pytest.approx(28.866 / 10, rel=0.05)


@pytest.mark.slow
def test_intervals_of_the_loss_cover_the_truth_as_often_as_they_say():
    """Over 400 samples from a classifier of known loss, about 95 % of the intervals hold the truth."""
    generator = np.random.default_rng(8)
    covered = 0
    for sample in range(400):
        labels = generator.integers(0, 2, 300)
        predicted = np.where(generator.random(300) < 0.8, labels, 1 - labels)
        losses = generator.exponential(1.0, 300)
        found = intervals.bootstrap(intervals.cells_of(labels, predicted, losses, 2), seed=sample, resamples=300)
        covered += bool(found.log_loss.low <= 1.0 <= found.log_loss.high)
    assert 0.91 <= covered / 400 <= 0.98


def test_same_seed_same_interval_other_seed_another(rows):
    """The seed alone decides."""
    cells = intervals.cells_of(*rows, 4)
    one, again, other = (intervals.bootstrap(cells, seed=seed, resamples=200) for seed in (1, 1, 2))
    for name in ("f1_weighted", "f1_macro", "log_loss"):
        np.testing.assert_array_equal(getattr(one, name).low, getattr(again, name).low)
        np.testing.assert_array_equal(getattr(one, name).high, getattr(again, name).high)
    assert one.log_loss.low != other.log_loss.low


def test_blocks_change_nothing(rows, monkeypatch):
    """Drawing in blocks of a few resamples, to save memory, gives the numbers that drawing at once gives."""
    cells = intervals.cells_of(*rows, 4)
    at_once = intervals.bootstrap(cells, seed=0, resamples=100)
    monkeypatch.setattr(intervals, "_BLOCK_CELLS", 7)
    in_blocks = intervals.bootstrap(cells, seed=0, resamples=100)
    assert at_once.f1_macro.high == in_blocks.f1_macro.high
    assert at_once.log_loss.low == in_blocks.log_loss.low


def test_no_resamples_is_refused():
    """Zero resamples is a settings error, not an interval of nothing."""
    cells = intervals.cells_of(np.array([0]), np.array([0]), np.array([0.0]), 1)
    with pytest.raises(SettingsError, match="resamples is 0: an interval needs at least 1"):
        intervals.bootstrap(cells, seed=0, resamples=0)
