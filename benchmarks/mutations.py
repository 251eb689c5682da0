"""Do the tests of the kernels notice a wrong sign? Each of a few, in a copy of the sources, must turn one red.

    python benchmarks/mutations.py

Prints a line for each: the file, the change, and the test that noticed it, or that none did; and fails where none did.
It compiles the sources for every line, so it takes minutes.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from limbeck.native.libraries import library_named, why_not_usable

ROOT = Path(__file__).parents[1]
NATIVE = Path("src") / "limbeck" / "native"
TESTS = ("native/test_kernels_operations.py", "conformance/test_engine.py", "inference/test_native_engine.py")


@dataclass(frozen=True)
class Mutation:
    """A sign that is turned, and the instruction set whose tests are to notice it."""

    file: str
    right: str
    wrong: str
    library: str


MUTATIONS = (
    Mutation("rows.hpp", "(load(row + o) - mean) * inverse, y1", "(load(row + o) + mean) * inverse, y1", "portable"),
    Mutation("rows.hpp", "total - loadu(bias + o)", "total + loadu(bias + o)", "portable"),
    Mutation(
        "attention_float.hpp", "(load(scores + j * 16) - highest)", "(load(scores + j * 16) + highest)", "portable"
    ),
    Mutation("functions.hpp", "-1.514142612e-03f", "1.514142612e-03f", "portable"),
    Mutation("product_float.hpp", "row[I] = fma(spread(", "row[I] = fnma(spread(", "portable"),
    Mutation("vec_portable.hpp", "x.at[i] - y.at[i]", "x.at[i] + y.at[i]", "portable"),
    Mutation("vec_avx2.hpp", "_mm256_sub_ps(x.b, y.b)", "_mm256_add_ps(x.b, y.b)", "avx2"),
    Mutation("vec_avx2.hpp", "_mm256_fnmadd_ps(x.a", "_mm256_fmadd_ps(x.a", "avx2"),
    Mutation("vec_avx2.hpp", "_mm256_fmsub_ps(x.b", "_mm256_fmadd_ps(x.b", "avx2"),
    Mutation("attention_tiles.hpp", "set(16256.0f - top(", "set(16256.0f + top(", "soft"),
    Mutation("product_unit_plain.hpp", "2 * n]) + odd", "2 * n]) - odd", "soft"),
)


def main() -> None:
    """Try them all, after the sources as they are."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        for name in ("src", "tests", "pyproject.toml"):
            place = ROOT / name
            (shutil.copytree if place.is_dir() else shutil.copy)(place, copy / name)
        for library in dict.fromkeys(one.library for one in MUTATIONS):
            if _runs_here(library) and (red := _first_red(copy, library)):
                raise SystemExit(f"the sources as they are fail on {library}: {red}")
        missed = [one for one in MUTATIONS if _runs_here(one.library) and not _is_noticed(copy, one)]
    if missed:
        raise SystemExit(f"{len(missed)} of {len(MUTATIONS)} wrong signs were noticed by no test")


def _is_noticed(copy: Path, mutation: Mutation) -> bool:
    path = copy / NATIVE / mutation.file
    right = path.read_text("utf-8")
    if mutation.right not in right:
        raise SystemExit(f"{mutation.file} has no {mutation.right!r} any more: name another sign")
    path.write_text(right.replace(mutation.right, mutation.wrong), "utf-8")
    red = _first_red(copy, mutation.library)
    path.write_text(right, "utf-8")
    print(f"{mutation.library:9} {mutation.file}: {mutation.wrong}: {red or 'noticed by no test'}", flush=True)
    return red is not None


def _runs_here(library: str) -> bool:
    reason = why_not_usable(library_named(library))
    if reason:
        print(f"{library} is not tried: {reason}")
    return reason is None


def _first_red(copy: Path, library: str) -> str | None:
    """Return the first test of an instruction set that fails; None when all pass."""
    ended = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist"),
            *("-m", "not encoder and not slow", "-k", library, *(f"tests/{name}" for name in TESTS)),
        ],
        cwd=copy,
        env={**os.environ, "PYTHONPATH": os.pathsep.join((str(copy / "src"), str(copy)))},
        capture_output=True,
        text=True,
        check=False,
    )
    if ended.returncode == 0:
        return None
    reds = [
        line.partition(" ")[2].partition(" - ")[0]
        for line in ended.stdout.splitlines()
        if line.startswith(("FAILED ", "ERROR "))
    ]
    if not reds:
        raise SystemExit(f"the tests could not be run:\n{ended.stdout[-2000:]}{ended.stderr[-2000:]}")
    return reds[0]


if __name__ == "__main__":
    main()
