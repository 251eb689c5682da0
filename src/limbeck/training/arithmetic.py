"""The arithmetic of a training: which precision it computes in, and with what.

In: a setting, a device, a network. Out: the answer. It does not know what is trained.
"""

import torch

from limbeck.inference.kernels import NoKernels
from limbeck.model.encoder import Encoder
from limbeck.model.network import Network
from limbeck.progress import SILENT, Progress
from limbeck.runtime import cpu_features
from limbeck.settings import Precision
from limbeck.training.native_step import NUMERICS, NativeStep, find_native_encoder, find_native_step


def computes_in_bf16(precision: Precision, device: torch.device) -> bool:
    """Tell whether to compute in bfloat16: where the processor has units for it, unless told otherwise."""
    if precision == "auto":
        return cpu_features().bf16 if device.type == "cpu" else device.type == "cuda"
    return precision == "bfloat16"


def native_step_of(network: Network, *, use_bf16: bool, progress: Progress = SILENT) -> NativeStep | None:
    """Return what trains a network natively; None where torch has to."""
    found = find_native_step(network, use_bf16=use_bf16, progress=progress)
    return None if isinstance(found, NoKernels) else found


def native_language_step_of(encoder: Encoder, *, use_bf16: bool, progress: Progress = SILENT) -> NativeStep | None:
    """Return what trains an encoder under a language head natively; None where torch has to."""
    found = find_native_encoder(encoder, use_bf16=use_bf16, has_tied_words=True, progress=progress)
    return None if isinstance(found, NoKernels) else found


def numerics_of(native: NativeStep | None, device: torch.device, *, use_bf16: bool) -> str:
    """Say how is computed, as a run's record has it."""
    if native is not None:
        return NUMERICS
    return f"torch {'bfloat16, weights float32' if use_bf16 else 'float32'} {device.type}"
