"""What the tests of several pages share."""

import pytest

from limbeck.reporting import report
from limbeck.reporting.picture import Picture
from limbeck.reporting.report_charts import Drawn


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reports without charts, which take seconds each."""
    blank = Drawn(light=Picture(title="chart", description="chart", png=b"", svg="<svg></svg>"))
    monkeypatch.setattr(report, "draw_charts", lambda *_: {"class_frequency": blank})
