"""Blocks: which pooling of which hidden state features are made of; names and numbers, no torch.

In: a pooling setting. Out: `Block`s. It does not know how they are computed: see `limbeck.model.pooling`.
"""

from dataclasses import dataclass

from limbeck.errors import SettingsError
from limbeck.settings import Pooling

BLOCK_POOLINGS = ("cls", "mean", "max")
"""How one hidden state of a text's tokens can become one vector."""
LAYER_POOLINGS = ("mean", "max", "cls")
"""What "layers" takes of every hidden state, in this order."""


@dataclass(frozen=True, kw_only=True, order=True)
class Block:
    """D neighbouring features: one pooling of one hidden state.

    Attributes:
        layer: index of the hidden state; 0 is the embeddings' output.
        pooling: "cls" the first token, "mean" the average and "max" the largest of each column over a text's tokens.
    """

    layer: int
    pooling: str

    def __str__(self) -> str:
        return f"{self.pooling}@{self.layer}"


def blocks_for(pooling: Pooling, layer: int | None, n_layers: int) -> tuple[Block, ...]:
    """Say which blocks a pooling setting means.

    Args:
        pooling: one pooling, or "layers": mean, max and [CLS] of every hidden state side by side. "auto" is no
            blocks yet.
        layer: index of the hidden state, 0 to `n_layers`; the last when not given. Not to be given with "layers".
        n_layers: transformer layers of the encoder.

    Raises:
        SettingsError: there is no such pooling or layer.

    Example:
        >>> blocks_for("mean", None, 6)
        (Block(layer=6, pooling='mean'),)
        >>> len(blocks_for("layers", None, 6))
        21
    """
    if pooling == "layers":
        if layer is not None:
            raise SettingsError(f"layer = {layer} has no meaning with pooling 'layers', which takes every layer")
        return tuple(Block(layer=index, pooling=kind) for index in range(n_layers + 1) for kind in LAYER_POOLINGS)
    if pooling not in BLOCK_POOLINGS:
        raise SettingsError(
            f"pooling = {pooling!r} does not say what to pool: give {', '.join(BLOCK_POOLINGS)} or layers"
            + (" (auto is chosen while a probe is fitted)" if pooling == "auto" else "")
        )
    if layer is not None and not 0 <= layer <= n_layers:
        raise SettingsError(
            f"layer = {layer} does not exist: this encoder has hidden states 0 (embeddings) to {n_layers}"
        )
    return (Block(layer=n_layers if layer is None else layer, pooling=pooling),)
