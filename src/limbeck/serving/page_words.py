"""The words of the service's pages, in English and Korean.

In: a language, or what a browser says of its own. Out: words by section and key. Labels and texts are never translated.
"""

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

LANGUAGES = {"en": "English", "ko": "한국어"}
"""Each by its own name."""


@cache
def page_words(language: str) -> Mapping[str, Any]:
    """Return sections of words, and `language`, the code of the language."""
    file = files("limbeck.serving").joinpath("pages", f"words.{language}.toml")
    return {"language": language, **tomllib.loads(file.read_text("utf-8"))}


def chosen_language(wanted: str | None, accepted: str) -> str:
    """Return the language of a page: what its address says, else the one that the browser likes best.

    Args:
        wanted: `lang` in the address.
        accepted: the header `Accept-Language`.

    Example:
        >>> chosen_language(None, "fr, ko-KR;q=0.9, en;q=0.8"), chosen_language("en", "ko"), chosen_language("x", "")
        ('ko', 'en', 'en')
    """
    if wanted in LANGUAGES:
        return wanted
    liked = qualities(accepted)
    known = [name for name in liked if name.partition("-")[0] in LANGUAGES and liked[name] > 0]
    return max(known, key=liked.__getitem__).partition("-")[0] if known else "en"


def qualities(header: str) -> dict[str, float]:
    """Return how much a client likes each thing that a header such as `Accept` lists, 0 to 1.

    Of one thing that is listed twice the first counts; what is no number counts as 0.

    Example:
        >>> qualities("text/html, */*;q=0.8, ;;, x;q=much")
        {'text/html': 1.0, '*/*': 0.8, 'x': 0.0}
    """
    found: dict[str, float] = {}
    for part in header.split(","):
        name, *parameters = (one.strip().lower() for one in part.split(";"))
        quality = next((one.removeprefix("q=") for one in parameters if one.startswith("q=")), "1")
        if name:
            found.setdefault(name, float(quality) if quality.replace(".", "", 1).isdecimal() else 0.0)
    return found
