"""Curvature: an approximate inverse of the Hessian of logistic regression, cheap to apply.

In: standardised features once, probabilities and weights as the fit goes on. Out: directions that are nearly Newton's.
It does not know objectives or line searches, and no answer depends on it: a poor one only costs iterations.

The Hessian of class c alone is Xᵀ diag(w p_c (1 - p_c)) X + ridge. On the R directions in which the features vary most
it is computed from a sample of the rows and inverted exactly; on all others it is taken to be the same matrix of
classes in each. Those directions are found with a randomised range finder (Halko, Martinsson & Tropp 2011, algorithm
4.4 with one power step), so that nothing of size F × F is ever formed.
"""

from dataclasses import dataclass, replace
from typing import NamedTuple, Self

import torch

RANK = 384
"""Directions in which the curvature is computed exactly."""
SAMPLED_ROWS = 6000
"""Rows, about, from which it is computed; more would change little."""
SEARCHED_ROWS = 4096
"""Rows, about, among which the directions are looked for."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Basis:
    """The directions in which features vary most.

    Shapes: F features, R directions, M sampled rows.

    Attributes:
        direction_FR: orthonormal columns.
        coordinate_MR: the sampled rows in these directions.
        every: one in so many rows is sampled, beginning with the first.
        rest: mean squared feature of a row in one of the other directions.
    """

    direction_FR: torch.Tensor
    coordinate_MR: torch.Tensor
    every: int
    rest: float

    @property
    def variance_R(self) -> torch.Tensor:  # noqa: N802  # a tensor ends in its shape letters
        """Mean square of the sampled rows in each direction."""
        return self.coordinate_MR.square().mean(0)

    def principal(self) -> "Basis":
        """Return the same directions turned so that the features vary most in the first, and so on."""
        _, turn_RR = torch.linalg.eigh(self.coordinate_MR.T @ self.coordinate_MR)
        turn_RR = turn_RR.flip(1)
        return replace(self, direction_FR=self.direction_FR @ turn_RR, coordinate_MR=self.coordinate_MR @ turn_RR)

    def leading(self, rank: int) -> "Basis":
        """Return the first directions alone."""
        features, known = self.direction_FR.shape
        if rank >= known:
            return self
        rest = self.rest * (features - known) + float(self.variance_R[rank:].sum())
        return replace(
            self,
            direction_FR=self.direction_FR[:, :rank].contiguous(),
            coordinate_MR=self.coordinate_MR[:, :rank].contiguous(),
            rest=rest / (features - rank),
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class InverseCurvature:
    """The inverse for one state of the fit, shared by all problems that are solved side by side.

    Shapes: C classes. The intercept is one direction more, the last, in which every row is 1.

    Attributes:
        basis: the directions.
        inner_CSS: the inverse on them and the intercept, S = R + 1.
        outer_CC: the inverse on all other directions, the same in each.
    """

    basis: Basis
    inner_CSS: torch.Tensor
    outer_CC: torch.Tensor

    def apply(self, gradient: "Slopes") -> "Slopes":
        """Return the gradient times the inverse."""
        problems, classes, features = gradient.weight_PCF.shape
        part_PCR = (gradient.weight_PCF.view(-1, features) @ self.basis.direction_FR).view(problems, classes, -1)
        part_PCS = torch.cat([part_PCR, gradient.intercept_PC[:, :, None]], dim=2)
        inner_PCS = torch.bmm(part_PCS.transpose(0, 1), self.inner_CSS).transpose(0, 1)
        change_PCR = inner_PCS[:, :, :-1] - self.outer_CC @ part_PCR
        weight_KF = change_PCR.reshape(problems * classes, -1) @ self.basis.direction_FR.T
        weight_PCF = weight_KF.view_as(gradient.weight_PCF).add_(self.outer_CC @ gradient.weight_PCF)
        return Slopes(weight_PCF, inner_PCS[:, :, -1].contiguous())

    def part(self, class_C: torch.Tensor) -> Self:
        """Return the inverse for some of the classes; what these have in common with the others is left out."""
        outer_CC = self.outer_CC[class_C[:, None], class_C].contiguous()
        return replace(self, inner_CSS=self.inner_CSS[class_C], outer_CC=outer_CC)


class Slopes(NamedTuple):
    """Something with a part for the weights and a part for the intercepts: a point, a gradient, a step.

    Shapes: P problems, C classes, F features.
    """

    weight_PCF: torch.Tensor
    intercept_PC: torch.Tensor

    def dot(self, other: "Slopes") -> torch.Tensor:
        """Return the inner product in each problem, (P,) float64."""
        inner_P = (self.weight_PCF * other.weight_PCF).sum((1, 2), dtype=torch.float64)
        return inner_P + (self.intercept_PC * other.intercept_PC).sum(1, dtype=torch.float64)

    def plus(self, factor_P: torch.Tensor, other: "Slopes") -> "Slopes":
        """Return self + factor · other, with one factor a problem."""
        factor_P11 = factor_P.float()[:, None, None]
        return Slopes(
            torch.addcmul(self.weight_PCF, other.weight_PCF, factor_P11),
            torch.addcmul(self.intercept_PC, other.intercept_PC, factor_P11[:, :, 0]),
        )


def find_basis(features_NF: torch.Tensor, *, seed: int, rank: int = RANK) -> Basis:
    """Find the `rank` directions in which standardised features vary most (all, where there are no more)."""
    rows, features = features_NF.shape
    rank = min(rank, features, rows)
    generator = torch.Generator().manual_seed(seed)
    guess_FR = torch.randn(features, rank, generator=generator)
    if rank < features:
        some_MF = features_NF[:: max(1, rows // SEARCHED_ROWS)].contiguous()
        image_RM = (some_MF @ guess_FR.to(some_MF.dtype)).T.contiguous()
        guess_FR = (image_RM @ some_MF).T.float()
    direction_FR = torch.linalg.qr(guess_FR).Q
    every = -(-rows // SAMPLED_ROWS)
    coordinate_MR = (features_NF[::every].contiguous() @ direction_FR.to(features_NF.dtype)).float()
    # Standardised features have a mean square of 1, or of 0 where constant: what the directions lack is the rest.
    total = float(features_NF[:: max(1, rows // 1000)].float().square().sum(1).mean())
    lacking = max(0.0, total - float(coordinate_MR.square().sum(1).mean()))
    return Basis(
        direction_FR=direction_FR.contiguous(),
        coordinate_MR=coordinate_MR,
        every=every,
        rest=lacking / (features - rank) if rank < features else 0.0,
    )


def invert_curvature(
    basis: Basis, *, spread_CN: torch.Tensor, shared_CC: torch.Tensor, ridge: float | torch.Tensor
) -> InverseCurvature:
    """Invert the curvature.

    Args:
        basis: the directions.
        spread_CN: weighted variance w p (1 - p) of each class in each row.
        shared_CC: the sum over the rows of w (diag(p) - p pᵀ).
        ridge: the penalty of each weight; of several classes that are penalised unlike, one each, (C,).
    """
    coordinate_MS = torch.cat([basis.coordinate_MR, torch.ones(len(basis.coordinate_MR), 1)], dim=1)
    ridge_C = torch.as_tensor(ridge, dtype=torch.float64).expand(len(shared_CC))
    inner = []
    for spread_M, ridge_1 in zip(spread_CN[:, :: basis.every] * basis.every, ridge_C, strict=True):
        ridge_S = ridge_1.repeat(coordinate_MS.shape[1])
        gram_SS = ((coordinate_MS * spread_M[:, None]).T @ coordinate_MS).double()
        # Nothing penalises the intercept: a class that no row is likely to have would leave its curvature at 0.
        ridge_S[-1] = 1e-6 * gram_SS.diagonal().max() + 1e-12
        inner.append(torch.cholesky_inverse(torch.linalg.cholesky(gram_SS + ridge_S.diag())).float())
    outer_CC = torch.linalg.inv(shared_CC.double() * basis.rest + ridge_C.diag()).float()
    return InverseCurvature(basis=basis, inner_CSS=torch.stack(inner), outer_CC=outer_CC)
