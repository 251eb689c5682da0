"""The native engine against the plain encoder: the same features within bfloat16, the same bits each time."""

import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from limbeck.errors import SettingsError
from limbeck.inference.certificate import certify, cosine_distances
from limbeck.inference.native_engine import NativeEngine, why_not
from limbeck.inference.torch_engine import TorchEngine
from limbeck.model.config import EncoderConfig
from limbeck.model.encoder import Encoder
from limbeck.model.loaded_encoder import LoadedEncoder
from limbeck.model.pooling import Block, blocks_for
from limbeck.model.weights import fingerprint_of
from limbeck.native.kernels import Kernels, NoKernels, find_kernels
from limbeck.tokens import Tokenized, Tokenizer

SHAPES = {
    "narrow heads": {"dim": 96, "n_heads": 3, "hidden_dim": 160},
    "wide heads": {"dim": 128, "n_heads": 2, "hidden_dim": 96},
    "one head": {"dim": 96, "n_heads": 1, "hidden_dim": 32},
    "relu": {"dim": 64, "n_heads": 2, "hidden_dim": 128, "activation": "relu"},
    "more than a slice": {"dim": 64, "n_heads": 1, "hidden_dim": 1600},
    "wider than a slice": {"dim": 832, "n_heads": 13, "hidden_dim": 64},
}
LENGTHS = (2, 3, 15, 16, 17, 31, 32, 33, 64, 100, 129, 300)
CLOSE = 3e-4
"""Cosine distance of a text's vector from float32: drawn weights, twice what the embedded encoder shows."""


@pytest.fixture(scope="module")
def kernels() -> Kernels:
    """The kernels of this machine."""
    found = find_kernels()
    if isinstance(found, NoKernels):
        pytest.skip(f"no kernels here: {found.reason}")
    return found


def make_loaded(tokenizer: Tokenizer, *, dim: int, **sizes: object) -> LoadedEncoder:
    """Draw an encoder whose texts differ: scores, biases and norms are far from trivial."""
    torch.manual_seed(3)
    config = EncoderConfig(
        vocab_size=20, dim=dim, n_layers=2, max_position_embeddings=600, initializer_range=dim**-0.5, **sizes
    )
    encoder = Encoder(config).eval()
    with torch.no_grad():
        for name, values in encoder.named_parameters():
            if name.endswith("bias"):
                values.normal_(0, 0.1)
            elif "norm" in name.lower():
                values.normal_(1, 0.1)
    return LoadedEncoder(name="drawn", tokenizer=tokenizer, encoder=encoder, fingerprint=fingerprint_of(encoder))


def draw_texts(lengths: tuple[int, ...], seed: int = 0) -> Tokenized:
    """Draw texts of these lengths."""
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    ids = np.random.default_rng(seed).integers(0, 20, int(offsets[-1]), dtype=np.int32)
    return Tokenized(ids=ids, offsets=offsets, cut_tokens=np.zeros(len(lengths), np.int32))


@pytest.mark.parametrize("shape", SHAPES)
def test_features_agree_with_the_plain_encoder(kernels: Kernels, tiny_tokenizer: Tokenizer, shape: str) -> None:
    """Every pooling of every layer, over lengths around the edges of tiles."""
    loaded = make_loaded(tiny_tokenizer, **SHAPES[shape])
    exact, native = TorchEngine(loaded, device="cpu"), NativeEngine(loaded, kernels)
    texts, blocks = draw_texts(LENGTHS), blocks_for("layers", None, 2)
    left, right = exact.features(texts, blocks), native.features(texts, blocks)
    assert right.dtype == np.float32
    width = native.width
    for place, block in enumerate(blocks):
        columns = slice(place * width, (place + 1) * width)
        assert cosine_distances(left[:, columns], right[:, columns]).max() < CLOSE, str(block)


def test_embeddings_are_exact(kernels: Kernels, tiny_tokenizer: Tokenizer) -> None:
    """Hidden state 0 knows no bfloat16."""
    loaded = make_loaded(tiny_tokenizer, **SHAPES["narrow heads"])
    texts, blocks = draw_texts(LENGTHS), (Block(layer=0, pooling="mean"), Block(layer=0, pooling="max"))
    np.testing.assert_allclose(
        NativeEngine(loaded, kernels).features(texts, blocks),
        TorchEngine(loaded, device="cpu").features(texts, blocks),
        atol=2e-5,
    )


def test_cls_alone_takes_the_short_way(kernels: Kernels, tiny_tokenizer: Tokenizer) -> None:
    """[CLS] of the last layer is the same when the other rows of that layer are not computed."""
    native = NativeEngine(make_loaded(tiny_tokenizer, **SHAPES["wide heads"]), kernels)
    texts = draw_texts((*LENGTHS, *(2,) * 70, *LENGTHS))
    short_way = native.features(texts, blocks_for("cls", 2, 2))
    both = native.features(texts, (Block(layer=2, pooling="cls"), Block(layer=2, pooling="mean")))
    np.testing.assert_allclose(short_way, both[:, : native.width], atol=1e-6)
    earlier = native.features(texts, (Block(layer=1, pooling="max"), Block(layer=2, pooling="cls")))
    np.testing.assert_array_equal(earlier[:, native.width :], short_way)


def test_the_same_call_gives_the_same_bits(kernels: Kernels, tiny_tokenizer: Tokenizer) -> None:
    """Whatever the number of threads, and when several callers compute at once."""
    loaded = make_loaded(tiny_tokenizer, **SHAPES["narrow heads"])
    texts, blocks = draw_texts(LENGTHS * 12), blocks_for("layers", None, 2)
    native = NativeEngine(loaded, kernels, threads=2)
    first = native.features(texts, blocks)
    np.testing.assert_array_equal(NativeEngine(loaded, kernels, threads=1).features(texts, blocks), first)
    found: list[np.ndarray] = []
    callers = [threading.Thread(target=lambda: found.append(native.features(texts, blocks))) for _ in range(4)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert len(found) == 4
    for one in found:
        np.testing.assert_array_equal(one, first)


@pytest.mark.parametrize("lengths", [(2,), (22,), (300,), (5, 40, 33)])
def test_a_team_gives_the_same_bits_as_one_thread(
    kernels: Kernels, tiny_tokenizer: Tokenizer, lengths: tuple[int, ...]
) -> None:
    """Threads that share one chunk compute what one thread computes."""
    native = NativeEngine(make_loaded(tiny_tokenizer, **SHAPES["more than a slice"]), kernels, threads=3)
    texts = draw_texts(lengths)
    for blocks in (blocks_for("layers", None, 2), blocks_for("cls", None, 2)):
        alone = native.features(texts, blocks)
        for count in (2, 3):
            native.one_text_threads = count
            np.testing.assert_array_equal(native.features(texts, blocks), alone)
        native.one_text_threads = 1
    with pytest.raises(SettingsError, match="this engine has 3 threads"):
        native.one_text_threads = 4


def test_texts_above_a_chunk_and_no_texts(kernels: Kernels, tiny_tokenizer: Tokenizer) -> None:
    """A text longer than a chunk has memory of its own; no texts give no rows."""
    loaded = make_loaded(tiny_tokenizer, **SHAPES["wide heads"])
    native, exact = NativeEngine(loaded, kernels), TorchEngine(loaded, device="cpu")
    texts, blocks = draw_texts((600, 3, 550)), blocks_for("mean", None, 2)
    assert cosine_distances(exact.features(texts, blocks), native.features(texts, blocks)).max() < CLOSE
    assert native.features(draw_texts(()), blocks).shape == (0, 128)


def test_what_does_not_fit_is_refused(kernels: Kernels, tiny_tokenizer: Tokenizer) -> None:
    """Too long a text, an unknown layer, an unknown id: nothing reads past an array."""
    native = NativeEngine(make_loaded(tiny_tokenizer, **SHAPES["relu"]), kernels)
    blocks = blocks_for("mean", None, 2)
    with pytest.raises(SettingsError, match="601 tokens does not fit the encoder's 600 positions"):
        native.features(draw_texts((601,)), blocks)
    with pytest.raises(SettingsError, match="layer 3 does not exist"):
        native.features(draw_texts((4,)), (Block(layer=3, pooling="cls"),))
    wrong = draw_texts((4,))
    wrong.ids[2] = 20
    with pytest.raises(SettingsError, match="not in the encoder's vocabulary"):
        native.features(wrong, blocks)


def test_odd_widths_are_named(tiny_loaded: LoadedEncoder, kernels: Kernels) -> None:
    """The tiny encoder is 16 wide: the reason says so."""
    assert why_not(tiny_loaded.config) == "the encoder's dim = 16, dim / n_heads = 4 is not a multiple of 32"
    with pytest.raises(SettingsError, match="use the torch engine"):
        NativeEngine(tiny_loaded, kernels)


def test_large_scores_stay_finite(kernels: Kernels, tiny_tokenizer: Tokenizer) -> None:
    """Attention that is all on one key, as with very sharp weights, is computed without overflow."""
    loaded = make_loaded(tiny_tokenizer, **SHAPES["wide heads"])
    with torch.no_grad():
        for layer in loaded.encoder.transformer.layer:
            layer.attention.q_lin.weight.mul_(40)
    features = NativeEngine(loaded, kernels).features(draw_texts(LENGTHS), blocks_for("mean", None, 2))
    assert np.isfinite(features).all()


@pytest.mark.encoder
def test_the_embedded_encoder_is_certified(kernels: Kernels, minilm: LoadedEncoder) -> None:
    """Drift and flips keep the limits of issue C with room to spare."""
    found = certify({"native": NativeEngine(minilm, kernels)}, TorchEngine(minilm, device="cpu"))["native"]
    assert found.passed
    assert found.worst_cosine_distance < 2e-4


@pytest.mark.encoder
@pytest.mark.shared
def test_emotion_validation_drift(kernels: Kernels, minilm: LoadedEncoder) -> None:
    """On emotion's validation tweets vectors move by at most 1e-3 in cosine distance."""
    path = Path(__file__).parents[3] / "shared" / "data" / "emotion" / "val.txt"
    if not path.is_file():
        pytest.skip("emotion is absent: ../shared/data/emotion")
    texts = [line.rpartition(";")[0] for line in path.read_text("utf-8").splitlines()][::5]
    tokenized, blocks = minilm.tokenizer.encode(texts), blocks_for("mean", None, 6)
    exact = TorchEngine(minilm, device="cpu").features(tokenized, blocks)
    assert cosine_distances(exact, NativeEngine(minilm, kernels).features(tokenized, blocks)).max() < 1e-3


def test_a_packed_encoder_is_a_snapshot(kernels: Kernels, tiny_tokenizer: Tokenizer) -> None:
    """Weights that change later do not reach an open engine's layers."""
    loaded = make_loaded(tiny_tokenizer, **SHAPES["relu"])
    native, texts, blocks = NativeEngine(loaded, kernels), draw_texts(LENGTHS), blocks_for("cls", None, 2)
    before = native.features(texts, blocks)
    with torch.no_grad():
        loaded.encoder.transformer.layer[0].ffn.lin1.weight.zero_()
    np.testing.assert_array_equal(native.features(texts, blocks), before)
    renewed = NativeEngine(replace(loaded), kernels)
    assert not np.array_equal(renewed.features(texts, blocks), before)
