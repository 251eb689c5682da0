"""Libraries are found, built once, opened only where the CPU can run them, and their absence is said, never hidden."""

import hashlib
import json
import platform
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from tests.native.conftest import stub_flags

from limbeck import processor
from limbeck.errors import SettingsError, StorageError
from limbeck.native import building, libraries
from limbeck.native.building import BuildRecipe
from limbeck.native.instruction_sets import LIBRARIES
from limbeck.native.kernels import Kernels, NoKernels
from limbeck.native.libraries import (
    FoundLibrary,
    build_library,
    candidate_libraries,
    find_kernels,
    find_library,
    find_shipped,
    library_named,
    usable_libraries,
)

AMX = library_named("amx").cpu_flags
AVX2 = library_named("avx2").cpu_flags
TO_BUILD = 2
"""Calls of the compiler for a library of one source: it is compiled, then linked."""


@pytest.fixture
def pretend(monkeypatch: pytest.MonkeyPatch):
    """Pretend to be a machine with these flags."""

    def pretended(flags, name: str = "x86_64") -> None:
        monkeypatch.setattr(libraries, "cpu_flags", lambda: frozenset(flags))
        monkeypatch.setattr(platform, "machine", lambda: name)

    return pretended


@pytest.fixture
def stubbed(stub: BuildRecipe, monkeypatch: pytest.MonkeyPatch) -> BuildRecipe:
    """Build the stub in the place of every library."""
    monkeypatch.setattr(libraries, "build_recipe_of", lambda library: replace(stub, name=f"limbeck-{library.name}"))
    return stub


def test_a_python_of_32_bits_has_no_kernels(pretend, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever its CPU can do."""
    pretend(AMX)
    monkeypatch.setattr(processor.sys, "maxsize", 2**31 - 1)
    assert usable_libraries() == ()
    assert find_kernels() == NoKernels(reason="they are for x86_64 and aarch64; this is x86_64, 32 bits")


@pytest.mark.parametrize(
    ("flags", "name", "usable"),
    [
        (AMX, "x86_64", ["amx", "avx512bf16", "avx512", "portable", "soft"]),
        (AMX | AVX2, "AMD64", ["amx", "avx512bf16", "avx512", "avx2", "portable", "soft"]),
        (AMX - {"vaes"} | AVX2, "x86_64", ["avx512bf16", "avx512", "avx2", "portable", "soft"]),
        (AVX2, "x86_64", ["avx2", "portable", "soft"]),
        (AVX2 - {"aes"}, "x86_64", ["portable", "soft"]),
        (AVX2 - {"fma"}, "x86_64", ["portable", "soft"]),
        ((), "x86_64", ["portable", "soft"]),
        (("asimd", "aes"), "aarch64", ["neon", "portable", "soft"]),
        (("asimd", "aes", "bf16"), "arm64", ["neonbf16", "neon", "portable", "soft"]),
        (AMX | AVX2, "riscv64", []),
    ],
)
def test_what_a_cpu_can_run_is_listed_best_first(pretend, flags, name: str, usable: list[str]) -> None:
    """Every flag must be there, and the machine must be one that it is compiled for; references are no candidates."""
    pretend(flags, name)
    assert [one.name for one in usable_libraries()] == usable
    assert [one.name for one in candidate_libraries()] == [one for one in usable if one not in ("portable", "soft")]


def test_a_cpu_without_units_is_named(pretend, tmp_path: Path) -> None:
    """The reason says what the CPU lacks for the least demanding library."""
    pretend({"avx2", "sse2"})
    assert find_kernels(tmp_path) == NoKernels(reason="this CPU lacks aes, fma")


def test_another_machine_is_named(pretend, tmp_path: Path) -> None:
    """There are kernels for two kinds of machines."""
    pretend((), "riscv64")
    assert find_kernels(tmp_path) == NoKernels(reason="they are for x86_64 and aarch64; this is riscv64")
    assert find_library("avx2", tmp_path) == NoKernels(reason="avx2 is for x86_64; this is riscv64")


def test_a_library_is_not_opened_where_the_cpu_lacks_a_flag(pretend, stubbed: BuildRecipe, tmp_path: Path) -> None:
    """Not even looked for: its first instruction might end the process."""
    pretend(AVX2 - {"fma"})
    assert find_library("avx2", tmp_path) == NoKernels(reason="this CPU lacks fma")
    assert not list(tmp_path.glob("kernels/*"))
    pretend(AVX2)
    libraries._KNOWN.clear()
    assert isinstance(find_library("avx2", tmp_path), Kernels)


def test_a_name_that_is_not_known_lists_the_others() -> None:
    """All rows of the table."""
    with pytest.raises(SettingsError, match="kernels 'avx3' are not known: there are amx, avx512bf16, avx512, avx2"):
        find_library("avx3")


def test_the_best_that_can_be_had_is_taken(
    pretend, stub: BuildRecipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A compiler too old for one instruction set builds the next; the system's matrix units may be kept from us."""
    flags = {"amx": stub_flags(opened=1), "avx512bf16": ("-no-such-flag",)}
    recipe = lambda library: replace(stub, name=library.name, flags=flags.get(library.name, stub.flags))  # noqa: E731
    monkeypatch.setattr(libraries, "build_recipe_of", recipe)
    pretend(AMX | AVX2)
    found = find_kernels(tmp_path)
    assert isinstance(found, Kernels)
    assert (found.name, found.origin) == ("avx512", "compiled")
    assert found.digest == hashlib.sha256(found.path.read_bytes()).hexdigest()


def test_a_forced_library_is_used_and_no_other(
    pretend, stubbed: BuildRecipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also one that is no candidate otherwise."""
    pretend(AMX | AVX2)
    monkeypatch.setenv("LIMBECK_KERNELS", "portable")
    assert [one.name for one in candidate_libraries()] == ["portable"]
    found = find_kernels(tmp_path)
    assert isinstance(found, Kernels)
    assert found.name == "portable"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("amx", "LIMBECK_KERNELS=amx cannot be used: this CPU lacks amx_bf16, amx_tile, avx512_bf16"),
        ("neon", "LIMBECK_KERNELS=neon cannot be used: neon is for aarch64; this is x86_64"),
        ("sse", "kernels 'sse' are not known: there are amx"),
        ("avx2", "LIMBECK_KERNELS=avx2 cannot be used: no C\\+\\+ compiler was found"),
    ],
)
def test_a_forced_library_that_cannot_be_used_is_an_error(
    pretend, stubbed: BuildRecipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, message: str
) -> None:
    """It names the missing flag; nothing else is used in its place."""
    pretend(AVX2)
    monkeypatch.setattr(libraries, "find_compilers", list)
    monkeypatch.setenv("LIMBECK_KERNELS", name)
    with pytest.raises(SettingsError, match=message):
        find_kernels(tmp_path)


def test_no_compiler_is_said(pretend, stubbed: BuildRecipe, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A compiler is never required."""
    pretend(AVX2)
    monkeypatch.setattr(libraries, "find_compilers", list)
    reason = "no C++ compiler was found (looked for $CXX, c++, g++, clang++, ziglang)"
    assert find_kernels(tmp_path) == NoKernels(reason=reason)


def test_a_compiler_that_fails_is_quoted(
    pretend, stubbed: BuildRecipe, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What the compiler said is in the reason, and nothing is left behind."""
    pretend(AVX2)
    broken = tmp_path / "c++"
    broken.write_text('#!/bin/sh\necho "encoder.cpp:1: no such flag" >&2\nexit 1\n')
    broken.chmod(0o755)
    monkeypatch.setenv("CXX", str(broken))
    found = find_kernels(tmp_path / "cache")
    assert found == NoKernels(reason="building limbeck-avx2 failed: encoder.cpp:1: no such flag")
    assert not list((tmp_path / "cache").rglob("*.so"))


def built(recipe: BuildRecipe, folder: Path) -> FoundLibrary:
    found = build_library(recipe, folder)
    assert found is not None
    assert found.library.answer() == 7
    return found


def test_what_was_built_is_used_without_a_compiler(
    stub: BuildRecipe, tmp_path: Path, compiled: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same sources and flags are compiled once; later nothing is run, and no compiler needs to be there."""
    first = built(stub, tmp_path / "cache")
    assert len(compiled) == TO_BUILD
    monkeypatch.setattr(libraries, "find_compilers", list)
    assert built(stub, tmp_path / "cache").path == first.path
    assert len(compiled) == TO_BUILD
    stub.sources[0].write_text("// of another version")
    assert build_library(stub, tmp_path / "cache") is None


def test_each_compiler_has_its_own_library(
    stub: BuildRecipe, tmp_path: Path, compiler: str, compiled: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What one built is not taken for another's, since speeds differ; where none can compile, any will do."""
    cache, paths = tmp_path / "cache", {}
    for name in ("one", "other", "broken"):
        (tmp_path / name).write_text(f'#!/bin/sh\nexec {compiler if name != "broken" else "false"} "$@"\n')
        (tmp_path / name).chmod(0o755)
    for name in ("one", "other", "one"):
        monkeypatch.setenv("CXX", str(tmp_path / name))
        paths.setdefault(name, set()).add(built(stub, cache).path)
    assert len(compiled) == 2 * TO_BUILD
    assert [len(found) for found in paths.values()] == [1, 1]
    assert paths["one"] != paths["other"]
    monkeypatch.setenv("CXX", str(tmp_path / "broken"))
    assert built(stub, cache).path in paths["one"] | paths["other"]
    monkeypatch.setattr(libraries, "find_compilers", list)
    assert built(stub, cache).path in paths["one"] | paths["other"]


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
        path = path.with_name(f"{path.stem.rpartition('-')[0]}-{hashlib.sha256(content).hexdigest()[:20]}.so")
    spoiled = {"flipped": content[:-9] + b"?" + content[-8:], "cut": content[: len(content) // 2], "empty": b""}
    path.write_bytes(spoiled.get(harm, content))
    built(stub, tmp_path / "cache")
    built(stub, tmp_path / "cache")
    assert len(compiled) == 2 * TO_BUILD


@pytest.mark.slow
def test_processes_that_need_it_at_once_compile_once(stub: BuildRecipe, tmp_path: Path, compiler: str) -> None:
    """One compiles, the others wait for it and take what it made."""
    slow, log = tmp_path / "slow-c++", tmp_path / "log"
    slow.write_text(f'#!/bin/sh\necho compiled >> {log}\nsleep 0.5\nexec {compiler} "$@"\n')
    slow.chmod(0o755)
    program = (
        "import os, sys; from pathlib import Path\n"
        "from limbeck.native.building import BuildRecipe; from limbeck.native.libraries import build_library\n"
        "os.environ['CXX'] = sys.argv[1]\n"
        "recipe = BuildRecipe(name='stub', sources=(Path(sys.argv[2]),), flags=tuple(sys.argv[4:]))\n"
        "print(build_library(recipe, Path(sys.argv[3])).library.answer())"
    )
    words = [sys.executable, "-c", program, str(slow), str(stub.sources[0]), str(tmp_path / "cache"), *stub.flags]
    running = [subprocess.Popen(words, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    assert [process.communicate()[0].strip() for process in running] == ["7"] * 3
    assert log.read_text().split() == ["compiled"] * TO_BUILD


def test_a_folder_without_locks_is_no_obstacle(
    stub: BuildRecipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, compiled: list[list[str]]
) -> None:
    """Where the file system has no locks it is compiled all the same."""

    def refused(folder: Path, *, patience_s: float) -> None:
        raise StorageError("its file system has no locks")

    monkeypatch.setattr(libraries, "patient_lock", refused)
    built(stub, tmp_path / "cache")
    assert len(compiled) == TO_BUILD


@pytest.fixture
def shipped(stub: BuildRecipe, compiler: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of libraries as a wheel carries it, with the stub as avx2's."""
    folder = tmp_path / "lib"
    folder.mkdir()
    content = building.compile_library(stub, [[compiler]]).content
    (folder / f"limbeck-avx2{building.SUFFIX}").write_bytes(content)
    listed = {"limbeck-avx2": {"digest": stub.digest(), "sha256": hashlib.sha256(content).hexdigest()}}
    (folder / "libraries.json").write_text(json.dumps(listed))
    monkeypatch.setattr(libraries, "SHIPPED", folder)
    return folder


def test_a_library_that_came_with_limbeck_needs_no_compiler(
    pretend, shipped: Path, stubbed: BuildRecipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is used where it lies, and nothing is written."""
    pretend(AVX2)
    monkeypatch.setattr(libraries, "find_compilers", list)
    found = find_kernels(tmp_path / "cache")
    assert isinstance(found, Kernels)
    assert (found.name, found.origin, found.path.parent) == ("avx2", "wheel", shipped)
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize(
    "harm", ["cut short", "gone", "of other sources", "list gone", "list damaged", "list of other things"]
)
def test_a_shipped_library_that_is_not_whole_or_not_of_these_sources_is_left_alone(
    shipped: Path, stub: BuildRecipe, harm: str
) -> None:
    """It is compiled anew where it can be: a checkout's sources may have been changed since."""
    recipe = replace(stub, name="limbeck-avx2")
    assert find_shipped(recipe) is not None
    path = shipped / f"limbeck-avx2{building.SUFFIX}"
    if harm == "cut short":
        path.unlink(), path.write_bytes(b"\x7fELF")
    elif harm == "gone":
        path.unlink()
    elif harm == "of other sources":
        stub.sources[0].write_text("// changed")
    else:
        contents = {"list gone": None, "list damaged": "{", "list of other things": '{"limbeck-avx2": ["a"]}'}
        (shipped / "libraries.json").unlink()
        if (content := contents[harm]) is not None:
            (shipped / "libraries.json").write_text(content)
    assert find_shipped(recipe) is None


def test_every_library_is_looked_for_once(
    pretend, stubbed: BuildRecipe, tmp_path: Path, compiled: list[list[str]]
) -> None:
    """A machine does not change while a process runs."""
    pretend(AVX2)
    assert find_library("avx2", tmp_path) is find_library("avx2", tmp_path)
    assert len(compiled) == TO_BUILD
    assert len(LIBRARIES) == 8
