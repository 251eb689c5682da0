"""Words of the pages: both languages say all, and nothing else is said."""

import re
from importlib.resources import files

import pytest

from limbeck.serving.page_words import LANGUAGES, chosen_language, page_words, qualities

BRACES = re.compile(r"\{(\w+)\}")
HANGUL = re.compile(r"[가-힣]")
PAGES = files("limbeck.serving").joinpath("pages")
LIKE_NAMES = {("page", "title")}
"""Sentences that are made of names and signs alone."""


def sentences(language: str) -> dict[tuple[str, str], str]:
    return {
        (section, key): sentence
        for section, words in page_words(language).items()
        if isinstance(words, dict)
        for key, sentence in words.items()
    }


def test_both_languages_have_the_same_sentences() -> None:
    """The same keys, and the same values in each: nothing is left out in either language."""
    english, korean = sentences("en"), sentences("ko")
    assert english.keys() == korean.keys()
    for key in english:
        assert sorted(BRACES.findall(english[key])) == sorted(BRACES.findall(korean[key])), key
        assert HANGUL.search(korean[key]) or key in LIKE_NAMES, key
        assert not HANGUL.search(english[key]), key


def test_the_scripts_say_what_is_there_and_all_of_it() -> None:
    """A word that a script asks for exists, and one that nothing asks for is gone."""
    scripts = "".join(one.read_text("utf-8") for one in PAGES.iterdir() if one.name.endswith(".js"))
    asked = set(re.findall(r"\b(?:w|known\.words)\.(\w+)", scripts)) - {"wrong_key"}
    assert asked == page_words("en")["said"].keys() | page_words("en")["state"].keys()


def test_the_templates_say_all_that_is_there() -> None:
    """Sections of the templates have no word that none of them says."""
    templates = "".join(one.read_text("utf-8") for one in PAGES.iterdir() if one.name.endswith(".j2"))
    said = set(re.findall(r"\bw\.(\w+\.\w+)", templates))
    by_value = {"lead", "state"}  # chosen by a task, or shown by the script
    chosen = {"model.head", "model.tail", "model.both", "model.all"}
    in_python = {"model.never", "model.always_unsure", "model.threshold_from", "model.threshold_above", "key.wrong"}
    there = {f"{section}.{key}" for section, key in sentences("en") if section not in {*by_value, "said"}}
    assert there - chosen - in_python <= said


@pytest.mark.parametrize(
    ("wanted", "accepted", "language"),
    [
        (None, "", "en"),
        (None, "ko", "ko"),
        (None, "ko-KR,ko;q=0.9,en-US;q=0.8", "ko"),
        (None, "en-GB,ko;q=0.9", "en"),
        (None, "de,fr;q=0.5", "en"),
        (None, "ko;q=0,en;q=0.1", "en"),
        (None, "ko;q=much,,;;", "en"),
        ("ko", "en", "ko"),
        ("en", "ko", "en"),
        ("xx", "ko", "ko"),
        ("", "ko", "ko"),
    ],
)
def test_language(wanted: str | None, accepted: str, language: str) -> None:
    """The address decides, then what the browser likes best among those that are there, then English."""
    assert chosen_language(wanted, accepted) == language
    assert language in LANGUAGES


def test_qualities_of_a_header() -> None:
    """As RFC 9110 (12.4.2) has them; what is no number counts as unwanted."""
    assert qualities("a;q=0.5, B ;q=1;x=y, c, a;q=0.9, ,d;q=-1,e;q=1e5") == {"a": 0.5, "b": 1, "c": 1, "d": 0, "e": 0}
