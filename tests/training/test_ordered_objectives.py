"""Losses of ordered classes and numbers: hand-computed values, and slopes that are the finite differences."""

import pytest
import torch

from limbeck.task import ORDINAL
from limbeck.training.ordered_objectives import huber, squared_error, step_cross_entropy


@pytest.mark.parametrize("steps", range(1, 7))
def test_it_is_minus_the_logarithm_of_the_class_probability(steps: int) -> None:
    """As the task makes probabilities of the same logits; a hundred drawn rows, every class."""
    drawn = torch.Generator().manual_seed(steps)
    logits_BK = 3 * torch.randn(100, steps, generator=drawn)
    answers_BC = torch.from_numpy(ORDINAL.answers(logits_BK.numpy())).double()
    for label in range(steps + 1):
        found_B = step_cross_entropy(logits_BK, torch.full((100,), label)).double()
        is_told_B = answers_BC[:, label] > 1e-5
        torch.testing.assert_close(found_B[is_told_B], -torch.log(answers_BC[is_told_B, label]), rtol=1e-2, atol=1e-2)


@pytest.mark.parametrize("label", range(4))
def test_the_slopes_of_step_cross_entropy_are_finite_differences(label: int) -> None:
    """Central differences of 1e-2 in each logit; a step that the row did not reach has none."""
    logits_BK = torch.tensor([[1.5, 0.25, -2.0]], requires_grad=True)
    labels_B = torch.tensor([label])
    step_cross_entropy(logits_BK, labels_B).sum().backward()
    assert logits_BK.grad is not None
    for k in range(3):
        step = torch.zeros(1, 3)
        step[0, k] = 1e-2
        with torch.no_grad():
            up, down = (step_cross_entropy(logits_BK + sign * step, labels_B).item() for sign in (1, -1))
        assert logits_BK.grad[0, k].item() == pytest.approx((up - down) / 2e-2, abs=2e-3)
        assert (logits_BK.grad[0, k].item() == 0) == (k > label)


def test_two_ordered_classes_are_binary_cross_entropy() -> None:
    """One cut: torch's own."""
    logits_B1, labels_B = torch.tensor([[0.3], [-2.0]]), torch.tensor([1, 0])
    expected = torch.nn.functional.binary_cross_entropy_with_logits(logits_B1[:, 0], labels_B.float(), reduction="none")
    torch.testing.assert_close(step_cross_entropy(logits_B1, labels_B), expected)


def test_the_losses_of_numbers_by_hand() -> None:
    """Squares, and Huber's half squares that go on as straight lines from 1."""
    value_B1, numbers_B = torch.tensor([[1.0], [4.0], [-1.0]]), torch.tensor([1.5, 1.0, -1.0])
    assert squared_error(value_B1, numbers_B).tolist() == [0.25, 9.0, 0.0]
    assert huber(value_B1, numbers_B).tolist() == [0.125, 2.5, 0.0]
    assert huber(value_B1, numbers_B, knee=2.0).tolist() == [0.125, 4.0, 0.0]


@pytest.mark.parametrize("loss", [squared_error, huber])
def test_the_slopes_of_the_losses_of_numbers_are_finite_differences(loss: object) -> None:
    """Checked by torch's own comparison where the losses are smooth."""
    assert callable(loss)
    values = torch.tensor([[0.3], [-0.6], [5.0]], dtype=torch.float32, requires_grad=True)
    loss(values, torch.zeros(3)).sum().backward()
    assert values.grad is not None
    for row in range(3):
        step = torch.zeros(3, 1)
        step[row] = 1e-2
        with torch.no_grad():
            up, down = (loss(values + sign * step, torch.zeros(3)).sum().item() for sign in (1, -1))
        assert values.grad[row].item() == pytest.approx((up - down) / 2e-2, abs=2e-3)
