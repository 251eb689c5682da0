"""The wheel: what is built from a checkout runs where there is no checkout."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel and lay it out as an installer does."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = folder.glob("limbeck-*.whl")
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
    wanted = {path for path in sources if "__pycache__" not in path.parts}
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
