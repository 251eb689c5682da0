"""Which engines could compute an encoder on this machine: plain torch, and the kernels of the best instruction sets.

In: the sizes of an encoder, and what a GPU can do if one is to compute. Out: `Candidates`, by name, and for every other
engine the reason why it is none.
It does not know which of them is fast, nor which is near to float32.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from limbeck.errors import SettingsError
from limbeck.inference.engine import Engine
from limbeck.inference.native_engine import NativeEngine, engine_numerics, why_not
from limbeck.inference.torch_engine import TorchEngine, TorchPrecision
from limbeck.model.config import EncoderConfig
from limbeck.model.loaded_encoder import LoadedEncoder
from limbeck.native.instruction_sets import LIBRARIES
from limbeck.native.kernels import Kernels
from limbeck.native.libraries import FORCED, candidate_libraries, find_library, why_not_usable
from limbeck.processor import machine
from limbeck.progress import SILENT, Progress
from limbeck.runtime import GpuFeatures, cpu_features
from limbeck.settings import Device, EngineName

SAFE, TORCH_BF16, TORCH_FP16 = "torch-float32", "torch-bfloat16", "torch-float16"
"""Engines in plain torch by their precision; the first is always there, and exact."""
NATIVE = "native-"
"""What names of native engines begin with."""
MOST_NATIVE = 3
"""Instruction sets that are measured, the best ones; a slower one beside three faster ones is never chosen."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Candidates:
    """The engines that this machine can run, on its CPU or on its GPU.

    Attributes:
        native: the kernels of native engines, by the engine's name, best first.
        torch: names of engines in plain torch, float32 first.
        refused: why each other engine is no candidate, by its name.
        gpu: what the GPU can do that computes; None where the CPU does.
    """

    native: Mapping[str, Kernels]
    torch: tuple[str, ...]
    refused: Mapping[str, str]
    gpu: GpuFeatures | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """All of them, float32 first."""
        return (*self.torch, *self.native)

    def numerics(self, name: str) -> str:
        """Return the arithmetic of a candidate, as records of runs have it."""
        if name in self.native:
            return engine_numerics(self.native[name].about)
        return f"torch {torch_precision(name)} {self._device}"

    def open(self, loaded: LoadedEncoder, name: str) -> Engine:
        """Return a candidate, opened over an encoder."""
        if name in self.native:
            return NativeEngine(loaded, self.native[name])
        return TorchEngine(loaded, device=self._device, precision=torch_precision(name))

    @property
    def _device(self) -> Device:
        return "cpu" if self.gpu is None else "cuda"


def find_candidates(
    config: EncoderConfig,
    *,
    gpu: GpuFeatures | None = None,
    cache_dir: Path | None = None,
    progress: Progress = SILENT,
) -> Candidates:
    """Return the engines that this machine can run.

    Args:
        config: the sizes of the encoder.
        gpu: what the GPU can do that is to compute; the CPU computes when not given.
        cache_dir: where compiled kernels are kept; the user's cache folder when not given.
        progress: is told when something is compiled.

    Raises:
        SettingsError: the environment forces an instruction set that cannot be used.
    """
    if gpu is not None:
        return _gpu_candidates(gpu)
    native: dict[str, Kernels] = {}
    refused: dict[str, str] = {}
    forced, mine = os.environ.get(FORCED), candidate_libraries()
    for library in LIBRARIES:
        if machine() not in library.machines:
            continue
        reason = why_not_usable(library)
        if reason is None and library not in mine:
            reason = f"{FORCED}={forced} is set" if forced else f"slow: for tests, or --engine {NATIVE}{library.name}"
        if reason is None and len(native) == MOST_NATIVE:
            reason = f"{MOST_NATIVE} better instruction sets are here"
        found = reason or _find(library.name, config, cache_dir, progress)
        if isinstance(found, Kernels):
            native[NATIVE + library.name] = found
        else:
            refused[NATIVE + library.name] = found
    if forced and why_not(config) is None:
        require_library(forced, f"{FORCED}={forced}", cache_dir, progress)
    has_bf16 = cpu_features().bf16
    if not has_bf16:
        refused[TORCH_BF16] = "this CPU lacks units for bfloat16 that torch uses (avx512_bf16, amx_bf16 or Arm's bf16)"
    refused[TORCH_FP16] = "for GPUs without units for bfloat16"
    return Candidates(native=native, torch=(SAFE, TORCH_BF16) if has_bf16 else (SAFE,), refused=refused)


def torch_precision(name: str) -> TorchPrecision:
    """Return what one of torch's engines computes in, by its name."""
    return next(precision for precision in get_args(TorchPrecision) if name == f"torch-{precision}")


def require_library(name: str, asked: str, cache_dir: Path | None = None, progress: Progress = SILENT) -> Kernels:
    """Return the kernels of an instruction set that was asked for, whether they are fast or not.

    Args:
        name: of the instruction set.
        asked: the words that asked for it.
        cache_dir: where compiled kernels are kept; the user's cache folder when not given.
        progress: is told when something is compiled.

    Raises:
        SettingsError: this machine cannot run it; says what is missing.
    """
    found = find_library(name, cache_dir, progress)
    if isinstance(found, Kernels):
        return found
    raise SettingsError(f"{asked} cannot be used: {found.reason}; `limbeck doctor` shows what this machine has")


def require_known(name: str) -> None:
    """Refuse a name that no engine has.

    Raises:
        SettingsError: names those that there are.
    """
    if name not in get_args(EngineName):
        raise SettingsError(f"engine = {name!r} is not known: give one of {', '.join(get_args(EngineName))}")


def _gpu_candidates(gpu: GpuFeatures) -> Candidates:
    """Return torch in float32 and in what the GPU multiplies fastest; whether that is faster, and near, is measured."""
    fast, other = (TORCH_BF16, TORCH_FP16) if gpu.bf16 else (TORCH_FP16, TORCH_BF16)
    refused = {NATIVE + library.name: "computes on the CPU" for library in LIBRARIES if machine() in library.machines}
    refused[other] = "bfloat16 is as fast here, and overflows nowhere" if gpu.bf16 else "this GPU lacks units for it"
    return Candidates(native={}, torch=(SAFE, fast), refused=refused, gpu=gpu)


def _find(library: str, config: EncoderConfig, cache_dir: Path | None, progress: Progress) -> Kernels | str:
    """Return the kernels of an instruction set, or why they do not compute this encoder."""
    if reason := why_not(config):
        return reason  # nothing is compiled for it
    found = find_library(library, cache_dir, progress)
    if not isinstance(found, Kernels):
        return found.reason
    return why_not(config, found.about.width_step) or found
