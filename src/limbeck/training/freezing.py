"""Freezing: which weights are trained, from the first step or one more layer after another, from the top down.

In: an encoder and settings, or named weights and the length of a training. Out: the encoder, marked; which weights
follow the gradient in a step: a pure function of the step, so that a resumed run needs nothing saved. It does not know
heads or optimizers.

Source of gradual unfreezing: Howard, Ruder, "Universal Language Model Fine-tuning for Text Classification" (2018),
section 3.3.
"""

from collections.abc import Mapping

from torch import nn

from limbeck.errors import SettingsError
from limbeck.model.encoder import Encoder, SelfAttention
from limbeck.settings import FinetuneSettings
from limbeck.training.optim import depth_of


def freeze(encoder: Encoder, settings: FinetuneSettings) -> None:
    """Let gradients flow only where the settings want them.

    Raises:
        SettingsError: `top_layers` is more than the encoder has, or below 1.
    """
    n_layers, top = encoder.config.n_layers, settings.top_layers
    encoder.requires_grad_(True)
    encoder.embeddings.position_embeddings.weight.requires_grad_(not encoder.config.sinusoidal_pos_embds)
    if settings.freeze_words:
        encoder.embeddings.word_embeddings.weight.requires_grad_(False)
    if top is None:
        return
    if not 1 <= top <= n_layers:
        raise SettingsError(
            f"top_layers = {top} is not possible: this encoder has {n_layers} layers; to train a head alone use "
            "--method head"
        )
    encoder.embeddings.requires_grad_(False)
    for layer in encoder.transformer.layer[: n_layers - top]:
        layer.requires_grad_(False)


def set_dropout(encoder: Encoder, rate: float) -> None:
    """Give every dropout of an encoder this rate; what its configuration says stays."""
    for module in encoder.modules():
        if isinstance(module, nn.Dropout):
            module.p = rate
        elif isinstance(module, SelfAttention):
            module.dropout = rate


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
