"""Gradual unfreezing: the head is trained first, then one more layer after another, from the top down.

In: named weights and the length of a training. Out: which of them follow the gradient in a step: a pure function of the
step, so that a resumed run needs nothing saved. It does not know optimizers.

Source: Howard, Ruder, "Universal Language Model Fine-tuning for Text Classification" (2018), section 3.3.
"""

from collections.abc import Mapping

from torch import nn

from limbeck.training.optim import depth_of


def stage_steps(*, total_steps: int, per_epoch: int, stages: int) -> int:
    """Return after how many steps another layer is unfrozen.

    One an epoch, as the paper has it; in a training that is too short for that, evenly over its first half.

    Example:
        >>> stage_steps(total_steps=900, per_epoch=50, stages=8), stage_steps(total_steps=150, per_epoch=50, stages=8)
        (50, 10)
    """
    return max(1, min(per_epoch, total_steps // (2 * max(1, stages - 1))))


class Thaw:
    """Lets more and more weights follow the gradient.

    Args:
        named: all weights that are ever trained.
        n_layers: of the encoder.
        total_steps: of the training.
        per_epoch: steps an epoch.
    """

    def __init__(self, named: Mapping[str, nn.Parameter], *, n_layers: int, total_steps: int, per_epoch: int) -> None:
        depths = {depth_of(name, n_layers) for name in named}
        self._order = sorted(depths, reverse=True)
        self._weights = [(depth_of(name, n_layers), weight) for name, weight in named.items()]
        self._stage_steps = stage_steps(total_steps=total_steps, per_epoch=per_epoch, stages=len(self._order))
        self._lowest: int | None = None

    def at(self, step: int) -> int:
        """Unfreeze what a step trains, and freeze the rest; return how many layers that is, the head being one."""
        stage = min(step // self._stage_steps, len(self._order) - 1)
        lowest = self._order[stage]
        if lowest != self._lowest:
            for depth, weight in self._weights:
                weight.requires_grad_(depth >= lowest)
            self._lowest = lowest
        return stage + 1
