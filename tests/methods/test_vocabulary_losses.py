"""The losses over a vocabulary, block by block, are the objectives over all of it at once."""

import pytest
import torch

from limbeck.methods import vocabulary_losses as module
from limbeck.methods.distil_losses import soft_divergence, softened
from limbeck.methods.vocabulary_losses import vocabulary_costs
from limbeck.training.objectives import cross_entropy

TOKENS, VOCABULARY = 11, 301


@pytest.fixture
def drawn():
    """Logits of student and teacher, targets, and what each token's losses are multiplied by."""
    random = torch.Generator().manual_seed(7)
    student_MV = torch.randn(TOKENS, VOCABULARY, generator=random) * 3
    teacher_MV = torch.randn(TOKENS, VOCABULARY, generator=random) * 3
    targets_M = torch.randint(0, VOCABULARY, (TOKENS,), generator=random)
    return student_MV, teacher_MV, targets_M, torch.rand(2, TOKENS, generator=random)


def slope(costs, student_MV, weights):
    """Return both losses, and the gradient of their weighted sum in the logits."""
    student_MV = student_MV.clone().requires_grad_()
    masked_M, soft_M = costs(student_MV)
    (weights[0] @ masked_M + weights[1] @ soft_M).backward()
    return masked_M.detach(), soft_M.detach(), student_MV.grad


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("block_values", [1, 4 * VOCABULARY, 2**20])
@pytest.mark.parametrize("temperature", [1.0, 2.0])
def test_values_and_gradients_are_the_objectives(drawn, monkeypatch, dtype, block_values, temperature):
    """However many tokens fit a block, and in either precision, nothing but rounding differs."""
    monkeypatch.setattr(module, "BLOCK_VALUES", block_values)
    student_MV, teacher_MV, targets_M, weights = drawn
    student_MV, teacher_MV = student_MV.to(dtype), teacher_MV.to(dtype)

    def reference(own_MV):
        soft_MV, wide_MV = softened(teacher_MV, temperature), own_MV.float()  # one sum of gradients, rounded once
        return cross_entropy(wide_MV, targets_M), soft_divergence(wide_MV, soft_MV, temperature=temperature)

    def ours(own_MV):
        return vocabulary_costs(own_MV, targets_M, teacher_MV, temperature=temperature)

    expected, found = slope(reference, student_MV, weights), slope(ours, student_MV, weights)
    for one, other in zip(found[:2], expected[:2], strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)
    assert found[2].dtype == dtype
    rounding = 1e-6 if dtype == torch.float32 else 2**-8
    torch.testing.assert_close(found[2], expected[2], rtol=rounding, atol=1e-6)


def test_a_teacher_that_agrees_costs_nothing(drawn):
    """The divergence of equal logits is 0, and so is its gradient."""
    student_MV, _, targets_M, weights = drawn
    weights = torch.stack([torch.zeros(TOKENS), weights[1]])
    _, soft_M, gradient = slope(
        lambda own_MV: vocabulary_costs(own_MV, targets_M, student_MV, temperature=2.0), student_MV, weights
    )
    torch.testing.assert_close(soft_M, torch.zeros(TOKENS), rtol=0, atol=1e-5)
    torch.testing.assert_close(gradient, torch.zeros_like(gradient), rtol=0, atol=1e-7)


def test_without_a_teacher_there_is_the_cross_entropy_alone(drawn):
    """The divergence is exactly 0, and the gradient is softmax less the target."""
    student_MV, _, targets_M, _ = drawn
    masked_M, soft_M, gradient = slope(
        lambda own_MV: vocabulary_costs(own_MV, targets_M), student_MV, torch.ones(2, TOKENS)
    )
    assert soft_M.tolist() == [0.0] * TOKENS
    torch.testing.assert_close(masked_M, cross_entropy(student_MV, targets_M))
    expected = student_MV.softmax(dim=1)
    expected[torch.arange(TOKENS), targets_M] -= 1
    torch.testing.assert_close(gradient, expected, rtol=1e-5, atol=1e-6)


def test_no_masked_token_is_possible():
    """A micro-batch in which nothing was masked has no losses, and an empty gradient."""
    student_MV = torch.zeros(0, VOCABULARY, requires_grad=True)
    masked_M, soft_M = vocabulary_costs(student_MV, torch.zeros(0, dtype=torch.int64))
    (masked_M.sum() + soft_M.sum()).backward()
    assert masked_M.shape == soft_M.shape == (0,)
    assert student_MV.grad.shape == (0, VOCABULARY)
