"""Temperature: the planted one is found, the loss never grows, and no label ever changes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.optimize import minimize_scalar

from limbeck.errors import SettingsError
from limbeck.evaluation import label_metrics, metrics
from limbeck.evaluation.temperature import (
    apply_label_temperature,
    apply_temperature,
    cross_fitted,
    fit_label_temperature,
    fit_temperature,
)


def softmax(logits):
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    return raised / raised.sum(axis=1, keepdims=True)


def planted(rows, temperature, classes=4, seed=0):
    """Logits that are `temperature` times too large for the labels drawn from them."""
    generator = np.random.default_rng(seed)
    logits = generator.normal(0, 2, (rows, classes))
    truth = softmax(logits)
    labels = (truth.cumsum(axis=1) < generator.random((rows, 1))).sum(axis=1)
    return softmax(logits * temperature), np.minimum(labels, classes - 1)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_the_planted_temperature_is_found(temperature):
    """Logits made too large by a factor get that factor back, within the noise of 20,000 rows."""
    fit = fit_temperature(*planted(20_000, temperature))
    assert fit.temperature == pytest.approx(temperature, rel=0.04)
    assert fit.why_not is None


def test_it_is_the_minimum_that_a_plain_search_finds():
    """Another minimiser, over the log loss itself, ends at the same temperature."""
    probabilities, labels = planted(400, 1.8, seed=2)
    found = minimize_scalar(
        lambda log_t: metrics.row_losses(apply_temperature(probabilities, np.exp(log_t)), labels).mean(),
        bounds=(-2, 2),
        method="bounded",
        options={"xatol": 1e-9},
    )
    assert fit_temperature(probabilities, labels).temperature == pytest.approx(np.exp(found.x), rel=1e-5)


def test_two_rows_by_hand():
    """Log odds 2, right three times of four: log odds must become log 3, so the temperature is 2 / log 3."""
    odds = np.exp(2) / (1 + np.exp(2))
    probabilities = np.tile([[odds, 1 - odds]], (40, 1))
    fit = fit_temperature(probabilities, np.array([0, 0, 0, 1] * 10))
    assert fit.temperature == pytest.approx(2 / np.log(3))
    assert fit.log_loss_after == pytest.approx(-(0.75 * np.log(0.75) + 0.25 * np.log(0.25)))


@given(
    logits=arrays(np.float64, (6, 3), elements=st.floats(-40, 40)),
    temperature=st.floats(0.05, 20),
    kind=st.sampled_from([np.float32, np.float64]),
)
def test_no_label_ever_changes(logits, temperature, kind):
    """Whatever the probabilities and the temperature: the same labels, in both float types, ties included."""
    before = softmax(logits).astype(kind)
    after = apply_temperature(before, temperature)
    assert after.dtype == before.dtype
    assert (metrics.predicted_labels(before) == metrics.predicted_labels(after)).all()
    metrics.check_probabilities(after)


def test_no_label_changes_where_rounding_makes_a_tie():
    """Two classes one rounding apart stay in their order under a temperature that would make them equal."""
    close = np.array([[0.5 - 2**-25, 0.5 + 2**-25]], dtype=np.float32)
    for temperature in (3.0, 7.0, 20.0):
        assert metrics.predicted_labels(apply_temperature(close, temperature)).tolist() == [1]


@given(seed=st.integers(0, 500), temperature=st.floats(0.3, 4))
def test_the_loss_of_the_fitted_rows_never_grows(seed, temperature):
    """On the rows that it was fitted on, the mean loss is at most what it was."""
    fit = fit_temperature(*planted(60, temperature, seed=seed))
    assert fit.log_loss_after <= fit.log_loss_before + 1e-12


def test_rows_that_determine_nothing_leave_it_at_one():
    """All right, all at random, or too few: temperature 1, and the reason in words."""
    sure = softmax(np.eye(3)[np.arange(60) % 3] * 4)
    assert "no temperature is too cold" in (fit_temperature(sure, np.arange(60) % 3).why_not or "")
    worst = fit_temperature(sure, (np.arange(60) + 1) % 3)
    assert "no temperature is too hot" in (worst.why_not or "")
    few = fit_temperature(sure[:29], np.arange(29) % 3)
    assert "29 rows are too few" in (few.why_not or "")
    assert (worst.temperature, few.temperature) == (1.0, 1.0)


def test_cross_fitting_judges_each_half_by_the_other():
    """Each row's temperature comes from the other half: two temperatures, close to the one of all rows."""
    probabilities, labels = planted(4000, 2.0)
    scaled = cross_fitted(probabilities, labels)
    ratios = np.log(scaled[:, 0] / scaled[:, 1]) / np.log(probabilities[:, 0] / probabilities[:, 1])
    assert len(np.unique(ratios.round(6))) == 2
    assert (metrics.predicted_labels(scaled) == metrics.predicted_labels(probabilities)).all()
    assert metrics.row_losses(scaled, labels).mean() < metrics.row_losses(probabilities, labels).mean()


@pytest.mark.parametrize("temperature", [0.0, -1.0, float("inf"), float("nan")])
@pytest.mark.parametrize("scale", [apply_temperature, apply_label_temperature])
def test_an_impossible_temperature_is_refused(scale, temperature):
    """Zero, negative and not finite are no temperatures."""
    with pytest.raises(SettingsError, match="finite number above 0"):
        scale(np.array([[0.5, 0.5]]), temperature)


@pytest.mark.parametrize("factor", [0.6, 1.7])
def test_one_label_of_yes_and_no_is_two_classes(factor):
    """A question of yes and no has the temperature, the losses and the answers that its two classes have."""
    shares, labels = planted(300, factor, classes=2)
    classes, label = fit_temperature(shares, labels), fit_label_temperature(shares[:, 1:], labels[:, None] == 1)
    assert label.temperature == pytest.approx(classes.temperature, rel=1e-6)
    assert label.log_loss_after == pytest.approx(classes.log_loss_after, rel=1e-6)
    np.testing.assert_allclose(
        apply_label_temperature(shares[:, 1:], factor)[:, 0], apply_temperature(shares, factor)[:, 1], rtol=1e-9
    )


def test_one_temperature_of_all_labels_is_found(monkeypatch):
    """Logits of rare and frequent labels, all too large by the same factor; a few rows at a time change nothing."""
    generator = np.random.default_rng(3)
    logits = generator.normal(0, 2, (5_000, 6)) + np.linspace(-4, 1, 6)
    targets = generator.random(logits.shape) < 1 / (1 + np.exp(-logits))
    shares = (1 / (1 + np.exp(-1.5 * logits))).astype(np.float32)
    fit = fit_label_temperature(shares, targets)
    assert fit.temperature == pytest.approx(1.5, rel=0.04)
    assert fit.log_loss_after < fit.log_loss_before
    monkeypatch.setattr("limbeck.evaluation.temperature._BLOCK_CELLS", 100)
    assert fit_label_temperature(shares, targets).temperature == pytest.approx(fit.temperature, rel=1e-6)
    crossed = cross_fitted(shares, targets)
    assert label_metrics.log_loss_of_labels(crossed, targets).mean() == pytest.approx(fit.log_loss_after, rel=0.01)


@given(
    shares=arrays(np.float32, (5, 3), elements=st.floats(0, 1, width=32)),
    temperature=st.floats(0.05, 20),
)
def test_the_order_of_labels_stays(shares, temperature):
    """Whatever is more probable stays so, 0 and 1 included, and every answer is a probability."""
    after = apply_label_temperature(shares, temperature)
    order = np.argsort(shares.ravel(), kind="stable")
    assert (np.diff(after.ravel()[order]) >= 0).all()
    assert after.dtype == np.float32
    label_metrics.check_shares(after)
