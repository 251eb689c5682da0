"""Objectives of distillation against hand-written references, limits, gradients and invariances."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from torch.nn import functional

from limbeck.errors import SettingsError
from limbeck.methods.distil_losses import (
    TripleWeights,
    cosine_distance,
    soft_cross_entropy,
    soft_divergence,
    soft_label_divergence,
    softened,
    triple_loss,
)

LOGITS = arrays(np.float64, (3, 4), elements=st.floats(-8, 8))


def reference_soft_cross_entropy(student, teacher, temperature):
    """Sums in plain Python, as the paper writes them."""
    losses = []
    for s_row, t_row in zip(student.tolist(), teacher.tolist(), strict=True):
        t_exp = [math.exp(value / temperature) for value in t_row]
        s_exp = [math.exp(value / temperature) for value in s_row]
        losses.append(
            -(temperature**2)
            * sum(t / sum(t_exp) * math.log(s / sum(s_exp)) for t, s in zip(t_exp, s_exp, strict=True))
        )
    return torch.tensor(losses)


@settings(deadline=None)
@given(LOGITS, LOGITS, st.floats(0.5, 10))
def test_soft_cross_entropy_is_the_papers_sum(student, teacher, temperature):
    """Against exponentials and logarithms written out."""
    student, teacher = torch.from_numpy(student), torch.from_numpy(teacher)
    found = soft_cross_entropy(student, softened(teacher, temperature), temperature=temperature)
    expected = reference_soft_cross_entropy(student, teacher, temperature)
    torch.testing.assert_close(found, expected.float(), rtol=1e-4, atol=1e-4)


def test_temperature_one_is_the_softmax_and_the_cross_entropy():
    """T = 1: torch's own functions say the same."""
    student, teacher = torch.randn(5, 6), torch.randn(5, 6)
    torch.testing.assert_close(softened(teacher, 1.0), teacher.softmax(1))
    expected = functional.cross_entropy(student, teacher.softmax(1), reduction="none")
    torch.testing.assert_close(soft_cross_entropy(student, teacher.softmax(1), temperature=1.0), expected)


def test_a_sure_teacher_is_a_label():
    """T = 1 and a teacher without doubt: the cross-entropy with its label."""
    student = torch.randn(4, 3)
    labels = torch.tensor([0, 2, 1, 1])
    certain = functional.one_hot(labels, 3).float()
    torch.testing.assert_close(
        soft_divergence(student, certain, temperature=1.0), functional.cross_entropy(student, labels, reduction="none")
    )


def test_the_divergence_is_torchs():
    """T² times torch's KL divergence of the two soft answers."""
    student, teacher, temperature = torch.randn(5, 7), torch.randn(5, 7), 3.0
    expected = temperature**2 * functional.kl_div(
        functional.log_softmax(student / temperature, 1), softened(teacher, temperature), reduction="none"
    ).sum(1)
    found = soft_divergence(student, softened(teacher, temperature), temperature=temperature)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_infinite_temperature_matches_logits():
    """T → ∞: all classes alike, and half the mean squared difference of centred logits (Hinton, equation 4)."""
    student, teacher = torch.randn(6, 5).double(), torch.randn(6, 5).double()
    torch.testing.assert_close(softened(teacher, 1e6), torch.full((6, 5), 0.2), rtol=0, atol=1e-5)
    centred = (student - student.mean(1, keepdim=True)) - (teacher - teacher.mean(1, keepdim=True))
    expected = (centred**2).sum(1) / (2 * 5)
    # In float32 the divergence drowns in rounding long before: 60 is hot enough to be close.
    found = soft_divergence(student, softened(teacher, 60.0), temperature=60.0)
    torch.testing.assert_close(found.double(), expected, rtol=0.05, atol=5e-3)


def test_gradients_are_differences_of_probabilities():
    """dℓ/ds = T (softmax(s / T) - softmax(t / T)), the same for cross-entropy and divergence."""
    teacher, temperature = torch.randn(4, 5), 2.5
    for objective in (soft_cross_entropy, soft_divergence):
        student = torch.randn(4, 5, generator=torch.Generator().manual_seed(1)).requires_grad_()
        objective(student, softened(teacher, temperature), temperature=temperature).sum().backward()
        expected = temperature * (softened(student.detach(), temperature) - softened(teacher, temperature))
        torch.testing.assert_close(student.grad, expected)


@settings(deadline=None)
@given(LOGITS, st.floats(-50, 50))
def test_shifted_logits_say_the_same(logits, shift):
    """Softmax does not see a constant."""
    logits = torch.from_numpy(logits)
    torch.testing.assert_close(softened(logits + shift, 2.0), softened(logits, 2.0), rtol=1e-4, atol=1e-5)


@settings(deadline=None)
@given(LOGITS)
def test_agreement_costs_nothing(logits):
    """The divergence from oneself is 0, and nothing is below it."""
    logits = torch.from_numpy(logits)
    assert soft_divergence(logits, softened(logits, 2.0), temperature=2.0).abs().max() < 1e-4
    other = soft_divergence(logits.flip(1), softened(logits, 2.0), temperature=2.0)
    assert other.min() > -1e-4


@pytest.mark.parametrize("temperature", [0.0, -1.0, math.inf, math.nan])
def test_impossible_temperatures_are_refused(temperature):
    """With what would be possible."""
    with pytest.raises(SettingsError, match="above 0"):
        softened(torch.zeros(1, 2), temperature)


def test_cosine_distance_sees_directions_only():
    """Length does not matter; 0, 1 and 2 for same, right angle and opposite."""
    one = torch.tensor([[1.0, 0.0], [1.0, 0.0], [2.0, 0.0]])
    other = torch.tensor([[5.0, 0.0], [0.0, 3.0], [-1.0, 0.0]])
    torch.testing.assert_close(cosine_distance(one, other), torch.tensor([0.0, 1.0, 2.0]))
    left, right = torch.randn(7, 9), torch.randn(7, 9)
    expected = 1 - (left * right).sum(1) / (left.norm(dim=1) * right.norm(dim=1))
    torch.testing.assert_close(cosine_distance(left, 4 * right), expected)


def test_the_triple_loss_weighs_five_two_one():
    """The paper's weights."""
    soft, masked, cosine = torch.tensor([1.0]), torch.tensor([10.0]), torch.tensor([100.0])
    assert triple_loss(soft, masked, cosine, TripleWeights()).item() == 5 + 20 + 100
    assert triple_loss(soft, masked, cosine, TripleWeights(soft=0, masked=1, cosine=0)).item() == 10


def test_label_sets_diverge_label_by_label():
    """T² times the mean of divergences of two outcomes each: by hand, and 0 where equal."""
    teacher_BC = torch.tensor([[0.9, 0.2]])
    logits_BC = 2 * torch.tensor([[0.5, 0.2]]).logit()  # 0.5 and 0.2 at the temperature of 2
    by_hand = 0.9 * math.log(0.9 / 0.5) + 0.1 * math.log(0.1 / 0.5)
    found = soft_label_divergence(logits_BC, teacher_BC, temperature=2.0)
    assert found.item() == pytest.approx(4 * by_hand / 2, rel=1e-5)
    same = soft_label_divergence(2 * teacher_BC.logit(), teacher_BC, temperature=2.0)
    assert same.item() == pytest.approx(0, abs=1e-6)
