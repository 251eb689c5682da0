"""Normal forms: what makes two texts the same text."""

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from limbeck.data.normal_form import group_equal_texts, normal_form


def test_case_space_and_composition() -> None:
    """Case, white space and the way Hangul is composed make no other text."""
    assert normal_form(" A\u00a0 b\n") == "a b"
    assert normal_form("Straße") == normal_form("STRASSE")
    assert normal_form(unicodedata.normalize("NFD", "긍정")) == "긍정"
    assert normal_form("a.") != normal_form("a")


@given(st.text())
def test_idempotent(text: str) -> None:
    """The normal form of a normal form is itself, and it is NFC."""
    once = normal_form(text)
    assert normal_form(once) == once
    assert unicodedata.is_normalized("NFC", once)


@given(st.text(st.characters(codec="ascii")))
def test_the_short_way_for_ascii_is_the_long_way(text: str) -> None:
    """Lower case and case folding agree on ASCII."""
    assert normal_form(text) == unicodedata.normalize("NFC", " ".join(text.split()).casefold())


def test_groups_are_numbered_as_they_come() -> None:
    """Equal texts share a number, new ones get the next."""
    assert group_equal_texts(["b", "a", "B ", "c", "a"]).tolist() == [0, 1, 0, 2, 1]
    assert group_equal_texts([]).tolist() == []
