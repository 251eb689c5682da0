"""Fonts: Hangul is drawn or refused, never boxed."""

import importlib.util
import sys

import pytest

from limbeck.errors import MissingExtraError
from limbeck.reporting import fonts


@pytest.fixture
def no_system_fonts(monkeypatch):
    """A machine with no font but matplotlib's own."""
    monkeypatch.setattr(fonts, "FAMILIES", ())


@pytest.fixture
def absent(monkeypatch):
    """Make a package look as if it were not installed."""
    find_spec = importlib.util.find_spec

    def hide(package):
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == package else find_spec(name))

    return hide


def test_latin_needs_no_other_font():
    """Latin, Greek, Cyrillic and arrows come with matplotlib."""
    choice = fonts.choose_fonts(["joy → любовь αγάπη…"])
    assert (choice.families, choice.uncovered) == (("DejaVu Sans",), ())


@pytest.mark.skipif(fonts.wheel_font() is None, reason="koreanize-matplotlib is not installed (extra: charts)")
def test_hangul_is_drawn_with_the_font_of_the_wheel_where_the_system_has_none(no_system_fonts):
    """NanumGothic is found as a file; the package that carries it is not imported."""
    choice = fonts.choose_fonts(["기쁨 joy"])
    assert choice.families == ("NanumGothic", "DejaVu Sans")
    assert choice.uncovered == ()
    assert "koreanize_matplotlib" not in sys.modules


def test_hangul_without_a_font_is_refused_with_the_remedy(no_system_fonts, absent):
    """Boxes are never drawn: the error names the characters and the command that helps."""
    absent("koreanize_matplotlib")
    with pytest.raises(MissingExtraError, match=r'Hangul \(기쁨\)[\s\S]*pip install "limbeck\[charts\]"'):
        fonts.choose_fonts(["기쁨"])


def test_other_characters_without_a_font_are_reported(no_system_fonts, absent):
    """A sign that no font has is named, once."""
    absent("koreanize_matplotlib")
    assert fonts.choose_fonts(["\U0001fadc a \U0001fadc", "中"]).uncovered == ("中", "\U0001fadc")


def test_family_that_is_not_installed_covers_nothing(monkeypatch):
    """A name in the list that this machine does not have is passed over."""
    monkeypatch.setattr(fonts, "FAMILIES", ("No Such Family",))
    assert "No Such Family" not in fonts.choose_fonts(["기쁨"]).families


def test_matplotlib_absent_names_the_extra(absent):
    """Without matplotlib the message says what to install."""
    absent("matplotlib")
    with pytest.raises(MissingExtraError, match=r'pip install "limbeck\[charts\]"'):
        fonts.choose_fonts(["joy"])
