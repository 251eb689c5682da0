"""Packed attention: each text's queries meet its own keys, whatever texts stand beside them, and nothing is padded.

In: queries, keys and values of all texts end to end, and where each text begins. Out: the mixed values, as packed.
The offsets are made and copied once a batch; a layer reads no number back from the device.
It does not know layers or weights.

Shapes: B texts, T tokens and Q queries of all of them together, H heads, d the width of a head.
Source: Dao, "FlashAttention-2: Faster Attention with Better Parallelism and Work Partitioning" (2023), whose kernels
torch's `varlen_attn` calls.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import accumulate, pairwise
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from limbeck.runtime import GpuFeatures
from limbeck.tokens import TokenBatch

HEAD_WIDTH_STEP, WIDEST_HEAD = 8, 256
"""What torch's kernels of variable-length attention can compute."""
VARLEN_DTYPES = (torch.bfloat16, torch.float16)


@dataclass(frozen=True, kw_only=True, eq=False)
class TextRows:
    """Which of some packed rows belong to which text.

    Attributes:
        offsets: (B+1,) int32, on the device; text b has the rows `offsets[b]` to `offsets[b + 1]`.
        longest: rows of the text that has most, known without asking the device.
    """

    offsets: Tensor
    longest: int


@dataclass(frozen=True, kw_only=True, eq=False)
class PackedTexts:
    """A batch on the device.

    Attributes:
        ids_T: (T,) int32.
        positions_T: (T,) int32, of each token in its text.
        tokens: which tokens belong to which text.
        firsts: the same where each text has one row, that of its first token.
    """

    ids_T: Tensor
    positions_T: Tensor
    tokens: TextRows
    firsts: TextRows


class PackedAttention(Protocol):
    """Softmax attention without dropout; a text may have fewer queries than keys."""

    def __call__(
        self, query_QHd: Tensor, key_THd: Tensor, value_THd: Tensor, queries: TextRows, keys: TextRows
    ) -> Tensor:
        """Return (Q, H, d)."""
        ...


def pack_texts(batch: TokenBatch, device: torch.device) -> PackedTexts:
    """Copy a batch to a device, once; to a GPU without waiting for what it computes."""
    parts = [batch.ids, batch.positions, batch.offsets, np.arange(len(batch) + 1, dtype=np.int32)]
    host = torch.from_numpy(np.concatenate(parts))
    if device.type == "cuda":
        host = host.pin_memory()
    there = host.to(device, non_blocking=True)
    starts = accumulate(map(len, parts), initial=0)
    ids_T, positions_T, offsets, rows = (there[start:stop] for start, stop in pairwise(starts))
    return PackedTexts(
        ids_T=ids_T,
        positions_T=positions_T,
        tokens=TextRows(offsets=offsets, longest=int(batch.lengths.max(initial=0))),
        firsts=TextRows(offsets=rows, longest=1),
    )


def attend_by_mask(query_QHd: Tensor, key_THd: Tensor, value_THd: Tensor, queries: TextRows, keys: TextRows) -> Tensor:
    """Attend by a mask of all queries by all keys: on any device and in any precision, for few tokens.

    It is what `varlen_attention` is held against, and what the packed way computes with where there is no GPU.
    """
    mask_QT = _text_of_row(queries, len(query_QHd))[:, None] == _text_of_row(keys, len(key_THd))
    mixed_HQd = functional.scaled_dot_product_attention(
        query_QHd.transpose(0, 1), key_THd.transpose(0, 1), value_THd.transpose(0, 1), attn_mask=mask_QT
    )
    return mixed_HQd.transpose(0, 1)


def find_varlen(
    gpu: GpuFeatures | None, device: torch.device, dtype: torch.dtype, head_width: int
) -> PackedAttention | str:
    """Return torch's variable-length attention, or why it cannot be had.

    It is tried: kernels may refuse a GPU, or an argument that their Python takes.

    Args:
        gpu: what the device can do; None where it is no GPU of which torch tells.
        device: where to compute.
        dtype: of queries, keys and values.
        head_width: d.
    """
    if reason := why_not_varlen(gpu, dtype, head_width):
        return reason
    for attend in (varlen_attention(num_splits=1), varlen_attention()):
        try:
            _try(attend, device, dtype, head_width)
        except (RuntimeError, TypeError) as error:
            reason = "it failed: " + str(error).partition("\n")[0]
        else:
            return attend
    return str(reason)


def why_not_varlen(gpu: GpuFeatures | None, dtype: torch.dtype, head_width: int) -> str | None:
    """Return why nobody needs to try torch's variable-length attention; None where it may be had."""
    if gpu is None or not gpu.has_flash:
        return "it needs an NVIDIA GPU of compute capability 8.0 or more"
    if dtype not in VARLEN_DTYPES:
        return "it computes in bfloat16 and float16 only"
    if head_width % HEAD_WIDTH_STEP or head_width > WIDEST_HEAD:
        return f"heads are {head_width} wide: a multiple of {HEAD_WIDTH_STEP}, {WIDEST_HEAD} at most, was expected"
    if find_spec("torch.nn.attention") is None or find_spec("torch.nn.attention.varlen") is None:
        return f"this torch ({torch.__version__}) does not have it: install 2.10 or newer"
    return None


def varlen_attention(**options: int) -> PackedAttention:
    """Return torch's variable-length attention, where this torch has it.

    Args:
        options: num_splits = 1 keeps the keys of a text together. Split among blocks of the GPU, they would be added in
            an order that depends on the longest text beside this one.
    """
    from torch.nn.attention import varlen

    kernel: Callable[..., Any] = varlen.varlen_attn  # its result has two types, one of which is not asked for

    def attend(query_QHd: Tensor, key_THd: Tensor, value_THd: Tensor, queries: TextRows, keys: TextRows) -> Tensor:
        mixed_QHd: Tensor = kernel(
            query_QHd, key_THd, value_THd, queries.offsets, keys.offsets, queries.longest, keys.longest, **options
        )
        return mixed_QHd

    return attend


def _try(attend: PackedAttention, device: torch.device, dtype: torch.dtype, head_width: int) -> None:
    """Let one text of two tokens attend, and wait for it."""
    rows_THd = torch.zeros(2, 1, head_width, dtype=dtype, device=device)
    text = TextRows(offsets=torch.tensor([0, 2], dtype=torch.int32, device=device), longest=2)
    attend(rows_THd, rows_THd, rows_THd, text, text).cpu()


def _text_of_row(rows: TextRows, count: int) -> Tensor:
    """Return the number of each row's text, (rows,)."""
    numbers = torch.arange(count, dtype=rows.offsets.dtype, device=rows.offsets.device)
    return torch.searchsorted(rows.offsets[1:].contiguous(), numbers, right=True)
