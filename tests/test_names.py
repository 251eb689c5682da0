"""One name, one thing: no two modules and no two public classes of the package are called alike."""

import ast
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

import limbeck

ROOT = Path(limbeck.__file__).parent


def doubled(places: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """Return the names that stand in more than one place."""
    return {name: found for name, found in places.items() if len(found) > 1}


def test_no_two_modules_have_one_name() -> None:
    """A file is found by its name alone.

    Two pairs are one thing each: a command and what it calls (cli/split, data/split), and a room and the file that it
    is named for (evaluation/evaluation).
    """
    places: defaultdict[str, list[str]] = defaultdict(list)
    for path in sorted(ROOT.rglob("*.py")):
        room = path.parent.name
        if path.stem == "__init__" and path.parent != ROOT:
            places[room].append(f"{room}/")
        elif not path.stem.startswith("__") and room not in ("cli", path.stem):
            places[path.stem].append(path.relative_to(ROOT).as_posix())
    assert doubled(places) == {}


def test_no_two_public_classes_have_one_name() -> None:
    """A class is found by its name alone, and a message that names it means one."""
    places: defaultdict[str, list[str]] = defaultdict(list)
    for path in sorted(ROOT.rglob("*.py")):
        for node in ast.parse(path.read_text("utf-8")).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].append(path.relative_to(ROOT).as_posix())
    assert doubled(places) == {}
