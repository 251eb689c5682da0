"""A C++ compiler is found and called.

In: sources and flags. Out: the bytes of a library. Nothing outside Python is imported, because wheels are built where
nothing is installed.
"""

import hashlib
import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from limbeck.native.instruction_sets import Library

SOURCES = Path(__file__).parent
SHIPPED = SOURCES / "lib"
"""Where libraries lie that came with limbeck; `SHIPPED_LIST` there says what they were built from."""
SHIPPED_LIST = "libraries.json"
COMPILERS = ("c++", "g++", "clang++")
FLAGS = ("-O3", "-std=c++17", "-fPIC", "-pthread", "-fvisibility=hidden", "-ffp-contract=off")
"""Of every source: only what is meant for others is seen, and a multiply-add is fused where it is written so."""
COMPILE_TIMEOUT_S = 900
SUFFIX = ".dll" if platform.system() == "Windows" else ".so"
"""Of a library's file, on this system."""


@dataclass(frozen=True, kw_only=True)
class BuildRecipe:
    """How a library is built.

    Attributes:
        name: of its file.
        sources: what is compiled.
        headers: folders whose headers these may include, beside their own.
        flags: of the compiler.
    """

    name: str
    sources: tuple[Path, ...]
    headers: tuple[Path, ...] = ()
    flags: tuple[str, ...] = FLAGS

    def digest(self) -> str:
        """Return the SHA-256 (hexadecimal) of what it is built from. Compilers agree on what it computes."""
        digest = hashlib.sha256(" ".join(self.flags).encode())
        for folder in dict.fromkeys((*(source.parent for source in self.sources), *self.headers)):
            for file in sorted(folder.iterdir()):
                if file.suffix in (".cpp", ".hpp"):
                    # A checkout on Windows may have other line ends.
                    digest.update(file.name.encode() + file.read_bytes().replace(b"\r\n", b"\n"))
        return digest.hexdigest()

    def to_compile(self, compiler: Sequence[str], source: Path, compiled: Path) -> list[str]:
        """Return what is run for a source."""
        beside = [word for folder in self.headers for word in ("-I", str(folder))]
        # zig takes Arm's extensions with a CPU's name only, others with an architecture's.
        arm = re.compile(r"-march=armv[0-9.]+-a" if "ziglang" in compiler else r"$^")
        flags = [arm.sub("-mcpu=generic", flag) for flag in self.flags]
        return [*compiler, *flags, *beside, "-c", str(source), "-o", str(compiled)]

    def to_link(self, compiler: Sequence[str], compiled: Sequence[Path], library: Path) -> list[str]:
        """Return what is run in the end; flags of the CPU stay out of it: what others compiled is for any CPU."""
        return [*compiler, "-shared", "-fPIC", "-pthread", *map(str, compiled), "-o", str(library)]


def build_recipe_of(library: Library) -> BuildRecipe:
    """Return how the library of an instruction set is built."""
    return BuildRecipe(
        name=f"limbeck-{library.name}",
        sources=(SOURCES / "encoder.cpp", SOURCES / "step.cpp"),
        flags=(*FLAGS, *library.flags, f'-DLIMBECK_ISA="{library.header}"'),
    )


def find_compilers() -> list[list[str]]:
    """Return the words that call each C++ compiler here: $CXX alone where it is set, else the system's, else zig's."""
    if given := os.environ.get("CXX"):
        return [shlex.split(given)]
    paths = filter(None, map(shutil.which, COMPILERS))
    by_file = {os.path.realpath(path): [path] for path in reversed([*paths]) if not _only_offers_one(path)}
    return [*reversed(by_file.values())] or ([[sys.executable, "-m", "ziglang", "c++"]] if find_spec("ziglang") else [])


def _only_offers_one(path: str) -> bool:
    """Tell whether a compiler is macOS's stand-in, which opens a window that offers to install one."""
    if platform.system() != "Darwin" or not path.startswith("/usr/bin/"):
        return False
    return subprocess.run(["/usr/bin/xcode-select", "-p"], capture_output=True, check=False).returncode != 0


def compile_library(recipe: BuildRecipe, compilers: Sequence[Sequence[str]]) -> bytes:
    """Return the bytes of a library, from the first of these compilers that can build it.

    Raises:
        OSError: a compiler cannot be run.
        SubprocessError: the compilers refused the sources, or took too long; what the first of them said.
    """
    refusals: list[OSError | subprocess.SubprocessError] = []
    for compiler in compilers:
        # Compilers want files of their own; what they leave is written whole elsewhere, so no kill leaves half of it.
        with tempfile.TemporaryDirectory() as built, ThreadPoolExecutor() as together:
            library = Path(built) / "library"
            compiled = [Path(built) / f"{source.stem}.o" for source in recipe.sources]
            commands = [recipe.to_compile(compiler, *pair) for pair in zip(recipe.sources, compiled, strict=True)]
            try:
                list(together.map(_run, commands))
                _run(recipe.to_link(compiler, compiled, library))
                return library.read_bytes()
            except (OSError, subprocess.SubprocessError) as error:
                refusals.append(error)
    raise refusals[0]


def _run(command: list[str]) -> None:
    # The words are our own flags and paths, and no shell reads them.
    subprocess.run(command, capture_output=True, check=True, timeout=COMPILE_TIMEOUT_S)  # noqa: S603
