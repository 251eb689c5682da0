"""Lanes: what leaves is kept as it was, and what stays is told apart from it."""

from typing import NamedTuple

import numpy as np
import pytest
import torch

from limbeck.linear.curvature import Slopes, find_basis
from limbeck.linear.label_objective import LabelProblems
from limbeck.linear.lanes import Lanes, pick, problems_of
from limbeck.linear.scaling import InMemory, Passes
from limbeck.linear.solver import StoppingRule, solve


class Inner(NamedTuple):
    """One tensor."""

    value_P: torch.Tensor


class Outer(NamedTuple):
    """A tensor beside a tuple of tensors."""

    inner: Inner
    number_P: torch.Tensor


def numbered(problems):
    return Outer(Inner(torch.arange(problems) * 10), torch.arange(problems))


def test_values_of_lanes_that_left_stand_in_their_places():
    """Three lanes of two fits: one leaves, then another; in the end each problem has what it had last."""
    lanes = Lanes[Outer](3, 6)
    parts = numbered(6)
    parts, place_P = lanes.leave(parts, torch.tensor([0, 2]))
    assert place_P.tolist() == [0, 2, 3, 5]
    assert lanes.lane_L.tolist() == [0, 2]
    parts = Outer(Inner(parts.inner.value_P + 1), parts.number_P)
    parts, place_P = lanes.leave(parts, torch.tensor([1]))
    assert place_P.tolist() == [1, 3]
    assert lanes.lane_L.tolist() == [2]
    parts = Outer(Inner(parts.inner.value_P + 1), parts.number_P)
    whole = lanes.together(parts)
    assert whole.inner.value_P.tolist() == [1, 10, 22, 31, 40, 52]
    assert whole.number_P.tolist() == list(range(6))


def test_nothing_is_copied_where_nothing_left():
    """What is known of all problems is given back as it is."""
    parts = numbered(4)
    assert Lanes[Outer](2, 4).together(parts) is parts


@pytest.mark.parametrize(
    ("is_open", "going"),
    [
        ([1, 0, 0, 0, 0, 0, 0, 0], [0]),
        ([0, 0, 0, 0, 0, 0, 1, 0], [2]),  # the other fit of lane 2
        ([1, 1, 1, 0, 1, 0, 0, 0], [0, 1, 2]),
        ([1, 1, 1, 1, 0, 0, 0, 0], [0, 1, 2, 3]),
    ],
)
def test_a_lane_goes_on_while_one_of_its_fits_is_open(is_open, going):
    """Lanes leave when a quarter of them is done."""
    lanes = Lanes[Outer](4, 8)
    is_open_L = lanes.any_of(torch.tensor(is_open, dtype=torch.bool))
    assert is_open_L.nonzero()[:, 0].tolist() == going
    assert lanes.may_leave(is_open_L) == (len(going) <= 3)


def test_picked_values_are_copies():
    """What is written to them later does not reach the others."""
    parts = numbered(4)
    picked = pick(parts, problems_of(torch.tensor([1]), lanes=2, problems=4))
    picked.number_P.zero_()
    assert parts.number_P.tolist() == [0, 1, 2, 3]


class Counted(InMemory):
    """Products that note how many problems each pass serves."""

    served: list[int] = []  # noqa: RUF012  # one for the class, emptied by the test

    def logits(self, weight_KF):
        self.served.append(len(weight_KF))
        return super().logits(weight_KF)


def test_labels_that_have_arrived_leave_and_all_end_at_their_minimum():
    """Passes serve fewer and fewer problems, and every fit is where it ends alone."""
    Counted.served.clear()
    random = np.random.default_rng(0)
    features_NF = torch.from_numpy(random.normal(size=(300, 20)).astype(np.float32))
    logits_NL = features_NF.numpy() @ random.normal(size=(20, 6)) + random.normal(size=(300, 6))
    targets_LN = torch.from_numpy(np.linspace(0, 6, 6)[:, None] < logits_NL.T)
    ridge_L = torch.logspace(2, -2, 6)

    def problems(labels):
        count = len(labels)
        return LabelProblems(
            targets_LN=targets_LN[labels],
            weight_PN=torch.ones(2 * count, 300),
            ridge_PF=ridge_L[labels].repeat(2)[:, None].expand(-1, 20).contiguous(),
        )

    def ended(labels):
        features = Counted(features_NF)
        start = Slopes(torch.zeros(2 * len(labels), 1, 20), torch.zeros(2 * len(labels), 1))
        basis = find_basis(features_NF, seed=0).principal()
        passes, goal = Passes(fast=features, exact=features), StoppingRule(gap=1e-8, steps=200)
        return solve(passes, problems(labels), basis=basis, start=start, goal=goal)

    together = ended(list(range(6)))
    assert together.gap_P.max() <= 1e-8
    assert min(Counted.served) < max(Counted.served) == 12
    assert Counted.served == sorted(Counted.served, reverse=True)
    for label in range(6):
        alone = ended([label])
        for fit in (0, 1):
            place = 6 * fit + label
            torch.testing.assert_close(together.logits_PCN[place], alone.logits_PCN[fit], atol=2e-3, rtol=1e-3)
            torch.testing.assert_close(together.objective_P[place], alone.objective_P[fit], rtol=1e-6, atol=0.0)
