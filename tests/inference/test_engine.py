"""The engine: features in the order of the texts, whatever the batches."""

from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import torch

from limbeck.errors import NoMemoryError, SettingsError, WeightsError
from limbeck.inference.engine import Engine
from limbeck.inference.native_engine import NativeEngine
from limbeck.inference.torch_engine import TorchEngine
from limbeck.model.blocks import Block, blocks_for
from limbeck.model.config import EncoderConfig
from limbeck.model.encoder import Encoder
from limbeck.model.loaded_encoder import LoadedEncoder
from limbeck.model.pooling import pool
from limbeck.native import kernels
from limbeck.native.kernels import Kernels
from limbeck.tokens import Tokenized

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


class Pretended:
    """Functions of the compiled library, as Python; they compute nothing, on any machine."""

    def __init__(self) -> None:
        self.chunks = 0
        self.answer = 0

    def limbeck_packed_bytes(self, n_out: int, n_in: int) -> int:
        """Take two bytes a weight."""
        return 2 * n_out * n_in

    def limbeck_pack(self, *_arguments: object) -> None:
        """Pack nothing."""

    def limbeck_workplace(self, *_arguments: object) -> int:
        """Give an address that nobody reads."""
        return 1

    def limbeck_leave(self, _address: int) -> None:
        """Free nothing."""

    def limbeck_encode(self, *_arguments: object) -> int:
        """Answer as told."""
        self.chunks += 1
        return self.answer


@pytest.fixture
def library() -> Pretended:
    """A library that computes nothing."""
    return Pretended()


@pytest.fixture
def wide_loaded(tiny_loaded: LoadedEncoder) -> LoadedEncoder:
    """An encoder that the compiled kernels could compute."""
    torch.manual_seed(5)
    sizes = EncoderConfig(vocab_size=20, dim=32, n_layers=2, n_heads=1, hidden_dim=64, max_position_embeddings=24)
    return replace(tiny_loaded, encoder=Encoder(sizes).eval())


@pytest.fixture
def native(library: Pretended, wide_loaded: LoadedEncoder) -> NativeEngine:
    """The native engine over that library."""
    return NativeEngine(wide_loaded, _kernels(library), threads=3)


def _kernels(library: Pretended) -> Kernels:
    return Kernels(
        library=cast("kernels.ctypes.CDLL", library),
        name="pretended",
        path=Path("none"),
        origin="compiled",
        digest="0",
        about=kernels.About(chunk_tokens=512, width_step=32, score_unit=1.0, is_bf16=True),
    )


def _drawn(*lengths: int) -> Tokenized:
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    return Tokenized(
        ids=np.full(offsets[-1], 7, np.int32), offsets=offsets, cut_tokens=np.zeros(len(lengths), np.int32)
    )


@pytest.mark.parametrize("engine_of", ["torch", "torch bfloat16", "native"])
@pytest.mark.parametrize(
    ("lengths", "layer", "token", "message"),
    [
        ((0,), 2, 7, "text 0 has no token"),
        ((3, 4, 0), 2, 7, "text 2 has no token"),
        ((0,) * 600, 2, 7, "text 0 has no token"),
        ((25,), 2, 7, "25 tokens does not fit the encoder's 24 positions"),
        ((3,), 3, 7, "layer 3 does not exist"),
        ((3,), -1, 7, "layer -1 does not exist"),
        ((3,), 2, 20, "not in the encoder's vocabulary"),
        ((3,), 2, -1, "not in the encoder's vocabulary"),
    ],
)
def test_every_engine_refuses_what_does_not_fit(
    native: NativeEngine,
    wide_loaded: LoadedEncoder,
    engine_of: str,
    lengths: tuple[int, ...],
    layer: int,
    token: int,
    message: str,
) -> None:
    """Empty or too long a text, an unknown layer, an unknown id: an error of ours, and nothing reads past an array."""
    engine: Engine = native
    if engine_of != "native":
        engine = TorchEngine(wide_loaded, device="cpu", precision="bfloat16" if "bf" in engine_of else "float32")
    texts = _drawn(*lengths)
    texts.ids[-1:] = token
    with pytest.raises(SettingsError, match=message):
        engine.features(texts, (Block(layer=layer, pooling="mean"),))


def test_workers_stop_at_the_first_failure(native: NativeEngine, library: Pretended) -> None:
    """A chunk that fails ends the work of all threads, not only of its own; the error says what to do."""
    library.answer = kernels.NO_THREADS
    texts = _drawn(*(24,) * 21 * 100)  # 100 chunks of different texts
    texts.ids[:] = np.random.default_rng(0).integers(0, 20, len(texts.ids))
    with pytest.raises(NoMemoryError, match="no more threads for a chunk of 504 tokens"):
        native.features(texts, blocks_for("mean", None, 2))
    assert 1 <= library.chunks <= 3
    library.answer = 0
    native.features(texts, blocks_for("mean", None, 2))
    assert library.chunks > 100


def test_a_packed_encoder_shares_its_words_only(native: NativeEngine, wide_loaded: LoadedEncoder) -> None:
    """Steps of an optimizer that write in place do not reach an open engine: not its biases, norms or positions."""
    kept = native._packed._kept
    shared = {
        name
        for name, weight in wide_loaded.encoder.named_parameters()
        if any(np.shares_memory(weight.detach().numpy(), array) for array in kept)
    }
    assert shared == {"embeddings.word_embeddings.weight"}


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("name", ["transformer.layer.1.attention.q_lin.weight", "embeddings.word_embeddings.weight"])
def test_a_broken_weight_is_refused(library: Pretended, wide_loaded: LoadedEncoder, name: str, value: float) -> None:
    """The kernels would make finite vectors of scores that are no numbers, so they are never given any."""
    with torch.no_grad():
        wide_loaded.encoder.get_parameter(name).view(-1)[3] = value
    with pytest.raises(WeightsError, match="not finite numbers"):
        NativeEngine(wide_loaded, _kernels(library))


def test_a_loaded_encoder_stays_as_it_is(tiny_loaded: LoadedEncoder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Engines elsewhere, or beside a training, neither move the encoder that they share nor end its training."""
    tiny_loaded.encoder.train()
    texts, blocks = tiny_loaded.tokenizer.encode(TEXTS), blocks_for("mean", None, 2)
    here = TorchEngine(tiny_loaded, device="cpu")
    before = here.features(texts, blocks)
    monkeypatch.setattr("limbeck.inference.torch_engine.choose_device", lambda _device: torch.device("meta"))
    there = TorchEngine(tiny_loaded, device="cuda")
    assert {weight.device.type for weight in there._encoder.parameters()} == {"meta"}
    assert {weight.device.type for weight in tiny_loaded.encoder.parameters()} == {"cpu"}
    assert all(module.training for module in tiny_loaded.encoder.modules())
    np.testing.assert_array_equal(here.features(texts, blocks), before)


def test_float32_on_the_cpu_shares_the_weights(tiny_loaded: LoadedEncoder) -> None:
    """No second copy is held, and a changed weight is seen."""
    engine, texts = TorchEngine(tiny_loaded, device="cpu"), tiny_loaded.tokenizer.encode(TEXTS)
    before = engine.features(texts, blocks_for("mean", None, 2))
    with torch.no_grad():
        tiny_loaded.encoder.transformer.layer[1].output_layer_norm.bias.add_(1.0)
    np.testing.assert_allclose(engine.features(texts, blocks_for("mean", None, 2)), before + 1.0, atol=1e-5)
