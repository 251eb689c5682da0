"""The engine: features in the order of the texts, whatever the batches."""

import numpy as np
import pytest
import torch

from limbeck.inference.torch_engine import TorchEngine
from limbeck.model.pooling import blocks_for, pool
from limbeck.model.presets import LoadedEncoder

TEXTS = ["i feel fine", "", "so sad today . it is rain", "sunny !", "rainy", "i"] * 3


@pytest.mark.parametrize("token_budget", [1, 8, 30, 10_000])
def test_features_do_not_depend_on_the_budget(tiny_loaded: LoadedEncoder, token_budget: int) -> None:
    """Row n is text n, the same within 1e-5 as computed alone."""
    engine = TorchEngine(tiny_loaded, device="cpu")
    tokenized = tiny_loaded.tokenizer.encode(TEXTS)
    blocks = blocks_for("layers", None, engine.layers)
    features = engine.features(tokenized, blocks, token_budget=token_budget)
    assert features.dtype == np.float32
    assert features.shape == (len(TEXTS), len(blocks) * engine.width)
    with torch.inference_mode():
        for row in range(6):
            batch = tokenized.take([row])
            alone = pool(tiny_loaded.encoder.hidden_states(batch), torch.from_numpy(batch.offsets), blocks)
            np.testing.assert_allclose(features[row], alone[0].numpy(), atol=1e-5)


def test_no_texts_give_no_rows(tiny_loaded: LoadedEncoder) -> None:
    """An empty input keeps its width."""
    engine = TorchEngine(tiny_loaded, device="cpu")
    features = engine.features(tiny_loaded.tokenizer.encode([]), blocks_for("mean", None, 2))
    assert features.shape == (0, 16)
