"""Numbers in sentences: counts as a person says them, shares that are never rounded to nothing."""

from pathlib import Path

import pytest

import limbeck
from limbeck.evaluation.counted import percent, quantity


@pytest.mark.parametrize(
    ("share", "shown"),
    [
        (0, "0 %"),
        (0.00004, "<0.01 %"),
        (0.0004, "0.04 %"),
        (0.0333, "3.33 %"),
        (0.335, "33.5 %"),
        (0.5, "50 %"),
        (1, "100 %"),
    ],
)
def test_percent_never_rounds_some_to_none(share, shown):
    """A share that is there is never shown as zero; no digits that say nothing."""
    assert percent(share) == shown


def test_shares_are_said_in_one_way():
    """A chart, its table and a screen show one share with the same digits: there is one `percent`."""
    homes = [path for path in Path(limbeck.__file__).parent.rglob("*.py") if "def percent(" in path.read_text("utf-8")]
    assert [path.name for path in homes] == ["counted.py"]


@pytest.mark.parametrize(
    ("count", "unit", "said"),
    [
        (1, "rows", "1 row"),
        (0, "rows", "0 rows"),
        (1, "classes", "1 class"),
        (1, "more texts", "1 more text"),
        (2345, "texts with [UNK]", "2,345 texts with [UNK]"),
        (1, "texts with [UNK]", "1 text with [UNK]"),
    ],
)
def test_counts_are_said_as_a_person_would(count, unit, said):
    """One row, two rows; what comes after the noun stays as it is."""
    assert quantity(count, unit) == said
