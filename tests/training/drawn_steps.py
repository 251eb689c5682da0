"""Encoders and batches that are drawn, and a loss over their states: what tests of the native step compute."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from limbeck.model.config import EncoderConfig
from limbeck.model.encoder import Encoder
from limbeck.tokens import TokenBatch

SHAPES = {
    "narrow heads": {"dim": 96, "n_heads": 3, "hidden_dim": 160},
    "wide heads": {"dim": 128, "n_heads": 2, "hidden_dim": 96},
    "one layer": {"dim": 64, "n_heads": 2, "hidden_dim": 64, "n_layers": 1},
    "relu": {"dim": 64, "n_heads": 2, "hidden_dim": 128, "activation": "relu"},
    "more than a slice": {"dim": 64, "n_heads": 1, "hidden_dim": 1600},
    "wider than a slice": {"dim": 832, "n_heads": 13, "hidden_dim": 64},
}
LENGTHS = {
    "edges of tiles": (2, 3, 15, 16, 17, 31, 32, 33, 64, 100, 129, 300),
    "one token": (1, 1),
    "few tokens": (2, 33, 17),
    "one long text": (512,),
    "many short texts": (5,) * 70,
}


def make_encoder(*, dropout: float = 0.0, attention_dropout: float = 0.0, **sizes: object) -> Encoder:
    """Draw an encoder in which every weight matters."""
    torch.manual_seed(3)
    given = {"n_layers": 2, **(sizes or SHAPES["narrow heads"])}
    config = EncoderConfig(
        vocab_size=50,
        max_position_embeddings=512,
        initializer_range=given["dim"] ** -0.5,
        dropout=dropout,
        attention_dropout=attention_dropout,
        **given,
    )
    encoder = Encoder(config)
    with torch.no_grad():
        for name, values in encoder.named_parameters():
            if name.endswith("bias"):
                values.normal_(0, 0.1)
            elif "norm" in name.lower():
                values.normal_(1, 0.1)
    return encoder


def make_batch(lengths: tuple[int, ...], seed: int = 0) -> TokenBatch:
    """Draw texts of these lengths."""
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    ids = np.random.default_rng(seed).integers(0, 50, int(offsets[-1]), dtype=np.int32)
    return TokenBatch(ids=ids, offsets=offsets, rows=np.arange(len(lengths)))


def drawn_loss(states: Tensor) -> Tensor:
    """A loss whose gradient is the same random numbers for every way to the states."""
    weights = torch.randn(states.shape, generator=torch.Generator().manual_seed(1))
    return (states.float() * weights).sum()


def gradients(encoder: Encoder, states: Callable[[], Tensor]) -> dict[str, Tensor]:
    """Return the gradient of every weight that has one."""
    encoder.zero_grad(set_to_none=True)
    drawn_loss(states()).backward()
    return {name: weight.grad.clone() for name, weight in encoder.named_parameters() if weight.grad is not None}
