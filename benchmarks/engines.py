"""Our own engine of a model: the one that a user gets, or one that is named; and what both cores could do at most.

In: a loaded encoder, the name of an engine or none. Out: the engine, its instruction set, its peak. It does not know
peers.
"""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import get_args

import torch
from workloads import THREADS

from limbeck.inference.choice import open_engine
from limbeck.inference.engine import Engine
from limbeck.inference.engine_candidates import NATIVE, find_candidates
from limbeck.inference.native_engine import NativeEngine
from limbeck.inference.peak import measure_peak
from limbeck.inference.speeds import measure_speeds
from limbeck.model.loaded_encoder import LoadedEncoder
from limbeck.native.kernels import Kernels
from limbeck.native.libraries import FORCED, find_kernels
from limbeck.settings import EngineName

ENGINES: tuple[EngineName, ...] = get_args(EngineName)


@dataclass(frozen=True, kw_only=True)
class Arithmetic:
    """What an engine or a training computes with.

    Attributes:
        numerics: its name in records ("native float32, weights bfloat16 cpu").
        isa: its instruction set.
        peak_of: how the peak is measured, in words.
        peak: returns GFLOP/s of both cores together, now.
    """

    numerics: str
    isa: str
    peak_of: str
    peak: Callable[[], float]

    def facts(self) -> dict[str, str]:
        """Return what a result says about it."""
        return {"isa": self.isa, "engine": self.numerics, "peak_of": self.peak_of}


def force(name: EngineName | None) -> None:
    """Let every engine and training of this process use a library, before one is looked for."""
    if name and name.startswith(NATIVE):
        os.environ[FORCED] = name.removeprefix(NATIVE)


def open_ours(loaded: LoadedEncoder, name: EngineName | None = None) -> tuple[Engine, Arithmetic]:
    """Open the engine that a user gets here, or the one that is named."""
    force(name)
    engine = open_engine(loaded, device="cpu", engine=name)
    if name and isinstance(engine, NativeEngine):
        measure_speeds({name: engine})  # leaves it with the threads that suit one text, as a calibration does
    candidates = find_candidates(loaded.config).native.values()
    return engine, _arithmetic(engine.numerics, next((one for one in candidates if one.digest == engine.build), None))


def arithmetic_of_training(numerics: str) -> Arithmetic:
    """Describe what computed a training, by the name in its record."""
    kernels = find_kernels()
    is_native = numerics.startswith("native")
    return _arithmetic(numerics, kernels if is_native and isinstance(kernels, Kernels) else None)


def _arithmetic(numerics: str, kernels: Kernels | None) -> Arithmetic:
    if kernels is not None:
        spoken, peak = "a loop of products in registers", partial(measure_peak, kernels, THREADS)
        return Arithmetic(numerics=numerics, isa=kernels.name, peak_of=spoken, peak=peak)
    # The second word is of the operands of products.
    name, dtype = ("bf16", torch.bfloat16) if "bfloat16" in numerics.split()[1] else ("float32", torch.float32)
    isa = torch.backends.cpu.get_cpu_capability().lower()
    spoken, product = f"the {name} product of torch", partial(_product_gflops, dtype)
    return Arithmetic(numerics=numerics, isa=isa, peak_of=spoken, peak=product)


def _product_gflops(dtype: torch.dtype) -> float:
    best = 0.0
    for n in (512, 1024):
        a, b = (torch.randn(n, n).to(dtype) for _ in range(2))
        for _ in range(3):
            started = time.perf_counter()
            torch.mm(a, b)
            best = max(best, 2 * n**3 / (time.perf_counter() - started) / 1e9)
    return best
