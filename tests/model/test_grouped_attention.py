"""Grouped attention: the bits of the plain way with masks, and no number is read back from the device."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode

from limbeck.model.grouped_attention import attend_in_groups, place_groups
from limbeck.model.groups import TextGroup, group_texts

HEADS, WIDTH = 3, 12
CPU = torch.device("cpu")


def by_masks(
    query_TD: torch.Tensor, key_TD: torch.Tensor, value_TD: torch.Tensor, groups: list[TextGroup], dropout: float
) -> torch.Tensor:
    """Attend with a mask for each group that padded rows are written and read by."""

    def attend(group: TextGroup) -> torch.Tensor:
        real_BL = torch.from_numpy(group.mask())

        def heads(rows_TD: torch.Tensor) -> torch.Tensor:
            spread_BLD = rows_TD.new_zeros((*real_BL.shape, WIDTH))
            spread_BLD[real_BL] = rows_TD[group.tokens]
            return spread_BLD.view(group.size, group.longest, HEADS, -1).transpose(1, 2)

        mixed_BHLd = functional.scaled_dot_product_attention(
            heads(query_TD),
            heads(key_TD),
            heads(value_TD),
            attn_mask=real_BL[:, None, None, :] if group.is_ragged else None,
            dropout_p=dropout,
        )
        return mixed_BHLd.transpose(1, 2).flatten(2)[real_BL]

    return torch.cat([attend(group) for group in groups])


@given(lengths=st.lists(st.integers(1, 90), min_size=1, max_size=12), seed=st.integers(0, 99))
@settings(deadline=None, max_examples=40)
@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_values_and_gradients_have_the_bits_of_masks(dropout: float, lengths: list[int], seed: int) -> None:
    """Whatever the lengths, with the same seed of dropout: a training that goes on keeps its bits."""
    lengths_B = np.array(sorted(lengths), dtype=np.int32)
    drawn = torch.randn(3, int(lengths_B.sum()), WIDTH, generator=torch.Generator().manual_seed(seed))
    outcomes = []
    for attend in (
        lambda rows: by_masks(*rows, group_texts(lengths_B), dropout),
        lambda rows: attend_in_groups(*rows, place_groups(lengths_B, CPU), n_heads=HEADS, dropout=dropout),
    ):
        rows = drawn.clone().requires_grad_()
        torch.manual_seed(seed)
        mixed_TD = attend(rows.unbind())
        (mixed_TD * torch.arange(WIDTH)).sum().backward()
        outcomes.append((mixed_TD, rows.grad))
    (theirs, their_gradient), (ours, our_gradient) = outcomes
    assert torch.equal(ours, theirs)
    assert torch.equal(our_gradient, their_gradient)


class Watched(TorchDispatchMode):
    """Refuses what waits for the device, leaves it, or writes and reads by a mask."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # torch's own signature
        name = str(func)
        assert not any(word in name for word in ("_local_scalar_dense", "nonzero", "masked_select", "_to_copy")), name
        assert "index.Tensor" not in name, name
        assert "index_put" not in name, name
        return func(*args, **(kwargs or {}))


def test_no_layer_waits_for_a_number() -> None:
    """Places and masks are on the device before; forward and backward only use them."""
    meta, lengths_B = torch.device("meta"), np.array([3, 4, 5, 5, 300, 300, 301], dtype=np.int32)
    groups = place_groups(lengths_B, meta)
    assert any(placed.real is not None for placed in groups)
    assert any(placed.real is None for placed in groups)
    rows = [torch.empty(int(lengths_B.sum()), WIDTH, device=meta, requires_grad=True) for _ in range(3)]
    with Watched():
        mixed_TD = attend_in_groups(*rows, groups, n_heads=HEADS, dropout=0.0)
        mixed_TD.sum().backward()
    assert mixed_TD.shape == rows[0].shape
