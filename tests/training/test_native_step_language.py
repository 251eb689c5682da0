"""A language model over the native step: its words have two gradients, from below and from the head, and both count."""

import numpy as np
import pytest
import torch
from torch import Tensor

from limbeck.methods.language import LanguageModel
from limbeck.model.config import EncoderConfig
from limbeck.model.encoder import Encoder
from limbeck.model.language_head import LanguageHead
from limbeck.native.kernels import Kernels
from limbeck.tokens import TokenBatch
from limbeck.training.native_step import NativeStep

pytestmark = pytest.mark.usefixtures("one_thread")

VOCABULARY = 50


def make_batch(low: int, high: int) -> TokenBatch:
    """Texts of 3, 9 and 20 tokens, their ids drawn between `low` and `high`."""
    offsets = np.array([0, 3, 12, 32], np.int32)
    ids = np.random.default_rng(low).integers(low, high, 32, dtype=np.int32)
    return TokenBatch(ids=ids, offsets=offsets, rows=np.arange(3))


def gradients(model: LanguageModel, batches: list[TokenBatch], *, use_bf16: bool) -> dict[str, Tensor]:
    """Gradients of some micro-batches together: every state counts, and guesses at five places."""
    model.zero_grad(set_to_none=True)
    places_M = torch.tensor([1, 5, 8, 20, 30])
    for batch in batches:
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=use_bf16):
            hidden_TD = model.hidden(batch)
            logits_MV = model.logits(hidden_TD, places_M)
        drawn = torch.randn(hidden_TD.shape, generator=torch.Generator().manual_seed(1))
        targets_M = torch.from_numpy(batch.ids.astype(np.int64))[places_M]
        loss = torch.nn.functional.cross_entropy(logits_MV.float(), targets_M, reduction="sum")
        (loss + 0.1 * (hidden_TD.float() * drawn).sum()).backward()
    return {name: weight.grad.clone() for name, weight in model.named_parameters() if weight.grad is not None}


def apart(left: Tensor, right: Tensor) -> float:
    """Norm of the difference over the norm of `right`."""
    return float((left - right).double().norm() / right.double().norm())


def test_words_tied_to_the_head_get_both_gradients_and_none_of_the_step_before(library: Kernels) -> None:
    """Three steps over other words each: gradients are float32's, or as near to them as those of torch's bfloat16."""
    is_bf16 = library.about.is_bf16
    torch.manual_seed(3)
    config = EncoderConfig(
        vocab_size=VOCABULARY, dim=64, n_heads=2, hidden_dim=128, n_layers=2, max_position_embeddings=32,
        dropout=0.0, attention_dropout=0.0, initializer_range=0.125,
    )  # fmt: skip
    encoder, head = Encoder(config), LanguageHead(config)
    plain = LanguageModel(encoder, head)
    native = LanguageModel(encoder, head, native=NativeStep(encoder, library, has_tied_words=True))
    steps = [[make_batch(0, 25), make_batch(5, 30)], [make_batch(25, 50)], [make_batch(0, 10)]]
    for batches in steps:
        exact = gradients(plain, batches, use_bf16=False)
        rounded = gradients(plain, batches, use_bf16=True) if is_bf16 else exact
        found = gradients(native, batches, use_bf16=is_bf16)
        assert found.keys() == exact.keys()
        least = 2e-3 if is_bf16 else 1e-5
        for name, values in exact.items():
            if "k_lin.bias" in name and not is_bf16:
                continue  # It moves no attention: its gradient is nothing but rounding.
            assert apart(found[name], values) <= 1.6 * apart(rounded[name], values) + least, name
