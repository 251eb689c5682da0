"""One name, one thing: no two modules, public classes, constants or functions of the package are called alike."""

import ast
from collections import defaultdict
from collections.abc import Iterator, Mapping

from tests.source import SOURCE, trees

import limbeck

FACES = ("api", "cli")
"""Rooms whose functions are called as what they call: `limbeck split`, `limbeck.split` and `data.split.split`."""
CONTRACTS = {"recipe_of"}
"""Functions that each method has, since METHODS asks every one of them."""


def doubled(places: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """Return the names that stand in more than one place."""
    return {name: found for name, found in places.items() if len(found) > 1}


def test_no_two_modules_have_one_name() -> None:
    """A file is found by its name alone.

    Two pairs are one thing each: a command and what it calls (cli/split, data/split), and a room and the file that it
    is named for (evaluation/evaluation).
    """
    places: defaultdict[str, list[str]] = defaultdict(list)
    for path in trees():
        room = path.parent.name
        if path.stem == "__init__" and path.parent != SOURCE:
            places[room].append(f"{room}/")
        elif not path.stem.startswith("__") and room not in ("cli", path.stem):
            places[path.stem].append(path.relative_to(SOURCE).as_posix())
    assert doubled(places) == {}


def test_no_two_public_classes_have_one_name() -> None:
    """A class is found by its name alone, and a message that names it means one."""
    places: defaultdict[str, list[str]] = defaultdict(list)
    for path, tree in trees().items():
        for node in tree.body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].append(path.relative_to(SOURCE).as_posix())
    assert doubled(places) == {}


def test_no_two_constants_have_one_name() -> None:
    """A constant, in capital letters, is found by its name alone: two of one name are one thing, or two ideas.

    Type variables, and types of arrays such as Int64, say the same everywhere.
    """
    places: defaultdict[str, list[str]] = defaultdict(list)
    for path, tree in trees().items():
        for name in constants(tree):
            places[name].append(path.relative_to(SOURCE).as_posix())
    assert doubled(places) == {}


def test_no_two_public_functions_have_one_name() -> None:
    """A function is found by its name alone, the two faces left out, whose functions have the names of commands.

    Within the faces too: a function of `cli` or `api` that is no command has a name of its own.
    """
    places: defaultdict[str, list[str]] = defaultdict(list)
    for path, tree in trees().items():
        for node in tree.body:
            if not isinstance(node, ast.FunctionDef) or node.name.startswith("_") or node.name in CONTRACTS:
                continue
            if path.parent.name in FACES and node.name in {path.stem, *limbeck.__all__}:
                continue
            places[node.name].append(path.relative_to(SOURCE).as_posix())
    assert doubled(places) == {}


def constants(tree: ast.Module) -> Iterator[str]:
    """Give the public names in capital letters that a module sets."""
    for node in tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        for one in targets:
            if isinstance(one, ast.Name) and one.id.isupper() and not one.id.startswith("_"):
                yield one.id
