"""Pooling: the values that a naive loop over padded texts gives."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from limbeck.errors import SettingsError
from limbeck.model import pooling
from limbeck.model.blocks import Block, blocks_for
from limbeck.model.pooling import pool


def naive(hidden_TD: torch.Tensor, lengths: list[int], kind: str) -> torch.Tensor:
    """Pad with a value that would show, then pool each text under its mask."""
    padded_BLD = torch.full((len(lengths), max(lengths), hidden_TD.shape[1]), 1e9)
    for row, part in enumerate(hidden_TD.split(lengths)):
        padded_BLD[row, : len(part)] = part
    rows = []
    for row, length in enumerate(lengths):
        own_LD = padded_BLD[row, :length]
        rows.append({"cls": own_LD[0], "mean": own_LD.sum(0) / length, "max": own_LD.max(0).values}[kind])
    return torch.stack(rows)


@given(lengths=st.lists(st.integers(1, 30), min_size=1, max_size=12), seed=st.integers(0, 2**31))
@settings(deadline=None)
@pytest.mark.parametrize("kind", ["cls", "mean", "max"])
def test_pooled_values_are_the_naive_ones(kind: str, lengths: list[int], seed: int) -> None:
    """Every real token counts once, whatever the lengths; also where segment_reduce has no kernel."""
    hidden_TD = torch.randn(sum(lengths), 5, generator=torch.Generator().manual_seed(seed))
    offsets = torch.tensor(np.cumsum([0, *lengths]), dtype=torch.int32)
    expected = naive(hidden_TD, lengths, kind)
    torch.testing.assert_close(pool([hidden_TD], offsets, [Block(layer=0, pooling=kind)]), expected, atol=1e-5, rtol=0)
    if kind != "cls":
        torch.testing.assert_close(pooling._scatter(hidden_TD, offsets, kind), expected, atol=1e-5, rtol=0)


def test_blocks_stand_side_by_side_in_their_order() -> None:
    """Hand-computed: two texts of two and one tokens, two states."""
    first = torch.tensor([[1.0, 2.0], [3.0, -2.0], [5.0, 5.0]])
    offsets = torch.tensor([0, 2, 3])
    blocks = [Block(layer=1, pooling="cls"), Block(layer=0, pooling="mean"), Block(layer=0, pooling="max")]
    features = pool([first, first * 10], offsets, blocks)
    assert features.tolist() == [[10.0, 20.0, 2.0, 0.0, 3.0, 2.0], [50.0, 50.0, 5.0, 5.0, 5.0, 5.0]]


def test_averages_of_bfloat16_are_summed_in_float32() -> None:
    """A thousand equal bfloat16 values average to themselves, which a bfloat16 sum would miss."""
    hidden_TD = torch.full((1000, 1), 1.0078125, dtype=torch.bfloat16)
    features = pool([hidden_TD], torch.tensor([0, 1000]), [Block(layer=0, pooling="mean")])
    assert features.dtype == torch.float32
    assert features.item() == pytest.approx(1.0078125, rel=1e-6)


def test_gradients_flow_through_pooling() -> None:
    """A mean gives each token its share, a maximum the largest token all."""
    hidden_TD = torch.tensor([[1.0], [4.0], [2.0]], requires_grad=True)
    offsets = torch.tensor([0, 2, 3])
    pool([hidden_TD], offsets, [Block(layer=0, pooling="mean"), Block(layer=0, pooling="max")]).sum().backward()
    assert hidden_TD.grad is not None
    assert hidden_TD.grad.flatten().tolist() == [0.5, 1.5, 2.0]


def test_layers_means_every_layer_three_times() -> None:
    """Mean, max and [CLS] of states 0 to n: 7 x 3 x 384 = 8,064 features of the embedded encoder."""
    blocks = blocks_for("layers", None, 6)
    assert len(blocks) * 384 == 8064
    assert list(map(str, blocks[:4])) == ["mean@0", "max@0", "cls@0", "mean@1"]


def test_one_pooling_means_one_block() -> None:
    """The last layer unless another is asked for; 0 is the embeddings."""
    assert blocks_for("cls", None, 6) == (Block(layer=6, pooling="cls"),)
    assert blocks_for("max", 0, 6) == (Block(layer=0, pooling="max"),)


@pytest.mark.parametrize(
    ("kind", "layer", "message"),
    [
        ("mean", 7, "hidden states 0 .* to 6"),
        ("mean", -1, "layer = -1 does not exist"),
        ("layers", 2, "has no meaning with pooling 'layers'"),
        ("auto", None, "chosen while a probe is fitted"),
        ("median", None, "give cls, mean, max or layers"),
    ],
)
def test_poolings_that_mean_nothing_are_refused(kind: str, layer: int | None, message: str) -> None:
    """The message says what there is."""
    with pytest.raises(SettingsError, match=message):
        blocks_for(kind, layer, 6)  # type: ignore[arg-type]
