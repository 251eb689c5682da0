"""When two names are the same name: columns, labels, splits; and how to show what the eye cannot tell apart.

In: names as files write them. Out: keys to compare them by, and a form for messages that shows every difference.
It does not decide what to do about two spellings: join, refuse or tell is the caller's.
"""

import unicodedata

_INVISIBLE = ("Cf", "Cc", "Zl", "Zp")
"""Unicode categories that show nothing: format and control characters, line and paragraph separators."""

_BLANK = frozenset("\u115f\u1160\u2800\u3164\uffa0")
"""Letters and signs that are drawn as nothing: Hangul fillers, the empty Braille cell."""

_VARIATION = (range(0xFE00, 0xFE10), range(0xE0100, 0xE01F0))
"""Variation selectors: they change how the sign before them is drawn."""

_LOOKALIKES = str.maketrans(
    "аеорсухіјѕԁһӏԛԝАВЕКМНОРСТУХІЈЅαονρτυκιΑΒΕΖΗΙΚΜΝΟΡΤΥΧ",
    "aeopcyxijsdhlqwABEKMHOPCTYXIJSaovptukiABEZHIKMNOPTYX",
)
"""Cyrillic and Greek letters drawn like Latin ones (the common part of Unicode TS 39, confusables.txt)."""

_MISSING = frozenset(
    ("", "nan", "none", "na", "n/a", "n.a.", "null", "nil", "nat", "<na>", "#n/a", "\\n", "-", "--", "?")
)
"""What programs and people write where there is no label, as `name_key` has it ("\\N" is MySQL's)."""

_TRUTHS = frozenset(("true", "false"))
_WIDTHS = frozenset(("<wide>", "<narrow>"))


def is_invisible(sign: str) -> bool:
    """Tell whether a character is drawn as nothing; white space is not meant."""
    if sign in "\t\n\r\x0b\x0c":
        return False
    if unicodedata.category(sign) in _INVISIBLE or sign in _BLANK:
        return True
    return any(ord(sign) in selectors for selectors in _VARIATION)


def without_invisible(name: str) -> str:
    """Return a name without the characters that are drawn as nothing, and without white space at its ends."""
    if name.isascii() and name.isprintable():
        return name.strip()
    return "".join(sign for sign in name if not is_invisible(sign)).strip()


def name_key(name: str) -> str:
    r"""Return what two spellings of one name share: NFKC, case-folded, white space collapsed, nothing invisible.

    Full-width and decomposed forms, a byte-order mark, `TRUE` beside `true` and a space at the end make no difference.

    Example:
        >>> name_key("\ufeff Ｊｏｙ ") == name_key("joy")
        True
    """
    if name.isascii() and name.isprintable():
        return " ".join(name.split()).lower()
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", without_invisible(name)).casefold())
    return " ".join(without_invisible(folded).split())


def look_key(name: str) -> str:
    """Return a key that is equal for names that look alike: `name_key`, Cyrillic and Greek lookalikes as Latin.

    Only a name that mixes scripts, or that is compared with a Latin one, is well served by it: two words of one script
    should be compared by `name_key`.
    """
    return name_key(name.translate(_LOOKALIKES))


def spelling_key(name: str) -> str:
    r"""Return what two spellings of one label share, which look alike in every font.

    NFC and NFD, full width and half width, invisible characters and kinds of white space make no difference, nor does
    the case of `true` and `false`, which spreadsheets write as TRUE and Python as True.

    Example:
        >>> spelling_key("caf\u00e9") == spelling_key("cafe\u0301"), spelling_key("Joy") == spelling_key("joy")
        (True, False)
    """
    if not name.isascii() or not name.isprintable():
        name = without_invisible("".join(map(_usual_width, unicodedata.normalize("NFC", name))))
        name = unicodedata.normalize("NFC", name)
    name = " ".join(name.split())
    return name.lower() if name.lower() in _TRUTHS else name


def _usual_width(sign: str) -> str:
    kind = unicodedata.decomposition(sign).partition(" ")[0]
    return unicodedata.normalize("NFKC", sign) if kind in _WIDTHS else sign


def shown(name: str) -> str:
    r"""Return a name for a message, in quotes: what cannot be seen, and what is not in NFC, by number.

    Example:
        >>> shown("joy\u200b")
        "'joy\\u200b'"
    """
    if unicodedata.normalize("NFC", name) != name:
        return ascii(name)
    hidden = {sign for sign in name if is_invisible(sign)}
    text = repr(name)
    for sign in hidden:
        text = text.replace(sign, ascii(sign)[1:-1])
    return text


def told_apart(one: str, other: str) -> tuple[str, str]:
    r"""Return two different names so that a reader sees how they differ: as `shown`, or by numbers if need be.

    Example:
        >>> told_apart("joy", "jоy")
        ("'joy'", "'j\\u043ey'")
    """
    if look_key(one) == look_key(other) and name_key(one) != name_key(other):
        return ascii(one), ascii(other)
    pair = shown(one), shown(other)
    return pair if pair[0] != pair[1] else (ascii(one), ascii(other))


def looks_missing(names: tuple[str, ...]) -> tuple[str, ...]:
    r"""Return the names that programs and people write where there is no label.

    Example:
        >>> looks_missing(("joy", "NaN", "\\N", "none of these"))
        ('NaN', '\\N')
    """
    signs = {name_key(name) for name in names}
    meant = {"-", "--"} if signs & {"+", "++"} else set()
    return tuple(name for name in names if name_key(name) in _MISSING - meant)
