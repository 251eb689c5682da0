"""The source archive: what is made of a checkout can be tested like one."""

import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.slow
def test_the_source_archive_holds_what_its_tests_read(tmp_path: Path) -> None:
    """Docs, examples, benchmarks and both READMEs are in it, as tests read them."""
    build = [sys.executable, "-m", "hatchling", "build", "--target", "sdist", "--directory", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (archive,) = tmp_path.glob("limbeck-*.tar.gz")
    with tarfile.open(archive) as opened:
        names = {name.partition("/")[2] for name in opened.getnames()}
    wanted = [
        ROOT / name
        for name in ("README.md", "README.ko.md", "CHANGELOG.md", "Makefile", ".importlinter", "hatch_build.py")
    ]
    for folder in ("docs", "examples", "benchmarks", "tests"):
        wanted += [path for path in (ROOT / folder).rglob("*.*") if path.suffix in (".py", ".md", ".csv", ".json")]
    assert [path for path in wanted if path.relative_to(ROOT).as_posix() not in names] == []
