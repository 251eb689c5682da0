"""Objectives of label sets: values by hand, torch's and scikit-learn's own as the oracles."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.utils.class_weight import compute_class_weight
from torch.nn import functional

from limbeck.errors import SettingsError
from limbeck.training.objectives import label_cross_entropy, label_focal, label_weights

LOGITS_BC = torch.tensor([[math.log(3), math.log(1 / 9)]])  # probabilities 0.75, 0.1
BOTH = torch.tensor([[True, True]])


def test_cross_entropy_by_hand():
    """-log of the probability of what the row says, label by label."""
    torch.testing.assert_close(label_cross_entropy(LOGITS_BC, BOTH), -torch.tensor([[0.75, 0.1]]).log())
    torch.testing.assert_close(label_cross_entropy(LOGITS_BC, ~BOTH), -torch.tensor([[0.25, 0.9]]).log())


def test_smoothing_by_hand():
    """A tenth of yes and no is spread over both."""
    found = label_cross_entropy(LOGITS_BC, BOTH, smoothing=0.1)[0, 0].item()
    assert found == pytest.approx(-0.95 * math.log(0.75) - 0.05 * math.log(0.25), abs=1e-6)


@given(st.integers(0, 2**32 - 1))
def test_the_mean_of_a_row_is_that_of_torch(seed):
    """As `BCEWithLogitsLoss`, for any logits."""
    random = torch.Generator().manual_seed(seed)
    logits_BC = torch.randn(7, 5, generator=random) * 6
    targets_BC = torch.rand(7, 5, generator=random) < 0.4
    found = label_cross_entropy(logits_BC, targets_BC).mean()
    torch.testing.assert_close(found, functional.binary_cross_entropy_with_logits(logits_BC, targets_BC.float()))


def test_focal_by_hand():
    """(1 - p)² of the cross-entropy, p the probability of what the row says."""
    found = label_focal(LOGITS_BC, torch.tensor([[True, False]]))
    by_hand = torch.tensor([[0.25**2 * -math.log(0.75), 0.1**2 * -math.log(0.9)]])
    torch.testing.assert_close(found, by_hand)


@pytest.mark.parametrize("logit", [-200.0, 200.0])
@pytest.mark.parametrize("target", [True, False])
def test_focal_keeps_a_finite_slope_where_a_label_is_certain(logit, target):
    """A probability of 0 or 1 gives neither NaN nor infinity, forwards or backwards."""
    logits_BC = torch.tensor([[logit]], requires_grad=True)
    loss = label_focal(logits_BC, torch.tensor([[target]])).sum()
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(logits_BC.grad).all()


def test_weights_are_scikit_learns_of_each_label():
    """`compute_class_weight("balanced")` of each label alone."""
    targets_NC = np.random.default_rng(0).random((50, 4)) < np.array([0.1, 0.4, 0.5, 0.9])
    found_2C = label_weights(targets_NC).numpy()
    for label, has_N in enumerate(targets_NC.T):
        expected = compute_class_weight("balanced", classes=np.array([False, True]), y=has_N)
        np.testing.assert_allclose(found_2C[:, label], expected, rtol=1e-6)


@pytest.mark.parametrize(("has", "said"), [(False, "no training row has label 1"), (True, "every training row has")])
def test_a_label_without_both_sides_is_named(has, said):
    """No weight balances what there is none of."""
    targets_NC = np.array([[True, has], [False, has]])
    with pytest.raises(SettingsError, match=said):
        label_weights(targets_NC)
