"""The fused encoder: the plain encoder's numbers, with fewer calls, none of which waits for a number."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.conformance.drawn import draw_texts
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from limbeck.model.blocks import Block, blocks_for
from limbeck.model.config import EncoderConfig
from limbeck.model.encoder import Encoder
from limbeck.model.fused_encoder import FusedEncoder
from limbeck.model.packed_attention import attend_by_mask, pack_texts, varlen_attention
from limbeck.model.pooling import pool

SIZES = EncoderConfig(
    vocab_size=20, dim=24, n_layers=3, n_heads=3, hidden_dim=40, max_position_embeddings=64, initializer_range=0.2
)
CPU, META = torch.device("cpu"), torch.device("meta")
CLS = (Block(layer=3, pooling="cls"),)


def encoder_of(config: EncoderConfig = SIZES) -> Encoder:
    """Draw an encoder whose biases and norms matter."""
    torch.manual_seed(3)
    encoder = Encoder(config).eval()
    with torch.no_grad():
        for name, values in encoder.named_parameters():
            if name.endswith("bias"):
                values.normal_(0, 0.1)
            elif "norm" in name.lower():
                values.normal_(1, 0.1)
    return encoder


def fused_features(encoder: Encoder, lengths: tuple[int, ...], blocks: tuple[Block, ...]) -> torch.Tensor:
    """What the fused encoder says of texts of these lengths."""
    texts = pack_texts(draw_texts(lengths).take(range(len(lengths))), CPU)
    with torch.inference_mode():
        return FusedEncoder(encoder, attend_by_mask, device=CPU, dtype=torch.float32).features(texts, blocks)


def plain_features(encoder: Encoder, lengths: tuple[int, ...], blocks: tuple[Block, ...]) -> torch.Tensor:
    """What the plain encoder says of them, by groups."""
    batch = draw_texts(lengths).take(range(len(lengths)))
    with torch.inference_mode():
        return pool(encoder.hidden_states(batch), torch.from_numpy(batch.offsets), blocks)


@given(lengths=st.lists(st.integers(1, 64), min_size=1, max_size=9))
@settings(deadline=None, max_examples=30)
@pytest.mark.parametrize(
    "blocks",
    [
        blocks_for("layers", None, 3),
        CLS,
        blocks_for("mean", None, 3),
        (Block(layer=1, pooling="max"), Block(layer=3, pooling="cls")),
        (Block(layer=3, pooling="cls"), Block(layer=3, pooling="mean"), Block(layer=0, pooling="cls")),
        (Block(layer=0, pooling="mean"),),
        (Block(layer=2, pooling="cls"), Block(layer=0, pooling="max")),
    ],
    ids=lambda blocks: ",".join(map(str, blocks))[:40],
)
def test_features_are_the_plain_encoders(blocks: tuple[Block, ...], lengths: list[int]) -> None:
    """Whatever is pooled of which layer, whatever the lengths: within 1e-6 of the groups."""
    encoder = encoder_of()
    found, expected = (make(encoder, tuple(lengths), blocks) for make in (fused_features, plain_features))
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=1e-6)


def test_relu_is_computed_where_the_encoder_has_it() -> None:
    """The activation is the configuration's."""
    values = {**SIZES.to_hugging_face(), "activation": "relu"}
    encoder = encoder_of(EncoderConfig(**{name: value for name, value in values.items() if name != "model_type"}))
    found, expected = (make(encoder, (3, 9), CLS) for make in (fused_features, plain_features))
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=1e-6)


def test_weights_are_its_own() -> None:
    """Later changes of the encoder do not reach it, its own names stay, and nothing of it is written to."""
    encoder = encoder_of()
    before = {name: values.clone() for name, values in encoder.state_dict().items()}
    fused = FusedEncoder(encoder, attend_by_mask, device=CPU, dtype=torch.float32)
    texts = pack_texts(draw_texts((3, 9)).take([0, 1]), CPU)
    with torch.inference_mode():
        first = fused.features(texts, CLS)
    assert encoder.state_dict().keys() == before.keys()
    assert all(torch.equal(values, before[name]) for name, values in encoder.state_dict().items())
    with torch.no_grad():
        for values in encoder.parameters():
            values.add_(1.0)
    with torch.inference_mode():
        assert torch.equal(fused.features(texts, CLS), first)


class Watched(TorchDispatchMode):
    """Remembers calls and the rows of products; refuses whatever waits for the device, leaves it, or asks by a mask."""

    REFUSED = ("_local_scalar_dense", "nonzero", "masked_select")

    def __init__(self, device: torch.device) -> None:
        super().__init__()
        self.device = device
        self.calls: list[str] = []
        self.product_rows: list[int] = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # torch's own signature
        name = str(func)
        assert not any(word in name for word in self.REFUSED), f"{name} waits for a number"
        found = func(*args, **(kwargs or {}))
        for one in tree_leaves((args, found)):
            if isinstance(one, torch.Tensor):
                assert one.device == self.device, f"{name} leaves the device"
                assert one.dtype != torch.bool or "index" not in name, f"{name} indexes by a mask"
        self.calls.append(name)
        if name.startswith(("aten.addmm", "aten.linear")):
            self.product_rows.append(len(found))
        return found


def watched(lengths: tuple[int, ...], device: torch.device) -> Watched:
    """Compute [CLS] of the last layer under watch: on the CPU by a mask, on the meta device by torch's own kernel."""
    attention = attend_by_mask if device == CPU else varlen_attention()
    dtype = torch.float32 if device == CPU else torch.bfloat16
    fused = FusedEncoder(encoder_of(), attention, device=device, dtype=dtype)
    texts = pack_texts(draw_texts(lengths).take(range(len(lengths))), device)
    with torch.inference_mode(), Watched(device) as watching:
        fused.features(texts, CLS)
    return watching


@pytest.mark.parametrize("device", [CPU, META], ids=str)
def test_nothing_waits_for_a_number(device: torch.device) -> None:
    """Nothing is read back, copied to the host, or indexed by a mask; and calls do not grow with the texts."""
    pytest.importorskip("torch.nn.attention.varlen", reason="this torch has no variable-length attention")
    few, many = (watched(lengths, device) for lengths in ((3, 9), (2, 64, 7, 7, 1) * 20))
    assert few.calls == many.calls
    if device == META:
        assert sum("_varlen_attn" in call for call in few.calls) == SIZES.n_layers
        assert not any("eq" in call or "scaled_dot" in call for call in few.calls)


def test_queries_keys_and_values_are_one_product() -> None:
    """A whole layer has four: of queries, keys and values, of what was mixed, and two of the feed-forward net."""
    watching = watched((3, 9, 4), META)
    assert watching.product_rows[:8] == [16] * 8


def test_of_the_last_layer_only_first_tokens_are_computed() -> None:
    """Where [CLS] alone is wanted: keys and values of all 16 tokens, everything else of three rows."""
    watching = watched((3, 9, 4), META)
    assert sorted(watching.product_rows[8:]) == [3, 3, 3, 3, 16]


def test_precision_is_that_of_the_layers_alone() -> None:
    """In bfloat16 features come in float32, and are near."""
    encoder = encoder_of()
    texts = pack_texts(draw_texts((3, 9, 30)).take([0, 1, 2]), CPU)
    blocks = blocks_for("layers", None, 3)
    with torch.inference_mode():
        found = FusedEncoder(encoder, attend_by_mask, device=CPU, dtype=torch.bfloat16).features(texts, blocks)
    assert found.dtype == torch.float32
    expected = plain_features(encoder, (3, 9, 30), blocks).numpy()
    assert np.abs(found.numpy() - expected).max() < 0.2
    assert np.corrcoef(found.numpy().ravel(), expected.ravel())[0, 1] > 0.999
