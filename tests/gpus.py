"""What tests need that run on a GPU: elsewhere they are skipped, and the end of a run lists them."""

import pytest
import torch

from limbeck.model.packed_attention import why_not_varlen
from limbeck.runtime import GpuFeatures, gpu_features

AMPERE = GpuFeatures(name="a GPU", memory_bytes=80 * 2**30, bf16=True, has_flash=True)
"""Pretended: with units for bfloat16 and variable-length attention."""
TURING = GpuFeatures(name="an older GPU", memory_bytes=15 * 2**30, bf16=False, has_flash=False)
"""Pretended: with neither."""


def _why_not() -> str | None:
    if not torch.cuda.is_available():
        return "no GPU that torch reaches as cuda"
    return why_not_varlen(gpu_features(torch.device("cuda")), torch.bfloat16, 32)


needs_gpu = pytest.mark.skipif(_why_not() is not None, reason=f"not run on a GPU: {_why_not()}")
"""Stands beside `pytest.mark.gpu` at each test that computes on a GPU."""
