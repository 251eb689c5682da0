"""Runs the C++ outside Python: `tests/native/check*.cpp` with sanitizers, and the kernels for Arm in an emulator.

In: "sanitize" or "arm". Out: what the programs say, and 1 when a library is too far from its reference, reads past an
array, or does what C++ leaves undefined. `make sanitize` and `make arm` run it.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "src"))

from limbeck.native.building import SOURCES, build_recipe_of, compile_library, find_compilers  # noqa: E402
from limbeck.native.libraries import library_named, usable_libraries  # noqa: E402

CHECK = ROOT / "tests" / "native" / "check.cpp"
CHECK_WORDPIECE = CHECK.with_name("check_wordpiece.cpp")
SANITIZERS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all")
BRIEF, TRACED = ("-O1",), ("-O0", "-g", "-fno-omit-frame-pointer")
"""Flags that come after a library's own: what sanitizers add is optimized for minutes, and the rest is not."""
ARM_COMPILER, EMULATOR = "aarch64-linux-gnu-g++", "qemu-aarch64-static"
ARM_PAIRS = (("cortex-a57", "neon"), ("max", "neonbf16"))
"""CPU that is emulated, and what it runs. The first has no bfloat16 and no newer instruction."""


def main(what: str) -> int:
    """Compile and run; return how the program ends."""
    with tempfile.TemporaryDirectory() as folder:
        return {"sanitize": sanitize, "arm": run_for_arm}[what](Path(folder))


def sanitize(folder: Path) -> int:
    """Run every library that this CPU can run, with all that the sanitizers look for."""
    plain = find_compilers()
    if not plain:
        sys.stdout.write("no C++ compiler: nothing was checked\n")
        return 1
    compilers = [[*compiler, *SANITIZERS] for compiler in plain]
    reference = compiled(("portable",), plain, folder / "plain", BRIEF)["portable"]
    paths = compiled((library.name for library in usable_libraries()), compilers, folder, TRACED)
    program = compiled_check(compilers[0], folder)
    tokenizer = compiled_check([*compilers[0], "-O1"], folder, CHECK_WORDPIECE)
    options = {"UBSAN_OPTIONS": "print_stacktrace=1", "ASAN_OPTIONS": "detect_stack_use_after_return=1"}
    commands = [[program, "0", reference, path] for path in paths.values()]
    return run_beside_each_other([*commands, [tokenizer]], os.environ | options)


def run_for_arm(folder: Path) -> int:
    """Run the libraries for Arm in an emulator, each on a CPU that has what it needs."""
    absent = [name for name in (ARM_COMPILER, EMULATOR) if not shutil.which(name)]
    if absent:
        sys.stdout.write(
            f"not checked: {', '.join(absent)} not here (Debian: g++-aarch64-linux-gnu, qemu-user-static)\n"
        )
        return 0
    paths = compiled(("portable", *(name for _, name in ARM_PAIRS)), [[ARM_COMPILER]], folder, BRIEF)
    program = compiled_check([ARM_COMPILER, "-O1"], folder)
    emulated = [EMULATOR, "-L", "/usr/aarch64-linux-gnu", "-cpu"]
    return run_beside_each_other(
        [[*emulated, cpu, program, "0", paths["portable"], paths[name]] for cpu, name in ARM_PAIRS],
        os.environ,
    )


def run_beside_each_other(commands: Sequence[Sequence[str | Path]], environment: Mapping[str, str]) -> int:
    """Run commands on all cores, and show what each said; return 1 when one failed."""

    def run(command: Sequence[str | Path]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, check=False, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )

    with ThreadPoolExecutor(os.cpu_count()) as together:
        ended = list(together.map(run, commands))
    sys.stdout.writelines(one.stdout for one in ended)
    return int(any(one.returncode for one in ended))


def compiled_check(compiler: list[str], folder: Path, source: Path = CHECK) -> Path:
    """Compile the program that compares libraries, or that of WordPiece."""
    program = folder / source.stem
    beside = ["-I", str(SOURCES), "-o", str(program), "-ldl", "-pthread"]
    subprocess.run([*compiler, "-std=c++17", str(source), *beside], check=True)
    return program


def compiled(names: Iterable[str], compilers: list[list[str]], folder: Path, flags: tuple[str, ...]) -> dict[str, Path]:
    """Compile libraries of these names, with few optimizations."""
    folder.mkdir(exist_ok=True)

    def one(name: str) -> Path:
        recipe = build_recipe_of(library_named(name))
        path = folder / f"{recipe.name}.so"
        path.write_bytes(compile_library(replace(recipe, flags=(*recipe.flags, *flags)), compilers).content)
        return path

    names = sorted(names)
    with ThreadPoolExecutor(os.cpu_count()) as together:
        return dict(zip(names, together.map(one, names), strict=True))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
