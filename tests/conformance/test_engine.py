"""The contract of an `Engine`, run over each: features of the texts, in their order, as the plain encoder has them."""

import threading
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from tests.conformance.drawn import LENGTHS, draw_texts, make_loaded
from tests.conformance.implementers import implementers
from tests.libraries import RUNNABLE, library_for, marks_of

from limbeck.errors import SettingsError
from limbeck.inference.certificate import cosine_distances
from limbeck.inference.engine import Engine
from limbeck.inference.native_engine import NativeEngine
from limbeck.inference.torch_engine import TorchEngine
from limbeck.model.blocks import Block, blocks_for
from limbeck.model.loaded_encoder import LoadedEncoder
from limbeck.model.packed_attention import attend_by_mask
from limbeck.model.pooling import pool
from limbeck.tokens import Tokenizer

Open = Callable[[LoadedEncoder], Engine]
ENGINES = {
    **dict.fromkeys(("torch float32", "torch packed"), 1e-6),
    **dict.fromkeys(("torch bfloat16", *(f"native {name}" for name in RUNNABLE)), 3e-4),
}
"""The largest cosine distance of a text's vector from the plain encoder's; of bfloat16, twice what MiniLM shows."""

QUICK_TORCH = "torch float32"
"""The one of torch's engines that the quick run asks: bfloat16 is slow where the CPU has no units for it."""


def _marks(name: str) -> list[pytest.MarkDecorator]:
    kind, last = name.split()
    return marks_of(last) if kind == "native" else [pytest.mark.slow] * (name != QUICK_TORCH)


@pytest.fixture(params=[pytest.param(name, marks=_marks(name)) for name in ENGINES])
def close(request: pytest.FixtureRequest) -> float:
    """How close the engine of this test is to the plain encoder."""
    return ENGINES[request.param]


@pytest.fixture
def open_engine(request: pytest.FixtureRequest, close: float) -> Open:
    """Open the engine of this test over an encoder."""
    name = request.node.callspec.params["close"]
    kind, which = name.split()
    if which == "packed":
        return lambda loaded: TorchEngine(loaded, device="cpu", attention=attend_by_mask)
    if kind == "torch":
        return lambda loaded: TorchEngine(loaded, device="cpu", precision=which)
    kernels = library_for(which, request)
    return lambda loaded: NativeEngine(loaded, kernels, threads=2)


@pytest.fixture
def loaded(tiny_tokenizer: Tokenizer) -> LoadedEncoder:
    """An encoder that every engine can compute."""
    return make_loaded(tiny_tokenizer, dim=96, n_heads=3, hidden_dim=160)


def plain(loaded: LoadedEncoder, texts: object, blocks: tuple[Block, ...]) -> np.ndarray:
    """What the encoder itself says of each text, alone."""
    found = []
    with torch.inference_mode():
        for row in range(len(texts)):
            batch = texts.take([row])
            found.append(pool(loaded.encoder.hidden_states(batch), torch.from_numpy(batch.offsets), blocks)[0].numpy())
    return np.stack(found)


def test_every_engine_is_here() -> None:
    """A new engine is put under contract, or this fails."""
    assert implementers("features(self, tokenized, blocks", "numerics(", "build(") == {"TorchEngine", "NativeEngine"}


def test_each_block_is_the_plain_encoders(open_engine: Open, loaded: LoadedEncoder, close: float) -> None:
    """Every pooling of every hidden state, in float32, side by side in the order asked for; row n is text n."""
    engine, texts, blocks = open_engine(loaded), draw_texts(LENGTHS), blocks_for("layers", None, 2)
    found = engine.features(texts, blocks)
    assert (found.dtype, found.shape) == (np.float32, (len(LENGTHS), len(blocks) * engine.width))
    assert (engine.width, engine.layers) == (96, 2)
    expected = plain(loaded, texts, blocks)
    for place, block in enumerate(blocks):
        columns = slice(place * engine.width, (place + 1) * engine.width)
        assert cosine_distances(expected[:, columns], found[:, columns]).max() < close, str(block)
    turned = engine.features(texts, blocks[::-1])
    np.testing.assert_array_equal(turned[:, : engine.width], found[:, -engine.width :])


def test_a_text_does_not_see_its_neighbours(open_engine: Open, loaded: LoadedEncoder, close: float) -> None:
    """In another order, with other neighbours and another budget, a text keeps its vector."""
    engine, texts, blocks = open_engine(loaded), draw_texts(LENGTHS), blocks_for("layers", None, 2)
    found, order = engine.features(texts, blocks), np.random.default_rng(1).permutation(len(LENGTHS))
    taken = texts.take(order)
    moved = draw_texts(tuple(LENGTHS[row] for row in order))
    moved.ids[:] = taken.ids
    for budget in (None, 1, 40, 100_000):
        again = engine.features(moved, blocks, token_budget=budget)
        assert cosine_distances(found[order], again).max() < close, budget


@pytest.mark.parametrize("name", [pytest.param(name, marks=marks_of(name)) for name in RUNNABLE])
def test_kernels_keep_every_bit_of_a_text(name: str, loaded: LoadedEncoder, request: pytest.FixtureRequest) -> None:
    """Alone, among others, in another order, on one thread or three: a text's vector is the same to the last bit."""
    kernels, blocks = library_for(name, request), blocks_for("layers", None, 2)
    texts, order = draw_texts(LENGTHS * 3), np.random.default_rng(1).permutation(3 * len(LENGTHS))
    taken = texts.take(order)
    moved = replace(texts, ids=taken.ids, offsets=taken.offsets.astype(np.int64))
    found = NativeEngine(loaded, kernels, threads=2).features(texts, blocks)
    for threads in (1, 3):
        engine = NativeEngine(loaded, kernels, threads=threads)
        for budget in (None, 1, 40):
            again = engine.features(moved, blocks, token_budget=budget)
            np.testing.assert_array_equal(again, found[order], f"{threads} threads, {budget} tokens")


def test_no_text_and_the_longest(open_engine: Open, loaded: LoadedEncoder, close: float) -> None:
    """No texts give no rows of the right width; a text as long as the encoder reads is read whole."""
    engine, blocks = open_engine(loaded), blocks_for("mean", None, 2)
    assert engine.features(draw_texts(()), blocks).shape == (0, 96)
    texts = draw_texts((600, 2, 599))
    assert cosine_distances(plain(loaded, texts, blocks), engine.features(texts, blocks)).max() < close
    texts.ids[599] = (texts.ids[599] + 1) % 20
    assert cosine_distances(plain(loaded, texts, blocks), engine.features(texts, blocks)).max() < close


def test_the_same_call_gives_the_same_bits(open_engine: Open, loaded: LoadedEncoder) -> None:
    """Again, from another engine of the same kind, and when several callers compute at once."""
    texts, blocks = draw_texts(LENGTHS * 4), blocks_for("layers", None, 2)
    engine = open_engine(loaded)
    first = engine.features(texts, blocks)
    np.testing.assert_array_equal(engine.features(texts, blocks), first)
    np.testing.assert_array_equal(open_engine(loaded).features(texts, blocks), first)
    found: list[np.ndarray] = []
    callers = [threading.Thread(target=lambda: found.append(engine.features(texts, blocks))) for _ in range(4)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert len(found) == 4
    for one in found:
        np.testing.assert_array_equal(one, first)


def test_sharp_attention_is_computed(open_engine: Open, loaded: LoadedEncoder) -> None:
    """Scores in the hundreds, attention all on one key: no overflow, and no farther off than torch's bfloat16 is."""
    with torch.no_grad():
        for layer in loaded.encoder.transformer.layer:
            layer.attention.q_lin.weight.mul_(40)
    texts, blocks = draw_texts(LENGTHS), blocks_for("mean", None, 2)
    expected = plain(loaded, texts, blocks)
    found = open_engine(loaded).features(texts, blocks)
    rounded = TorchEngine(loaded, device="cpu", precision="bfloat16").features(texts, blocks)
    assert np.isfinite(found).all()
    allowed = 2 * float(np.median(cosine_distances(expected, rounded))) + 1e-6
    assert float(np.median(cosine_distances(expected, found))) <= allowed


def test_what_is_read_stays_as_it_is(open_engine: Open, loaded: LoadedEncoder) -> None:
    """Neither texts nor weights are written to, and an encoder in training goes on training."""
    loaded.encoder.train()
    texts = draw_texts(LENGTHS)
    ids, weights = texts.ids.copy(), {name: one.clone() for name, one in loaded.encoder.state_dict().items()}
    open_engine(loaded).features(texts, blocks_for("layers", None, 2))
    np.testing.assert_array_equal(texts.ids, ids)
    assert all(torch.equal(one, weights[name]) for name, one in loaded.encoder.state_dict().items())
    assert all(module.training for module in loaded.encoder.modules())


def test_it_says_what_it_is(open_engine: Open, loaded: LoadedEncoder) -> None:
    """Numerics and build are words that a record can hold, the same each time: the cache is keyed by them."""
    one, other = open_engine(loaded), open_engine(loaded)
    assert one.numerics == other.numerics
    assert one.build == other.build
    assert one.numerics.strip()
    assert one.build.strip()


@pytest.mark.parametrize(
    ("lengths", "layer", "token", "message"),
    [
        ((0,), 2, 7, "text 0 has no token"),
        ((3, 4, 0), 2, 7, "text 2 has no token"),
        ((601,), 2, 7, "601 tokens does not fit the encoder's 600 positions"),
        ((3,), 3, 7, "layer 3 does not exist"),
        ((3,), -1, 7, "layer -1 does not exist"),
        ((3,), 2, 20, "not in the encoder's vocabulary"),
        ((3,), 2, -1, "not in the encoder's vocabulary"),
    ],
)
def test_what_does_not_fit_is_refused(
    open_engine: Open, loaded: LoadedEncoder, lengths: tuple[int, ...], layer: int, token: int, message: str
) -> None:
    """Empty or too long a text, an unknown layer, an unknown id: an error of ours, and nothing reads past an array."""
    texts = draw_texts(lengths)
    texts.ids[-1:] = token
    with pytest.raises(SettingsError, match=message):
        open_engine(loaded).features(texts, (Block(layer=layer, pooling="mean"),))
