"""What a report leaves beside itself: the charts that its page shows, and as PNG what was asked for."""

from pathlib import Path

import pytest

from limbeck.reporting.picture import Picture
from limbeck.reporting.report_charts import Drawn, write_charts


def picture(title: str, saved: list[str]) -> Picture:
    """A chart that notes when its PNG is made."""

    def save_png() -> bytes:
        saved.append(title)
        return title.encode()

    return Picture(title=title, description="", svg=f"<svg>{title}</svg>", save_png=save_png)


@pytest.mark.parametrize("png", [False, True])
def test_a_png_is_made_only_where_it_is_asked_for_or_there_already(tmp_path: Path, png: bool) -> None:
    """Each chart is an SVG, in both themes; a PNG that a training left shows the report's chart, not an older one."""
    saved: list[str] = []
    charts = {
        "bars": Drawn(light=picture("bars", saved)),
        "cells": Drawn(light=picture("cells", saved), dark=picture("dark cells", saved)),
    }
    (tmp_path / "cells.png").write_bytes(b"older")
    write_charts(charts, tmp_path, png=png)
    assert (tmp_path / "cells_dark.svg").read_text("utf-8") == "<svg>dark cells</svg>"
    assert (tmp_path / "cells.png").read_bytes() == b"cells"
    assert saved == (["bars", "cells", "dark cells"] if png else ["cells"])
    assert (tmp_path / "bars.png").exists() == png


def test_a_png_is_made_once() -> None:
    """Whoever asks twice gets the same bytes."""
    saved: list[str] = []
    one = picture("bars", saved)
    assert (one.png, one.png) == (b"bars", b"bars")
    assert saved == ["bars"]
