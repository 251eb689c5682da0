"""Objectives: values computed by hand, and torch's own as the oracle."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.utils.class_weight import compute_class_weight
from torch.nn import functional

from limbeck.errors import SettingsError
from limbeck.training.objectives import binary_cross_entropy, class_weights, cross_entropy, focal, two_logits

LOGITS_BC = torch.tensor([[math.log(6), math.log(3), 0.0]])  # probabilities 0.6, 0.3, 0.1


def test_cross_entropy_by_hand():
    """-log of the label's probability."""
    found = cross_entropy(LOGITS_BC.repeat(3, 1), torch.tensor([0, 1, 2]))
    torch.testing.assert_close(found, -torch.tensor([0.6, 0.3, 0.1]).log())


def test_label_smoothing_by_hand():
    """A tenth of the label spread over three classes."""
    found = cross_entropy(LOGITS_BC, torch.tensor([0]), smoothing=0.1).item()
    by_hand = -(0.9 + 0.1 / 3) * math.log(0.6) - 0.1 / 3 * (math.log(0.3) + math.log(0.1))
    assert found == pytest.approx(by_hand, abs=1e-6)


@given(st.integers(0, 2**32 - 1), st.sampled_from([0.0, 0.05, 0.3]))
def test_cross_entropy_is_that_of_torch(seed, smoothing):
    """The same number for any logits."""
    random = torch.Generator().manual_seed(seed)
    logits_BC = torch.randn(7, 5, generator=random) * 4
    labels_B = torch.randint(0, 5, (7,), generator=random)
    expected = functional.cross_entropy(logits_BC, labels_B, label_smoothing=smoothing, reduction="none")
    torch.testing.assert_close(cross_entropy(logits_BC, labels_B, smoothing=smoothing), expected, atol=1e-5, rtol=1e-5)


@given(st.floats(-30, 30), st.integers(0, 1), st.sampled_from([0.0, 0.1]))
def test_one_logit_is_two_logits_of_which_the_first_is_zero(logit, label, smoothing):
    """Loss and probabilities agree, so that a head of one logit can be kept as one of two."""
    logit_B1, label_B = torch.tensor([[logit]]), torch.tensor([label])
    one = binary_cross_entropy(logit_B1, label_B, smoothing=smoothing)
    two = cross_entropy(two_logits(logit_B1), label_B, smoothing=smoothing)
    torch.testing.assert_close(one, two, atol=1e-5, rtol=1e-5)


def test_focal_by_hand():
    """(1 - p)² of the cross-entropy."""
    found = focal(LOGITS_BC.repeat(2, 1), torch.tensor([0, 2]))
    by_hand = torch.tensor([0.4**2 * -math.log(0.6), 0.9**2 * -math.log(0.1)])
    torch.testing.assert_close(found, by_hand)


def test_focal_keeps_a_finite_slope_where_a_row_is_certain():
    """A probability of 1 gives neither NaN nor infinity, forwards or backwards."""
    logits_BC = torch.tensor([[200.0, -200.0], [-200.0, 200.0]], requires_grad=True)
    focal(logits_BC, torch.tensor([0, 0]), focus=0.5).sum().backward()
    assert logits_BC.grad is not None
    assert logits_BC.grad.isfinite().all()


def test_losses_of_half_precision_logits_are_float32():
    """Sums of bfloat16 would lose small losses."""
    labels_B = torch.tensor([0])
    assert cross_entropy(LOGITS_BC.bfloat16(), labels_B).dtype == torch.float32
    assert binary_cross_entropy(LOGITS_BC[:, :1].bfloat16(), labels_B).dtype == torch.float32


def test_class_weights_are_those_of_scikit_learn():
    """N / (C · rows of the class); the mean weight of a row is 1."""
    labels_N = np.array([0] * 7 + [1] * 2 + [2])
    found = class_weights(labels_N, 3).numpy()
    np.testing.assert_allclose(found, compute_class_weight("balanced", classes=np.arange(3), y=labels_N), rtol=1e-6)
    assert found[labels_N].mean() == pytest.approx(1)


def test_a_class_without_rows_has_no_weight():
    """Division by nothing is an error that names the class."""
    with pytest.raises(SettingsError, match="class 1"):
        class_weights(np.array([0, 2]), 3)
