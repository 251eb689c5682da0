"""The native step never computes with weights that an optimizer has changed since: a library that counts stands in."""

import gc
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from torch.optim.optimizer import _global_optimizer_post_hooks as hooks

from limbeck.model.config import EncoderConfig
from limbeck.model.encoder import Encoder
from limbeck.native.kernels import About, Kernels
from limbeck.tokens import TokenBatch
from limbeck.training.native_step import NativeStep


class Counting:
    """Functions of the compiled library that compute nothing and count how often weights were packed."""

    def __init__(self) -> None:
        self.packed = 0

    def limbeck_step_new(self, _sizes: object) -> int:
        """Give an address that nobody reads."""
        return 1

    def limbeck_step_free(self, _address: int) -> None:
        """Free nothing."""

    def limbeck_step_pack(self, *_arguments: object) -> int:
        """Count."""
        self.packed += 1
        return 0

    def limbeck_step_forward(self, *_arguments: object) -> int:
        """Compute nothing."""
        return 0


@pytest.fixture
def library() -> Counting:
    """The library that counts."""
    return Counting()


@pytest.fixture
def encoder() -> Encoder:
    """An encoder that the kernels could train."""
    sizes = EncoderConfig(vocab_size=20, dim=32, n_layers=1, n_heads=1, hidden_dim=64, max_position_embeddings=24)
    return Encoder(sizes)


def kernels_of(library: Counting) -> Kernels:
    return Kernels(
        library=cast("Any", library),
        name="counting",
        path=Path("none"),
        origin="compiled",
        digest="0",
        about=About(chunk_tokens=512, width_step=32, score_unit=1.0, is_bf16=True),
    )


@pytest.fixture
def step(library: Counting, encoder: Encoder) -> NativeStep:
    """The native step over that library."""
    return NativeStep(encoder, kernels_of(library))


def forward(step: NativeStep, batch: TokenBatch) -> None:
    with torch.no_grad():
        step.first_states(batch)


@pytest.fixture
def batch() -> TokenBatch:
    """One text of three tokens."""
    return TokenBatch(ids=np.array([2, 7, 3], np.int32), offsets=np.array([0, 3], np.int32), rows=np.array([0]))


@pytest.mark.parametrize("kind", ["fused AdamW", "AdamW", "SGD"])
def test_weights_are_packed_anew_after_every_step(
    step: NativeStep, library: Counting, encoder: Encoder, batch: TokenBatch, kind: str
) -> None:
    """Also after one before which this process had no backward pass, as a rank without a text of the batch."""
    parameters = list(encoder.parameters())
    optimizer: torch.optim.Optimizer = (
        torch.optim.SGD(parameters, lr=0.1)
        if kind == "SGD"
        else torch.optim.AdamW(parameters, lr=0.1, fused=kind == "fused AdamW")
    )
    for weight in parameters:
        weight.grad = torch.ones_like(weight)
    forward(step, batch)
    forward(step, batch)
    assert library.packed == 1
    for steps in (1, 2, 3):
        optimizer.step()
        forward(step, batch)
        assert library.packed == 1 + steps


@pytest.mark.slow
def test_a_step_that_is_gone_is_told_no_more(library: Counting, encoder: Encoder) -> None:
    """A process that trains many models does not gather hooks of those that it has let go."""
    gc.collect()
    before = len(hooks)
    steps = [NativeStep(encoder, kernels_of(library)) for _ in "123"]
    assert len(hooks) == before + 3
    del steps
    gc.collect()
    assert len(hooks) == before
