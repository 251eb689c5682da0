"""A stand-in for the kernels, a compiler to build it with, and the operations of an instruction set alone."""

import ctypes
import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest
from tests.libraries import CACHE_HOME

from limbeck.native import building, libraries
from limbeck.native.building import COMPILERS, FLAGS, SOURCES, BuildRecipe
from limbeck.native.libraries import FoundLibrary, build_library, library_named

STUB = """
#include <cstdint>
#define SEEN __attribute__((visibility("default")))
struct About { int32_t chunk_tokens, width_step; float score_unit; int32_t is_bf16; };
extern "C" {
SEEN int limbeck_abi() { return STUB_ABI; }
SEEN int limbeck_open() { return STUB_OPENED; }
SEEN void limbeck_about(About* out) { *out = {192, 32, 1.5f, 0}; }
SEEN double limbeck_peak(int64_t rounds) { return 2.0 * rounds; }
SEEN int64_t limbeck_packed_bytes(int32_t n_out, int32_t n_in) { return 2LL * n_out * n_in; }
SEEN int answer() { return 7; }
SEEN void limbeck_pack() {}
SEEN void limbeck_workplace() {}
SEEN void limbeck_leave() {}
SEEN void limbeck_encode() {}
SEEN void limbeck_step_new() {}
SEEN void limbeck_step_free() {}
SEEN void limbeck_step_bytes() {}
SEEN void limbeck_step_pack() {}
SEEN void limbeck_step_forward() {}
SEEN void limbeck_step_backward() {}
}
"""


@pytest.fixture(autouse=True)
def forget(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each test look anew, with nothing chosen in the environment."""
    monkeypatch.setattr(libraries, "_KNOWN", {})
    monkeypatch.delenv(libraries.FORCED, raising=False)
    monkeypatch.delenv("CXX", raising=False)


@pytest.fixture(scope="session")
def compiler() -> str:
    """A C++ compiler that knows all instructions of the kernels, whatever this CPU can do."""
    for name in COMPILERS:
        path = shutil.which(name)
        if (
            path
            and int(subprocess.run([path, "-dumpversion"], capture_output=True, check=True).stdout.split(b".")[0]) > 10
        ):
            return path
    pytest.skip("no C++ compiler of version 11 or later is installed")


def stub_flags(*, abi: int = 3, opened: int = 0) -> tuple[str, ...]:
    return ("-fPIC", "-fvisibility=hidden", f"-DSTUB_ABI={abi}", f"-DSTUB_OPENED={opened}")


@pytest.fixture
def stub(tmp_path: Path, compiler: str) -> BuildRecipe:
    """A library for any CPU with every function of the kernels; none of them computes."""
    main = tmp_path / "sources" / "stub.cpp"
    main.parent.mkdir()
    main.write_text(STUB)
    return BuildRecipe(name="limbeck-stub", sources=(main,), flags=stub_flags())


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What was run to compile."""
    ran: list[list[str]] = []
    honest = building._run
    monkeypatch.setattr(building, "_run", lambda *commands: (ran.extend(commands), honest(*commands))[1])
    return ran


@cache
def build_operations(name: str, source: str) -> ctypes.CDLL:
    """Compile a file of this folder for an instruction set, once for all runs."""
    own = library_named(name)
    recipe = BuildRecipe(
        name=f"{Path(source).stem}-{name}",
        sources=(Path(__file__).with_name(source),),
        headers=(SOURCES,),
        flags=(*FLAGS, *own.flags, f'-DLIMBECK_ISA="{own.header}"'),
    )
    found = build_library(recipe, CACHE_HOME / "limbeck" / "kernels")
    assert isinstance(found, FoundLibrary)
    return found.library
