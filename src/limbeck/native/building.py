"""A C++ compiler is found and called.

In: sources and flags. Out: the bytes of a library, and the name of what compiled them. Nothing outside Python is
imported, because wheels are built where nothing is installed.
"""

import hashlib
import os
import platform
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import IO

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
        """Return the SHA-256 (hexadecimal) of what it is built from, whoever compiles it."""
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


WORDPIECE = BuildRecipe(name="limbeck-wordpiece", sources=(SOURCES / "wordpiece" / "wordpiece.cpp",))
"""The tokenizer, for any CPU."""


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


@dataclass(frozen=True, kw_only=True)
class BuiltLibrary:
    """A library as a compiler made it.

    Attributes:
        content: the bytes of its file.
        compiler: its name, as `name_compiler` has it.
    """

    content: bytes
    compiler: str


def name_compiler(compiler: Sequence[str]) -> str:
    """Return a name for the words that call a compiler, fit for a file; those with other flags have another."""
    if "ziglang" in compiler:
        return "zig"
    file = Path(os.path.realpath(shutil.which(compiler[0]) or compiler[0])).name
    more = f"+{hashlib.sha256(shlex.join(compiler[1:]).encode()).hexdigest()[:8]}" if compiler[1:] else ""
    return re.sub(r"[^\w.+]", "_", file + more)


def compile_library(recipe: BuildRecipe, compilers: Sequence[Sequence[str]]) -> BuiltLibrary:
    """Return a library, from the first of these compilers that can build it.

    Raises:
        OSError: a compiler cannot be run.
        SubprocessError: the compilers refused the sources, or took too long; what the first of them said.
    """
    refusals: list[OSError | subprocess.SubprocessError] = []
    for compiler in compilers:
        # Compilers want files of their own; what they leave is written whole elsewhere, so no kill leaves half of it.
        with tempfile.TemporaryDirectory() as built:
            library = Path(built) / "library"
            compiled = [Path(built) / f"{source.stem}.o" for source in recipe.sources]
            try:
                _run(*(recipe.to_compile(compiler, *pair) for pair in zip(recipe.sources, compiled, strict=True)))
                _run(recipe.to_link(compiler, compiled, library))
                return BuiltLibrary(content=library.read_bytes(), compiler=name_compiler(compiler))
            except (OSError, subprocess.SubprocessError) as error:
                refusals.append(error)
    raise refusals[0]


def _run(*commands: list[str]) -> None:
    """Run commands beside each other. When this ends, whatever ends it, they have ended, and what they started."""
    end_s = time.monotonic() + COMPILE_TIMEOUT_S
    with ExitStack() as stack:
        calls = [(command, *stack.enter_context(_started(command))) for command in commands]
        for command, process, words in calls:
            try:
                process.wait(max(0.0, end_s - time.monotonic()))
            except subprocess.TimeoutExpired:
                raise subprocess.TimeoutExpired(command, COMPILE_TIMEOUT_S) from None
            if process.returncode:
                words.seek(0)
                raise subprocess.CalledProcessError(process.returncode, command, stderr=words.read())


@contextmanager
def _started(command: list[str]) -> Iterator[tuple[subprocess.Popen[bytes], IO[bytes]]]:
    """Start a command; give it and what it says, which lies in a file: nobody has to read while it runs."""
    with (
        tempfile.TemporaryFile() as words,
        # The words are our own flags and paths, and no shell reads them.
        subprocess.Popen(  # noqa: S603
            command, stdin=subprocess.DEVNULL, stdout=words, stderr=subprocess.STDOUT, start_new_session=True
        ) as process,
    ):
        try:
            yield process, words
        finally:
            if process.poll() is None:
                _end_all(process)


def _end_all(process: subprocess.Popen[bytes]) -> None:
    """End a command and what it started: a compiler's driver leaves the compiler proper behind when it is killed."""
    if platform.system() == "Windows":
        process.kill()
    else:
        os.killpg(process.pid, signal.SIGKILL)
