"""What the native step keeps from one batch to the next, and what it refuses, on every library that runs here."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from tests.training.drawn_steps import LENGTHS, SHAPES, drawn_loss, gradients, make_batch, make_encoder

from limbeck.errors import SettingsError, TrainingError
from limbeck.native.kernels import Kernels
from limbeck.settings import FinetuneSettings
from limbeck.training.freezing import freeze
from limbeck.training.native_step import NativeStep

pytestmark = pytest.mark.usefixtures("one_thread")


def test_evaluation_drops_nothing_and_keeps_nothing(library: Kernels) -> None:
    """Without gradients the states are the same, and memory is a fraction."""
    encoder, batch = make_encoder(dropout=0.2, attention_dropout=0.2).eval(), make_batch(LENGTHS["edges of tiles"])
    step, judge = NativeStep(encoder, library), NativeStep(encoder, library)
    kept = step.first_states(batch)
    assert kept.requires_grad
    with torch.inference_mode():
        assert torch.equal(judge.first_states(batch), kept.detach())
    assert judge.held_bytes < step.held_bytes
    before = torch.get_rng_state()
    step.first_states(batch)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("changes", [{"top_layers": 1}, {"freeze_words": True}, {"top_layers": 2}])
def test_frozen_weights_get_no_gradient(library: Kernels, changes: dict[str, object]) -> None:
    """What is trained has the gradient that it has when everything is; the rest has none."""
    encoder, batch = make_encoder(**SHAPES["wide heads"]), make_batch((9, 33, 4))
    step = NativeStep(encoder, library)
    everything = gradients(encoder, lambda: step.first_states(batch))
    freeze(encoder, FinetuneSettings(**changes))
    found = gradients(encoder, lambda: step.first_states(batch))
    trained = {name for name, weight in encoder.named_parameters() if weight.requires_grad}
    assert found.keys() == trained
    assert trained < everything.keys()
    for name in trained:
        assert torch.equal(found[name], everything[name]), name
    encoder.requires_grad_(False)
    assert not step.first_states(batch).requires_grad


def test_gradients_are_added_up_and_begin_anew(library: Kernels) -> None:
    """Micro-batches add; after `zero_grad` no word of the step before has a gradient; others' gradients are kept."""
    encoder = make_encoder()
    step = NativeStep(encoder, library)
    left, right = make_batch((3, 8), seed=1), make_batch((5,), seed=2)
    alone = [gradients(encoder, lambda part=part: step.last_states(part)) for part in (left, right)]
    assert step.touched_rows is not None
    assert step.touched_rows.tolist() == np.unique(right.ids).tolist()
    words = alone[1]["embeddings.word_embeddings.weight"]
    assert set(words.abs().sum(1).nonzero().flatten().tolist()) == set(right.ids.tolist())
    encoder.zero_grad(set_to_none=True)
    for part in (left, right):
        drawn_loss(step.last_states(part)).backward()
    for name, weight in encoder.named_parameters():
        torch.testing.assert_close(weight.grad, alone[0][name] + alone[1][name], rtol=1e-5, atol=1e-5)
    assert set(step.touched_rows.tolist()) == set(left.ids.tolist()) | set(right.ids.tolist())
    encoder.zero_grad(set_to_none=True)
    for weight in encoder.parameters():
        weight.grad = torch.ones_like(weight)
    drawn_loss(step.last_states(right)).backward()
    assert step.touched_rows is None
    for name, weight in encoder.named_parameters():
        torch.testing.assert_close(weight.grad, alone[1][name] + 1, rtol=1e-5, atol=1e-5)
    assert words.equal(gradients(encoder, lambda: step.last_states(right))["embeddings.word_embeddings.weight"])


def test_changed_weights_are_seen(library: Kernels) -> None:
    """A fused optimizer's step and `copy_` are noticed; what goes through `.data` needs `forget`."""
    encoder, batch = make_encoder(), make_batch((9,))
    step, weight = NativeStep(encoder, library), encoder.transformer.layer[0].ffn.lin1.weight
    optimizer = torch.optim.AdamW(encoder.parameters(), lr=0.1, fused=True)
    gradients(encoder, lambda: step.last_states(batch))
    optimizer.step()
    with torch.no_grad():
        assert torch.equal(step.last_states(batch), NativeStep(encoder, library).last_states(batch))
        weight.copy_(torch.zeros_like(weight))
        zeroed = step.last_states(batch)
        assert torch.equal(NativeStep(encoder, library).last_states(batch), zeroed)
        weight.data.fill_(0.5)
        step.forget()
        assert not torch.equal(step.last_states(batch), zeroed)


def test_one_batch_at_a_time(library: Kernels) -> None:
    """A backward pass whose batch is gone is refused."""
    step = NativeStep(make_encoder(), library)
    first = step.last_states(make_batch((4,)))
    step.last_states(make_batch((5,)))
    with pytest.raises(TrainingError, match="call backward before the next batch"):
        first.sum().backward()


@pytest.mark.parametrize(
    ("lengths", "token", "said"),
    [((513,), 0, "does not fit the encoder's 512 positions"), ((3, 0), 0, "has no token"), ((3,), 50, "vocabulary")],
)
def test_what_does_not_fit_is_refused(library: Kernels, lengths: tuple[int, ...], token: int, said: str) -> None:
    """Nothing reads past an array."""
    batch = make_batch(lengths)
    with pytest.raises(SettingsError, match=said):
        NativeStep(make_encoder(), library).first_states(replace(batch, ids=np.full_like(batch.ids, token)))


def test_memory_is_that_of_the_largest_batch(library: Kernels) -> None:
    """Batches of all sizes use the same memory again; a step that saw small ones only holds less."""
    encoder = make_encoder(dropout=0.1)
    small = NativeStep(encoder, library)
    gradients(encoder, lambda: small.first_states(make_batch((1,) * 4)))
    step = NativeStep(encoder, library)
    gradients(encoder, lambda: step.first_states(make_batch((200,) * 4)))
    held = step.held_bytes
    for length in (1, 30, 100, 200):
        gradients(encoder, lambda length=length: step.first_states(make_batch((length,) * 4)))
    assert step.held_bytes == held > small.held_bytes


def test_what_cannot_be_trained_is_refused(library: Kernels) -> None:
    """Odd widths, and weights of other precisions: with what to do."""
    with pytest.raises(SettingsError, match="not a multiple of 32; train it with torch"):
        NativeStep(make_encoder(dim=48, n_heads=3, hidden_dim=64), library)
    with pytest.raises(SettingsError, match="float32 weights on the CPU only"):
        NativeStep(make_encoder(**SHAPES["wide heads"]).double(), library)
