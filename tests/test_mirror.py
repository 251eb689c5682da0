"""The tests stand in the rooms of what they test, and are named for it."""

from pathlib import Path

import limbeck

TESTS, SOURCE = Path(__file__).parent, Path(limbeck.__file__).parent
ACROSS = {
    "browser": "pages in Chromium",
    "conformance": "contracts, run over every class that keeps them",
    "crash": "kill -9",
    "docs": "what the pages print",
    "end_to_end": "whole commands",
    "examples": "examples/",
    "hostile": "wrong and malicious files",
    "hub": "every room over a hub of our own",
    "parity": "the same numbers as transformers",
}
"""Folders of tests that are no room's own."""


def test_every_file_of_tests_is_named_for_a_module() -> None:
    """tests/ROOM/test_MODULE.py or tests/ROOM/test_MODULE_MATTER.py, for a module of that room or for the room."""
    lost = []
    for path in sorted(TESTS.glob("*/test_*.py")):
        if path.parent.name in ACROSS:
            continue
        modules = {path.parent.name, *(one.stem for one in (SOURCE / path.parent.name).glob("*.py"))}
        name = path.stem.removeprefix("test_")
        if not any(name == module or name.startswith(f"{module}_") for module in modules):
            lost.append(str(path.relative_to(TESTS)))
    assert lost == []


def test_folders_that_are_no_room_are_listed() -> None:
    """Those that lie across the rooms are there, and no room has the name of one but the hub's."""
    folders = {path.parent.name for path in TESTS.glob("*/test_*.py")}
    rooms = {path.parent.name for path in SOURCE.glob("*/__init__.py")}
    assert folders - rooms == set(ACROSS) - {"hub"}
