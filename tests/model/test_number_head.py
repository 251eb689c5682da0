"""The head of numbers in training: in their own unit, and an ordinary head in the end."""

import copy

import pytest
import torch

from limbeck.errors import SettingsError
from limbeck.model.heads import ClassificationHead, LinearHead
from limbeck.model.number_head import NumberHead


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
            inner._maps()[-1][0].fill_(0.5)
    found = head(features_BF)
    torch.testing.assert_close(found, 10 + 3 * inner(features_BF))
    expanded = copy.deepcopy(head).expanded()
    assert type(expanded) is type(inner)
    torch.testing.assert_close(expanded(features_BF), found)
    assert (head.n_labels, head.n_features, head.kind) == (1, 6, kind)


def test_gradients_reach_the_weights_in_units() -> None:
    """An error of one unit has the same slope whatever the unit is."""
    slopes = []
    for unit in (1.0, 1000.0):
        inner = LinearHead.zeros(1, 3)
        (NumberHead(inner, mean=5.0, unit=unit)(torch.ones(1, 3)) / unit).sum().backward()
        assert inner.weight.grad is not None
        slopes.append(inner.weight.grad)
    torch.testing.assert_close(slopes[0], slopes[1])


@pytest.mark.parametrize("unit", [0.0, -1.0, float("inf"), float("nan")])
def test_a_unit_that_is_none_is_refused(unit: float) -> None:
    """Numbers that are all the same have no unit."""
    with pytest.raises(SettingsError, match="numbers that differ"):
        NumberHead(LinearHead.zeros(1, 2), mean=0.0, unit=unit)
