"""Label names in pictures: short lines, nothing invisible, nothing cut without a sign."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from limbeck.display.wrapping import ELLIPSIS, visible_text, width, wrap


def test_decomposed_hangul_becomes_syllables():
    """NFD Hangul, as macOS writes it, is drawn as syllables."""
    assert visible_text(unicodedata.normalize("NFD", "기쁨")) == "기쁨"


def test_controls_and_joiners_do_not_reach_the_picture():
    """Line ends and controls are spaces; invisible marks are gone."""
    assert visible_text("a\n\tb\x00c\u200bd\u202ee") == "a b cde"


def test_hangul_takes_two_columns():
    """Width is counted as a terminal and a fixed-width font show it."""
    assert (width("joy"), width("기쁨"), width("é"), width("e\u0301")) == (3, 4, 1, 1)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("joy", "joy"),
        ("a very long name of a class", "a very\nlong name…"),
        ("second/reminder", "second/\nreminder"),
        ("Donaudampfschiff", "Donaudampf\nschiff"),
        ("두려움과 놀라움과 기쁨", "두려움과\n놀라움과…"),
    ],
)
def test_lines_break_where_a_reader_would(text, shown):
    """At spaces and slashes where possible, inside a word where it must be."""
    assert wrap(text, columns=10, lines=2) == shown


@given(st.text(max_size=80), st.integers(3, 30), st.integers(1, 3))
def test_lines_keep_their_bounds_and_cuts_are_marked(text, columns, lines):
    """Never more lines or columns than asked; whatever is lost is marked by an ellipsis."""
    shown = wrap(text, columns=columns, lines=lines)
    assert len(shown.split("\n")) <= lines
    assert max(width(line) for line in shown.split("\n")) <= columns
    if not shown.endswith(ELLIPSIS):
        assert "".join(shown.split()) == "".join(visible_text(text).split())
