"""Two spellings of one name meet; different names do not; what the eye cannot see is shown."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from limbeck.data.names import look_key, name_key, shown, told_apart


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("joy", "Joy"),
        ("joy", " joy "),
        ("joy", "joy\u200b"),
        ("joy", "ｊｏｙ"),
        ("caf\u00e9", "cafe\u0301"),
        ("text", "\ufefftext"),
        ("리뷰", unicodedata.normalize("NFD", "리뷰")),
        ("TRUE", "true"),
        ("a b", "a\u00a0 b"),
        ("x", "x\u3164"),
    ],
)
def test_spellings_of_one_name_share_a_key(one: str, other: str) -> None:
    """Case, width, decomposition, white space at the ends and invisible characters make no other name."""
    assert name_key(one) == name_key(other)


@pytest.mark.parametrize(
    ("one", "other"), [("joy", "boy"), ("1", "1.0"), ("리뷰", "리부"), ("a b", "ab"), ("c++", "c")]
)
def test_different_names_have_different_keys(one: str, other: str) -> None:
    """A key joins no two names that a reader tells apart."""
    assert name_key(one) != name_key(other)


@given(st.text(max_size=12))
def test_a_key_is_its_own_key(name: str) -> None:
    """A key is a fixed point: keys can be compared with names and with keys."""
    assert name_key(name_key(name)) == name_key(name)


def test_letters_of_another_alphabet_look_alike() -> None:
    """A Cyrillic о is another letter by name and the same by look."""
    assert name_key("joy") != name_key("j\u043ey")
    assert look_key("joy") == look_key("j\u043ey")


@given(st.text(max_size=8), st.text(max_size=8))
def test_two_names_are_always_shown_differently(one: str, other: str) -> None:
    """Whatever differs, a message about two names shows two different strings."""
    first, second = told_apart(one, other)
    assert (first == second) == (one == other)


def test_what_cannot_be_seen_is_shown_by_number() -> None:
    """A zero-width space and a decomposed letter are visible in a message; Hangul stays Hangul."""
    assert shown("joy\u200b") == "'joy\\u200b'"
    assert shown("cafe\u0301") == "'cafe\\u0301'"
    assert shown("슬픔") == "'슬픔'"
