"""The package's own source, read and parsed once for all tests that look at it."""

import ast
from functools import cache
from pathlib import Path

import limbeck

SOURCE = Path(limbeck.__file__).parent


@cache
def trees() -> dict[Path, ast.Module]:
    """Return every module of the package, parsed, by its path."""
    return {path: ast.parse(path.read_text("utf-8")) for path in sorted(SOURCE.rglob("*.py"))}
