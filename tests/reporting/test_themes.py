"""Colours: text can be read on every cell, series stand out from the paper."""

import itertools
import math

import pytest

from limbeck.reporting import themes

BOTH = pytest.mark.parametrize("theme", [themes.LIGHT, themes.DARK], ids=lambda theme: theme.name)


def test_contrast_equals_published_values():
    """Black on white is 21:1; #777777 on white is 4.48:1, the example that fails WCAG by a hair."""
    assert themes.contrast(themes.rgb("#000000"), themes.rgb("#ffffff")) == pytest.approx(21)
    assert themes.contrast(themes.rgb("#ffffff"), themes.rgb("#777777")) == pytest.approx(4.48, abs=0.005)


@BOTH
def test_numbers_in_cells_can_be_read_at_every_share(theme):
    """On each colour of both ramps the chosen ink has a contrast of at least 4.5:1."""
    for ramp in (theme.right_ramp, theme.wrong_ramp):
        for step in range(101):
            colour = themes.ramp_colour(ramp, step / 100)
            assert themes.contrast(themes.rgb(themes.ink_on(colour)), colour) >= 4.5


@BOTH
def test_text_and_series_stand_out_from_the_paper(theme):
    """Text by at least 4.5:1, bars and lines by at least 3:1."""
    paper = themes.rgb(theme.paper)
    assert min(themes.contrast(themes.rgb(ink), paper) for ink in (theme.ink, theme.muted)) >= 4.5
    assert min(themes.contrast(themes.rgb(colour), paper) for colour in theme.series) >= 3


@BOTH
def test_no_two_series_look_alike(theme):
    """Any two colours are 25 apart or more in CIE L*a*b* (2.3 is a difference that can just be seen)."""
    points = [lightness_and_hue(colour) for colour in theme.series]
    apart = [math.dist(one, other) for one, other in itertools.combinations(points, 2)]
    assert min(apart) >= 25


def lightness_and_hue(colour):
    """L*, a*, b* of an sRGB colour (CIE 1976, white D65)."""
    linear = [one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in themes.rgb(colour)]
    rows = ((0.4124, 0.3576, 0.1805), (0.2126, 0.7152, 0.0722), (0.0193, 0.1192, 0.9505))
    whole = [sum(part * one for part, one in zip(row, linear, strict=True)) / sum(row) for row in rows]
    x, y, z = (one ** (1 / 3) if one > 0.008856 else 7.787 * one + 16 / 116 for one in whole)
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


@BOTH
def test_ramps_start_at_the_paper_and_go_one_way(theme):
    """No share looks like paper, and more always looks like more."""
    paper = themes.rgb(theme.paper)
    for ramp in (theme.right_ramp, theme.wrong_ramp):
        away = [themes.contrast(themes.ramp_colour(ramp, step / 50), paper) for step in range(51)]
        assert away[0] == pytest.approx(1)
        assert away == sorted(away)
