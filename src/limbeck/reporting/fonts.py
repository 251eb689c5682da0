"""Fonts that can draw a text, so that no character ever shows as a box.

In: the texts of a picture. Out: font families in the order in which a glyph is looked for, and the characters that none
of them has. It does not know charts.

Looked through in this order: DejaVu Sans, which comes with matplotlib (Latin, Greek, Cyrillic, many signs); the
families of `FAMILIES` that are installed; NanumGothic from the wheel `koreanize-matplotlib`, used as a file and never
imported, because importing it changes matplotlib for the whole process. Registering that file in matplotlib's font
list, under its own family name, is the one thing here that outlives a call.
"""

import importlib.util
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from limbeck.errors import MissingExtraError

BASE_FAMILY = "DejaVu Sans"
FAMILIES = (
    "Noto Sans CJK KR",
    "Noto Sans KR",
    "Source Han Sans KR",
    "NanumGothic",
    "NanumBarunGothic",
    "Malgun Gothic",
    "Apple SD Gothic Neo",
    "AppleGothic",
    "UnDotum",
    "Noto Sans CJK JP",
    "Noto Sans CJK SC",
    "Noto Sans CJK TC",
    "Hiragino Sans",
    "Yu Gothic",
    "PingFang SC",
    "Microsoft YaHei",
    "WenQuanYi Zen Hei",
    "Arial Unicode MS",
)
"""Families with Hangul, then families for Chinese and Japanese; the first that has a missing character is taken."""
WHEEL = "koreanize_matplotlib"
WHEEL_FONT = Path("fonts", "NanumGothic.ttf")


@dataclass(frozen=True, kw_only=True)
class FontChoice:
    """The fonts for a picture.

    Attributes:
        families: in the order in which a glyph is looked for.
        uncovered: characters that no font here has, each once, sorted.
    """

    families: tuple[str, ...]
    uncovered: tuple[str, ...]


def choose_fonts(texts: Iterable[str]) -> FontChoice:
    """Choose the fewest families that can draw the texts.

    Raises:
        MissingExtraError: a text has Hangul and no font here has it, or matplotlib is absent.
    """
    need_matplotlib()
    missing = {sign for text in texts for sign in text if not sign.isspace()}
    missing = {sign for sign in missing if ord(sign) not in _covered_by(BASE_FAMILY)}
    families: list[str] = []
    for family in FAMILIES:
        if found := {sign for sign in missing if ord(sign) in _covered_by(family)}:
            families.append(family)
            missing -= found
    family_of_wheel = _register_wheel() if missing else None
    if family_of_wheel and (found := {sign for sign in missing if ord(sign) in _covered_by(family_of_wheel)}):
        families.append(family_of_wheel)
        missing -= found
    if hangul := sorted(sign for sign in missing if _is_hangul(sign)):
        raise MissingExtraError(
            f"no font here can draw Hangul ({''.join(hangul[:10])}): install one, such as Noto Sans CJK KR or "
            'NanumGothic, or the font that comes with: pip install "limbeck[charts]"'
        )
    # A font that has both scripts goes first: one face for "joy 기쁨" looks better than two.
    return FontChoice(families=(*families, BASE_FAMILY), uncovered=tuple(sorted(missing)))


def need_matplotlib() -> None:
    """Refuse to go on without matplotlib.

    Raises:
        MissingExtraError: it is not installed.
    """
    if importlib.util.find_spec("matplotlib") is None:
        raise MissingExtraError('pictures need matplotlib, which is not installed: pip install "limbeck[charts]"')


def wheel_font() -> Path | None:
    """Return the font file inside the wheel `koreanize-matplotlib`, found without importing it; None where absent."""
    found = importlib.util.find_spec(WHEEL)
    folders = found.submodule_search_locations if found and found.submodule_search_locations else []
    files = [Path(folder) / WHEEL_FONT for folder in folders]
    return next((file for file in files if file.is_file()), None)


def _register_wheel() -> str | None:
    """Make the wheel's font known to matplotlib and return its family; None where there is no such file."""
    from matplotlib.font_manager import fontManager
    from matplotlib.ft2font import FT2Font

    file = wheel_font()
    if file is None:
        return None
    if not any(entry.fname == str(file) for entry in fontManager.ttflist):
        fontManager.addfont(file)
        _covered_by.cache_clear()
    family: str = FT2Font(str(file)).family_name
    return family


@cache
def _covered_by(family: str) -> frozenset[int]:
    """Return the code points that the regular face of an installed family has; none where it is not installed."""
    from matplotlib.font_manager import FontProperties, fontManager
    from matplotlib.ft2font import FT2Font

    if not any(entry.name == family for entry in fontManager.ttflist):
        return frozenset()
    try:
        file = fontManager.findfont(FontProperties(family=family), fallback_to_default=False)
        return frozenset(FT2Font(file).get_charmap())
    except (ValueError, OSError, RuntimeError):  # listed in matplotlib's cache, but removed or unreadable since
        return frozenset()


def _is_hangul(sign: str) -> bool:
    code = ord(sign)
    return 0xAC00 <= code <= 0xD7A3 or 0x1100 <= code <= 0x11FF or 0x3130 <= code <= 0x318F
