"""The native engine against the plain encoder, on every library that runs here: near features, the same bits."""

import threading
from collections import Counter
from dataclasses import replace
from pathlib import Path

import hypothesis
import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from tests.conformance.drawn import LENGTHS, draw_texts, make_loaded

from limbeck import runtime
from limbeck.errors import SettingsError
from limbeck.inference.certificate import certify, cosine_distances
from limbeck.inference.certificate_texts import one_after_other
from limbeck.inference.native_engine import USUAL_WIDTH_STEP, NativeEngine, why_not
from limbeck.inference.torch_engine import TorchEngine
from limbeck.model.blocks import Block, blocks_for
from limbeck.model.loaded_encoder import LoadedEncoder
from limbeck.native.kernels import FeatureArrays, Kernels, TextArrays
from limbeck.tokens import Tokenizer

SHAPES = {
    "narrow heads": {"dim": 96, "n_heads": 3, "hidden_dim": 160},
    "wide heads": {"dim": 128, "n_heads": 2, "hidden_dim": 96},
    "one head": {"dim": 96, "n_heads": 1, "hidden_dim": 32},
    "relu": {"dim": 64, "n_heads": 2, "hidden_dim": 128, "activation": "relu"},
    "more than a slice": {"dim": 64, "n_heads": 1, "hidden_dim": 1600},
    "wider than a slice": {"dim": 832, "n_heads": 13, "hidden_dim": 64},
}
CLOSE = {True: 3e-4, False: 1e-4}
"""Cosine distance of a text's vector from float32, with products of bfloat16 and of float32: of drawn weights, many
times what the embedded encoder shows."""


@pytest.fixture(scope="module")
def drawn(tiny_tokenizer: Tokenizer) -> LoadedEncoder:
    """A small encoder with narrow heads."""
    return make_loaded(tiny_tokenizer, **SHAPES["narrow heads"])


@pytest.mark.parametrize("shape", SHAPES)
def test_features_agree_with_the_plain_encoder(library: Kernels, tiny_tokenizer: Tokenizer, shape: str) -> None:
    """Every pooling of every layer, over lengths around the edges of tiles."""
    loaded = make_loaded(tiny_tokenizer, **SHAPES[shape])
    exact, native = TorchEngine(loaded, device="cpu"), NativeEngine(loaded, library)
    # The references are slow: the wide encoder computes the short ones.
    texts = draw_texts(LENGTHS[:8] if shape == "wider than a slice" else LENGTHS)
    blocks = blocks_for("layers", None, 2)
    left, right = exact.features(texts, blocks), native.features(texts, blocks)
    assert right.dtype == np.float32
    width = native.width
    for place, block in enumerate(blocks):
        columns = slice(place * width, (place + 1) * width)
        assert cosine_distances(left[:, columns], right[:, columns]).max() < CLOSE[library.about.is_bf16], str(block)


def test_embeddings_are_exact(library: Kernels, tiny_tokenizer: Tokenizer) -> None:
    """Hidden state 0 knows no bfloat16."""
    loaded = make_loaded(tiny_tokenizer, **SHAPES["narrow heads"])
    texts, blocks = draw_texts(LENGTHS), (Block(layer=0, pooling="mean"), Block(layer=0, pooling="max"))
    np.testing.assert_allclose(
        NativeEngine(loaded, library).features(texts, blocks),
        TorchEngine(loaded, device="cpu").features(texts, blocks),
        atol=2e-5,
    )


def test_cls_alone_takes_the_short_way(library: Kernels, tiny_tokenizer: Tokenizer) -> None:
    """[CLS] of the last layer is the same when the other rows of that layer are not computed."""
    native = NativeEngine(make_loaded(tiny_tokenizer, **SHAPES["wide heads"]), library)
    texts = draw_texts((*LENGTHS, *(2,) * 70, *LENGTHS))
    short_way = native.features(texts, blocks_for("cls", 2, 2))
    both = native.features(texts, (Block(layer=2, pooling="cls"), Block(layer=2, pooling="mean")))
    np.testing.assert_array_equal(short_way, both[:, : native.width])
    earlier = native.features(texts, (Block(layer=1, pooling="max"), Block(layer=2, pooling="cls")))
    np.testing.assert_array_equal(earlier[:, native.width :], short_way)


def test_the_number_of_threads_changes_no_bit(library: Kernels, tiny_tokenizer: Tokenizer) -> None:
    """One worker or two (the rest of the contract of an engine: tests/conformance/test_engine.py)."""
    loaded = make_loaded(tiny_tokenizer, **SHAPES["narrow heads"])
    texts, blocks = draw_texts(LENGTHS * 12), blocks_for("layers", None, 2)
    native = NativeEngine(loaded, library, threads=2)
    first = native.features(texts, blocks)
    np.testing.assert_array_equal(NativeEngine(loaded, library, threads=1).features(texts, blocks), first)


@pytest.mark.parametrize("lengths", [(2,), (22,), (300,), (5, 40, 33)])
def test_a_team_gives_the_same_bits_as_one_thread(
    library: Kernels, tiny_tokenizer: Tokenizer, lengths: tuple[int, ...]
) -> None:
    """Threads that share one chunk compute what one thread computes."""
    native = NativeEngine(make_loaded(tiny_tokenizer, **SHAPES["more than a slice"]), library, threads=3)
    texts = draw_texts(lengths)
    for blocks in (blocks_for("layers", None, 2), blocks_for("cls", None, 2)):
        alone = native.features(texts, blocks)
        for count in (2, 3):
            native.one_text_threads = count
            np.testing.assert_array_equal(native.features(texts, blocks), alone)
        native.one_text_threads = 1
    with pytest.raises(SettingsError, match="this engine has 3 threads"):
        native.one_text_threads = 4


def test_an_engine_takes_the_threads_that_its_process_was_given(
    drawn: LoadedEncoder, quick_library: Kernels, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that nobody bound to cores sees all of them, and has a share."""
    assert NativeEngine(drawn, quick_library).threads == runtime.usable_cores()
    monkeypatch.setattr(runtime, "_given_threads", 3)
    assert NativeEngine(drawn, quick_library).threads == 3


def test_odd_widths_are_named(tiny_loaded: LoadedEncoder, library: Kernels) -> None:
    """The tiny encoder is 16 wide: the reason says so."""
    assert why_not(tiny_loaded.config) == "the encoder's dim = 16, dim / n_heads = 4 is not a multiple of 32"
    with pytest.raises(SettingsError, match="use the torch engine"):
        NativeEngine(tiny_loaded, library)
    assert library.about.width_step == USUAL_WIDTH_STEP  # so that none is compiled for an encoder of other widths


def test_a_pooling_that_kernels_lack_is_named(drawn: LoadedEncoder, quick_library: Kernels) -> None:
    """One that only torch has is refused with what to do, not with a failure inside."""
    with pytest.raises(SettingsError, match=r"does not know the pooling 'last'.*torch-float32"):
        NativeEngine(drawn, quick_library).features(draw_texts((3,)), (Block(layer=2, pooling="last"),))


@pytest.mark.slow
@pytest.mark.encoder
def test_the_embedded_encoder_is_certified(quick_library: Kernels, minilm: LoadedEncoder) -> None:
    """Drift and flips keep the limits with room to spare: no label changes, vectors stay within half of them."""
    found = certify({"native": NativeEngine(minilm, quick_library)}, TorchEngine(minilm, device="cpu"))["native"]
    assert found.passed
    assert found.flips == 0
    assert found.worst_cosine_distance < (1e-4 if quick_library.about.is_bf16 else 5e-5)


@pytest.mark.slow
@pytest.mark.encoder
@pytest.mark.shared
def test_emotion_validation_drift(quick_library: Kernels, minilm: LoadedEncoder) -> None:
    """On emotion's validation tweets vectors move by at most 5e-5 in cosine distance."""
    path = Path(__file__).parents[3] / "shared" / "data" / "emotion" / "val.txt"
    if not path.is_file():
        pytest.skip("emotion is absent: ../shared/data/emotion")
    texts = [line.rpartition(";")[0] for line in path.read_text("utf-8").splitlines()][::10]
    tokenized, blocks = minilm.tokenizer.encode(texts), blocks_for("mean", None, 6)
    exact = TorchEngine(minilm, device="cpu").features(tokenized, blocks)
    assert cosine_distances(exact, NativeEngine(minilm, quick_library).features(tokenized, blocks)).max() < 5e-5


def test_a_packed_encoder_is_a_snapshot(library: Kernels, tiny_tokenizer: Tokenizer) -> None:
    """Weights that change later do not reach an open engine's layers."""
    loaded = make_loaded(tiny_tokenizer, **SHAPES["relu"])
    native, texts, blocks = NativeEngine(loaded, library), draw_texts(LENGTHS), blocks_for("cls", None, 2)
    before = native.features(texts, blocks)
    with torch.no_grad():
        loaded.encoder.transformer.layer[0].ffn.lin1.weight.zero_()
    np.testing.assert_array_equal(native.features(texts, blocks), before)
    renewed = NativeEngine(replace(loaded), library)
    assert not np.array_equal(renewed.features(texts, blocks), before)


@hypothesis.settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    lengths=st.lists(st.integers(1, 40), max_size=30),
    repeats=st.integers(1, 3),
    threads=st.integers(1, 4),
    budget=st.sampled_from([None, 1, 50]),
)
def test_any_texts_on_any_threads(
    library: Kernels, drawn: LoadedEncoder, lengths: list[int], repeats: int, threads: int, budget: int | None
) -> None:
    """No texts, texts of one token, equal ones: row n is text n, whatever threads and chunks."""
    texts, blocks = draw_texts(tuple(lengths) * repeats), blocks_for("layers", None, 2)
    native = NativeEngine(drawn, library, threads=threads)
    native.one_text_threads = threads
    found = native.features(texts, blocks, token_budget=budget)
    expected = TorchEngine(drawn, device="cpu").features(texts, blocks)
    assert found.shape == expected.shape
    for start in range(0, found.shape[1], native.width):
        columns = slice(start, start + native.width)
        distances_N = cosine_distances(expected[:, columns], found[:, columns])
        assert distances_N.max(initial=0) < CLOSE[library.about.is_bf16]


def test_texts_of_every_length_have_the_bits_that_they_have_alone(library: Kernels, tiny_tokenizer: Tokenizer) -> None:
    """Whatever stands before a text and after it, on any number of threads: where its keys lie changes no bit."""
    texts, loaded = draw_texts((*range(1, 71), 513)), make_loaded(tiny_tokenizer, **SHAPES["narrow heads"])
    with torch.no_grad():
        for layer in loaded.encoder.transformer.layer:
            # In sums of numbers that are alike an order is rarely seen.
            layer.attention.q_lin.weight.mul_(4)
    alone = NativeEngine(loaded, library, threads=1)
    for blocks in (blocks_for("layers", None, 2), blocks_for("cls", None, 2)):
        expected = np.concatenate([alone.features(texts.take([row]), blocks) for row in range(len(texts))])
        for seed, budget in enumerate((None, 200)):
            rows = np.random.default_rng(seed).permutation(len(texts))
            moved, threads = texts.take(rows), 2 * seed + 1
            native = NativeEngine(loaded, library, threads=threads)
            native.one_text_threads = threads
            found = native.features(moved, blocks, token_budget=budget)
            np.testing.assert_array_equal(found, expected[rows], f"{threads} threads, {budget} tokens")


def test_equal_texts_are_computed_once(library: Kernels, drawn: LoadedEncoder) -> None:
    """They get the same bits, and each stands where it was."""
    one, other = draw_texts((5,)), draw_texts((9,), seed=1)
    texts = one_after_other(one_after_other(other, one), one_after_other(one, other))
    native, done = NativeEngine(drawn, library, threads=1), []
    native._library = Counting(library.library, done)
    found = native.features(texts, blocks_for("mean", None, 2))
    assert sum(done) == 2
    np.testing.assert_array_equal(found[0], found[3])
    np.testing.assert_array_equal(found[1], found[2])
    np.testing.assert_array_equal(found[[1]], native.features(one, blocks_for("mean", None, 2)))


class HandingOn:
    """The functions of a library."""

    def __init__(self, library: object) -> None:
        self._library = library

    def __getattr__(self, name: str) -> object:
        """Hand on."""
        return getattr(self._library, name)


class Counting(HandingOn):
    """The texts that are encoded are counted."""

    def __init__(self, library: object, done: list[int]) -> None:
        super().__init__(library)
        self._done = done

    def limbeck_encode(self, model: int, place: int, threads: int, texts: TextArrays, out: FeatureArrays) -> int:
        """Count the texts, and encode them."""
        self._done.append(texts.count)
        return self._library.limbeck_encode(model, place, threads, texts, out)


def test_a_slow_core_takes_fewer_chunks(library: Kernels, drawn: LoadedEncoder) -> None:
    """Workers take one chunk after another: who is as slow as all others together does one, and holds up nobody."""
    texts, blocks, chunks = draw_texts((7,) * 9), blocks_for("mean", None, 2), 9
    native = NativeEngine(drawn, library, threads=2)
    expected = native.features(texts, blocks)
    native._library = OneSlowWorker(library.library, chunks)
    np.testing.assert_array_equal(native.features(texts, blocks, token_budget=7), expected)
    assert sorted(Counter(native._library.workers).values()) == [1, chunks - 1]


class OneSlowWorker(HandingOn):
    """Whoever comes first is on a slow core: it is not done with its chunk before all others are."""

    def __init__(self, library: object, chunks: int) -> None:
        super().__init__(library)
        self._chunks, self._lock, self._others_done = chunks, threading.Lock(), threading.Event()
        self.workers: list[int] = []

    def limbeck_encode(self, model: int, place: int, threads: int, texts: TextArrays, out: FeatureArrays) -> int:
        """Encode, note who did, and let the first one wait."""
        with self._lock:
            self.workers.append(threading.get_ident())
            place_in_line = len(self.workers)
        answer = self._library.limbeck_encode(model, place, threads, texts, out)
        if place_in_line == self._chunks:
            self._others_done.set()
        if place_in_line == 1:
            assert self._others_done.wait(60)
        return answer
