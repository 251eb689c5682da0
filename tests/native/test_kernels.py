"""The compiled kernels are found, built once, and their absence is said, never hidden."""

import ctypes
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from limbeck.errors import NoMemoryError, StorageError
from limbeck.native import kernels
from limbeck.native.kernels import ENCODER, BuildRecipe, Kernels, NoKernels, build_library, find_kernels
from limbeck.native.step_kernels import STEP


@pytest.fixture(autouse=True)
def forget(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each test look anew."""
    monkeypatch.setattr(kernels, "_KNOWN", {})


def test_a_cpu_without_matrix_units_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The reason says what the CPU lacks."""
    monkeypatch.setattr(kernels, "cpu_flags", lambda: kernels.CPU_FLAGS - {"amx_bf16"})
    monkeypatch.setattr(kernels.sys, "platform", "linux")
    monkeypatch.setattr(kernels.platform, "machine", lambda: "x86_64")
    assert find_kernels(tmp_path) == NoKernels(reason="this CPU lacks amx_bf16")


def test_another_system_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Only Linux on x86-64 has them."""
    monkeypatch.setattr(kernels.sys, "platform", "darwin")
    found = find_kernels(tmp_path)
    assert isinstance(found, NoKernels)
    assert "this is darwin" in found.reason


def test_no_compiler_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A compiler is never required."""
    _pretend_cpu(monkeypatch)
    monkeypatch.setattr(kernels.shutil, "which", lambda name: None)
    found = find_kernels(tmp_path)
    assert found == NoKernels(reason="no C++ compiler was found (looked for c++, g++, clang++)")


def test_a_compiler_that_fails_is_quoted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What the compiler said is in the reason, and nothing is left behind."""
    _pretend_cpu(monkeypatch)
    broken = tmp_path / "c++"
    broken.write_text('#!/bin/sh\n[ "$1" = --version ] && exit 0\necho "encoder.cpp:1: no such flag" >&2\nexit 1\n')
    broken.chmod(0o755)
    monkeypatch.setattr(kernels.shutil, "which", lambda name: str(broken))
    found = find_kernels(tmp_path / "cache")
    assert found == NoKernels(reason="building them failed: encoder.cpp:1: no such flag")
    assert not list((tmp_path / "cache").rglob("*.so"))


def compiler() -> str:
    """A C++ compiler that knows all instructions of the kernels, whatever this CPU can do."""
    for name in kernels.COMPILERS:
        path = shutil.which(name)
        if (
            path
            and int(subprocess.run([path, "-dumpversion"], capture_output=True, check=True).stdout.split(b".")[0]) > 10
        ):
            return path
    pytest.skip("no C++ compiler of version 11 or later is installed")


@pytest.fixture
def stub(tmp_path: Path) -> BuildRecipe:
    """A library of one function, for any CPU."""
    compiler()
    main = tmp_path / "sources" / "stub.cpp"
    main.parent.mkdir()
    main.write_text('extern "C" int answer() { return 7; }\n')
    return BuildRecipe(main=main, flags=("-shared", "-fPIC"), cpu_flags=frozenset())


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What was run to compile."""
    ran: list[list[str]] = []
    honest = kernels._run
    monkeypatch.setattr(kernels, "_run", lambda command: (ran.append(command), honest(command))[1])
    return ran


def built(recipe: BuildRecipe, folder: Path) -> Kernels:
    found = build_library(recipe, folder)
    assert isinstance(found, Kernels)
    assert found.library.answer() == 7
    return found


@pytest.mark.slow
@pytest.mark.parametrize("recipe", [ENCODER, STEP], ids=["encoder", "step"])
def test_the_sources_compile_without_a_warning(recipe: BuildRecipe, tmp_path: Path) -> None:
    """On any machine with a compiler, whatever its CPU can do."""
    # GCC 12 and before warn of its own headers' undefined vectors (GCC bug 105593).
    flags = ["-Wall", "-Wextra", "-Werror", "-Wno-uninitialized", "-Wno-maybe-uninitialized"]
    beside = [word for folder in recipe.headers for word in ("-I", str(folder))]
    known = [flag for flag in recipe.flags if flag not in ("-O3", "-shared")]
    command = [compiler(), "-O1", "-c", *known, *flags, *beside, str(recipe.main), "-o", str(tmp_path / "object.o")]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr[:3_000]


def test_what_was_built_is_used_without_a_compiler(
    stub: BuildRecipe, tmp_path: Path, compiled: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same sources and flags are compiled once; later nothing is run, and no compiler needs to be there."""
    first = built(stub, tmp_path / "cache")
    assert len(compiled) == 1
    monkeypatch.setattr(kernels.shutil, "which", lambda name: None)
    assert built(stub, tmp_path / "cache").path == first.path
    assert len(compiled) == 1
    stub.main.write_text('extern "C" int answer() { return 8; }\n')
    assert isinstance(build_library(stub, tmp_path / "cache"), NoKernels)


@pytest.mark.parametrize("harm", ["flipped", "cut", "empty", "foreign"])
def test_a_library_that_cannot_be_used_is_built_anew(
    stub: BuildRecipe, tmp_path: Path, compiled: list[list[str]], harm: str
) -> None:
    """Damaged on the disk, cut short, or of another system: it is compiled once more, and never loaded."""
    path = built(stub, tmp_path / "cache").path
    content = path.read_bytes()
    path.unlink()  # this process still has it open
    if harm == "foreign":
        content = b"of another system"
        path = path.with_name(f"{path.stem.rpartition('-')[0]}-{kernels._content_digest(content)}.so")
    spoiled = {"flipped": content[:-9] + b"?" + content[-8:], "cut": content[: len(content) // 2], "empty": b""}
    path.write_bytes(spoiled.get(harm, content))
    built(stub, tmp_path / "cache")
    built(stub, tmp_path / "cache")
    assert len(compiled) == 2


def test_processes_that_need_it_at_once_compile_once(stub: BuildRecipe, tmp_path: Path) -> None:
    """One compiles, the others wait for it and take what it made."""
    slow, log = tmp_path / "slow-c++", tmp_path / "log"
    slow.write_text(f'#!/bin/sh\necho compiled >> {log}\nsleep 0.5\nexec {compiler()} "$@"\n')
    slow.chmod(0o755)
    program = (
        "import sys; from pathlib import Path; from limbeck.native import kernels\n"
        "kernels.COMPILERS = (sys.argv[1],)\n"
        "recipe = kernels.BuildRecipe(main=Path(sys.argv[2]), flags=('-shared', '-fPIC'), cpu_flags=frozenset())\n"
        "print(kernels.build_library(recipe, Path(sys.argv[3])).library.answer())"
    )
    words = [sys.executable, "-c", program, str(slow), str(stub.main), str(tmp_path / "cache")]
    running = [subprocess.Popen(words, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    assert [process.communicate()[0].strip() for process in running] == ["7"] * 3
    assert log.read_text().split() == ["compiled"]


def test_a_folder_without_locks_is_no_obstacle(
    stub: BuildRecipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, compiled: list[list[str]]
) -> None:
    """Where the file system has no locks it is compiled all the same."""

    def refused(folder: Path, *, patience_s: float) -> None:
        raise StorageError("its file system has no locks")

    monkeypatch.setattr(kernels, "patient_lock", refused)
    built(stub, tmp_path / "cache")
    assert len(compiled) == 1


TEAM = """
#include "team.hpp"
extern "C" int gather(int size, int* seen) {
  limbeck::Meeting meeting;
  return limbeck::with_team(size, [&](int rank) {
    limbeck::Team team{rank, size, &meeting};
    team.meet();
    ++seen[rank];
  });
}
"""


@pytest.fixture
def team(tmp_path: Path) -> BuildRecipe:
    """The team that computes together, without what it computes."""
    compiler()
    main = tmp_path / "sources" / "team.cpp"
    main.parent.mkdir()
    main.write_text(TEAM)
    flags = ("-std=c++17", "-shared", "-fPIC", "-pthread")
    return BuildRecipe(main=main, headers=(kernels.SOURCES,), flags=flags, cpu_flags=frozenset())


@pytest.mark.slow
@pytest.mark.parametrize("size", [1, 2, 7])
def test_a_team_is_all_there(team: BuildRecipe, tmp_path: Path, size: int) -> None:
    """Every member works once."""
    found = build_library(team, tmp_path / "cache")
    assert isinstance(found, Kernels)
    seen = (ctypes.c_int * size)()
    assert found.library.gather(size, seen) == 0
    assert list(seen) == [1] * size


def test_threads_that_cannot_be_had_are_an_answer(team: BuildRecipe, tmp_path: Path) -> None:
    """Where the system gives no more threads nothing is computed and nobody waits; the process lives on."""
    found = build_library(team, tmp_path / "cache")
    assert isinstance(found, Kernels)
    program = (
        "import ctypes, resource, sys\n"
        "library = ctypes.CDLL(sys.argv[1])\n"
        "used = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize()\n"
        "resource.setrlimit(resource.RLIMIT_AS, (used + 2**26, used + 2**26))\n"
        "seen = (ctypes.c_int * 500)()\n"
        "print(library.gather(500, seen), sum(seen), library.gather(1, seen), sum(seen))"
    )
    ended = subprocess.run([sys.executable, "-c", program, str(found.path)], capture_output=True, text=True, check=True)
    answer, *rest = ended.stdout.split()
    assert int(answer) in (kernels.NO_MEMORY, kernels.NO_THREADS)
    assert rest == ["0", "0", "1"]


def test_an_answer_becomes_an_error() -> None:
    """0 is fine; the rest is said with what to do."""
    kernels.require_done(0, doing="a batch of 5 tokens")
    with pytest.raises(NoMemoryError, match="no memory for a batch of 5 tokens: free some"):
        kernels.require_done(kernels.NO_MEMORY, doing="a batch of 5 tokens")
    with pytest.raises(NoMemoryError, match="no more threads for a batch of 5 tokens: raise the limit"):
        kernels.require_done(kernels.NO_THREADS, doing="a batch of 5 tokens")


def _pretend_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernels, "cpu_flags", lambda: kernels.CPU_FLAGS)
    monkeypatch.setattr(kernels.sys, "platform", "linux")
    monkeypatch.setattr(kernels.platform, "machine", lambda: "x86_64")
