"""The wheel: what is built from a checkout runs where there is no checkout."""

import os
import platform
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from limbeck.native.libraries import candidate_libraries

ROOT = Path(__file__).parents[1]


def build_wheel(folder: Path, *, compiler: str) -> Path:
    """Build a wheel of the checkout with a compiler; return where it is."""
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(build, cwd=ROOT, env={**os.environ, "CXX": compiler}, check=True, capture_output=True)
    (wheel,) = folder.glob("limbeck-*.whl")
    return wheel


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel without a compiler, and lay it out as an installer does."""
    folder = tmp_path_factory.mktemp("wheel")
    wheel = build_wheel(folder, compiler="no-such-compiler")
    assert wheel.name.endswith("-py3-none-any.whl")
    site = folder / "site"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    return site


def run(site: Path, *words: str) -> str:
    """Run Python in an empty folder with the laid-out wheel before anything else."""
    environment = {**os.environ, "PYTHONPATH": str(site)}
    done = subprocess.run(
        [sys.executable, *words], cwd=site.parent, env=environment, check=True, capture_output=True, text=True
    )
    return done.stdout


def test_it_holds_everything_that_is_no_module(installed: Path) -> None:
    """Kernels, templates and the mark of its types are in it; tests and benchmarks are not."""
    package = installed / "limbeck"
    sources = {path.relative_to(ROOT / "src") for path in (ROOT / "src" / "limbeck").rglob("*") if path.is_file()}
    compiled = Path("limbeck") / "native" / "lib"  # of an editable install
    wanted = {path for path in sources if "__pycache__" not in path.parts and path.parent != compiled}
    assert {path.relative_to(installed) for path in package.rglob("*") if path.is_file()} == wanted
    assert (package / "py.typed").is_file()
    assert sorted(path.name.split("-")[0] for path in installed.iterdir()) == ["limbeck", "limbeck"]


def test_it_runs_outside_the_checkout(installed: Path) -> None:
    """The command line of the laid-out wheel answers, from its own files."""
    place = run(installed, "-c", "import limbeck; print(limbeck.__file__)").strip()
    assert Path(place).is_relative_to(installed)
    assert "train" in run(installed, "-m", "limbeck", "--help")


@pytest.mark.slow
@pytest.mark.encoder
def test_it_tokenizes_outside_the_checkout(installed: Path) -> None:
    """The ids come from the installed encoder."""
    assert "[101, 1045, 2514, 2986, 102]" in run(installed, "-m", "limbeck", "tokens", "i feel fine")


ASKED = """
import limbeck, shutil
from limbeck.native.libraries import find_library, find_kernels
assert shutil.which("c++") is shutil.which("g++") is shutil.which("clang++") is None
found = {name: getattr(find_library(name), "origin", None) for name in NAMES}
print(found, limbeck.__file__)
"""


def fresh_environment(folder: Path) -> tuple[Path, dict[str, str]]:
    """Make an environment with this one's packages but limbeck; return its Python, and variables without a compiler."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder / "venv")], check=True)
    (site,) = (folder / "venv").glob("lib/python*/site-packages")
    # Packages of a folder that is named so are seen, and what they name in .pth files is not: an editable limbeck.
    (site / "beside.pth").write_text(sysconfig.get_path("purelib") + "\n")
    (folder / "cache").mkdir()
    environment = {"PATH": str(folder / "venv" / "bin"), "XDG_CACHE_HOME": str(folder / "cache"), "HOME": str(folder)}
    environment["CXX"] = "no-such-compiler"  # nor zig's, which is a package and might be beside
    return folder / "venv" / "bin" / "python", environment


def install(python: Path, *words: str | Path) -> None:
    """Install with pip, without a network."""
    command = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-deps", "--no-index"]
    environment = {**os.environ, "CXX": "no-such-compiler", "PYTHONPATH": ""}
    subprocess.run([*command, *words], check=True, env=environment)


@pytest.mark.slow
def test_a_fresh_environment_without_a_compiler_uses_the_library_of_the_wheel(tmp_path: Path) -> None:
    """A library that could be compiled is in the wheel, one that could not is left out, and nothing else is needed."""
    compiler = shutil.which("c++") or shutil.which("g++") or shutil.which("clang++")
    if compiler is None:
        pytest.skip("no C++ compiler is installed")
    name = next((library.name for library in reversed(candidate_libraries())), "portable")
    picky = tmp_path / "c++"
    words = f'*isa_{name}.hpp*) exec {compiler} "$@" -O0 ;; *-c*) exit 1 ;; *) exec {compiler} "$@" ;;'
    picky.write_text(f'#!/bin/sh\ncase "$*" in {words} esac\n')
    picky.chmod(0o755)
    wheel = build_wheel(tmp_path / "dist", compiler=str(picky))
    assert "-py3-none-linux_" in wheel.name or platform.system() != "Linux"
    python, environment = fresh_environment(tmp_path)
    install(python, wheel)
    asked = ASKED.replace("NAMES", repr([name, "soft"]))
    ended = subprocess.run([python, "-c", asked], env=environment, capture_output=True, text=True, check=True)
    found, place = ended.stdout.rsplit(maxsplit=1)
    assert found == str({name: "wheel", "soft": None})
    assert Path(place).is_relative_to(tmp_path / "venv")
    assert not list((tmp_path / "cache").rglob("*.so"))


@pytest.mark.slow
def test_the_source_archive_installs_without_a_compiler(tmp_path: Path) -> None:
    """The kernels are left out, torch computes, and the reason is at hand."""
    build = [sys.executable, "-m", "hatchling", "build", "--target", "sdist", "--directory", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (archive,) = tmp_path.glob("limbeck-*.tar.gz")
    python, environment = fresh_environment(tmp_path)
    install(python, "--no-build-isolation", archive)
    asked = "from limbeck.native.libraries import find_library; print(find_library('portable').reason)"
    ended = subprocess.run([python, "-c", asked], env=environment, capture_output=True, text=True, check=True)
    assert "No such file or directory: 'no-such-compiler'" in ended.stdout
