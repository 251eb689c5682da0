"""Hidden states of a text's tokens become one vector a text.

In: packed hidden states and where each text begins. Out: features, one row a text. Every real token counts exactly
once; padding does not exist here.
It does not know encoders or heads.

Shapes: B texts, T tokens, D width, F features (D for each block).
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Literal

import torch
from torch import Tensor

from limbeck.model.blocks import Block


def pool(hidden_states: Sequence[Tensor], offsets: Tensor, blocks: Sequence[Block]) -> Tensor:
    """Pool packed hidden states into features, block beside block.

    Averages are summed in float32 whatever the hidden states' precision.

    Args:
        hidden_states: as `Encoder.hidden_states` returns them, each (T, D).
        offsets: (B+1,) on the same device; text b has tokens `offsets[b]` to `offsets[b + 1]`, at least one.
        blocks: what to take, in this order.

    Returns:
        features_BF, float32, F = D times the number of blocks.
    """
    parts = [POOLINGS[block.pooling](hidden_states[block.layer], offsets) for block in blocks]
    return parts[0] if len(parts) == 1 else torch.cat(parts, dim=1)


def _first(hidden_TD: Tensor, offsets: Tensor) -> Tensor:
    """Take the first token of each text, [CLS]."""
    return hidden_TD[offsets[:-1].long()].float()


def _reduce(hidden_TD: Tensor, offsets: Tensor, *, kind: Literal["mean", "max"]) -> Tensor:
    """Average over the tokens of each text, or take the largest of each column."""
    hidden_TD = hidden_TD.float()
    if hidden_TD.device.type == "mps":
        return _scatter(hidden_TD, offsets, kind)
    return torch.segment_reduce(hidden_TD, kind, offsets=offsets.long(), axis=0)


def _scatter(hidden_TD: Tensor, offsets: Tensor, kind: Literal["mean", "max"]) -> Tensor:
    """Do the same where `segment_reduce` has no kernel."""
    lengths_B = offsets.long().diff()
    texts_T = torch.arange(len(lengths_B), device=hidden_TD.device).repeat_interleave(lengths_B)
    pooled_BD = hidden_TD.new_zeros(len(lengths_B), hidden_TD.shape[1])
    if kind == "mean":
        return pooled_BD.index_add(0, texts_T, hidden_TD) / lengths_B[:, None]
    where_TD = texts_T[:, None].expand_as(hidden_TD)
    return pooled_BD.scatter_reduce(0, where_TD, hidden_TD, "amax", include_self=False)


POOLINGS: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = {
    "cls": _first,
    "mean": partial(_reduce, kind="mean"),
    "max": partial(_reduce, kind="max"),
}
"""How hidden states (T, D) and offsets (B+1,) become (B, D), by a name that `settings.Pooling` has too."""
