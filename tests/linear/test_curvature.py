"""The curvature is the Hessian of each class where it is computed, and a constant elsewhere."""

import pytest
import torch

from limbeck.linear.curvature import Slopes, find_basis, invert_curvature


def make_rows(rows=200, features=10):
    generator = torch.Generator().manual_seed(0)
    return torch.randn(rows, features, generator=generator) * torch.linspace(5, 0.1, features)


@pytest.mark.slow
def test_a_full_basis_inverts_the_hessian_of_each_class():
    """With as many directions as features, the inverse times the Hessian of a class, intercept included, is one."""
    features_NF = make_rows()
    spread_CN = torch.rand(2, 200, generator=torch.Generator().manual_seed(1))
    inverse = invert_curvature(find_basis(features_NF, seed=0), spread_CN=spread_CN, shared_CC=torch.eye(2), ridge=3.0)
    point = Slopes(torch.randn(1, 2, 10, generator=torch.Generator().manual_seed(2)), torch.tensor([[0.5, -1.0]]))
    gradient_CF, gradient_C = torch.empty(2, 10), torch.empty(2)
    for c in range(2):
        logits_N = features_NF @ point.weight_PCF[0, c] + point.intercept_PC[0, c]
        gradient_CF[c] = features_NF.T @ (spread_CN[c] * logits_N) + 3.0 * point.weight_PCF[0, c]
        gradient_C[c] = (spread_CN[c] * logits_N).sum()
    found = inverse.apply(Slopes(gradient_CF[None], gradient_C[None]))
    torch.testing.assert_close(found.weight_PCF, point.weight_PCF, atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(found.intercept_PC, point.intercept_PC, atol=1e-3, rtol=1e-3)


def test_a_small_basis_holds_the_largest_directions():
    """Three directions hold most of the variance that the best three hold, and the rest is accounted for."""
    features_NF = make_rows()
    basis = find_basis(features_NF, seed=0, rank=3)
    torch.testing.assert_close(basis.direction_FR.T @ basis.direction_FR, torch.eye(3), atol=1e-5, rtol=0)
    held = float(basis.coordinate_MR.square().sum())
    best = float(torch.linalg.svdvals(features_NF)[:3].square().sum())
    assert best * 0.9 <= held <= best * 1.0001
    assert basis.rest * 7 * 200 == pytest.approx(float(features_NF.square().sum()) - held, rel=1e-3)


def test_principal_directions_are_the_same_space_in_order():
    """Turned, the basis holds the same, the most varying direction first, and the inverse does not change."""
    features_NF = make_rows()
    basis = find_basis(features_NF, seed=0, rank=5)
    turned = basis.principal()
    assert (turned.variance_R.diff() <= 0).all()
    torch.testing.assert_close(turned.variance_R.sum(), basis.variance_R.sum())
    torch.testing.assert_close(turned.coordinate_MR, features_NF @ turned.direction_FR, atol=1e-4, rtol=1e-4)
    spread_CN = torch.rand(2, 200, generator=torch.Generator().manual_seed(1))
    gradient = Slopes(torch.randn(3, 2, 10, generator=torch.Generator().manual_seed(2)), torch.ones(3, 2))
    one, other = (
        invert_curvature(each, spread_CN=spread_CN, shared_CC=torch.eye(2), ridge=3.0).apply(gradient)
        for each in (basis, turned)
    )
    torch.testing.assert_close(one.weight_PCF, other.weight_PCF, atol=1e-4, rtol=1e-3)


def test_leading_directions_leave_the_others_to_the_rest():
    """Of five directions two are kept, and no variance is lost."""
    features_NF = make_rows()
    basis = find_basis(features_NF, seed=0, rank=5).principal()
    first = basis.leading(2)
    assert first.direction_FR.shape == (10, 2)
    kept = float(first.variance_R.sum())
    assert kept + first.rest * 8 == pytest.approx(float(features_NF.square().sum()) / 200, rel=1e-3)
    assert basis.leading(5) is basis
