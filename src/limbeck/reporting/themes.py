"""Colours of charts, and how well they are told apart.

In: nothing. Out: a light and a dark theme, contrast ratios. It does not know charts.

The series colours are those of Okabe and Ito, told apart with every common colour blindness, darkened or lightened
until they stand out from the paper by at least 3:1; ink and muted ink stand out by at least 4.5:1. Tests compute both.

Source: Okabe & Ito, Color Universal Design (2008); WCAG 2.2, relative luminance and contrast ratio.
"""

from collections.abc import Sequence
from dataclasses import dataclass

Colour = tuple[float, float, float]
"""Red, green, blue, each 0 to 1 (sRGB)."""


@dataclass(frozen=True, kw_only=True)
class Theme:
    """The colours of one look.

    Attributes:
        name: "light" or "dark".
        paper: behind everything.
        ink: text.
        muted: secondary text.
        line: axes and grid.
        series: for categories, in order.
        right_ramp: from none to all, for shares that are right.
        wrong_ramp: from none to all, for shares that are wrong.
    """

    name: str
    paper: str
    ink: str
    muted: str
    line: str
    series: tuple[str, ...]
    right_ramp: tuple[str, ...]
    wrong_ramp: tuple[str, ...]


LIGHT = Theme(
    name="light",
    paper="#ffffff",
    ink="#1b1b1f",
    muted="#5c5c66",
    line="#d5d5dc",
    series=("#0072b2", "#c04f00", "#007a5a", "#a8467e", "#8a6d00", "#4d4d57"),
    right_ramp=("#ffffff", "#c9def0", "#6ea6d2", "#1f6cad", "#0b3a66"),
    wrong_ramp=("#ffffff", "#fbdcc0", "#f0a160", "#c85f0a", "#7a3200"),
)
DARK = Theme(
    name="dark",
    paper="#17171b",
    ink="#f0f0f4",
    muted="#b4b4c0",
    line="#43434d",
    series=("#56b4e9", "#e69f00", "#2fc39a", "#dd8fbb", "#e5d94a", "#d0d0d8"),
    right_ramp=("#17171b", "#14395a", "#1f6cad", "#6ea6d2", "#d5e7f6"),
    wrong_ramp=("#17171b", "#552602", "#a84f06", "#ee9a55", "#fde6d2"),
)


def ramp_colour(ramp: Sequence[str], share: float) -> Colour:
    """Return the colour at `share` (0 to 1) of the way along a ramp."""
    place = min(max(share, 0.0), 1.0) * (len(ramp) - 1)
    start = min(int(place), len(ramp) - 2)
    left, right, way = rgb(ramp[start]), rgb(ramp[start + 1]), place - start
    red, green, blue = (one + (other - one) * way for one, other in zip(left, right, strict=True))
    return red, green, blue


def ink_on(colour: Colour) -> str:
    """Return black or white, whichever stands out more from `colour`: always by at least 4.5:1."""
    return max(("#000000", "#ffffff"), key=lambda ink: contrast(rgb(ink), colour))


def contrast(one: Colour, other: Colour) -> float:
    """Return the contrast ratio of two colours, 1 to 21."""
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def rgb(hexadecimal: str) -> Colour:
    """Return the colour that "#rrggbb" names."""
    red, green, blue = (int(hexadecimal[place : place + 2], 16) / 255 for place in (1, 3, 5))
    return red, green, blue


def _luminance(colour: Colour) -> float:
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in colour]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
