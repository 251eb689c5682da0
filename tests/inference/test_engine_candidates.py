"""Candidates: up to three instruction sets, best first, beside torch; every other engine has its reason."""

from collections.abc import Iterable
from pathlib import Path
from typing import get_args

import pytest
from tests.gpus import AMPERE, TURING

from limbeck.errors import SettingsError
from limbeck.inference import engine_candidates
from limbeck.inference.engine_candidates import SAFE, find_candidates, require_library
from limbeck.model.config import EncoderConfig
from limbeck.native import libraries
from limbeck.native.instruction_sets import LIBRARIES
from limbeck.native.kernels import About, Kernels, NoKernels
from limbeck.runtime import CpuFeatures, GpuFeatures
from limbeck.settings import EngineName

WIDE = EncoderConfig(vocab_size=20, dim=64, n_layers=1, n_heads=2, hidden_dim=64, max_position_embeddings=24)


def stand_in(name: str) -> Kernels:
    """Kernels that nobody calls."""
    about = About(chunk_tokens=64, width_step=32, score_unit=1.0, is_bf16=name in ("amx", "avx512bf16", "soft"))
    return Kernels(library=None, name=name, path=Path(name), origin="wheel", digest=name, about=about)


def pretend(
    monkeypatch: pytest.MonkeyPatch, flags: Iterable[str], *, broken: str | None = None, bf16: bool = False
) -> None:
    """Pretend an x86 CPU with these flags, all of whose libraries are there but the broken one."""
    monkeypatch.delenv(libraries.FORCED, raising=False)
    for module in (libraries, engine_candidates):
        monkeypatch.setattr(module, "machine", lambda: "x86_64")
    monkeypatch.setattr(libraries, "cpu_flags", lambda: frozenset(flags))

    def find(name: str, *_given: object) -> Kernels | NoKernels:
        return NoKernels(reason="building it failed") if name == broken else stand_in(name)

    monkeypatch.setattr(engine_candidates, "find_library", find)
    cpu = CpuFeatures(name="a CPU", cores=2, bf16=bf16, amx=False, int8=False, capability="AVX2")
    monkeypatch.setattr(engine_candidates, "cpu_features", lambda: cpu)


def flags_of(name: str) -> frozenset[str]:
    return next(library.cpu_flags for library in LIBRARIES if library.name == name)


def test_at_most_three_best_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """A CPU with everything measures three, torch in float32 and in bfloat16, and says why not the others."""
    pretend(monkeypatch, flags_of("amx") | flags_of("avx2"), bf16=True)
    found = find_candidates(WIDE)
    assert found.names == (SAFE, "torch-bfloat16", "native-amx", "native-avx512bf16", "native-avx512")
    assert found.refused["native-avx2"] == "3 better instruction sets are here"
    assert "for tests" in found.refused["native-portable"]
    assert found.refused.keys() | set(found.names) == {
        name for name in get_args(EngineName) if not name.startswith("native-neon")
    }
    numerics = [found.numerics(name) for name in found.names]
    assert numerics == [
        "torch float32 cpu",
        "torch bfloat16 cpu",
        "native bfloat16 cpu",
        "native bfloat16 cpu",
        "native float32, weights bfloat16 cpu",
    ]


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """A laptop with AVX2: each other instruction set says the flags that it lacks, torch's bfloat16 too."""
    pretend(monkeypatch, flags_of("avx2"))
    found = find_candidates(WIDE)
    assert found.names == (SAFE, "native-avx2")
    assert found.refused["native-avx512"] == "this CPU lacks avx512bw, avx512dq, avx512f, avx512vl"
    assert "avx512_bf16" in found.refused["torch-bfloat16"]


def test_a_library_that_cannot_be_had_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is refused with its reason, and the next one is a candidate."""
    pretend(monkeypatch, flags_of("amx") | flags_of("avx2"), broken="avx512bf16")
    found = find_candidates(WIDE)
    assert [*found.native] == ["native-amx", "native-avx512", "native-avx2"]
    assert found.refused["native-avx512bf16"] == "building it failed"


def test_widths_that_kernels_cannot_compute(monkeypatch: pytest.MonkeyPatch) -> None:
    """Odd widths leave torch, and say so; no library is looked for, which may have to be compiled."""
    pretend(monkeypatch, flags_of("avx2"))
    monkeypatch.setattr(engine_candidates, "find_library", None)
    odd = EncoderConfig(vocab_size=20, dim=48, n_layers=1, n_heads=2, hidden_dim=64, max_position_embeddings=24)
    found = find_candidates(odd)
    assert found.names == (SAFE,)
    assert found.refused["native-avx2"] == "the encoder's dim = 48, dim / n_heads = 24 is not a multiple of 32"
    monkeypatch.setenv(libraries.FORCED, "avx2")
    assert find_candidates(odd).names == (SAFE,)


def test_the_environment_forces_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """LIMBECK_KERNELS leaves one candidate, a slow one too; one that cannot be had is an error."""
    pretend(monkeypatch, flags_of("avx2"), broken="soft")
    monkeypatch.setenv(libraries.FORCED, "portable")
    found = find_candidates(WIDE)
    assert found.names == (SAFE, "native-portable")
    assert found.refused["native-avx2"] == "LIMBECK_KERNELS=portable is set"
    monkeypatch.setenv(libraries.FORCED, "soft")
    with pytest.raises(SettingsError, match="LIMBECK_KERNELS=soft cannot be used: building it failed"):
        find_candidates(WIDE)


def test_what_was_asked_for_and_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error repeats the words that asked, and says what is missing."""
    monkeypatch.setattr(
        engine_candidates, "find_library", lambda *given: NoKernels(reason="this CPU lacks amx_bf16, amx_tile")
    )
    with pytest.raises(SettingsError, match="engine native-amx cannot be used: this CPU lacks amx_bf16, amx_tile"):
        require_library("amx", "engine native-amx")


def test_every_library_has_a_name_as_an_engine() -> None:
    """The names that settings know are those of the table, in its order."""
    torch_names = (SAFE, "torch-bfloat16", "torch-float16")
    assert get_args(EngineName) == (*torch_names, *(f"native-{library.name}" for library in LIBRARIES))


@pytest.mark.parametrize(("gpu", "fast"), [(AMPERE, "torch-bfloat16"), (TURING, "torch-float16")])
def test_a_gpu_has_its_own(monkeypatch: pytest.MonkeyPatch, gpu: GpuFeatures, fast: str) -> None:
    """Torch in float32 and in what it multiplies in hardware; kernels compute on the CPU, and are not looked for."""
    pretend(monkeypatch, flags_of("amx") | flags_of("avx2"), bf16=True)
    monkeypatch.setattr(engine_candidates, "find_library", None)
    found = find_candidates(WIDE, gpu=gpu)
    assert found.names == (SAFE, fast)
    assert [found.numerics(name) for name in found.names] == ["torch float32 cuda", f"torch {fast[6:]} cuda"]
    assert found.gpu == gpu
    assert "computes on the CPU" in found.refused["native-amx"]
    assert found.refused.keys() | set(found.names) == {
        name for name in get_args(EngineName) if not name.startswith("native-neon")
    }
