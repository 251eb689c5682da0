"""Parity: our encoder against transformers, which is an oracle here and nowhere else.

Bound: 1e-5 on every value, float32, padded and masked on their side, packed on ours.
"""

import copy
import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers  # its parts are loaded when a test asks for them
from hypothesis import given, settings
from hypothesis import strategies as st

from limbeck.catalog.presets import MINILM_MODULE
from limbeck.model.config import EncoderConfig, parse_config
from limbeck.model.conversion import HEADS, convert_bert
from limbeck.model.encoder import Encoder
from limbeck.model.loaded_encoder import LoadedEncoder
from limbeck.model.weights import build_encoder
from limbeck.tokens import TokenBatch

BOUND = 1e-5


def packed(lengths: list[int], vocabulary: int, seed: int) -> TokenBatch:
    offsets = np.cumsum([0, *lengths]).astype(np.int32)
    ids = np.random.default_rng(seed).integers(1, vocabulary, offsets[-1], dtype=np.int32)
    return TokenBatch(ids=ids, offsets=offsets, rows=np.arange(len(lengths)))


def differences(theirs: torch.nn.Module, ours: Encoder, batch: TokenBatch) -> list[float]:
    """Largest absolute difference over the real tokens of each hidden state."""
    view = batch.padded(0)
    mask = torch.from_numpy(view.attention_mask)
    with torch.inference_mode():
        expected = theirs(
            input_ids=torch.from_numpy(view.input_ids), attention_mask=mask, output_hidden_states=True
        ).hidden_states
        found = ours.hidden_states(batch)
    assert len(expected) == len(found)
    return [(hidden[mask.bool()] - own).abs().max().item() for hidden, own in zip(expected, found, strict=True)]


# The norm of two numbers that are nearly equal magnifies rounding without limit; of eight it hardly happens.
sizes = st.fixed_dictionaries(
    {
        "n_heads": st.integers(1, 4),
        "head_width": st.sampled_from([2, 4, 6, 16]),
        "n_layers": st.integers(1, 6),
        "hidden_dim": st.integers(1, 80),
        "activation": st.sampled_from(["gelu", "relu"]),
        "positions": st.integers(40, 70),
        "seed": st.integers(0, 2**31),
    }
).filter(lambda size: size["n_heads"] * size["head_width"] >= 8)
ragged = st.lists(st.integers(1, 40), min_size=1, max_size=9)


@given(size=sizes, sinusoidal=st.booleans(), lengths=ragged)
@settings(deadline=None, max_examples=20)
def test_random_distilberts_compute_the_same(size: dict[str, int], sinusoidal: bool, lengths: list[int]) -> None:
    """Sizes, layers, activations, learned and fixed positions, ragged batches: all hidden states within 1e-5."""
    torch.manual_seed(size["seed"])
    theirs = transformers.DistilBertModel(
        transformers.DistilBertConfig(
            vocab_size=60,
            dim=size["n_heads"] * size["head_width"],
            n_heads=size["n_heads"],
            n_layers=size["n_layers"],
            hidden_dim=size["hidden_dim"],
            activation=size["activation"],
            max_position_embeddings=size["positions"],
            sinusoidal_pos_embds=sinusoidal,
            initializer_range=0.1,
        )
    ).eval()
    ours = build_encoder(
        parse_config(theirs.config.to_dict(), where="theirs"), dict(theirs.state_dict()), where="theirs"
    )
    assert max(differences(theirs, ours, packed(lengths, 60, size["seed"]))) <= BOUND


@given(n_positions=st.integers(1, 40), half=st.integers(1, 20))
@settings(deadline=None, max_examples=10)
def test_fixed_positions_are_theirs(n_positions: int, half: int) -> None:
    """A DistilBERT with fixed positions starts from the same waves, and does not train them."""
    sizes = {"vocab_size": 5, "dim": 2 * half, "n_heads": 1, "n_layers": 1, "hidden_dim": 2}
    config = transformers.DistilBertConfig(**sizes, max_position_embeddings=n_positions, sinusoidal_pos_embds=True)
    ours = Encoder(EncoderConfig(**sizes, max_position_embeddings=n_positions, sinusoidal_pos_embds=True))
    theirs = transformers.DistilBertModel(config).embeddings.position_embeddings.weight
    torch.testing.assert_close(ours.embeddings.position_embeddings.weight.detach(), theirs.detach(), atol=1e-6, rtol=0)


@pytest.mark.slow
@given(size=sizes, lengths=ragged)
@settings(deadline=None, max_examples=12)
def test_random_berts_convert_exactly(size: dict[str, int], lengths: list[int]) -> None:
    """Token type 0 folded into the positions, the pooler dropped, the rest renamed: within 1e-5."""
    torch.manual_seed(size["seed"])
    theirs = transformers.BertModel(
        transformers.BertConfig(
            vocab_size=60,
            hidden_size=size["n_heads"] * size["head_width"],
            num_attention_heads=size["n_heads"],
            num_hidden_layers=size["n_layers"],
            intermediate_size=size["hidden_dim"],
            hidden_act=size["activation"],
            max_position_embeddings=size["positions"],
            initializer_range=0.1,
        )
    ).eval()
    kept = {name: tensor for name, tensor in theirs.state_dict().items() if not name.startswith(HEADS)}
    ours = build_encoder(
        parse_config(theirs.config.to_dict(), where="theirs"), convert_bert(kept, where="theirs"), where="theirs"
    )
    assert max(differences(theirs, ours, packed(lengths, 60, size["seed"]))) <= BOUND


@pytest.mark.slow
@pytest.mark.encoder
@pytest.mark.parametrize("lengths", [[2, 7, 12, 25, 25, 60], [200], [512]], ids=["tweets", "review", "longest"])
def test_the_embedded_bert_converts_exactly(minilm: LoadedEncoder, lengths: list[int]) -> None:
    """MiniLM as transformers runs it, a BERT, and as we run it, a DistilBERT.

    In float32 the last hidden state is within 1e-5. In float64, where rounding does not hide a difference, all hidden
    states are within 1e-6: what is left is the rounding of positions plus token type, stored in float32.
    """
    spec = importlib.util.find_spec(MINILM_MODULE)
    assert spec is not None
    assert spec.submodule_search_locations is not None
    theirs = transformers.AutoModel.from_pretrained(Path(spec.submodule_search_locations[0]) / "model").eval()
    batch = packed(lengths, 30522, sum(lengths))
    assert differences(theirs, minilm.encoder, batch)[-1] <= BOUND
    assert max(differences(theirs.double(), copy.deepcopy(minilm.encoder).double(), batch)) <= BOUND / 10


def test_gradients_are_theirs() -> None:
    """One backward pass gives every weight the gradient that transformers gives it."""
    torch.manual_seed(0)
    config = transformers.DistilBertConfig(
        vocab_size=60, dim=16, n_heads=2, n_layers=2, hidden_dim=24, initializer_range=0.2
    )
    theirs = transformers.DistilBertModel(config).eval()
    state = {name: tensor.clone() for name, tensor in theirs.state_dict().items()}
    ours = build_encoder(parse_config(config.to_dict(), where="theirs"), state, where="theirs")
    batch = packed([3, 9, 9, 14], 60, 0)
    view = batch.padded(0)
    mask = torch.from_numpy(view.attention_mask)
    hidden = theirs(input_ids=torch.from_numpy(view.input_ids), attention_mask=mask).last_hidden_state
    target = torch.randn(len(batch.ids), 16)
    (hidden[mask.bool()] * target).sum().backward()
    (ours(batch) * target).sum().backward()
    expected = dict(theirs.named_parameters())
    for name, parameter in ours.named_parameters():
        torch.testing.assert_close(parameter.grad, expected[name].grad, atol=1e-4, rtol=1e-4, msg=name)
