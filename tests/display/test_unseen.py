import re
import unicodedata

import pytest

from limbeck.data.names import is_invisible
from limbeck.display.unseen import CONTROL, INVISIBLE, find_stray, show_unseen


@pytest.mark.slow
def test_both_sets_are_all_that_names_call_invisible() -> None:
    """Every character that `names.is_invisible` knows is in one of the two classes, but those that are drawn."""
    number_signs = (*range(0x600, 0x606), 0x6DD, 0x70F, 0x890, 0x891, 0x8E2, 0x110BD, 0x110CD)
    hieroglyphs = range(0x13430, 0x13440)
    drawn = {*number_signs, *hieroglyphs, *map(ord, "\v\f\r")}
    known = re.compile(f"[{INVISIBLE}{CONTROL}]")
    points = [point for point in range(0x110000) if point not in drawn]
    assert [hex(point) for point in points if is_invisible(chr(point)) and not known.match(chr(point))] == []
    assigned = [point for point in points if unicodedata.category(chr(point)) != "Cn"]
    assert [hex(point) for point in assigned if known.match(chr(point)) and not is_invisible(chr(point))] == []


@pytest.mark.parametrize(
    "text",
    ["👩‍👩‍👧‍👦 family", "❤️ and ☎︎", "1️⃣ first",
     "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
     "می‌خواهم", "क्‍ष", "葛\U000e0100城",
     "⠓⠑⠀⠺⠕", "ᅟᅡ", "ᄒ\u1160", "👨🏽‍🚀", "🏳️‍🌈", "plain", ""],
)  # fmt: skip
def test_a_joiner_that_has_a_use_is_left_alone(text: str) -> None:
    """Emoji, Persian, Hindi, rare Han forms, Braille, old Hangul: shown as they are and no fault."""
    assert find_stray(text) is None
    assert show_unseen(text, lambda _: "!") == text


@pytest.mark.parametrize(
    "sign",
    ["\u00ad", "\u061c", "\u200b", "\u200c", "\u200d", "\u200e", "\u202e",
     "\u2060", "\u2066", "\u2800", "\u3164", "\ufe0f", "\ufeff", "\uffa0",
     "\ufff9", "\U000e0041", "\U000e0100", "\u180e"],
)  # fmt: skip
@pytest.mark.parametrize("frame", ["{}", "word{}word", "word {} word", "한글{}", "{}말"])
def test_an_invisible_character_without_a_use_is_stray(sign: str, frame: str) -> None:
    """Alone, between words, inside a Latin or Hangul word: found at its place, and shown."""
    text = frame.format(sign)
    assert find_stray(text) == frame.index("{")
    assert show_unseen(text, lambda _: "!") == frame.format("!")
