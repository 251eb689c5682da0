"""Memory: what L-BFGS remembers of its last steps, and the direction that follows from it.

In: the inverse curvature to start from, steps, and the gradients before and after them. Out: directions of descent.
It does not know objectives, features or line searches.

The two-loop recursion reads and writes vectors of all weights four times a pair. Here only inner products of the
vectors are looked at, one bundled pass for all of them, and the direction is put together from its factors in another:
the compact form (Byrd, Nocedal & Schnabel 1994, theorem 2.2), with the inverse curvature times each change of the
gradient kept as well, so that it needs applying once a step.
"""

from copy import copy

import torch

from limbeck.linear.curvature import InverseCurvature, Slopes

PAIRS = 8
"""Steps that are remembered."""


class Memory:
    """The last steps of P problems side by side.

    Shapes: P problems, M pairs (oldest first), D numbers in a flat vector: weights and intercepts.
    """

    def __init__(self, inverse: InverseCurvature, like: Slopes) -> None:
        problems, classes, features = like.weight_PCF.shape
        self._inverse = inverse
        self._shape = (problems, classes, features)
        size = classes * features + classes
        # Pairs lie in slots that are used in turn; `_order` names those in use, oldest first.
        self._step_PMD, self._change_PMD, self._image_PMD = torch.zeros(3, problems, PAIRS, size).unbind()
        self._order: list[int] = []
        self._step_change_PMM = torch.zeros(problems, PAIRS, PAIRS, dtype=torch.float64)
        self._change_image_PMM = torch.zeros_like(self._step_change_PMM)
        self._known: tuple[Slopes, torch.Tensor] | None = None
        self.steps = 0

    @property
    def is_empty(self) -> bool:
        """Whether the inverse curvature alone decides."""
        return not self._order

    def learn(self, step: Slopes, before: Slopes, after: Slopes) -> None:
        """Remember a step, and the gradients at its two ends; the oldest one is forgotten where there is no room."""
        image_PD = -self._image(before)
        image_PD += self._image(after)
        slot = self.steps % PAIRS
        self.steps += 1
        self._order = [*(kept for kept in self._order if kept != slot), slot]
        self._step_PMD[:, slot] = _flat(step)
        self._change_PMD[:, slot] = _flat(after).sub_(_flat(before))
        self._image_PMD[:, slot] = image_PD
        change_PD, step_PD = self._change_PMD[:, slot], self._step_PMD[:, slot]
        self._step_change_PMM[:, :, slot] = _inner(self._step_PMD, change_PD)
        self._step_change_PMM[:, slot] = _inner(self._change_PMD, step_PD)
        together_PM = _inner(self._image_PMD, change_PD)
        self._change_image_PMM[:, slot] = together_PM
        self._change_image_PMM[:, :, slot] = together_PM

    def direction(self, gradient: Slopes) -> Slopes:
        """Return minus the remembered inverse times the gradient."""
        image_PD = self._image(gradient)
        if not self._order:
            return self._shaped(-image_PD)
        order = torch.tensor(self._order)
        triangle_PMM = self._step_change_PMM[:, order[:, None], order].triu()
        curvature_PM = triangle_PMM.diagonal(dim1=1, dim2=2).clone()
        # A step of length 0, or one whose curvature rounding has turned negative, counts for nothing.
        sound_PM = (curvature_PM > 0).double()
        triangle_PMM *= sound_PM[:, :, None] * sound_PM[:, None]
        triangle_PMM += (1 - sound_PM).diag_embed()
        along_PM = _inner(self._step_PMD, _flat(gradient))[:, order] * sound_PM
        across_PM = _inner(self._change_PMD, image_PD)[:, order] * sound_PM
        change_PM = torch.linalg.solve_triangular(triangle_PMM, along_PM[:, :, None], upper=True)[:, :, 0]
        together_PMM = self._change_image_PMM[:, order[:, None], order]
        seen_PM = (together_PMM @ change_PM[:, :, None])[:, :, 0] * sound_PM
        right_PM = curvature_PM * change_PM + seen_PM - across_PM
        step_PM = torch.linalg.solve_triangular(triangle_PMM.mT, right_PM[:, :, None], upper=False)[:, :, 0]
        change_slots_PM, step_slots_PM = torch.zeros(2, len(image_PD), PAIRS).unbind()
        change_slots_PM[:, order] = change_PM.float()
        step_slots_PM[:, order] = step_PM.float()
        found_P1D = torch.baddbmm(-image_PD[:, None], change_slots_PM[:, None], self._image_PMD)
        return self._shaped(torch.baddbmm(found_P1D, step_slots_PM[:, None], self._step_PMD, alpha=-1)[:, 0])

    def part(self, lane_L: torch.Tensor, place_P: torch.Tensor, *, before: Slopes, after: Slopes) -> "Memory":
        """Return what is remembered of some problems, those of some lanes of the inverse.

        Args:
            lane_L: the lanes.
            place_P: their problems.
            before: the gradient of all problems.
            after: the same of these.
        """
        found = copy(self)
        found._inverse = self._inverse.part(lane_L)
        found._shape = (len(place_P), *self._shape[1:])
        found._step_PMD, found._change_PMD = self._step_PMD[place_P], self._change_PMD[place_P]
        found._image_PMD = self._image_PMD[place_P]
        found._step_change_PMM = self._step_change_PMM[place_P]
        found._change_image_PMM = self._change_image_PMM[place_P]
        is_known = self._known is not None and self._known[0] is before
        found._known = (after, self._image(before)[place_P]) if is_known else None
        return found

    def _image(self, gradient: Slopes) -> torch.Tensor:
        """Return the inverse curvature times a gradient; the last one asked for is kept."""
        if self._known is None or self._known[0] is not gradient:
            self._known = (gradient, _flat(self._inverse.apply(gradient)))
        return self._known[1]

    def _shaped(self, vector_PD: torch.Tensor) -> Slopes:
        _, classes, features = self._shape
        weights = classes * features
        return Slopes(vector_PD[:, :weights].reshape(self._shape), vector_PD[:, weights:].contiguous())


def _flat(slopes: Slopes) -> torch.Tensor:
    return torch.cat([slopes.weight_PCF.flatten(1), slopes.intercept_PC], dim=1)


def _inner(vector_PMD: torch.Tensor, one_PD: torch.Tensor) -> torch.Tensor:
    """Return the inner products, (P, M) float64 of float32 sums."""
    return torch.bmm(vector_PMD, one_PD[:, :, None])[:, :, 0].double()
