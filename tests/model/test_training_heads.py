"""Heads in training: cuts in their order whatever is learned, numbers in their unit, an ordinary head in the end."""

import numpy as np
import pytest
import torch

from limbeck.errors import SettingsError
from limbeck.model.heads import ClassificationHead, LinearHead
from limbeck.model.training_heads import CumulativeHead, NumberHead

COUNTS_C = np.array([10, 30, 40, 20])


def make_head(kind: str) -> CumulativeHead:
    torch.manual_seed(3)
    inner = LinearHead(torch.randn(1, 6), torch.randn(1)) if kind == "linear" else ClassificationHead(dim=6, n_labels=1)
    return CumulativeHead(inner, COUNTS_C)


def test_the_cuts_begin_where_they_give_the_shares_of_the_classes() -> None:
    """A head that knows nothing gives every row the shares 0.1, 0.3, 0.4 and 0.2."""
    head = CumulativeHead(LinearHead.zeros(1, 6), COUNTS_C)
    above_K = torch.sigmoid(head(torch.ones(1, 6)))[0]
    np.testing.assert_allclose(above_K.detach(), [0.9, 0.6, 0.2], rtol=1e-5)
    assert (head.n_labels, head.n_features, head.kind) == (3, 6, "linear")


def test_a_class_without_rows_has_a_place_too() -> None:
    """Its cuts are a little apart, not on top of each other."""
    cuts = CumulativeHead(LinearHead.zeros(1, 2), np.array([5, 0, 5])).cuts
    assert (cuts.diff() > 0).all()


@pytest.mark.parametrize("kind", ["linear", "classification"])
def test_no_step_changes_the_order_of_the_cuts(kind: str) -> None:
    """Large random steps; logits still fall from class to class."""
    head = make_head(kind)
    random = torch.Generator().manual_seed(5)
    for _ in range(50):
        with torch.no_grad():
            for parameter in head.parameters():
                parameter.add_(torch.randn(parameter.shape, generator=random))
        assert (head(torch.randn(4, 6, generator=random)).diff(dim=1) <= 0).all()


@pytest.mark.parametrize("kind", ["linear", "classification"])
def test_an_expanded_head_is_an_ordinary_one_with_the_same_logits(kind: str) -> None:
    """Of the inner head's kind, with one output for each cut."""
    head = make_head(kind).eval()
    expanded = head.expanded()
    features_BF = torch.randn(5, 6)
    assert type(expanded) is type(head.inner)
    assert expanded.n_labels == 3
    torch.testing.assert_close(expanded(features_BF), head(features_BF))
    assert not expanded.training


def test_gradients_reach_cuts_and_weights() -> None:
    """Nothing of the head is left out of training."""
    head = make_head("linear")
    head(torch.randn(4, 6)).square().sum().backward()
    for parameter in head.parameters():
        assert parameter.grad is not None
        assert parameter.grad.abs().sum() > 0


@pytest.mark.parametrize("kind", ["linear", "classification"])
def test_a_head_of_numbers_gives_them_in_their_own_unit(kind: str) -> None:
    """One that knows nothing says the mean; trained, it is an ordinary head that says the same."""
    torch.manual_seed(3)
    inner = LinearHead.zeros(1, 6) if kind == "linear" else ClassificationHead(dim=6, n_labels=1)
    head = NumberHead(inner, mean=10.0, unit=3.0).eval()
    features_BF = torch.randn(4, 6)
    if kind == "linear":
        assert head(features_BF).tolist() == [[10.0]] * 4
        with torch.no_grad():
            inner._last()[0].fill_(0.5)
    torch.testing.assert_close(head(features_BF), 10 + 3 * inner(features_BF))
    torch.testing.assert_close(head.expanded()(features_BF), head(features_BF))
    assert (head.n_labels, head.expanded().n_labels, head.kind) == (1, 1, kind)


@pytest.mark.parametrize("unit", [0.0, -1.0, float("inf"), float("nan")])
def test_a_unit_that_is_none_is_refused(unit: float) -> None:
    """Numbers that are all the same have no unit."""
    with pytest.raises(SettingsError, match="finite number above 0"):
        NumberHead(LinearHead.zeros(1, 2), mean=0.0, unit=unit)
