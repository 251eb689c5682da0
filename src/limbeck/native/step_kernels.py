"""The compiled training step: what C++ is called with, and where its library comes from.

In: this machine's CPU and C++ compiler. Out: the library of `step/`, or the reason why there is none.
It does not know torch.
"""

import ctypes
from pathlib import Path

from limbeck.native.kernels import (
    CPU_FLAGS,
    FLAGS,
    SOURCES,
    BuildRecipe,
    Kernels,
    NoKernels,
    check_library,
    find_library,
)
from limbeck.progress import SILENT, Progress

ABI = 2
"""Version of the functions and structures below; the library must say the same."""
STEP = BuildRecipe(
    main=Path(__file__).parent / "step" / "step.cpp",
    headers=(SOURCES,),
    flags=(*FLAGS, "-mvaes", "-maes"),
    cpu_flags=CPU_FLAGS | {"vaes"},
)
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


def find_step_kernels(cache_dir: Path | None = None, progress: Progress = SILENT) -> Kernels | NoKernels:
    """Return the library, compiled on first use (some seconds, once), or why there is none.

    Args:
        cache_dir: where the library is kept; the user's cache folder when not given.
        progress: is told when something is compiled.
    """
    found = find_library(STEP, cache_dir, progress)
    if isinstance(found, NoKernels):
        return found
    library = found.library
    library.limbeck_step_new.restype = ctypes.c_void_p
    library.limbeck_step_new.argtypes = (ctypes.POINTER(SizeFields),)
    library.limbeck_step_free.restype = None
    library.limbeck_step_free.argtypes = (ctypes.c_void_p,)
    library.limbeck_step_bytes.restype = ctypes.c_size_t
    library.limbeck_step_bytes.argtypes = (ctypes.c_void_p,)
    library.limbeck_step_pack.restype = ctypes.c_int
    library.limbeck_step_pack.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int32)
    library.limbeck_step_forward.restype = ctypes.c_int
    library.limbeck_step_forward.argtypes = (
        ctypes.c_void_p,
        ctypes.POINTER(BatchFields),
        ctypes.c_int32,
        ctypes.c_void_p,
    )
    library.limbeck_step_backward.restype = ctypes.c_int
    library.limbeck_step_backward.argtypes = (
        ctypes.c_void_p,
        ctypes.c_void_p,
        ctypes.c_void_p,
        ctypes.POINTER(GradientFields),
    )
    return check_library(found, version=library.limbeck_step_abi(), expected=ABI, opened=library.limbeck_step_open())
