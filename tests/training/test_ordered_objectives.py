"""Losses of ordered classes and numbers: hand-computed values, and slopes that are the finite differences."""

import pytest
import torch

from limbeck.training.ordered_objectives import huber, ordered_cross_entropy, squared_error


@pytest.mark.parametrize("cuts", range(1, 7))
def test_it_is_minus_the_logarithm_of_the_difference_of_probabilities(cuts: int) -> None:
    """For every class, of σ(logit below) - σ(logit above); a hundred drawn rows."""
    drawn = torch.Generator().manual_seed(cuts)
    logits_BK = (6 * torch.randn(100, cuts, dtype=torch.float64, generator=drawn)).sort(dim=1, descending=True).values
    edge_B1 = torch.ones(100, 1, dtype=torch.float64)
    above_BX = torch.cat([edge_B1, torch.sigmoid(logits_BK), 0 * edge_B1], dim=1)
    for label in range(cuts + 1):
        # Differences that are nearly 0 have few digits, whoever works them out in float32.
        is_wide_B = above_BX[:, label] - above_BX[:, label + 1] > 1e-4
        expected_B = -torch.log(above_BX[:, label] - above_BX[:, label + 1])
        found_B = ordered_cross_entropy(logits_BK, torch.full((100,), label))
        torch.testing.assert_close(found_B.double()[is_wide_B], expected_B[is_wide_B], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("label", range(4))
def test_the_slopes_of_ordered_cross_entropy_are_finite_differences(label: int) -> None:
    """Central differences of 1e-2 in each logit."""
    logits_BK = torch.tensor([[1.5, 0.25, -2.0]], requires_grad=True)
    labels_B = torch.tensor([label])
    ordered_cross_entropy(logits_BK, labels_B).sum().backward()
    assert logits_BK.grad is not None
    for k in range(3):
        step = torch.zeros(1, 3)
        step[0, k] = 1e-2
        with torch.no_grad():
            up, down = (ordered_cross_entropy(logits_BK + sign * step, labels_B).item() for sign in (1, -1))
        assert logits_BK.grad[0, k].item() == pytest.approx((up - down) / 2e-2, abs=2e-3)


def test_logits_far_out_cost_what_they_should_and_stay_finite() -> None:
    """A probability of e⁻²⁰⁰ costs 200 nats, where a difference of float32 probabilities would be 0."""
    logits_BK = torch.tensor([[200.0, 199.0]], requires_grad=True)
    loss = ordered_cross_entropy(logits_BK, torch.tensor([0]))
    loss.sum().backward()
    assert loss.item() == pytest.approx(200)
    assert logits_BK.grad is not None
    assert logits_BK.grad.isfinite().all()


def test_logits_that_are_equal_cost_much_but_not_everything() -> None:
    """Cuts on top of each other leave their class no room: a large loss, finite slopes."""
    logits_BK = torch.zeros(1, 2, requires_grad=True)
    loss = ordered_cross_entropy(logits_BK, torch.tensor([1]))
    loss.sum().backward()
    assert 10 < loss.item() < 20
    assert logits_BK.grad is not None
    assert logits_BK.grad.isfinite().all()


def test_two_ordered_classes_are_binary_cross_entropy() -> None:
    """One cut: torch's own."""
    logits_B1, labels_B = torch.tensor([[0.3], [-2.0]]), torch.tensor([1, 0])
    expected = torch.nn.functional.binary_cross_entropy_with_logits(logits_B1[:, 0], labels_B.float(), reduction="none")
    torch.testing.assert_close(ordered_cross_entropy(logits_B1, labels_B), expected)


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
