"""The torch engine on packed texts, as on a GPU: the same features, in batches that suit the device."""

import itertools
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from tests.conformance.drawn import LENGTHS, draw_texts, make_loaded
from tests.gpus import AMPERE, TURING, needs_gpu

from limbeck.errors import NoMemoryError
from limbeck.inference import torch_engine
from limbeck.inference.certificate import BFLOAT16_LIMITS, cosine_distances
from limbeck.inference.torch_engine import TorchEngine, token_budgets_for
from limbeck.model.blocks import Block, blocks_for
from limbeck.model.config import EncoderConfig
from limbeck.model.loaded_encoder import LoadedEncoder
from limbeck.model.packed_attention import PackedTexts, attend_by_mask
from limbeck.runtime import GpuFeatures
from limbeck.tokens import Tokenizer

BASE = EncoderConfig(vocab_size=30_522)
MINI = EncoderConfig(vocab_size=30_522, dim=384, hidden_dim=1536)


@pytest.fixture
def loaded(tiny_tokenizer: Tokenizer) -> LoadedEncoder:
    """An encoder whose heads torch's variable-length attention can compute."""
    return make_loaded(tiny_tokenizer, dim=64, n_heads=2, hidden_dim=96)


@pytest.fixture
def engine(loaded: LoadedEncoder) -> TorchEngine:
    """The packed way on the CPU."""
    return TorchEngine(loaded, device="cpu", attention=attend_by_mask)


@pytest.mark.parametrize("pooling", ["layers", "cls", "mean"])
def test_packed_texts_have_the_features_of_groups(loaded: LoadedEncoder, engine: TorchEngine, pooling: str) -> None:
    """Within 1e-6 for each text, repeated ones too, in their order; the build says which way it was."""
    texts = draw_texts((*LENGTHS, 2, 2))
    texts.ids[-4:-2] = texts.ids[:2]  # a text that comes twice
    blocks, grouped = blocks_for(pooling, None, 2), TorchEngine(loaded, device="cpu")
    expected = grouped.features(texts, blocks)
    np.testing.assert_allclose(engine.features(texts, blocks), expected, atol=1e-6, rtol=1e-6)
    assert engine.numerics == grouped.numerics
    assert engine.build == f"{grouped.build}, packed"


def test_no_batch_has_more_texts_than_a_gpu_can_count(engine: TorchEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many texts fit the budget, a batch has at most so many; none is lost."""
    blocks, texts = blocks_for("mean", None, 2), draw_texts((2, 3, 4) * 5)
    expected, counts = engine.features(texts, blocks), []
    compute = engine._encoder.features

    def counted(packed: PackedTexts, blocks: Sequence[Block]) -> torch.Tensor:
        counts.append(len(packed.tokens.offsets) - 1)
        return compute(packed, blocks)

    monkeypatch.setattr(engine._encoder, "features", counted)
    monkeypatch.setattr(torch_engine, "MOST_PACKED_TEXTS", 4)
    np.testing.assert_allclose(engine.features(texts, blocks), expected, atol=1e-6)
    assert max(counts) == 4


def test_a_full_gpu_says_what_to_do(engine: TorchEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    """One line of ours, with the number of tokens and what to type."""

    def refuse(*_given: object) -> None:
        raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    monkeypatch.setattr(engine._encoder, "features", refuse)
    with pytest.raises(NoMemoryError, match=r"not enough for 4,096 tokens at a time: .*--device cpu"):
        engine.features(draw_texts((3, 4)), blocks_for("mean", None, 2))


@pytest.mark.parametrize("most_bytes", [0, 100, 10**9])
def test_results_are_copied_together(most_bytes: int) -> None:
    """Each row comes to its place, in few copies or many; nothing is copied before there is enough of it."""
    into, rows = np.full((7, 3), -1.0, np.float32), [[4, 0], [6], [1, 2, 3], [5]]
    gathered = torch_engine._Gathered(into, most_bytes=most_bytes)
    for part in rows:
        gathered.add(np.array(part), torch.tensor(part, dtype=torch.float32)[:, None].repeat(1, 3))
        assert most_bytes != 0 or into[part, 0].tolist() == part
        assert most_bytes != 10**9 or (into == -1).all()
    gathered.copy()
    gathered.copy()  # of nothing
    assert into.tolist() == [[row] * 3 for row in range(7)]


@pytest.mark.parametrize(
    ("gpu", "config", "is_packed", "budgets"),
    [
        (AMPERE, BASE, True, (65_536, 131_072, 262_144)),
        (replace(AMPERE, memory_bytes=16 * 2**30), BASE, True, (65_536, 131_072)),
        (replace(AMPERE, memory_bytes=16 * 2**30), MINI, True, (65_536, 131_072, 262_144)),
        (replace(AMPERE, memory_bytes=2 * 2**30), BASE, True, (16_384,)),
        (AMPERE, BASE, False, (16_384,)),
        (TURING, BASE, False, (16_384,)),
        (None, BASE, False, (2_048,)),
    ],
)
def test_budgets_fit_the_gpu(
    gpu: GpuFeatures | None,
    config: EncoderConfig,
    is_packed: bool,
    budgets: tuple[int, ...],
) -> None:
    """Several large ones to be measured where texts attend packed, as its memory allows; a CPU keeps its own."""
    assert token_budgets_for(gpu, "bfloat16", config, is_packed=is_packed) == budgets


def test_cpus_keep_their_budgets(loaded: LoadedEncoder) -> None:
    """4,096 tokens in float32 and 2,048 in bfloat16, and no choice."""
    for precision, budget in (("float32", 4_096), ("bfloat16", 2_048)):
        engine = TorchEngine(loaded, device="cpu", precision=precision)
        assert (engine.token_budgets, engine.token_budget) == ((budget,), budget)


def test_a_budget_that_is_set_is_used(engine: TorchEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    """By every later call that gives none."""
    texts, blocks, counts = draw_texts((5, 6, 7, 8)), blocks_for("mean", None, 2), []
    compute = engine._encoder.features
    monkeypatch.setattr(
        engine._encoder, "features", lambda packed, blocks: counts.append(len(packed.ids_T)) or compute(packed, blocks)
    )
    engine.token_budget = 13
    engine.features(texts, blocks)
    assert counts == [11, 7, 8]
    counts.clear()
    engine.features(texts, blocks, token_budget=100)
    assert counts == [26]


def test_float16_is_near(loaded: LoadedEncoder) -> None:
    """For GPUs without units for bfloat16: within the certificate's limits, finite, and said in the record."""
    texts, blocks = draw_texts(LENGTHS), blocks_for("mean", None, 2)
    exact, half = (TorchEngine(loaded, device="cpu", precision=one) for one in ("float32", "float16"))
    found = half.features(texts, blocks)
    assert half.numerics == "torch float16 cpu"
    assert cosine_distances(exact.features(texts, blocks), found).max() < BFLOAT16_LIMITS.cosine_distance


@pytest.mark.gpu
@needs_gpu
def test_a_gpu_computes_what_the_cpu_does(loaded: LoadedEncoder) -> None:
    """In float32 by groups within 1e-4, in bfloat16 packed within the certificate's limit, text by text."""
    texts, blocks = draw_texts(LENGTHS), blocks_for("layers", None, 2)
    expected = TorchEngine(loaded, device="cpu").features(texts, blocks)
    exact = TorchEngine(loaded, device="cuda").features(texts, blocks)
    np.testing.assert_allclose(exact, expected, atol=1e-4)
    packed = TorchEngine(loaded, device="cuda", precision="bfloat16")
    assert packed.build.endswith(", packed")
    found, width = packed.features(texts, blocks), packed.width
    for start in range(0, found.shape[1], width):
        columns = slice(start, start + width)
        assert cosine_distances(expected[:, columns], found[:, columns]).max() < BFLOAT16_LIMITS.cosine_distance


@pytest.mark.gpu
@needs_gpu
def test_the_same_call_on_a_gpu_gives_the_same_bits(loaded: LoadedEncoder) -> None:
    """Again, and from another engine."""
    texts, blocks = draw_texts(LENGTHS * 40), blocks_for("layers", None, 2)
    one, other = (TorchEngine(loaded, device="cuda", precision="bfloat16") for _ in range(2))
    found = [engine.features(texts, blocks) for engine in (one, one, other)]
    for left, right in itertools.pairwise(found):
        np.testing.assert_array_equal(left, right)
