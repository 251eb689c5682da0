"""The arithmetic of a training: which precision it computes in, and with what.

In: a setting, a device, a network. Out: the answer. It does not know what is trained.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import cast

import torch

from limbeck.errors import SettingsError
from limbeck.model.encoder import Encoder
from limbeck.model.network import Network
from limbeck.native.kernels import NoKernels
from limbeck.progress import SILENT, Progress
from limbeck.runtime import choose_device, has_bf16
from limbeck.settings import Device, Precision
from limbeck.training.native_step import NativeStep, find_native_encoder, find_native_step


def computes_in_bf16(precision: Precision, device: torch.device) -> bool:
    """Tell whether to compute in bfloat16: where the processor has units for it, unless told otherwise."""
    if precision == "auto":
        return has_bf16(device.type)
    return precision == "bfloat16"


@dataclass(frozen=True, kw_only=True, eq=False)
class Arithmetic:
    """What a training computes in.

    Attributes:
        device: where.
        use_bf16: products in bfloat16.
        native: computes the encoder's steps; None where torch does.
    """

    device: torch.device
    use_bf16: bool
    native: NativeStep | None

    @property
    def numerics(self) -> str:
        """The same in words, as a run's record has them."""
        return numerics_of(self.native, self.device, use_bf16=self.use_bf16)


FindNative = Callable[[bool], NativeStep | None]
"""Returns what computes natively, for an encoder that is on its device already."""


def device_to_train_on(device: Device, numerics: str | None) -> torch.device:
    """Return the device of the settings; where these leave it open, the one that an unfinished run was begun on."""
    if device == "auto" and numerics and (kind := numerics.rsplit(maxsplit=1)[-1]) in ("cpu", "cuda", "mps"):
        with suppress(SettingsError):
            return choose_device(cast("Device", kind))
    return choose_device(device)


def find_arithmetic(
    precision: Precision, device: torch.device, find_native: FindNative, *, numerics: str | None = None
) -> Arithmetic:
    """Return what to compute in: what the machine does best, or where it can, what an unfinished run was begun in."""
    use_bf16 = computes_in_bf16(precision, device)
    best = Arithmetic(device=device, use_bf16=use_bf16, native=find_native(use_bf16))
    plain = (Arithmetic(device=device, use_bf16=bf16, native=None) for bf16 in (True, False))
    return best if numerics is None else next((one for one in (best, *plain) if one.numerics == numerics), best)


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
        return native.numerics
    return f"torch {'bfloat16, weights float32' if use_bf16 else 'float32'} {device.type}"
