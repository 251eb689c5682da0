"""docs/reference.md says what the commands and settings are today."""

import importlib.util
from pathlib import Path

DOCS = Path(__file__).parents[1] / "docs"


def test_the_reference_is_up_to_date():
    """After a change of an option or a setting: python docs/make_reference.py."""
    spec = importlib.util.spec_from_file_location("make_reference", DOCS / "make_reference.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert (DOCS / "reference.md").read_text("utf-8") == module.page(), "run python docs/make_reference.py"


def test_every_setting_has_its_meaning():
    """No row of the reference is left empty: each option has help, each setting a line in its class's docstring."""
    rows = [line for line in (DOCS / "reference.md").read_text("utf-8").splitlines() if line.startswith("| `")]
    assert [row for row in rows if row.endswith("|  |")] == []
