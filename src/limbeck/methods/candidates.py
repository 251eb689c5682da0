"""Which pooled blocks a probe may use, and which columns of a feature array they are.

In: the pooling setting and the number of layers. Out: one candidate, or with "auto" several, by name.
It does not know features or labels; cross-validation chooses among the candidates.
"""

from collections.abc import Sequence

import numpy as np

from limbeck.errors import SettingsError
from limbeck.model.blocks import Block, blocks_for
from limbeck.settings import FeatureSettings

Candidates = dict[str, tuple[Block, ...]]


def candidates_for(settings: FeatureSettings, layers: int) -> Candidates:
    """Return the candidates of a pooling setting, in the order of their width.

    "auto" offers [CLS] and mean of the last layer, the mean of each layer of the upper half side by side, and
    everything ("layers"): the layers below the last carry what the last one forgot.

    Raises:
        SettingsError: a layer is asked for that does not exist, or one beside "auto".
    """
    if settings.pooling != "auto":
        blocks = blocks_for(settings.pooling, settings.layer, layers)
        return {settings.pooling: blocks}
    if settings.layer is not None:
        raise SettingsError("pooling 'auto' chooses the layers itself: leave --layer out, or name a pooling")
    upper = range((layers + 1) // 2, layers + 1)
    return {
        "cls": blocks_for("cls", None, layers),
        "mean": blocks_for("mean", None, layers),
        "upper means": tuple(Block(layer=layer, pooling="mean") for layer in upper),
        "layers": blocks_for("layers", None, layers),
    }


def all_blocks(candidates: Candidates) -> tuple[Block, ...]:
    """Return every block that some candidate uses, each once, in the order of the widest candidate."""
    return tuple(dict.fromkeys(block for blocks in reversed(candidates.values()) for block in blocks))


def columns_of(blocks: Sequence[Block], extracted: Sequence[Block], width: int) -> np.ndarray:
    """Return the columns, int64, that `blocks` take in an array of the `extracted` blocks side by side.

    Args:
        blocks: the wanted ones, in order.
        extracted: those of the array, in order.
        width: columns a block.
    """
    places = [extracted.index(block) for block in blocks]
    return (np.array(places, np.int64)[:, None] * width + np.arange(width)).ravel()
