"""Who imports whom: no circle anywhere, however late or for whatever purpose an import is made."""

import ast
import importlib
import importlib.util
from collections.abc import Container, Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest
from tests.source import SOURCE, trees


def modules() -> dict[str, ast.Module]:
    """Return every module of the package, parsed, by its dotted name."""
    found = {}
    for path, tree in trees().items():
        parts = ("limbeck", *path.relative_to(SOURCE).with_suffix("").parts)
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = tree
    return found


def imported(tree: ast.AST, known: Container[str]) -> Iterator[str]:
    """Give the modules that a file imports: at its top, inside functions, and for types only."""
    for node in statements(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom) and node.module in known:
            inner = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from (name if name in known else str(node.module) for name in inner)


def statements(node: ast.AST) -> Iterator[ast.AST]:
    """Give the statements below a node, however deep; expressions, which are most of a file, hold none."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.stmt | ast.excepthandler | ast.match_case):
            yield child
            yield from statements(child)


def circle(graph: dict[str, set[str]]) -> list[str]:
    """Return a circle of a graph, its first member again at the end; nothing where there is none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        members: list[str] = error.args[1]
        return members
    return []


@pytest.mark.slow
def test_there_is_no_circle_of_imports() -> None:
    """No module leads back to itself through what it imports: late imports and those for types are imports too."""
    known = modules()
    graph = {name: set(imported(tree, known)) for name, tree in known.items()}
    assert circle(graph) == []


def test_a_circle_would_be_seen() -> None:
    """An import inside a function, and one for types alone, close a circle as one at the top does."""
    known = ("limbeck", "limbeck.a", "limbeck.b", "limbeck.c")
    files = {
        "limbeck.a": "from limbeck import b",
        "limbeck.b": "def f():\n    from limbeck.c import x",
        "limbeck.c": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import limbeck.a",
    }
    graph = {name: set(imported(ast.parse(text), known)) for name, text in files.items()}
    assert set(circle(graph)) == set(files)


OUTSIDE = Path(__file__).parents[1]
"""Where programs stand that import the package without being part of it."""


@pytest.mark.parametrize("folder", ["examples", "benchmarks"])
def test_programs_outside_the_package_import_what_is_there(folder: str) -> None:
    """A name that a module loses is missed by examples and benchmarks, too, which the type checker does not read."""
    missing = [
        f"{path.name}: {node.module}.{alias.name}"
        for path in sorted((OUTSIDE / folder).glob("*.py"))
        for node in statements(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.ImportFrom) and str(node.module).partition(".")[0] == "limbeck"
        for alias in node.names
        if not is_there(str(node.module), alias.name)
    ]
    assert missing == []


def is_there(module: str, name: str) -> bool:
    """Return whether a module has a name, or a module of that name below it."""
    if hasattr(importlib.import_module(module), name):
        return True
    return importlib.util.find_spec(f"{module}.{name}") is not None
