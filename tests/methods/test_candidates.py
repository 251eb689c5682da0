"""Which blocks a pooling setting offers, and which columns they are."""

import numpy as np
import pytest

from limbeck.errors import SettingsError
from limbeck.methods.candidates import all_blocks, candidates_for, columns_of
from limbeck.model.blocks import Block
from limbeck.settings import FeatureSettings


def test_one_pooling_is_one_candidate():
    """Without "auto" there is nothing to choose."""
    assert candidates_for(FeatureSettings(pooling="cls", layer=2), 6) == {"cls": (Block(layer=2, pooling="cls"),)}


def test_auto_offers_single_layers_the_upper_half_and_everything():
    """Six layers: [CLS], mean, the means of layers 3 to 6, and all 21 blocks, the last holding the others."""
    offered = candidates_for(FeatureSettings(pooling="auto"), 6)
    assert list(offered) == ["cls", "mean", "upper means", "layers"]
    assert [str(block) for block in offered["upper means"]] == ["mean@3", "mean@4", "mean@5", "mean@6"]
    assert all_blocks(offered) == offered["layers"]


def test_auto_refuses_a_layer():
    """A layer beside "auto" would be ignored; it is refused instead."""
    with pytest.raises(SettingsError, match="leave --layer out"):
        candidates_for(FeatureSettings(pooling="auto", layer=3), 6)


def test_columns_of_blocks():
    """With three blocks of two columns each, the third and the first are columns 4, 5, 0 and 1."""
    extracted = [Block(layer=layer, pooling="mean") for layer in range(3)]
    columns = columns_of([extracted[2], extracted[0]], extracted, 2)
    assert columns.tolist() == [4, 5, 0, 1]
    assert columns.dtype == np.int64
