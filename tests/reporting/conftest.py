"""What the tests of several pages share."""

from typing import Any

import pytest
from matplotlib.figure import Figure

from limbeck.reporting import report
from limbeck.reporting.picture import Picture
from limbeck.reporting.report_charts import Drawn


@pytest.fixture
def unsaved(monkeypatch: pytest.MonkeyPatch) -> None:
    """Charts that are laid out and not saved, for tests of their texts and places: saving takes most of the time."""

    def save(figure: Figure, file: Any, *, format: str, **_: Any) -> None:  # noqa: A002  # matplotlib's own name
        file.write("<svg></svg>" if format == "svg" else b"")

    monkeypatch.setattr(Figure, "savefig", save)


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reports without charts, which take seconds each."""
    blank = Drawn(light=Picture(title="chart", description="chart", svg="<svg></svg>", save_png=bytes))
    monkeypatch.setattr(report, "draw_charts", lambda *_: {"class_frequency": blank})
