"""A compiler is found and called, and what it cannot do is quoted."""

import os
import re
import select
import subprocess
import sys
from pathlib import Path

import pytest

from limbeck.native import building
from limbeck.native.building import BuildRecipe, build_recipe_of, compile_library, find_compilers, name_compiler
from limbeck.native.instruction_sets import LIBRARIES


@pytest.fixture
def path_of(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """Put programs of these names, and no others, on the PATH."""

    def put(*names: str) -> dict[str, str]:
        for name in names:
            (tmp_path / name).write_text("#!/bin/sh\n")
            (tmp_path / name).chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path))
        return {name: str(tmp_path / name) for name in names}

    return put


def test_the_persons_own_compiler_goes_first(path_of, monkeypatch: pytest.MonkeyPatch) -> None:
    """$CXX is obeyed, with its words; no other is tried behind it."""
    path_of("g++")
    monkeypatch.setenv("CXX", "ccache 'my compiler' -m64")
    assert find_compilers() == [["ccache", "my compiler", "-m64"]]


def test_a_compiler_of_two_names_is_tried_once(path_of, tmp_path: Path) -> None:
    """c++ is most often a link to another one."""
    paths = path_of("g++", "clang++")
    (tmp_path / "c++").symlink_to(tmp_path / "g++")
    assert find_compilers() == [[str(tmp_path / "c++")], [paths["clang++"]]]


@pytest.mark.parametrize("has_zig", [True, False])
def test_zig_is_the_last(path_of, monkeypatch: pytest.MonkeyPatch, has_zig: bool) -> None:
    """Where the system has no compiler, the package that carries one is used, if it is installed."""
    path_of()
    monkeypatch.setattr(building, "find_spec", lambda name: has_zig or None)
    assert find_compilers() == [[sys.executable, "-m", "ziglang", "c++"]] * has_zig


@pytest.mark.parametrize(("answer", "offered"), [(0, True), (2, False)])
def test_the_stand_in_of_macos_is_not_called(
    path_of, monkeypatch: pytest.MonkeyPatch, answer: int, offered: bool
) -> None:
    """/usr/bin/c++ of a Mac without a compiler opens a window, so Apple's own program is asked first."""
    monkeypatch.setattr(building.platform, "system", lambda: "Darwin")
    monkeypatch.setattr(building.shutil, "which", lambda name: "/usr/bin/c++" if name == "c++" else None)
    monkeypatch.setattr(building, "find_spec", lambda name: None)
    ended = subprocess.CompletedProcess(["xcode-select"], answer)
    monkeypatch.setattr(building.subprocess, "run", lambda *words, **options: ended)
    assert bool(find_compilers()) == offered


def test_the_next_compiler_is_tried(stub: BuildRecipe, compiler: str, tmp_path: Path) -> None:
    """One that is too old for an instruction set does not stand in the way of another."""
    assert compile_library(stub, [[str(tmp_path / "absent")], [compiler]]).content.startswith(b"\x7fELF")


def test_the_first_refusal_is_told(stub: BuildRecipe, tmp_path: Path) -> None:
    """Where all of them refuse, the first one's words are the reason."""
    for name in ("first", "second"):
        (tmp_path / name).write_text(f"#!/bin/sh\necho {name} refuses >&2\nexit 1\n")
        (tmp_path / name).chmod(0o755)
    with pytest.raises(subprocess.CalledProcessError) as caught:
        compile_library(stub, [[str(tmp_path / "first")], [str(tmp_path / "second")]])
    assert caught.value.stderr == b"first refuses\n"


def test_compilers_are_told_apart(path_of, tmp_path: Path) -> None:
    """By their file, whatever link calls them, and by their flags; the name is fit for a file."""
    path_of("g++-12", "clang++")
    (tmp_path / "c++").symlink_to(tmp_path / "g++-12")
    zig = [sys.executable, "-m", "ziglang", "c++"]
    words = (["c++"], ["clang++"], ["c++", "-m64"], ["c++", "-m32"], zig, ["no such/compiler"])
    names = [name_compiler(one) for one in words]
    assert names[:2] + names[4:] == ["g++_12", "clang++", "zig", "compiler"]
    assert name_compiler(["g++-12"]) == names[0]
    assert len(set(names)) == len(words)
    assert all(re.fullmatch(r"[\w.+]+", name) for name in names)


def test_a_compiler_that_takes_too_long_is_ended(
    stub: BuildRecipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error says how long it had."""
    (tmp_path / "slow").write_text("#!/bin/sh\nsleep 300\n")
    (tmp_path / "slow").chmod(0o755)
    monkeypatch.setattr(building, "COMPILE_TIMEOUT_S", 0.05)
    with pytest.raises(subprocess.TimeoutExpired, match=r"timed out after 0\.05 seconds"):
        compile_library(stub, [[str(tmp_path / "slow")]])


def test_what_a_compiler_started_ends_with_it(tmp_path: Path) -> None:
    """A driver that is killed alone leaves the compiler proper behind: here one fails, and the other's child ends."""
    os.mkfifo(tmp_path / "started"), os.mkfifo(tmp_path / "held")
    held = os.open(tmp_path / "held", os.O_RDONLY | os.O_NONBLOCK)
    driver = f"(echo up > {tmp_path}/started; exec sleep 300) > {tmp_path}/held & wait"
    fails = f"read word < {tmp_path}/started; exit 1"
    with pytest.raises(subprocess.CalledProcessError):
        building._run(["sh", "-c", fails], ["sh", "-c", driver])
    # Who held it open is gone.
    assert select.select([held], [], [], 60)[0] == [held]
    assert os.read(held, 1) == b""
    os.close(held)


def test_what_is_built_from_other_things_has_another_digest(stub: BuildRecipe) -> None:
    """Sources, their names, headers beside them and flags count; line ends and other files do not."""
    (source,) = stub.sources
    first = stub.digest()
    (source.parent / "notes.txt").write_text("nothing")
    source.write_bytes(source.read_bytes().replace(b"\n", b"\r\n"))
    assert stub.digest() == first
    seen = {first, BuildRecipe(name=stub.name, sources=stub.sources, flags=(*stub.flags, "-g")).digest()}
    (source.parent / "beside.hpp").write_text("// one")
    seen.add(stub.digest())
    (source.parent / "beside.hpp").rename(source.parent / "other.hpp")
    seen.add(stub.digest())
    source.write_text("// another")
    seen.add(stub.digest())
    assert len(seen) == 5


def test_zig_takes_arms_extensions_in_its_own_way() -> None:
    """It knows them by -mcpu only, GCC 12 some of them by -march only."""
    (recipe,) = (build_recipe_of(library) for library in LIBRARIES if library.name == "neonbf16")
    zig = recipe.to_compile(["python", "-m", "ziglang", "c++"], recipe.sources[0], Path("out.o"))
    other = recipe.to_compile(["c++"], recipe.sources[0], Path("out.o"))
    assert [word for word in zig if "bf16+" in word] == ["-mcpu=generic+bf16+crypto"]
    assert [word for word in other if "bf16+" in word] == ["-march=armv8.2-a+bf16+crypto"]


def test_the_compiler_is_told_the_instruction_set() -> None:
    """Each row's library is made of the same sources, with its own header and flags."""
    assert len({build_recipe_of(library).sources for library in LIBRARIES}) == 1
    for library in LIBRARIES:
        recipe = build_recipe_of(library)
        for source in recipe.sources:
            command = recipe.to_compile(["c++"], source, Path("out.o"))
            assert {f'-DLIMBECK_ISA="isa_{library.name}.hpp"', *library.flags, str(source)} <= set(command)
            assert {"-fvisibility=hidden", "-ffp-contract=off", "-std=c++17"} <= set(command)
        assert not set(library.flags) & set(recipe.to_link(["c++"], [Path("out.o")], Path("library")))
