"""Our own engine of a model: the one that a user gets, or one that is named.

In: a loaded encoder, the name of an engine or none. Out: the engine, its instruction set, its arithmetic, its peak.
It does not know peers.
"""

import os
from dataclasses import dataclass

import torch
from peaks import Peak, peak_of

from limbeck.inference.choice import open_engine
from limbeck.inference.engine import Engine
from limbeck.inference.native_engine import NativeEngine
from limbeck.inference.speeds import measure_speeds
from limbeck.inference.torch_engine import TorchEngine
from limbeck.model.loaded_encoder import LoadedEncoder
from limbeck.native.kernels import Kernels, NoKernels
from limbeck.native.libraries import FORCED, find_kernels

ENGINES = "native-NAME (native-avx2, native-portable, …), torch-float32 or torch-bfloat16"


@dataclass(frozen=True, kw_only=True)
class Arithmetic:
    """What an engine or a training computes with: its name in records, the instruction set, the peak of both cores."""

    numerics: str
    isa: str
    peak: Peak

    def facts(self) -> dict[str, str]:
        """Return what a result says about it."""
        return {"isa": self.isa, "engine": self.numerics, "peak_of": self.peak.spoken}


def arithmetic_of(numerics: str) -> Arithmetic:
    """Describe what computes under a name, as records have it ("native float32, weights bfloat16 cpu")."""
    kernels = find_kernels()
    if numerics.startswith("native") and isinstance(kernels, Kernels):
        isa, library = kernels.name, kernels.library
    else:
        isa, library = torch.backends.cpu.get_cpu_capability().lower(), None
    # The second word is of the operands of products; what weights are stored in comes later.
    return Arithmetic(
        numerics=numerics, isa=isa, peak=peak_of(library, bf16=numerics.split()[1].startswith("bfloat16"))
    )


def force(name: str | None) -> None:
    """Let every engine and training of this process use a library, before one is looked for."""
    if name and name.startswith("native-"):
        os.environ[FORCED] = name.removeprefix("native-")


def open_ours(loaded: LoadedEncoder, name: str | None = None) -> Engine:
    """Open the engine that a user gets here, or the one that is named: `ENGINES`."""
    force(name)
    return open_engine(loaded, device="cpu") if name is None else _named(loaded, name)


def _named(loaded: LoadedEncoder, name: str) -> Engine:
    kind, _, rest = name.partition("-")
    if kind == "torch":
        return TorchEngine(loaded, device="cpu", precision="bfloat16" if rest == "bfloat16" else "float32")
    kernels = find_kernels()
    if isinstance(kernels, NoKernels):
        raise SystemExit(f"{name} cannot run here: {kernels.reason}")
    engine = NativeEngine(loaded, kernels)
    measure_speeds({name: engine})  # leaves it with the threads that suit one text
    return engine
