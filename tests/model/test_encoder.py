"""The encoder: a text's result is its own, gradients reach every weight, limits are said."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from limbeck.errors import SettingsError
from limbeck.model.config import EncoderConfig
from limbeck.model.encoder import Encoder, sinusoidal_positions
from limbeck.model.loaded_encoder import LoadedEncoder
from limbeck.tokens import TokenBatch

CONFIG = EncoderConfig(
    vocab_size=50, dim=24, n_layers=3, n_heads=3, hidden_dim=40, max_position_embeddings=64, initializer_range=0.2
)


def encoder_of(config: EncoderConfig = CONFIG, seed: int = 0) -> Encoder:
    torch.manual_seed(seed)
    return Encoder(config).eval()


def batch_of(texts: list[list[int]]) -> TokenBatch:
    return TokenBatch(
        ids=np.array([token for text in texts for token in text], dtype=np.int32),
        offsets=np.cumsum([0, *map(len, texts)]).astype(np.int32),
        rows=np.arange(len(texts)),
    )


texts_strategy = st.lists(st.lists(st.integers(0, 49), min_size=1, max_size=64), min_size=1, max_size=10)


@pytest.mark.slow
@given(texts=texts_strategy)
@settings(deadline=None, max_examples=40)
def test_a_text_does_not_depend_on_its_batch(texts: list[list[int]]) -> None:
    """Alone or among any others, in any order, the hidden states of a text are the same within 1e-5."""
    encoder = encoder_of()
    with torch.inference_mode():
        together = encoder(batch_of(texts)).split([len(text) for text in texts])
        for text, shared in zip(texts, together, strict=True):
            torch.testing.assert_close(encoder(batch_of([text])), shared, atol=1e-5, rtol=0)


def test_the_same_call_gives_the_same_bits() -> None:
    """Twice the same batch is twice the same answer, bit for bit."""
    batch = batch_of([[1, 2, 3], [4, 5], [6] * 30])
    encoder = encoder_of()
    with torch.inference_mode():
        assert torch.equal(encoder(batch), encoder(batch))


def test_hidden_states_are_embeddings_and_each_layer() -> None:
    """One packed state more than layers; the last is what the call returns; layers above `last` are left out."""
    batch = batch_of([[1, 2, 3], [4, 5]])
    encoder = encoder_of()
    with torch.inference_mode():
        states = encoder.hidden_states(batch)
        assert [tuple(state.shape) for state in states] == [(5, 24)] * 4
        assert torch.equal(states[-1], encoder(batch))
        fewer = encoder.hidden_states(batch, last=1)
        assert len(fewer) == 2
        assert torch.equal(fewer[1], states[1])
        # A layer norm of weight 1 and bias 0 gives rows of mean 0 and variance 1.
        torch.testing.assert_close(states[0].mean(dim=1), torch.zeros(5), atol=1e-5, rtol=0)
        torch.testing.assert_close(states[0].var(dim=1, correction=0), torch.ones(5), atol=1e-4, rtol=0)


def test_position_counts_from_zero_in_every_text() -> None:
    """The same token in the same place is embedded alike, whichever text it is in."""
    states = encoder_of().hidden_states(batch_of([[7, 8], [9, 8]]), last=0)[0]
    torch.testing.assert_close(states[1], states[3])
    assert not torch.allclose(states[0], states[2])


@pytest.mark.parametrize("lengths", [[3, 3, 3], [3, 4, 5], [30, 2, 17]])
def test_gradients_reach_every_weight(lengths: list[int]) -> None:
    """In training mode, with dropout, each parameter gets a finite gradient that is not zero."""
    encoder = encoder_of().train()
    torch.manual_seed(0)
    batch = batch_of([[(place * 7 + length) % 50 for place in range(length)] for length in lengths])
    target = torch.randn(sum(lengths), CONFIG.dim)
    (encoder(batch) * target).sum().backward()
    for name, parameter in encoder.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        # A key bias shifts all of a query's scores alike, so softmax takes its gradient to 0 up to rounding.
        if not name.endswith("k_lin.bias"):
            assert parameter.grad.abs().max() > 1e-6, name


def test_gradients_are_those_of_one_text_at_a_time() -> None:
    """Summed over a ragged batch, the gradient is the sum of the texts' own gradients."""
    texts = [[1, 2, 3], [4, 5], [6, 7, 8, 9], [10] * 20]
    one, many = encoder_of(), encoder_of()
    many(batch_of(texts)).square().sum().backward()
    for text in texts:
        one(batch_of([text])).square().sum().backward()
    for (name, ours), theirs in zip(many.named_parameters(), one.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad, atol=2e-4, rtol=1e-4, msg=name)


def test_dropout_works_in_training_only() -> None:
    """Evaluation repeats itself, training does not, and a seed brings a training pass back."""
    encoder = encoder_of()
    batch = batch_of([[1, 2, 3, 4]])
    assert torch.equal(encoder(batch), encoder(batch))
    encoder.train()
    torch.manual_seed(1)
    first = encoder(batch)
    assert not torch.equal(first, encoder(batch))
    torch.manual_seed(1)
    assert torch.equal(first, encoder(batch))


def test_a_text_longer_than_the_positions_is_refused() -> None:
    """No index error from the depths: the message says what fits."""
    with pytest.raises(SettingsError, match="65 tokens does not fit the encoder's 64 positions"):
        encoder_of()(batch_of([[1] * 65]))


@pytest.mark.parametrize("last", [-1, 4])
def test_a_layer_that_does_not_exist_is_refused(last: int) -> None:
    """Hidden states are counted from 0 to the number of layers."""
    with pytest.raises(SettingsError, match="hidden states 0 to 3"):
        encoder_of().hidden_states(batch_of([[1]]), last=last)


def test_sinusoidal_positions_are_the_published_ones() -> None:
    """Position 0 is 0, 1, 0, 1, …; position 1 begins with sin 1 and cos 1; they are not trained."""
    waves = sinusoidal_positions(3, 4)
    assert waves[0].tolist() == [0.0, 1.0, 0.0, 1.0]
    expected = [np.sin(1.0), np.cos(1.0), np.sin(0.01), np.cos(0.01)]
    np.testing.assert_allclose(waves[1].numpy(), expected, rtol=1e-6)
    config = EncoderConfig(
        vocab_size=9, dim=4, n_layers=1, n_heads=1, max_position_embeddings=3, sinusoidal_pos_embds=True
    )
    encoder = Encoder(config)
    assert torch.equal(encoder.embeddings.position_embeddings.weight, waves)
    assert not encoder.embeddings.position_embeddings.weight.requires_grad


def test_new_weights_are_drawn_as_configured() -> None:
    """Linear and embedding weights have the configured spread, biases are 0 and norms 1."""
    encoder = encoder_of(EncoderConfig(vocab_size=2000, dim=64, n_layers=1, n_heads=2, hidden_dim=128))
    state = encoder.state_dict()
    assert state["embeddings.word_embeddings.weight"].std().item() == pytest.approx(0.02, rel=0.05)
    assert state["transformer.layer.0.ffn.lin1.weight"].std().item() == pytest.approx(0.02, rel=0.05)
    assert not state["transformer.layer.0.ffn.lin1.bias"].any()
    assert (state["embeddings.LayerNorm.weight"] == 1).all()


def test_the_tiny_encoder_tells_texts_apart(tiny_loaded: LoadedEncoder) -> None:
    """The model that other tests stand on is not degenerate."""
    tokenized = tiny_loaded.tokenizer.encode(["i feel fine", "so sad today"])
    with torch.inference_mode():
        hidden = tiny_loaded.encoder(tokenized.take([0, 1]))
    assert (hidden[0] - hidden[5]).abs().max() > 0.05
