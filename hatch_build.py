"""Compiles the C++ into the wheel, for one platform: a library a row of `native/instruction_sets.py`, and WordPiece.

Run by hatchling, where nothing else is installed. A library that cannot be compiled is left out, and without a compiler
the wheel holds the sources alone: they are compiled on first use where there is a compiler, and torch computes where
there is none. No install ever fails for it.

LIMBECK_PLATFORM in the environment names one of `PLATFORMS` to build for with zig, from any machine (`make wheels`).
"""

import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ROOT = Path(__file__).parent
sys.path.insert(0, str(ROOT / "src"))

from limbeck.native.building import (  # noqa: E402
    FLAGS,
    SHIPPED,
    SHIPPED_LIST,
    SOURCES,
    WORDPIECE,
    BuildRecipe,
    build_recipe_of,
    compile_library,
    find_compilers,
)
from limbeck.native.instruction_sets import LIBRARIES  # noqa: E402
from limbeck.processor import ARM, X86, cpu_flags, machine  # noqa: E402

PLATFORMS = {
    "manylinux_2_17_x86_64": ("x86_64-linux-gnu.2.17", X86),
    "manylinux_2_17_aarch64": ("aarch64-linux-gnu.2.17", ARM),
    "musllinux_1_2_x86_64": ("x86_64-linux-musl", X86),
    "musllinux_1_2_aarch64": ("aarch64-linux-musl", ARM),
    "macosx_11_0_arm64": ("aarch64-macos.11.0", ARM),
    "macosx_11_0_x86_64": ("x86_64-macos.11.0", X86),
    "win_amd64": ("x86_64-windows-gnu", X86),
}
"""What zig calls each platform of a wheel, and its machine."""
CPUID = BuildRecipe(name="limbeck-cpuid", sources=(SOURCES / "cpuid.cpp",), flags=FLAGS)
"""Windows's way to ask the CPU."""


class CustomBuildHook(BuildHookInterface[Any]):
    """hatchling's hook of this project."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, and add to the wheel, or for an editable install put beside the sources."""
        name = os.environ.get("LIMBECK_PLATFORM")
        is_editable = version == "editable"
        if name:
            target, its_machine = PLATFORMS[name]
            compilers = [[sys.executable, "-m", "ziglang", "c++", "-target", target, "-s"]]
        else:
            compilers, its_machine = find_compilers(), machine()
        recipes = [
            build_recipe_of(library)
            for library in LIBRARIES
            if its_machine in library.machines
            # A checkout's user has this very CPU; what is slow and for tests is compiled when it is asked for.
            and (not is_editable or (library.cpu_flags <= cpu_flags() and not library.is_reference))
        ]
        is_windows = name == "win_amd64" if name else platform.system() == "Windows"
        recipes += [WORDPIECE, *[CPUID] * is_windows]
        self._folder = Path(tempfile.mkdtemp())
        files = self._compile(recipes, compilers, ".dll" if is_windows else ".so", is_required=bool(name))
        if is_editable:
            _renew(SHIPPED, files)
        elif files:
            place = SHIPPED.relative_to(ROOT / "src").as_posix()
            build_data["force_include"].update({str(file): f"{place}/{file.name}" for file in files})
            build_data["pure_python"] = False
            build_data["tag"] = f"py3-none-{name or _platform_here()}"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove what was compiled: it is in the wheel now."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _compile(
        self, recipes: list[BuildRecipe], compilers: list[list[str]], suffix: str, *, is_required: bool
    ) -> list[Path]:
        """Return the libraries that could be compiled, and the list of them; nothing where none could."""

        def compiled(recipe: BuildRecipe) -> bytes | None:
            try:
                return compile_library(recipe, compilers).content
            except (OSError, subprocess.SubprocessError) as error:
                said = (getattr(error, "stderr", None) or b"").decode(errors="replace") or str(error)
                if is_required:
                    raise RuntimeError(f"{recipe.name} could not be compiled: {said}") from error
                self.app.display_warning(f"{recipe.name} is left out: {said.strip()[:400]}")
                return None

        if not compilers:
            self.app.display_warning(
                "no C++ compiler: the kernels are left out, and compiled on first use if there is one"
            )
            return []
        with ThreadPoolExecutor(os.cpu_count()) as together:
            contents = list(together.map(compiled, recipes))
        listed, files = {}, []
        for recipe, content in zip(recipes, contents, strict=True):
            if content is not None:
                files.append(self._folder / f"{recipe.name}{suffix}")
                files[-1].write_bytes(content)
                listed[recipe.name] = {"digest": recipe.digest(), "sha256": hashlib.sha256(content).hexdigest()}
        if files:
            files.append(self._folder / SHIPPED_LIST)
            files[-1].write_text(json.dumps(listed, indent=2) + "\n", "utf-8")
        return files


def _renew(folder: Path, files: list[Path]) -> None:
    """Put files into a folder in the place of those there; programs that use the old ones keep them."""
    shutil.rmtree(folder, ignore_errors=True)
    if files:
        folder.mkdir()
    for file in files:
        shutil.copyfile(file, folder / file.name)


def _platform_here() -> str:
    """Return the tag of this very system: the wheel is for it, as it was compiled on it."""
    if platform.system() == "Darwin":
        return f"macosx_{platform.mac_ver()[0].split('.')[0]}_0_{platform.machine()}"
    return sysconfig.get_platform().replace("-", "_").replace(".", "_")
