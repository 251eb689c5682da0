"""Packed attention: every text attends to itself alone, by one call of torch's public kernel or by a mask."""

import sys
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.conformance.drawn import draw_texts
from tests.gpus import AMPERE, TURING, needs_gpu
from torch.utils._python_dispatch import TorchDispatchMode

from limbeck.model.packed_attention import (
    PackedAttention,
    PackedTexts,
    TextRows,
    attend_by_mask,
    find_varlen,
    pack_texts,
    varlen_attention,
    why_not_varlen,
)
from limbeck.runtime import gpu_features

CPU = torch.device("cpu")


def packed(lengths: tuple[int, ...], device: torch.device = CPU) -> PackedTexts:
    """Texts of these lengths on a device."""
    return pack_texts(draw_texts(lengths).take(range(len(lengths))), device)


def text_by_text(
    query_QHd: torch.Tensor, key_THd: torch.Tensor, value_THd: torch.Tensor, queries: TextRows, keys: TextRows
) -> torch.Tensor:
    """What attention is, in float64: softmax of the scores of one text and head after the other."""
    mixed_QHd = torch.empty_like(query_QHd, dtype=torch.float64)
    places = zip(
        queries.offsets[:-1].tolist(), queries.offsets[1:].tolist(), keys.offsets[:-1].tolist(),
        keys.offsets[1:].tolist(), strict=True,
    )  # fmt: skip
    for first, stop, start, end in places:
        for head in range(query_QHd.shape[1]):
            query, key, value = (
                rows[:, head].double() for rows in (query_QHd[first:stop], key_THd[start:end], value_THd[start:end])
            )
            mixed_QHd[first:stop, head] = torch.softmax(query @ key.T / key.shape[1] ** 0.5, dim=1) @ value
    return mixed_QHd


def drawn(rows: int, seed: int, heads: int = 2, width: int = 8) -> torch.Tensor:
    """Rows of heads."""
    return torch.randn(rows, heads, width, generator=torch.Generator().manual_seed(seed))


@given(lengths=st.lists(st.integers(1, 20), min_size=1, max_size=8), seed=st.integers(0, 99))
@settings(deadline=None)
@pytest.mark.parametrize("asked", ["all tokens", "first tokens"])
def test_a_text_attends_to_itself_alone(asked: str, lengths: list[int], seed: int) -> None:
    """All queries, or those of first tokens: the values of softmax, text by text, within 1e-6."""
    texts = packed(tuple(lengths))
    queries = texts.tokens if asked == "all tokens" else texts.firsts
    given_rows = (drawn(int(queries.offsets[-1]), seed), drawn(sum(lengths), seed + 1), drawn(sum(lengths), seed + 2))
    found = attend_by_mask(*given_rows, queries, texts.tokens)
    expected = text_by_text(*given_rows, queries, texts.tokens)
    torch.testing.assert_close(found.double(), expected, atol=1e-6, rtol=0)


def test_a_batch_on_the_device_says_where_texts_begin() -> None:
    """Ids as they were, positions from 0 in each text, offsets of tokens and of first tokens, the longest text."""
    batch = draw_texts((3, 1, 4)).take([2, 0, 1])
    texts = pack_texts(batch, CPU)
    assert texts.ids_T.tolist() == batch.ids.tolist()
    assert texts.positions_T.tolist() == [0, 1, 2, 3, 0, 1, 2, 0]
    assert (texts.tokens.offsets.tolist(), texts.tokens.longest) == ([0, 4, 7, 8], 4)
    assert (texts.firsts.offsets.tolist(), texts.firsts.longest) == ([0, 1, 2, 3], 1)
    assert texts.tokens.offsets.dtype == texts.ids_T.dtype == torch.int32


class Recorded(TorchDispatchMode):
    """Remembers what torch is asked to do."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[str] = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # torch's own signature
        self.calls.append(str(func))
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("lengths", [(5,), (3, 1, 4), (2,) * 100])
def test_a_batch_is_copied_once(lengths: tuple[int, ...]) -> None:
    """However many texts it has, one copy takes all of it to the device."""
    with Recorded() as recorded:
        packed(lengths, torch.device("meta"))
    assert [call for call in recorded.calls if "copy" in call] == ["aten._to_copy.default"]


@pytest.mark.parametrize(
    ("gpu", "dtype", "head_width", "says"),
    [
        (AMPERE, torch.bfloat16, 32, None),
        (AMPERE, torch.float16, 64, None),
        (AMPERE, torch.float32, 64, "bfloat16 and float16 only"),
        (AMPERE, torch.bfloat16, 20, "heads are 20 wide: a multiple of 8"),
        (AMPERE, torch.bfloat16, 264, "256 at most"),
        (replace(AMPERE, has_flash=False), torch.bfloat16, 64, "compute capability 8.0"),
        (TURING, torch.float16, 64, "compute capability 8.0"),
        (None, torch.bfloat16, 64, "compute capability 8.0"),
    ],
)
def test_where_torchs_kernel_cannot_be_had_it_says_why(
    gpu: object, dtype: torch.dtype, head_width: int, says: str | None
) -> None:
    """By what the GPU can do, the precision and the heads; on a machine without a GPU too."""
    pytest.importorskip("torch.nn.attention.varlen", reason="this torch has no variable-length attention")
    reason = why_not_varlen(gpu, dtype, head_width)
    assert reason is None if says is None else says in reason


def test_an_older_torch_has_no_such_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    """The reason says what to install."""
    monkeypatch.setitem(sys.modules, "torch.nn.attention.varlen", None)
    assert "install 2.10 or newer" in why_not_varlen(AMPERE, torch.bfloat16, 64)


def test_torchs_kernel_is_called_as_its_signature_says() -> None:
    """The public function of the torch that is installed, whose fake kernel gives the shape on the meta device."""
    pytest.importorskip("torch.nn.attention.varlen", reason="this torch has no variable-length attention")
    meta = torch.device("meta")
    texts = packed((3, 1, 4), meta)
    query, rows = (torch.empty(count, 2, 8, dtype=torch.bfloat16, device=meta) for count in (3, 8))
    mixed = varlen_attention(num_splits=1)(query, rows, rows, texts.firsts, texts.tokens)
    assert (mixed.shape, mixed.dtype) == ((3, 2, 8), torch.bfloat16)


def accepts(query, key, value, cu_seq_q, cu_seq_k, max_q, max_k, *, num_splits=None):
    """A kernel that takes everything, and is none."""
    ASKED.append({"offsets": (cu_seq_q, cu_seq_k), "longest": (max_q, max_k), "num_splits": num_splits})
    return query


def refuses(query, key, value, cu_seq_q, cu_seq_k, max_q, max_k, *, num_splits=None):
    """One whose Python takes what its kernels do not."""
    if num_splits is not None:
        raise RuntimeError("num_splits requires another version\nof the kernels")
    return accepts(query, key, value, cu_seq_q, cu_seq_k, max_q, max_k)


def older(query, key, value, cu_seq_q, cu_seq_k, max_q, max_k):
    """One that knows nothing of splits."""
    return accepts(query, key, value, cu_seq_q, cu_seq_k, max_q, max_k)


def broken(*_given: object, **_named: object) -> None:
    """One that does not run on this GPU."""
    raise RuntimeError("no kernel image is available\nfor this device")


ASKED: list[dict[str, object]] = []


@pytest.mark.parametrize(("kernel", "num_splits"), [(accepts, 1), (refuses, None), (older, None)])
def test_keys_are_never_split_where_the_kernel_can_be_asked(
    monkeypatch: pytest.MonkeyPatch, kernel: object, num_splits: int | None
) -> None:
    """So that a text's sums have one order; kernels that refuse the wish are called without, as a trial shows."""
    varlen = pytest.importorskip("torch.nn.attention.varlen", reason="this torch has no variable-length attention")
    monkeypatch.setattr(varlen, "varlen_attn", kernel)
    attend = find_varlen(AMPERE, CPU, torch.bfloat16, 8)
    assert not isinstance(attend, str)
    ASKED.clear()
    texts = packed((3, 1, 4))
    attend(drawn(3, 0), drawn(8, 1), drawn(8, 2), texts.firsts, texts.tokens)
    (asked,) = ASKED
    assert asked["num_splits"] == num_splits
    assert asked["longest"] == (1, 4)
    assert [offsets.tolist() for offsets in asked["offsets"]] == [[0, 1, 2, 3], [0, 3, 4, 8]]


def test_a_kernel_that_does_not_run_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a GPU for which it was not built, say: the first line of its own words."""
    varlen = pytest.importorskip("torch.nn.attention.varlen", reason="this torch has no variable-length attention")
    monkeypatch.setattr(varlen, "varlen_attn", broken)
    assert find_varlen(AMPERE, CPU, torch.bfloat16, 8) == "it failed: no kernel image is available"
    assert "compute capability" in str(find_varlen(TURING, CPU, torch.float16, 8))


def kernel(gpu: torch.device, dtype: torch.dtype) -> PackedAttention:
    """What an engine computes with on this GPU."""
    found = find_varlen(gpu_features(gpu), gpu, dtype, 32)
    assert not isinstance(found, str), found
    return found


@pytest.mark.gpu
@needs_gpu
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_torchs_kernel_agrees_with_the_mask(dtype: torch.dtype) -> None:
    """On a GPU, all queries and first ones: within the rounding of the precision."""
    gpu = torch.device("cuda")
    lengths = (2, 3, 17, 64, 100, 129, 300)
    texts = packed(lengths, gpu)
    for queries in (texts.tokens, texts.firsts):
        counts = (int(queries.offsets[-1]), sum(lengths), sum(lengths))
        rows = [drawn(count, seed, 4, 32).to(gpu, dtype) for seed, count in enumerate(counts)]
        found = kernel(gpu, dtype)(*rows, queries, texts.tokens)
        expected = attend_by_mask(*(one.float() for one in rows), queries, texts.tokens)
        torch.testing.assert_close(found.float(), expected, atol=2e-2, rtol=2e-2)


@pytest.mark.gpu
@needs_gpu
def test_a_text_attends_to_the_same_bits_in_any_batch() -> None:
    """On a GPU, alone and beside a text that is twenty times as long."""
    gpu, rows = torch.device("cuda"), [drawn(430, seed, 4, 32).to("cuda", torch.bfloat16) for seed in range(3)]
    attend, both = kernel(gpu, torch.bfloat16), packed((20, 410), gpu).tokens
    together = attend(*rows, both, both)
    alone = packed((20,), gpu).tokens
    assert torch.equal(attend(*(one[:20] for one in rows), alone, alone), together[:20])
