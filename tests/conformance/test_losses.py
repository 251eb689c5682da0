"""The contract of `Losses`, run over each: a loss of every row, its own, whatever rows are asked for with it."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from tests.conformance.implementers import implementers
from tests.conformance.worlds import COSTS, MAKERS_OF_COSTS, World
from torch import Tensor, nn

from limbeck.training.losses import Losses

pytestmark = pytest.mark.usefixtures("one_thread", "no_chance_in_masks")
ROWS = np.arange(12)


@dataclass(frozen=True)
class Case:
    """Losses, and what they train."""

    costs: Losses
    module: nn.Module

    def slopes(self, *parts: np.ndarray) -> list[Tensor]:
        """Gradients of the losses of some micro-batches, added up as the loop adds them."""
        self.module.zero_grad(set_to_none=True)
        for rows in parts:
            torch.manual_seed(0)
            self.costs.losses(rows).sum().backward()
        return [weight.grad.clone() for weight in self.module.parameters() if weight.grad is not None]

    def losses(self, rows: np.ndarray) -> Tensor:
        """Losses of rows, with the chance of a micro-batch that is computed again."""
        torch.manual_seed(0)
        return self.costs.losses(rows)


@pytest.fixture(params=[pytest.param(name, marks=[pytest.mark.slow] * (", " in name)) for name in COSTS])
def case(request: pytest.FixtureRequest, world: World) -> Case:
    """Losses of one kind over twelve rows; what is behind a comma is a setting of a kind that the quick run has."""
    make: Callable[[World], tuple[Losses, nn.Module]] = COSTS[request.param]
    return Case(*make(world))


def test_every_kind_of_costs_is_here() -> None:
    """New costs are put under contract, or this fails."""
    assert implementers("losses(self, rows)") == set(MAKERS_OF_COSTS)


def test_it_knows_its_rows(case: Case) -> None:
    """As many tokens as rows, each at least its special ones, each row with a name of its own."""
    facts = case.costs.facts
    assert isinstance(case.costs, Losses)
    assert len(facts) == len(facts.row_ids) == len(set(facts.row_ids)) == len(ROWS)
    assert (facts.tokens_N >= 2).all()


def test_each_row_has_a_loss_of_its_own(case: Case) -> None:
    """Finite float32, in the order asked for, the same alone, with others, in another order and twice."""
    whole = case.losses(ROWS)
    assert (whole.dtype, whole.shape) == (torch.float32, (len(ROWS),))
    assert torch.isfinite(whole).all()
    assert whole.detach().std() > 0
    some = ROWS[::3]
    alone = torch.cat([case.losses(ROWS[row : row + 1]) for row in some])
    torch.testing.assert_close(alone, whole[some], rtol=1e-4, atol=1e-5)
    order = np.array([7, 3, 3, 11, 0])
    torch.testing.assert_close(case.losses(order), whole[order], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("cuts", [*(pytest.param(cuts, marks=pytest.mark.slow) for cuts in ((1,), (4, 8))), (2, 3, 9)])
def test_gradients_of_parts_add_up_to_that_of_the_whole(case: Case, cuts: tuple[int, ...]) -> None:
    """However an update is cut into micro-batches."""
    whole, parts = case.slopes(ROWS), case.slopes(*np.split(ROWS, cuts))
    assert len(whole) == len(parts) > 0
    most = max(float(one.abs().max()) for one in whole)  # a key's bias has no slope at all, but for rounding
    for one, other in zip(whole, parts, strict=True):
        torch.testing.assert_close(other, one, rtol=1e-3, atol=1e-5 * most)


def test_the_gradient_is_the_slope_of_the_loss(case: Case) -> None:
    """A small step along the gradient changes the loss by the gradient's length, as finite differences measure it."""
    slopes = case.slopes(ROWS)
    weights = [weight for weight in case.module.parameters() if weight.grad is not None]
    norm = torch.sqrt(sum((one.double() ** 2).sum() for one in slopes))
    assert norm > 0
    step = min(5e-4, 0.02 / float(norm))

    def moved(sign: float) -> float:
        with torch.no_grad():
            for weight, slope in zip(weights, slopes, strict=True):
                weight.add_(slope, alpha=sign * step / float(norm))
            found = float(case.losses(ROWS).double().sum())
            for weight, slope in zip(weights, slopes, strict=True):
                weight.sub_(slope, alpha=sign * step / float(norm))
        return found

    assert (moved(1) - moved(-1)) / (2 * step) == pytest.approx(float(norm), rel=0.02)


def test_the_same_chance_gives_the_same_bits(case: Case) -> None:
    """Losses and gradients follow torch's seed and nothing else, so that a resumed run has those of an unbroken one."""
    assert torch.equal(case.losses(ROWS), case.losses(ROWS))
    for one, other in zip(case.slopes(ROWS), case.slopes(ROWS), strict=True):
        assert torch.equal(one, other)


def test_what_is_read_stays_as_it_is(case: Case) -> None:
    """Asking for losses changes no weight, no row asked for, and not the mode of the module."""
    rows, weights = ROWS.copy(), [weight.clone() for weight in case.module.parameters()]
    for mode in (True, False):
        case.module.train(mode)
        case.losses(rows)
        assert case.module.training is mode
    np.testing.assert_array_equal(rows, ROWS)
    assert all(torch.equal(one, other) for one, other in zip(case.module.parameters(), weights, strict=True))


def test_a_rows_weight_multiplies_its_loss_alone(world: World) -> None:
    """Classes of one row in four weigh twice as much as those of half the rows: by hand, per row."""
    plain, module = COSTS["labels"](world)
    weighed, other = COSTS["labels, weights"](world)
    other.load_state_dict(module.state_dict())
    counts_C = np.bincount(world.labels_N, minlength=3)
    expected_N = len(ROWS) / (3 * counts_C[world.labels_N])
    ratio = (weighed.losses(ROWS) / plain.losses(ROWS)).detach().numpy()
    np.testing.assert_allclose(ratio, expected_N, rtol=1e-4)


def test_a_row_without_a_label_costs_by_the_teacher_alone(world: World) -> None:
    """With the teacher at 0 an unlabelled row costs nothing; a labelled one its share of the cross-entropy."""
    costs, _ = COSTS["distillation, labels alone"](world)
    losses = costs.losses(ROWS).detach()
    assert (losses[~torch.from_numpy(world.is_labelled_N)] == 0).all()
    assert (losses[torch.from_numpy(world.is_labelled_N)] > 0).all()
