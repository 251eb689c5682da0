"""The compiled kernels: what C++ is called with, and what it answers.

In: a library's path. Out: its functions, described, or the reason why it cannot be used.
It does not know where libraries come from, nor encoders, texts or torch.
"""

import ctypes
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from limbeck.errors import NoMemoryError

ABI = 3
"""Version of the functions and structures below; the library must say the same."""
NO_MEMORY, NO_THREADS = 1, 2
"""What a function of the library answers when it did nothing; 0 when it did its work."""
Origin = Literal["wheel", "compiled"]
"""A library came with limbeck, or was compiled on this machine."""
EMBEDDING_TENSORS = (
    "word_embeddings.weight",
    "position_embeddings.weight",
    "LayerNorm.weight",
    "LayerNorm.bias",
)
"""The embeddings' weights, in the order of the kernels."""
LAYER_TENSORS = tuple(
    f"{module}.{kind}"
    for module in (
        *("attention.q_lin", "attention.k_lin", "attention.v_lin", "attention.out_lin", "sa_layer_norm"),
        *("ffn.lin1", "ffn.lin2", "output_layer_norm"),
    )
    for kind in ("weight", "bias")
)
"""A layer's weights, in the order of the kernels."""


class NormArrays(ctypes.Structure):
    """Scale and shift of a layer norm."""

    _fields_ = (("scale", ctypes.c_void_p), ("shift", ctypes.c_void_p))


class LayerArrays(ctypes.Structure):
    """One layer: packed weights (bfloat16), biases and norms (float32)."""

    _fields_ = (
        *((name, ctypes.c_void_p) for name in ("qkv", "mix", "up", "down")),
        *((name, ctypes.c_void_p) for name in ("qkv_bias", "mix_bias", "up_bias", "down_bias")),
        ("norm1", NormArrays),
        ("norm2", NormArrays),
    )


class ModelArrays(ctypes.Structure):
    """An encoder: sizes, embeddings, layers."""

    _fields_ = (
        *((name, ctypes.c_int32) for name in ("dim", "n_heads", "hidden_dim", "n_layers", "gelu")),
        ("epsilon", ctypes.c_float),
        ("words", ctypes.c_void_p),
        ("positions", ctypes.c_void_p),
        ("norm", NormArrays),
        ("layers", ctypes.POINTER(LayerArrays)),
    )


class TextArrays(ctypes.Structure):
    """The texts of a chunk: rows of a `Tokenized`."""

    _fields_ = (
        ("ids", ctypes.c_void_p),
        ("offsets", ctypes.c_void_p),
        ("rows", ctypes.c_void_p),
        ("count", ctypes.c_int32),
    )


class FeatureArrays(ctypes.Structure):
    """What to pool, and where it goes."""

    _fields_ = (("blocks", ctypes.c_void_p), ("n_blocks", ctypes.c_int32), ("out", ctypes.c_void_p))


class SizeFields(ctypes.Structure):
    """The sizes of an encoder."""

    _fields_ = (
        *((name, ctypes.c_int32) for name in ("dim", "n_heads", "hidden_dim", "n_layers", "gelu")),
        ("epsilon", ctypes.c_float),
    )


class BatchFields(ctypes.Structure):
    """The texts of a batch, the weights, and what is dropped."""

    _fields_ = (
        *((name, ctypes.c_void_p) for name in ("ids", "offsets", "tensors", "thresholds")),
        ("seed", ctypes.c_uint64),
        *((name, ctypes.c_int32) for name in ("texts", "firsts_only", "keep")),
    )


class GradientFields(ctypes.Structure):
    """Where gradients go; a null pointer where a weight is not trained."""

    _fields_ = (("tensors", ctypes.c_void_p), ("add", ctypes.c_int32))


class AboutFields(ctypes.Structure):
    """What a library says of itself."""

    _fields_ = (
        ("chunk_tokens", ctypes.c_int32),
        ("width_step", ctypes.c_int32),
        ("score_unit", ctypes.c_float),
        ("is_bf16", ctypes.c_int32),
    )


@dataclass(frozen=True, kw_only=True)
class About:
    """What a library says of itself.

    Attributes:
        chunk_tokens: tokens a chunk: as many as its loops want in the cache.
        width_step: an encoder's widths must be multiples of it.
        score_unit: queries are multiplied by it when they are packed.
        is_bf16: products are of bfloat16 numbers; else of float32 ones, with weights kept in bfloat16.
    """

    chunk_tokens: int
    width_step: int
    score_unit: float
    is_bf16: bool


@dataclass(frozen=True, kw_only=True, eq=False)
class Kernels:
    """A library, ready for use.

    Attributes:
        library: its functions.
        name: of its instruction set.
        path: where it is kept.
        origin: where it came from.
        digest: SHA-256 of its bytes.
        about: what it says of itself.
    """

    library: ctypes.CDLL
    name: str
    path: Path
    origin: Origin
    digest: str
    about: About


@dataclass(frozen=True, kw_only=True)
class NoKernels:
    """Why there is no library.

    Attributes:
        reason: one sentence for `limbeck doctor`.
    """

    reason: str


def require_done(answer: int, *, doing: str) -> None:
    """Refuse what a function of the library could not do.

    Args:
        answer: of the function.
        doing: what for, with its number of tokens.

    Raises:
        NoMemoryError: memory ran out, or the system gives this process no more threads.
    """
    if answer == NO_THREADS:
        raise NoMemoryError(
            f"the system gives this process no more threads for {doing}: raise the limit on processes (ulimit -u, or a "
            "container's pids limit), or compute with fewer threads"
        )
    if answer:
        raise NoMemoryError(f"no memory for {doing}: free some memory or lower the token budget")


def describe(library: ctypes.CDLL) -> About | NoKernels:
    """Say how a library's functions are called, and return what it says of itself, or why it cannot be used."""
    if library.limbeck_abi() != ABI:
        return NoKernels(reason=f"{library._name} is of another version: remove it")
    if library.limbeck_open() != 0:
        return NoKernels(
            reason="the system keeps the CPU's matrix units from this process (Linux 5.16 or later gives them)"
        )
    for name, (restype, argtypes) in _SIGNATURES.items():
        function = getattr(library, name)
        function.restype, function.argtypes = restype, argtypes
    fields = AboutFields()
    library.limbeck_about(fields)
    return About(
        chunk_tokens=fields.chunk_tokens,
        width_step=fields.width_step,
        score_unit=fields.score_unit,
        is_bf16=bool(fields.is_bf16),
    )


_POINTER, _INT, _LONG = ctypes.c_void_p, ctypes.c_int32, ctypes.c_int64
_SIGNATURES: dict[str, tuple[type | None, tuple[type, ...]]] = {
    "limbeck_about": (None, (ctypes.POINTER(AboutFields),)),
    "limbeck_packed_bytes": (_LONG, (_INT, _INT)),
    "limbeck_pack": (None, (_POINTER, _INT, _INT, _POINTER)),
    "limbeck_peak": (ctypes.c_double, (_LONG,)),
    "limbeck_workplace": (_POINTER, (_POINTER, _INT, _INT)),
    "limbeck_leave": (None, (_POINTER,)),
    "limbeck_encode": (
        ctypes.c_int,
        (_POINTER, _POINTER, _INT, ctypes.POINTER(TextArrays), ctypes.POINTER(FeatureArrays)),
    ),
    "limbeck_step_new": (_POINTER, (ctypes.POINTER(SizeFields),)),
    "limbeck_step_free": (None, (_POINTER,)),
    "limbeck_step_bytes": (ctypes.c_size_t, (_POINTER,)),
    "limbeck_step_pack": (ctypes.c_int, (_POINTER, _POINTER, _INT)),
    "limbeck_step_forward": (ctypes.c_int, (_POINTER, ctypes.POINTER(BatchFields), _INT, _POINTER)),
    "limbeck_step_backward": (ctypes.c_int, (_POINTER, _POINTER, _POINTER, ctypes.POINTER(GradientFields))),
}
"""What each function answers, and what it is called with."""
