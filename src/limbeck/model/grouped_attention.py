"""Grouped attention: packed texts attend in groups of nearly one length, with dropout, on any device, in any precision.

In: queries, keys and values of all texts end to end, and their groups. Out: the mixed values, as packed. Only within a
group are texts padded, and there the mask is always applied. Masks and places are made and copied once a batch; a layer
reads no number back from the device.
It does not know layers or weights; `limbeck.model.packed_attention` is the way without groups.

Shapes: B texts of a group, L tokens of the longest, T real tokens of all texts, D width, H heads.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from limbeck.model.groups import MOST_GPU_WASTE, SMALL_GPU_GROUP_TOKENS, TextGroup, group_texts


@dataclass(frozen=True, kw_only=True, eq=False)
class PlacedGroup:
    """A group of texts, with what its padding needs on the device.

    Attributes:
        group: which texts they are.
        real: (real tokens,) int64, their places among B times L; None where all texts have one length.
        mask_B11L: (B, 1, 1, L) bool, True for a real token; None where all texts have one length.
    """

    group: TextGroup
    real: Tensor | None = None
    mask_B11L: Tensor | None = None


def place_groups(lengths_B: np.ndarray, device: torch.device) -> list[PlacedGroup]:
    """Group the texts of a batch, and copy what their attention needs to the device."""
    if device.type == "cuda":
        groups = group_texts(lengths_B, small_tokens=SMALL_GPU_GROUP_TOKENS, most_waste=MOST_GPU_WASTE)
    else:
        groups = group_texts(lengths_B)
    return [_placed(group, device) for group in groups]


def attend_in_groups(
    query_TD: Tensor, key_TD: Tensor, value_TD: Tensor, groups: Sequence[PlacedGroup], *, n_heads: int, dropout: float
) -> Tensor:
    """Return the mixed values, (T, D).

    Args:
        query_TD: of all tokens.
        key_TD: of all tokens.
        value_TD: of all tokens.
        groups: which tokens belong together.
        n_heads: H.
        dropout: rate on attention weights.
    """

    def attend(placed: PlacedGroup) -> Tensor:
        rows = placed.group.tokens
        query, key, value = (_heads(one[rows], placed, n_heads) for one in (query_TD, key_TD, value_TD))
        mixed_BHLd = functional.scaled_dot_product_attention(
            query, key, value, attn_mask=placed.mask_B11L, dropout_p=dropout
        )
        mixed_RD = mixed_BHLd.transpose(1, 2).flatten(2).flatten(0, 1)
        return mixed_RD if placed.real is None else mixed_RD.index_select(0, placed.real)

    mixed = [attend(placed) for placed in groups]
    return mixed[0] if len(mixed) == 1 else torch.cat(mixed)


def _placed(group: TextGroup, device: torch.device) -> PlacedGroup:
    if not group.is_ragged:
        return PlacedGroup(group=group)
    real_BL = group.mask()
    return PlacedGroup(
        group=group,
        real=torch.from_numpy(np.flatnonzero(real_BL)).to(device),
        mask_B11L=torch.from_numpy(real_BL).to(device)[:, None, None, :],
    )


def _heads(rows_TD: Tensor, placed: PlacedGroup, n_heads: int) -> Tensor:
    """Lay a group's rows out as (B, H, L, D/H), with zeros where a text has ended."""
    size, longest = placed.group.size, placed.group.longest
    if placed.real is not None:
        rows_TD = rows_TD.new_zeros(size * longest, rows_TD.shape[1]).index_copy(0, placed.real, rows_TD)
    return rows_TD.view(size, longest, n_heads, -1).transpose(1, 2)
